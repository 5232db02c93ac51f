"""Remedy: audit, fit a remedy on the discovery rows, export the mended model, audit it again."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pfungst.arrays import FloatArray, IntArray
from pfungst.audit_result import Audit
from pfungst.auditing import audit
from pfungst.engine.rounds import Listener, Rounds
from pfungst.errors import InputError
from pfungst.findings import BeforeAfter, Finding, RegionMap
from pfungst.guarding import example, fitted_guard, judged_guard, passes
from pfungst.methods.affine_recalibration import FitAffine, matrix, vector
from pfungst.methods.candidates import candidates
from pfungst.methods.cues import Cue
from pfungst.methods.places import Region
from pfungst.methods.standing import scores
from pfungst.methods.swaps import Swap
from pfungst.passes import Passes, Predict
from pfungst.probe import labelled
from pfungst.recalibrating import FIT, JUDGED, Foldable, bought, fitted_temperature, fitted_weights, judged_map
from pfungst.remedies.last_layer import Examples, retrained
from pfungst.request import resolve
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.intervals import proportion_of
from pfungst.study import Study, checked, opened

BESIDE = ("config.json", "labels.txt", "preprocessor_config.json")
FEWEST = 20
"""Rows of a group below which its accuracy is not shown."""


@dataclass(frozen=True)
class Remedied:
    """What a remedy bought: the mended model's file, both audits, the numbers side by side, and a sentence."""

    model: Path
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
    ``reject``. All but the first audit calibration (``guard`` unknowns too) unless ``only`` names more. Other
    ``options`` are those of ``pfungst.audit``.

    Raises:
        InputError: if there is no such method or cue, the model cannot be exported, or a promise cannot be kept.
    """
    if method not in METHODS:
        raise InputError(f"there is no remedy {method!r}; there are {', '.join(METHODS)}")
    if not isinstance(model, str | Path):
        raise InputError("a remedy exports the model in its own format; give a file, or a factory with --weights")
    fit, only = METHODS[method]
    asked = Asked(**{one.name: options.pop(one.name) for one in fields(Asked) if options.get(one.name) is not None})
    for one in fields(Asked):
        options.pop(one.name, None)
    options["only"] = options.get("only") or only
    target, request = Path(out), resolve(options.pop("task", None), options)
    study = opened(model, data, request)
    checked(study)
    folders = {name: target.with_name(f"{target.stem}-{name}") for name in ("before", "after")}
    before = audit(model, data, task=request.task, listen=listen, out=folders["before"], explicit_out=True, **options)
    fitted = fit(study, before, asked)
    exported(study, fitted.content, target)
    mended = str(model) if fitted.weights else str(target)
    more = {**options, **fitted.options, "weights": str(target) if fitted.weights else None}
    after = audit(mended, data, task=request.task, listen=listen, out=folders["after"], explicit_out=True, **more)
    lines, sentence = fitted.told(opened(mended, data, resolve(request.task, more)), before, after)
    return Remedied(target, before, after, lines, sentence)


def _relaid(study: Study, weight: FloatArray, bias: FloatArray, told: Told) -> Fitted:
    """The model with another last layer."""
    content: bytes = study.model.with_last_layer(weight, bias)  # type: ignore[attr-defined]
    return Fitted(content, told, weights=study.model.describe()["kind"] == "torch")


def _cooled(study: Study, before: Audit, asked: Asked) -> Fitted:
    del before
    found = fitted_temperature(study, _asked(study, (FIT,))[FIT], votes=asked.votes)
    layer = study.model.last_layer() if hasattr(study.model, "last_layer") else None
    if layer is not None:
        return _relaid(study, *found.folded(*layer), partial(_told, study, found))
    _exportable(study)
    scaled: bytes = study.model.scaled(found.value, example(study))  # type: ignore[attr-defined]
    return Fitted(scaled, partial(_told, study, found))


def _weighted(fit: FitAffine, study: Study, before: Audit, asked: Asked) -> Fitted:
    del before
    found = fitted_weights(fit, study, _asked(study, (FIT,))[FIT], votes=asked.votes)
    layer = study.model.last_layer()  # type: ignore[attr-defined]
    return _relaid(study, *found.folded(*layer), partial(_told, study, found))


def _told(
    study: Study, found: Foldable, again: Study, before: Audit, after: Audit
) -> tuple[tuple[BeforeAfter, ...], str]:
    """What recalibration bought on rows nobody fitted on."""
    del before, after
    sides = [(one, _asked(one, (JUDGED,))) for one in (study, again)]
    lines = bought(sides[0], sides[1])
    return lines, judged_map(found, lines)


def _guarded(study: Study, before: Audit, asked: Asked) -> Fitted:
    del before
    _exportable(study)
    done = _asked(study, passes(study))
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
    if "features" not in study.model.offers:
        raise InputError(
            f"{study.model.source} does not show the input of its last layer, so that layer cannot be fitted anew; "
            "networks do that end in one linear layer: ONNX files with their weights inside, PyTorch modules"
        )
    layer, groups = _last_layer(study, before, asked.cue, asked.column)

    def told(again: Study, before: Audit, after: Audit) -> tuple[tuple[BeforeAfter, ...], str]:
        lines = (*_accuracies(study, again, groups), *_swapped(before, after), *_reliances(before, after))
        return lines, _judged(lines, groups.cue)

    return _relaid(study, layer.weight, layer.bias, told)


Fit = Callable[[Study, Audit, Asked], Fitted]
METHODS: Mapping[str, tuple[Fit, tuple[str, ...]]] = {
    "last-layer": (_refitted, ()),
    "temperature": (_cooled, ("calibration",)),
    "vector": (partial(_weighted, vector), ("calibration",)),
    "matrix": (partial(_weighted, matrix), ("calibration",)),
    "guard": (_guarded, ("calibration", "unknowns")),
}
"""What each remedy is fitted by, and the chapters that are audited before and after unless others are named."""


@dataclass(frozen=True, eq=False)
class Groups:
    """The cue's name, and for each position of the data set whether the cue speaks for its label (-1: unknown)."""

    cue: str
    agrees: IntArray


