"""Pairing: rows that two audits share, by id, and what both said about them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray
from pfungst.comparison import FLIPS, Churn, Flip, FlipKind, Shared
from pfungst.errors import InputError
from pfungst.findings import Report
from pfungst.outputs import Outputs
from pfungst.statistics.intervals import proportion_of
from pfungst.statistics.paired import Answered, Change, accuracy_change, confidence_change, gap_change

MISLABELLED = 0.05
"""Share of labels that may differ where rows are paired by position and the data are not the same."""


@dataclass(frozen=True, eq=False)
class Run:
    """An audit and its answers to the test rows as they are; ``labels`` are -1 where there is none."""

    name: str
    report: Report
    outputs: Outputs
    labels: IntArray
    ids: tuple[str, ...]
    units: IntArray | None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(str(name) for name in self.report.model["classes"])

    @property
    def fingerprint(self) -> str:
        """Hash of the data."""
        return str(self.report.data.get("fingerprint", ""))


@dataclass(frozen=True, eq=False)
class Said:
    """What one model said about the shared rows; ``labels`` are names, empty where a row has none."""

    ids: tuple[str, ...]
    labels: Array
    answers: Array
    confidence: FloatArray

    @property
    def right(self) -> BoolArray:
        """Whether each answer is the label."""
        return np.asarray(self.answers == self.labels, bool)


def paired(a: Run, b: Run) -> tuple[Shared, Said, Said, Array | None]:
    """The rows that both answered, in the order of their ids: how they pair, what each said, the units.

    Raises:
        InputError: if there are none, or their labels say that equal ids do not mean equal rows.
    """
    at_a, at_b = ({name: at for at, name in enumerate(run.ids)} for run in (a, b))
    ids = sorted(at_a.keys() & at_b.keys())
    if not ids:
        raise InputError(
            f"{a.name} and {b.name} share no rows (ids such as {a.ids[0]!r} and {b.ids[0]!r}); audit both models on "
            "the same data, or give its rows the same ids"
        )
    rows_a, rows_b = (np.array([at[name] for name in ids]) for at in (at_a, at_b))
    label_a, label_b = _labels(a, rows_a), _labels(b, rows_b)
    both = (label_a != "") & (label_b != "")
    differ = both & (label_a != label_b)
    by_position = a.fingerprint != b.fingerprint and all(name.isdecimal() for name in ids)
    if both.any() and differ.sum() > (MISLABELLED if by_position else 1 - 1e-9) * both.sum():
        raise InputError(
            f"{a.name} and {b.name} share no rows: {len(ids)} ids agree, but {differ.sum()} of {both.sum()} labels do "
            "not; audit both models on the same data, or give its rows the same ids"
        )
    same = ~differ
    labels = np.where(label_a == "", label_b, label_a)[same]
    names = tuple(name for name, kept in zip(ids, same, strict=True) if kept)
    kept_a, kept_b = rows_a[same], rows_b[same]
    units = a.units[kept_a] if a.units is not None else None if b.units is None else b.units[kept_b]
    shared = Shared(
        rows=len(names), labelled=int((labels != "").sum()), only_a=len(a.ids) - len(ids), only_b=len(b.ids) - len(ids),
        relabelled=int(differ.sum()), unit="row" if units is None else "unit",
        notes=tuple(_notes(a, b, by_position=by_position, units=units)),
    )  # fmt: skip
    return shared, _said(a, kept_a, labels, names), _said(b, kept_b, labels, names), units


def _notes(a: Run, b: Run, *, by_position: bool, units: Array | None) -> Sequence[str]:
    said = []
    if by_position:
        said.append("The data differ and their rows have no ids: rows are paired by position.")
    roles = [run.report.settings.get("roles") for run in (a, b)]
    if units is None and any(isinstance(one, dict) and one.get("unit") for one in roles):
        said.append("Rows come in units that these audits did not keep: intervals take rows as independent.")
    if a.report.model.get("fingerprint") == b.report.model.get("fingerprint") != "":
        said.append("Both audits are of the same model.")
    return said


def _labels(run: Run, rows: IntArray) -> Array:
    """Names of the labels; empty where there is none."""
    return np.array([*run.classes, ""], object)[run.labels[rows]]


def _said(run: Run, rows: IntArray, labels: Array, ids: tuple[str, ...]) -> Said:
    answers = np.array(run.classes, object)[run.outputs.predictions[rows]]
    return Said(ids, labels, answers, run.outputs.confidence[rows])


def changes(a: Said, b: Said, units: Array | None) -> tuple[Change, ...]:
    """Accuracy, mean confidence and calibration gap, B less A; without labels the confidence alone."""
    has = a.labels != ""
    confidence = confidence_change(a.confidence, b.confidence, units)
    if not has.any():
        return (confidence,)
    first, second = (Answered(one.right[has], one.confidence[has]) for one in (a, b))
    some = None if units is None else units[has]
    return accuracy_change(first, second, some), confidence, gap_change(first, second, some)


def churn(a: Said, b: Said, units: Array | None) -> Churn:
    """The rows whose answer flipped, the costliest and most confidently answered first."""
    kinds = _kinds(a, b)
    turned = np.array(kinds != "", bool)
    rank: dict[str, int] = {kind: place for place, kind in enumerate(FLIPS)}
    order = sorted(np.flatnonzero(turned).tolist(), key=lambda at: (rank[str(kinds[at])], -b.confidence[at], a.ids[at]))
    seen = [kind for kind in FLIPS if _can_be(kind, a)]
    return Churn(
        flipped=proportion_of(turned, units, "answers that flipped"),
        kinds=tuple(proportion_of(np.array(kinds == kind, bool), units, kind) for kind in seen),
        rows=tuple(_flip(a, b, at, kinds[at]) for at in order),
    )


def _kinds(a: Said, b: Said) -> Array:
    """The kind of each row's flip; empty where both answer alike."""
    kinds = np.full(len(a.ids), "", object)
    turned, has = np.array(a.answers != b.answers, bool), np.array(a.labels != "", bool)
    kinds[turned & has] = "wrong to other wrong"
    kinds[turned & has & a.right] = "right to wrong"
    kinds[turned & has & b.right] = "wrong to right"
    kinds[turned & ~has] = "changed, no label"
    return kinds


def _can_be(kind: FlipKind, a: Said) -> bool:
    """Whether a kind of flip has rows in which it could be seen."""
    has = bool(np.any(a.labels != ""))
    return not bool(np.all(a.labels != "")) if kind == "changed, no label" else has


def _flip(a: Said, b: Said, at: int, kind: FlipKind) -> Flip:
    return Flip(
        id=a.ids[at], kind=kind, label=a.labels[at] or None, answer_a=a.answers[at], answer_b=b.answers[at],
        confidence_a=round(float(a.confidence[at]), 6), confidence_b=round(float(b.confidence[at]), 6),
    )  # fmt: skip
