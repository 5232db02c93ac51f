"""Remedy: audit, fit a remedy on the discovery rows, export the mended model, audit it again."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from pfungst.arrays import FloatArray
from pfungst.audit_result import Audit
from pfungst.auditing import audit, planned
from pfungst.audits.request import resolve
from pfungst.audits.study import Study, checked, opened
from pfungst.engine.local import Inline
from pfungst.errors import InputError
from pfungst.findings import BeforeAfter
from pfungst.listening import Listener
from pfungst.methods.affine_recalibration import FitAffine, matrix, vector
from pfungst.remedies.guarding import example, fitted_guard, judged_guard, passes
from pfungst.remedies.hardening import augmented_layer, fragile_shifts, trained
from pfungst.remedies.hardening import bought as hardening_bought
from pfungst.remedies.recalibrating import FIT, JUDGED, Foldable, bought, fitted_temperature, fitted_weights, judged_map
from pfungst.remedies.retraining import bought as retraining_bought
from pfungst.remedies.retraining import last_layer
from pfungst.stored import Stored, is_stored

BESIDE = ("config.json", "labels.txt", "preprocessor_config.json")


@dataclass(frozen=True)
class Remedied:
    """What a remedy bought: the mended model's file, both audits, the numbers side by side, and a sentence."""

    model: str | Path
    before: Audit
    after: Audit
    lines: tuple[BeforeAfter, ...]
    sentence: str


@dataclass(frozen=True)
class Asked:
    """What may be said to a remedy beyond model, data and the options of an audit; each method reads its own."""

    cue: str | None = None
    column: str | None = None
    votes: bool = False
    risk: float = 0.05
    reject: float = 0.05
    epochs: int = 3
    rate: float = 3e-4


Told = Callable[[Study, Audit, Audit], tuple[tuple[BeforeAfter, ...], str]]


@dataclass(frozen=True, eq=False)
class Fitted:
    """The mended model as a file's content, and what is told of it once it was audited.

    ``weights`` says that the file holds weights for the model's own factory.
    """

    content: bytes
    told: Told
    weights: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


Fit = Callable[[Study, Audit, Asked], Fitted]


def remedy(
    method: str,
    model: Any,
    data: Any,
    *,
    out: str | Path,
    listen: Listener | None = None,
    **options: Any,
) -> Remedied:
    """Fit a remedy, export a usable model, and audit before and after.

    ``last-layer`` fits the layer that makes the scores anew, on rows whose ``cue`` was swapped so that it says nothing
    of the label; the cue is the gravest that the audit finds, or the one named. With ``column`` the rows are drawn so
    that label and column are independent. ``temperature`` divides the scores by the number with the least log-loss
    against the labels, or with ``votes`` against the labellers' votes; ``vector`` and ``matrix`` give each class's
    score weights and an intercept of its own, written into the last layer. ``guard`` adds calibrated probabilities and
    "none of these": at most ``risk`` of its answers are wrong, a known row is refused as strange with probability
    ``reject``. ``augmentation`` fits the last layer to rows under the shifts it is fragile to; ``finetuning`` trains
    the whole network (a PyTorch module) on them, ``adversarial-training`` on the worst inputs nearby, for ``epochs``
    rounds at the learning rate ``rate``. Only the chapters a remedy is about are audited unless ``only`` names more.
    Other ``options`` are those of ``pfungst.audit``.

    Raises:
        InputError: if there is no such method or cue, the model cannot be exported, or a promise cannot be kept.
    """
    fit, only = _method(method, model)
    asked = Asked(**{one.name: options.pop(one.name) for one in fields(Asked) if options.get(one.name) is not None})
    for one in fields(Asked):
        options.pop(one.name, None)
    options["only"] = options.get("only") or only
    request = replace(resolve(options.pop("task", None), options), out=None)
    # What the task file names is where an audit goes and what the model before was read with, not the mended one.
    task = msgspec.structs.replace(request.task, out=None, weights=None)
    options["weights"] = request.weights
    study = opened(model, data, request)
    checked(study, Inline(study.sweep()))
    folders = {name: run_of(out, name) for name in ("before", "after")}
    before = audit(model, data, task=task, listen=listen, out=folders["before"], explicit_out=True, **options)
    fitted = fit(study, before, asked)
    exported(study, fitted.content, out)
    mended = str(model) if fitted.weights else str(out)
    more = {**options, **fitted.options, "weights": str(out) if fitted.weights else None}
    after = audit(mended, data, task=task, listen=listen, out=folders["after"], explicit_out=True, **more)
    lines, sentence = fitted.told(opened(mended, data, resolve(task, more)), before, after)
    return Remedied(out if is_stored(out) else Path(out), before, after, lines, sentence)


def planned_remedy(method: str, model: Any, data: Any, **options: Any) -> str:
    """The plan of a remedy in words: that of the audit before it, which is asked again of the mended model.

    Raises:
        InputError: as ``remedy``.
    """
    _, only = _method(method, model)
    plan = planned(model, data, **{**options, "only": options.get("only") or only})
    return f"{plan}\nasked twice, before and after the remedy; what the fit itself takes is not in it"


def _method(method: str, model: Any) -> tuple[Fit, tuple[str, ...]]:
    """How a remedy is fitted, and the chapters that it is about."""
    if method not in METHODS:
        raise InputError(f"there is no remedy {method!r}; there are {', '.join(METHODS)}")
    if not isinstance(model, str | Path):
        raise InputError("a remedy exports the model in its own format; give a file, or a factory with --weights")
    return METHODS[method]