def _last_layer(study: Study, before: Audit, cue: str | None, column: str | None) -> tuple[Any, Groups]:
    data, seed = study.data, study.request.seed
    if column is not None:
        return _by_column(study, column)
    chosen = _chosen(study, before, cue)
    arms = {
        donor: Predict(Swap(chosen, donor), half="discovery", features=True) for donor in ("same class", "other class")
    }
    done = _asked(study, (*arms.values(),))
    parts = [labelled(data, done[one]) for one in arms.values()]
    classes = len(data.classes)
    shares = (1 / classes, 1 - 1 / classes)
    examples = Examples(
        np.concatenate([part.outputs.features for part in parts]),  # type: ignore[union-attr]
        np.concatenate([part.labels for part in parts]),  # type: ignore[union-attr]
        np.concatenate([np.full(len(part.labels), 2 * share) for part, share in zip(parts, shares, strict=True)]),  # type: ignore[union-attr]
        np.concatenate([part.labels for part in parts]),  # type: ignore[union-attr]
    )
    donors = data.donors("confirmation")
    agrees = np.full(len(data), -1)
    agrees[donors.rows] = scores(data, chosen, "confirmation").scores.argmax(axis=1) == donors.labels
    return retrained(examples, classes, seed), Groups(chosen.name, agrees)


def _by_column(study: Study, column: str) -> tuple[Any, Groups]:
    data = study.data
    if column not in data.columns:
        raise InputError(f"there is no column {column!r}; there are {', '.join(sorted(data.columns)) or 'none'}")
    done = _asked(study, (Predict(half="discovery", features=True),))
    rows = labelled(data, done[Predict(half="discovery", features=True)])
    assert rows is not None, "checked data carry labels"
    assert rows.outputs.features is not None, "the model offers features"
    assert rows.outputs.rows is not None, "answers of a pass know their rows"
    values = np.unique(np.asarray(data.columns[column]).astype(str), return_inverse=True)[1]
    groups = rows.labels * (values.max() + 1) + values[rows.outputs.rows]
    examples = Examples(rows.outputs.features, rows.labels, np.ones(len(groups)), groups)
    usual = {
        int(k): int(np.bincount(rows.labels[values[rows.outputs.rows] == k]).argmax())
        for k in np.unique(values[rows.outputs.rows])
    }
    assert data.labels is not None, "checked data carry labels"
    agrees = np.array(
        [usual.get(int(value), -1) == label for value, label in zip(values, data.labels, strict=True)], int
    )
    return retrained(examples, len(data.classes), study.request.seed), Groups(f"column:{column}", agrees)


