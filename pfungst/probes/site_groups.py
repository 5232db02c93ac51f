"""Groups of people or things: accuracy, calibration and both kinds of error in each, and where it is worst."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pfungst.arrays import Array, BoolArray
from pfungst.datasets.dataset import Dataset
from pfungst.findings import Condition, Estimates, Finding, Skipped, Table
from pfungst.methods.accuracy_gap import decomposed
from pfungst.methods.calibration_errors import signed_gap
from pfungst.methods.group_rates import (
    FEW,
    FEWEST,
    LEVEL,
    Apart,
    Groups,
    Measure,
    chosen,
    compared,
    groups_of,
    largest,
    of_label,
    told_apart,
)
from pfungst.probe import Labelled
from pfungst.probes.calibration_by_part import outward
from pfungst.probes.known_parts import positions
from pfungst.statistics.estimate import Estimate, Status, severity
from pfungst.statistics.multiplicity import holm
from pfungst.statistics.proportions import proportion_of
from pfungst.statistics.significance import p_at_most

SHOWN = 24


@dataclass(frozen=True, eq=False)
class _Parted:
    """The labelled rows of a set, parted by one column or several, and every comparison of a part with the rest."""

    data: Dataset
    rows: Labelled
    subject: str
    groups: Groups
    found: list[Apart]

    def units(self, here: BoolArray) -> Array | None:
        return None if self.rows.units is None else self.rows.units[here]

    def share(self, hits: BoolArray, here: BoolArray, name: str, *, many: int = 1) -> Estimate:
        return proportion_of(hits[here], self.units(here), name, level=1 - LEVEL / many)


def group_gaps(data: Dataset, rows: Labelled, tolerance: float) -> Iterator[Finding | Skipped | Condition]:
    """A finding for each column that is named as a group, and for each two of them at once."""
    at = positions(rows.outputs)
    names = data.roles.group
    for some in (*((name,) for name in names), *combinations(names, 2)):
        groups = groups_of({name: data.columns[name][at] for name in some})
        found = compared(groups, rows.labels, rows.outputs.predictions, len(data.classes), rows.units)
        subject = " × ".join(some)
        if not found:
            reason = f"no group of {subject} has {FEWEST} labelled rows, with as many in the others"
            few = len(groups.names) > 1
            yield Skipped(probe="sites", kind="gap", subject=subject, reason=reason, too_few=few)
            continue
        parted = _Parted(data, rows, subject, groups, found)
        if len(some) == 1:
            worst = next(one for one in largest(found) if one.measure == "accuracy").group
            accuracy = parted.share(rows.correct, groups.inside(worst), "accuracy")
            yield Condition(condition=groups.names[worst], accuracy=accuracy)
        yield _finding(parted, tolerance)


def _finding(at: _Parted, tolerance: float) -> Finding:
    one = chosen(at.found, tolerance)
    statuses = {each.effect.against(tolerance) for each in at.found}
    status: Status = "found" if "found" in statuses else "absent" if statuses == {"absent"} else "inconclusive"
    settle = f" {one.effect.settled_by(tolerance, f'{one.effect.unit}s').capitalize()}."
    more = [f"{_said(at, each)}." for each in largest(at.found) if each is not one and each.effect.low > tolerance]
    corrected = holm([min(1.0, 2 * p_at_most(each.effect, 0.0)) for each in at.found])
    name = at.groups.names[one.group]
    return Finding(
        probe="sites",
        kind="gap",
        subject=at.subject,
        status=status,
        severity=severity(one.effect, "loss", tolerance) if status == "found" else "none",
        claim=f"{_said(at, one)} (tolerance {tolerance}; the worst of {len(at.found)} comparisons of groups, intervals "
        f"hold for all at once).{_explained(at, one, status)}{settle if status == 'inconclusive' else ''}"
        f"{' Also: ' + ' '.join(more) if more else ''}{_left(at)}",
        effect=one.effect,
        tolerance=tolerance,
        p_value=float(corrected[at.found.index(one)]),
        evidence=(_accuracies(at), _table(at)),
        remedy=f"collect and train on more rows like those of {name}, set its threshold apart, or do not let the model "
        "answer there"
        if status == "found"
        else "",
    )


def _said(at: _Parted, one: Apart) -> str:
    here, name = at.groups.inside(one.group), at.groups.names[one.group]
    about, wrong = of_label(one.measure, at.rows.labels, at.rows.outputs.predictions, one.label)
    share = at.share(wrong, here & about, "share")
    many = f"{share.rows} {share.unit}" + ("s" if share.rows != 1 else "")
    if one.measure == "accuracy":
        way = "lower" if one.effect.value >= 0 else "higher"
        size = f"{outward(one.effect):.3f}"
        return f"On rows with {name} the accuracy is {1 - share.value:.3f} ({many}), {size} {way} than on the others"
    label = at.data.classes[one.label]
    what = f"{label} is missed" if one.measure == "missed" else f"what is not {label} is answered {label}"
    return f"On rows with {name} {what} in {share.value:.3f} of {many}, {one.effect:.3f} more than on the others"


def _explained(at: _Parted, one: Apart, status: Status) -> str:
    if status != "found" or one.measure != "accuracy":
        return ""
    here = at.groups.inside(one.group)
    correct, labels = at.rows.correct, at.rows.labels
    parts = decomposed(
        (correct[~here], correct[here]), (labels[~here], labels[here]), (at.units(~here), at.units(here)),
        seed=at.data.seed,
    )  # fmt: skip
    return (
        f" How common each class is there explains {parts.prevalence:.3f} of it; {parts.within:.3f} is lost "
        "within classes."
    )


def _left(at: _Parted) -> str:
    judged = {one.group for one in at.found}
    left = [name for code, name in enumerate(at.groups.names) if code not in judged and at.groups.inside(code).any()]
    if not left:
        return ""
    names = ", ".join(left[:3]) + (f" and {len(left) - 3} more" if len(left) > 3 else "")
    return f" Not compared, having fewer than {FEWEST} rows: {names}."


def _accuracies(at: _Parted) -> Estimates:
    some = [code for code in range(len(at.groups.names)) if at.groups.inside(code).any()]
    items = [at.share(at.rows.correct, at.groups.inside(code), at.groups.names[code], many=len(some)) for code in some]
    shown = tuple(sorted(items, key=lambda one: (one.rows < FEWEST, one.value))[:SHOWN])
    return Estimates(title="Accuracy by group (intervals hold for all at once)", items=shown)


def _table(at: _Parted) -> Table:
    """What is stated beyond what is right, and both kinds of error; of several classes the worst."""
    judged = sorted({one.group for one in at.found})
    labels = told_apart(at.rows.labels, len(at.data.classes))
    many = 3 * len(judged)
    lines = []
    for code in judged[:SHOWN]:
        here = at.groups.inside(code)
        gap = signed_gap(
            at.rows.outputs.confidence[here], at.rows.correct[here], at.units(here), level=1 - LEVEL / many
        )
        rates = tuple(_worst(at, here, measure, labels, many=many) for measure in ("missed", "falsely"))
        lines.append((at.groups.names[code], f"{here.sum():,}", f"{gap:.3f}", *rates))
    which = f" ({at.data.classes[1]})" if len(at.data.classes) == 2 else ", the worst class"
    return Table(
        title="Calibration and errors by group (intervals hold for all at once)",
        columns=("group", "rows", "confidence less accuracy", f"missed{which}", f"answered falsely{which}"),
        rows=tuple(lines),
    )


def _worst(at: _Parted, here: BoolArray, measure: Measure, labels: list[int], *, many: int) -> str:
    found = []
    for label in labels:
        about, wrong = of_label(measure, at.rows.labels, at.rows.outputs.predictions, label)
        if (here & about).sum() >= FEW:
            share = at.share(wrong, here & about, at.data.classes[label], many=many * len(labels))
            found.append(share)
    if not found:
        return f"fewer than {FEW} rows"
    worst = found[int(np.argmax([one.value for one in found]))]
    return f"{worst:.3f}" if len(at.data.classes) == 2 else f"{worst.name}: {worst:.3f}"
