"""Retraining: the last layer fitted anew on rows whose cue says nothing of the label, and what that bought."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import FloatArray, IntArray
from pfungst.audit_result import Audit
from pfungst.audits.study import Study
from pfungst.errors import InputError
from pfungst.findings import BeforeAfter, Finding, RegionMap
from pfungst.methods.candidates import candidates
from pfungst.methods.cues import Cue
from pfungst.methods.places import Region
from pfungst.methods.standing import scores
from pfungst.methods.swaps import Swap
from pfungst.passes import Predict
from pfungst.probe import labelled
from pfungst.remedies.last_layer import Examples, LastLayer, retrained
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.intervals import proportion_of

FEWEST = 20
"""Rows of a group below which its accuracy is not shown."""


@dataclass(frozen=True, eq=False)
class Groups:
    """The cue's name, and for each position of the data set whether the cue speaks for its label (-1: unknown)."""

    cue: str
    agrees: IntArray


def last_layer(study: Study, before: Audit, cue: str | None, column: str | None) -> tuple[LastLayer, Groups]:
    """The layer fitted anew, and which rows the cue speaks for.

    Raises:
        InputError: if the model shows no features, the data hold no labels, or there is no such cue or column.
    """
    if "features" not in study.model.offers:
        raise InputError(
            f"{study.model.source} does not show the input of its last layer, so that layer cannot be fitted anew; "
            "networks do that end in one linear layer: ONNX files with their weights inside, PyTorch modules"
        )
    data, seed = study.data, study.request.seed
    if data.labels is None:
        raise InputError(f"{data.source} carries no labels; a layer is fitted to labelled rows")
    if column is not None:
        return _by_column(study, column)
    chosen = _chosen(study, before, cue)
    arms = {
        donor: Predict(Swap(chosen, donor), half="discovery", features=True) for donor in ("same class", "other class")
    }
    done = study.answered((*arms.values(),))
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


def _by_column(study: Study, column: str) -> tuple[LastLayer, Groups]:
    data = study.data
    if column not in data.columns:
        raise InputError(f"there is no column {column!r}; there are {', '.join(sorted(data.columns)) or 'none'}")
    done = study.answered((Predict(half="discovery", features=True),))
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


def bought(
    sides: tuple[Study, Study], audits: tuple[Audit, Audit], groups: Groups
) -> tuple[tuple[BeforeAfter, ...], str]:
    """Accuracies and reliances before and after, and whether it was a fix or a trade."""
    lines = (*_accuracies(*sides, groups), *_swapped(*audits), *_reliances(*audits))
    return lines, _judged(lines, groups.cue)


def _accuracies(study: Study, again: Study, groups: Groups) -> tuple[BeforeAfter, ...]:
    """Accuracy on the confirmation rows: plain, and of the worst group of label and cue, before and after."""
    clean = Predict(half="confirmation")
    rows = [labelled(one.data, one.answered((clean,))[clean]) for one in (study, again)]
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
    names = [name for name in dict.fromkeys((*sides[0], *sides[1])) if ":" in name or not _spelled_out(name, sides)]
    return tuple(_line(f"reliance on {name}", *(_reliance(name, side) for side in sides)) for name in names)


def _spelled_out(family: str, sides: Sequence[Mapping[str, Estimate]]) -> bool:
    """Whether members of a family of cues stand there by name: then the family has no line of its own."""
    return any(name.startswith(f"{family}:") for side in sides for name in side)


def _reliance(name: str, found: Mapping[str, Estimate]) -> Estimate | None:
    """A cue's reliance; where no member of its family carries the answer, that of the strongest, which bounds it."""
    return found.get(name, found.get(name.split(":", maxsplit=1)[0]))


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