def _chosen(study: Study, before: Audit, name: str | None) -> Cue:
    """The cue to be made worthless: the one named, else the gravest that was found."""
    found = [one for one in before.report.findings if one.kind == "cue" and (one.status == "found" or name is not None)]
    named = [one for one in found if name is None or one.subject == name]
    known = candidates(study.data, tuple(study.request.task.must_not_matter))
    if named and (box := _box(named[0])) is not None:
        return Region(box)
    wanted = name or (named[0].subject if named else "")
    for cue in (*known.proposed, *known.always):
        if cue.name == wanted:
            return cue
    if name is None:
        raise InputError("the audit found no cue to mend; name one with --cue, or a column of the data with --column")
    names = sorted({cue.name for cue in (*known.always, *known.proposed)})
    raise InputError(f"there is no cue {name!r} in these data; there are {', '.join(names)}")


def _box(finding: Finding) -> tuple[float, float, float, float] | None:
    maps = [piece for piece in finding.evidence if isinstance(piece, RegionMap)]
    return maps[0].box if maps else None


def _asked(study: Study, passes: tuple[Predict, ...]) -> Passes:
    return Rounds(study.data, study.executor()).answer(dict.fromkeys(passes, ("remedy",)), Passes())


def exported(study: Study, content: bytes, path: Path) -> None:
    """Write the mended model, and beside it the small files that lay beside the model."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    folder = Path(study.model.source.split(":")[0]).parent
    for name in BESIDE:
        if (folder / name).is_file() and (folder / name).resolve() != (path.parent / name).resolve():
            shutil.copyfile(folder / name, path.parent / name)


def _accuracies(study: Study, again: Study, groups: Groups) -> tuple[BeforeAfter, ...]:
    """Accuracy on the confirmation rows: plain, and of the worst group of label and cue, before and after."""
    clean = Predict(half="confirmation")
    rows = [labelled(one.data, _asked(one, (clean,))[clean]) for one in (study, again)]
    both = [part for part in rows if part is not None]
    plain = [proportion_of(part.correct, part.units, "accuracy") for part in both]
    known = groups.agrees[both[0].outputs.rows]
    kinds: Mapping[tuple[int, int], FloatArray] = {
        (int(label), agrees): mask
        for label in np.unique(both[0].labels)
        for agrees in (0, 1)
        if (mask := (both[0].labels == label) & (known == agrees)).sum() >= FEWEST
    }
    conflict = known == 0
    lines = [_line("accuracy on rows nobody fitted on", *plain)]
    if conflict.sum() >= FEWEST:
        speaks = [
            proportion_of(part.correct[conflict], None if part.units is None else part.units[conflict], "accuracy")
            for part in both
        ]
        lines.append(_line(f"accuracy where the {groups.cue} speaks for another class", *speaks))
    if kinds:
        worst = [
            min(
                (proportion_of(part.correct[mask], name="accuracy") for mask in kinds.values()),
                key=lambda one: one.value,
            )
            for part in both
        ]
        lines.append(_line("worst group of label and cue", *worst))
    return tuple(lines)


def _swapped(before: Audit, after: Audit) -> tuple[BeforeAfter, ...]:
    """What remains of the accuracy where a found cue is another class's."""
    sides = [
        {one.condition: one.accuracy for one in each.report.headline if one.condition.endswith(" swapped")}
        for each in (before, after)
    ]
    return tuple(
        _line(f"accuracy, {name}", sides[0].get(name), sides[1].get(name))
        for name in dict.fromkeys((*sides[0], *sides[1]))
    )


def _reliances(before: Audit, after: Audit) -> tuple[BeforeAfter, ...]:
    sides = [{one.subject: one.effect for one in each.report.findings if one.kind == "cue"} for each in (before, after)]
    names = dict.fromkeys((*sides[0], *sides[1]))
    return tuple(_line(f"reliance on {name}", sides[0].get(name), sides[1].get(name)) for name in names)


def _line(name: str, before: Estimate | None, after: Estimate | None) -> BeforeAfter:
    return BeforeAfter(name=name, before=before, after=after)


def _judged(lines: tuple[BeforeAfter, ...], cue: str) -> str:
    worse = [
        line.name.removeprefix("reliance on ")
        for line in lines
        if line.name.startswith("reliance on ")
        and line.after is not None
        and line.after.low - (line.before.value if line.before else 0.0) > 0.05
    ]
    first = next(iter(lines))
    lost = first.before.value - first.after.value if first.before and first.after else 0.0
    if worse:
        return f"A trade, not a fix: the answer now rests more on {', '.join(worse)}."
    cost = f"; it cost {lost:.3f} of the plain accuracy" if lost > 0 else ""
    return f"The last layer was fitted anew without {cue}{cost}; no other cue gained by more than 0.05."