def run_of(target: str | Path, name: str) -> str:
    """The RUN folder of the audit ``before`` or ``after``, beside the mended model's file.

    >>> run_of("nets/mended.onnx", "after"), run_of("s3://bucket/mended.onnx?region=eu-1", "after")
    ('nets/mended-after', 's3://bucket/mended-after?region=eu-1')
    """
    if is_stored(target):
        model = Stored(target)
        return model.at("..").at(f"{Path(model.name).stem}-{name}").address
    return str(Path(target).with_name(f"{Path(target).stem}-{name}"))


def _relaid(study: Study, weight: FloatArray, bias: FloatArray, told: Told) -> Fitted:
    """The model with another last layer."""
    content: bytes = study.model.with_last_layer(weight, bias)  # type: ignore[attr-defined]
    return Fitted(content, told, weights=study.model.describe()["kind"] == "torch")


def _cooled(study: Study, before: Audit, asked: Asked) -> Fitted:
    del before
    found = fitted_temperature(study, study.answered((FIT,))[FIT], votes=asked.votes)
    layer = study.model.last_layer() if hasattr(study.model, "last_layer") else None
    if layer is not None:
        return _relaid(study, *found.folded(*layer), partial(_told, study, found))
    _exportable(study)
    scaled: bytes = study.model.scaled(found.value, example(study))  # type: ignore[attr-defined]
    return Fitted(scaled, partial(_told, study, found))


def _weighted(fit: FitAffine, study: Study, before: Audit, asked: Asked) -> Fitted:
    del before
    found = fitted_weights(fit, study, study.answered((FIT,))[FIT], votes=asked.votes)
    layer = study.model.last_layer()  # type: ignore[attr-defined]
    return _relaid(study, *found.folded(*layer), partial(_told, study, found))


def _told(
    study: Study, found: Foldable, again: Study, before: Audit, after: Audit
) -> tuple[tuple[BeforeAfter, ...], str]:
    """What recalibration bought on rows nobody fitted on."""
    del before, after
    sides = [(one, one.answered((JUDGED,))) for one in (study, again)]
    lines = bought(sides[0], sides[1])
    return lines, judged_map(found, lines)


def _guarded(study: Study, before: Audit, asked: Asked) -> Fitted:
    del before
    _exportable(study)
    done = study.answered(passes(study))
    guard = fitted_guard(study, done, votes=asked.votes, risk=asked.risk, reject=asked.reject)

    def told(again: Study, _: Audit, __: Audit) -> tuple[tuple[BeforeAfter, ...], str]:
        del again
        return judged_guard(study, done, guard)

    return Fitted(guard.exported, told, options={"outputs": "probabilities"})


def _exportable(study: Study) -> None:
    if not hasattr(study.model, "scaled"):
        raise InputError(
            f"{study.model.source} cannot be written anew: ONNX files and PyTorch modules can; export it to ONNX first"
        )


def _refitted(study: Study, before: Audit, asked: Asked) -> Fitted:
    layer, groups = last_layer(study, before, asked.cue, asked.column)

    def told(again: Study, before: Audit, after: Audit) -> tuple[tuple[BeforeAfter, ...], str]:
        return retraining_bought((study, again), (before, after), groups)

    return _relaid(study, layer.weight, layer.bias, told)


def _augmented(study: Study, before: Audit, asked: Asked) -> Fitted:
    del asked
    kinds = fragile_shifts(study, before)
    layer = augmented_layer(study, kinds)
    return _relaid(study, layer.weight, layer.bias, lambda again, _, __: hardening_bought(study, again, kinds))


def _trained(against: str, study: Study, before: Audit, asked: Asked) -> Fitted:
    kinds = fragile_shifts(study, before)
    content = trained(study, kinds, epochs=asked.epochs, rate=asked.rate, against=against)
    return Fitted(content, lambda again, _, __: hardening_bought(study, again, kinds), weights=True)


METHODS: Mapping[str, tuple[Fit, tuple[str, ...]]] = {
    "last-layer": (_refitted, ()),
    "temperature": (_cooled, ("calibration",)),
    "vector": (partial(_weighted, vector), ("calibration",)),
    "matrix": (partial(_weighted, matrix), ("calibration",)),
    "guard": (_guarded, ("calibration", "unknowns")),
    "augmentation": (_augmented, ("shift",)),
    "finetuning": (partial(_trained, "shifts"), ("shift",)),
    "adversarial-training": (partial(_trained, "attacks"), ("shift", "adversarial")),
}
"""What each remedy is fitted by, and the chapters that are audited before and after unless others are named."""


def exported(study: Study, content: bytes, out: str | Path) -> None:
    """Write the mended model, and beside it the small files that lay beside the model."""
    folder = Path(study.model.source.split(":")[0]).parent
    beside = {name: folder / name for name in BESIDE if (folder / name).is_file()}
    if is_stored(out):
        there = Stored(out)
        for name, words in {**{name: file.read_bytes() for name, file in beside.items()}, there.name: content}.items():
            there.at("..").write(name, words)
        return
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    for name, file in beside.items():
        if file.resolve() != (path.parent / name).resolve():
            shutil.copyfile(file, path.parent / name)
