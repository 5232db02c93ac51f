"""Remedy: audit, fit a remedy on the discovery rows, export the mended model, audit it again."""

import hashlib
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
from pfungst.report.files import written
from pfungst.runs.owned import apart, settled, unlinked
from pfungst.runs.places import glanced, working
from pfungst.stored import Stored, below, is_stored

MADE = "remedy.json"
"""What a remedy leaves in the RUN before it: the digest of the model that it wrote."""
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

    What lies at ``out`` is replaced only where an earlier remedy wrote it.

    Raises:
        InputError: if there is no such method or cue, the model cannot be exported, a promise cannot be kept, or a file
            would be written over.
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
    apart(out, [model, data, *request.sources])
    study = opened(model, data, request)
    folders = {name: run_of(out, name) for name in ("before", "after")}
    _free(study, out, folders)
    checked(study, Inline(study.sweep()))
    before = audit(model, data, task=task, listen=listen, out=folders["before"], explicit_out=True, **options)
    fitted = fit(study, before, asked)
    try:
        exported(study, fitted.content, out)
        with working(folders["before"]) as place:
            written(place.folder / MADE, msgspec.json.encode({"made": _digest(fitted.content)}))
    except OSError as error:
        raise InputError(f"writing to {out} failed ({error.strerror or error}); name another file with --out") from None
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
    folder, name = _beside(out)
    for small, words in {**_small(study), name: content}.items():
        if is_stored(folder):
            Stored(folder).write(small, words)
        elif _there(folder, small) != words:
            Path(folder).mkdir(parents=True, exist_ok=True)
            written(Path(folder) / small, words)


def _free(study: Study, out: str | Path, folders: Mapping[str, str]) -> None:
    """Refuse a file of the user's where the mended model, or a small file beside it, is to lie, and RUNs of others."""
    folder, name = _beside(out)
    if not is_stored(out) and Path(out).is_dir():
        raise InputError(
            f"--out {out} is a folder, and a remedy writes a model; name a file, as {below(out, 'mended')}"
        )
    there = _there(folder, name)
    if there is not None and _digest(there).encode() not in glanced(folders["before"], MADE):
        raise InputError(f"--out {out} is there, and no remedy wrote it as it is; name another file, or remove it")
    for small, words in _small(study).items():
        if _there(folder, small) not in {None, words}:
            raise InputError(
                f"the mended model needs the {small} of {study.model.source} beside it, and {below(folder, small)} is "
                "another; name a file in another folder with --out"
            )
    for run in folders.values():
        if not is_stored(run):
            settled(Path(run))
            unlinked(Path(run))


def _beside(out: str | Path) -> tuple[str, str]:
    """The folder or address in which a model's file lies, and its name."""
    return (
        (Stored(out).at("..").address, Stored(out).name) if is_stored(out) else (str(Path(out).parent), Path(out).name)
    )


def _there(folder: str, name: str) -> bytes | None:
    """A file's content, None where there is none."""
    if is_stored(folder):
        found = Stored(folder).read(name)
        return found if isinstance(found, bytes) else None
    path = Path(folder) / name
    return path.read_bytes() if path.exists() else None


def _small(study: Study) -> dict[str, bytes]:
    """The small files beside a model, by name."""
    folder = Path(study.model.source.split(":")[0]).parent
    return {name: (folder / name).read_bytes() for name in BESIDE if (folder / name).is_file()}


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
