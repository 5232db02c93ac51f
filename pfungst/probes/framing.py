"""Framing: what is lost when objects are framed otherwise, and how the tested rows frame them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pfungst.arrays import IntArray
from pfungst.datasets.dataset import Dataset
from pfungst.errors import InputError, TooFew
from pfungst.findings import AnyEvidence, Estimates, Finding, Histogram, Series, SeverityCurve, Skipped, Step, Table
from pfungst.methods.breaking import breaking_point
from pfungst.methods.objects import MEASURES, Objects, objects_known, objects_of
from pfungst.methods.shifts import Shifted
from pfungst.passes import Passes, Predict
from pfungst.probe import Labelled, labelled
from pfungst.statistics.estimate import Estimate, severity
from pfungst.statistics.intervals import mean, paired_accuracy_loss, proportion_of
from pfungst.statistics.regression import least_squares

_CLEAN = Predict()
MIDDLE, FEWEST, BIN = 3, 100, 30
LEVELS = range(1, 6)
OTHERS = ("zoom-in", "zoom-out", "crop", "rotation")
"""Further ways to frame an object, tried on fewer rows."""

LACKING = (
    "where objects lie is not known; give masks, or columns x1, y1, x2, y2 of boxes, or name them: [columns] box = "
    "[left, top, right, bottom]"
)


@dataclass(frozen=True)
class Framing:
    """Objects moved away from the middle, and framed nearer, further, cut and turned, beside how they are framed."""

    tolerance: float
    middle: float
    rows: int
    box: tuple[str, ...] = ()
    others: int = 300

    def needs(self, data: Dataset) -> Iterator[Predict]:
        """The rows off-centre, and some of them framed otherwise, where it is known where objects lie."""
        if data.labels is not None and self._unknown(data) is None:
            for name in ("off-centre", *OTHERS):
                yield from (self._under(name, level) for level in LEVELS)

    def judge(self, data: Dataset, done: Passes) -> Finding | Skipped:
        """``centred``, or why it cannot be told."""
        clean = labelled(data, done[_CLEAN])
        assert clean is not None, "rows without labels are not judged"
        reason = self._unknown(data)
        if reason is None and not self._ran(done, "off-centre"):
            reason = "the rows were not asked about off-centre; give more budget"
        if reason is None:
            try:
                objects = objects_of(data, self._placed(data, done, clean), self.box)
            except InputError as error:
                reason = str(error)
            else:
                if len(objects.rows) >= FEWEST:
                    return self._centred(data, done, clean, objects)
                have = len(objects.rows)
                reason = TooFew(f"{have} labelled rows have a box or a mask; {FEWEST} are the least that say anything")
        return Skipped(probe="selection", kind="centred", reason=reason)

    def _ran(self, done: Passes, name: str) -> bool:
        return all(self._under(name, level) in done for level in LEVELS)

    def _unknown(self, data: Dataset) -> str | None:
        """Why it is not known where objects lie."""
        try:
            return None if objects_known(data, self.box) else LACKING
        except InputError as error:
            return str(error)

    def _placed(self, data: Dataset, done: Passes, clean: Labelled) -> IntArray:
        """The rows whose objects are looked at: all, but of masks, which must be read, those that were moved."""
        if data.masks is None:
            return _rows(clean)
        moved = labelled(data, done[self._under("off-centre", MIDDLE)])
        assert moved is not None, "labelled rows were moved"
        return _rows(moved)

    def _under(self, name: str, level: int) -> Predict:
        return Predict(under=Shifted(name, level), rows=self.rows if name == "off-centre" else self.others)

    def _centred(self, data: Dataset, done: Passes, clean: Labelled, objects: Objects) -> Finding:
        before, levels = self._asked(data, done, "off-centre")
        loss = _lost(before, levels)
        usual = float(np.quantile(objects.offsets, 0.9))
        centred = usual < self.middle
        status = loss.against(self.tolerance) if centred else "absent"
        words, place = _broken(data, "off-centre", before, levels)
        beyond = float(MEASURES["off-centre"][0](objects, place).mean())
        return Finding(
            probe="selection",
            kind="centred",
            subject="",
            status=status,
            severity=severity(loss, "loss", self.tolerance) if status == "found" else "none",
            claim=f"Nine of ten objects lie within {usual:.1%} of the side from the middle; moved by {self.middle:.0%} "
            f"in any direction, {loss:.3f} of the accuracy is lost on the same "
            f"{loss.rows} {loss.unit}s (tolerance {self.tolerance}). Ten points are gone {words} off the middle; "
            f"{beyond:.1%} of the objects lie that far out."
            + ("" if centred else " They are not centred, so that the rows hold what such a move brings."),
            effect=loss,
            tolerance=self.tolerance,
            evidence=tuple(self._evidence(data, done, clean, objects, place)),
            remedy="collect pictures as they will come, or detect and centre the object first"
            if status == "found"
            else "",
        )

    def _asked(self, data: Dataset, done: Passes, name: str) -> tuple[Labelled, list[Labelled]]:
        """The rows as they are, and framed otherwise at five severities."""
        levels = [one for level in LEVELS if (one := labelled(data, done[self._under(name, level)])) is not None]
        here = levels[0]
        return Labelled(done[_CLEAN].at(_rows(here)), here.labels, here.units), levels

    def _evidence(
        self, data: Dataset, done: Passes, clean: Labelled, objects: Objects, place: float
    ) -> Iterator[AnyEvidence]:
        yield _curve(*self._asked(data, done, "off-centre"))
        yield _spread(objects, place)
        yield from _by_offset(clean, objects)
        ran = [name for name in ("off-centre", *OTHERS) if self._ran(done, name)]
        lines = [_line(data, name, *self._asked(data, done, name), objects) for name in ran]
        columns = (
            "framed otherwise",
            "ten points are gone",
            "lost at the middle severity",
            "objects like that already",
        )
        yield Table(
            title="Other framings, and how the tested rows frame their objects", columns=columns, rows=tuple(lines)
        )


def _rows(asked: Labelled) -> IntArray:
    assert asked.outputs.rows is not None, "answers of a pass know their rows"
    return asked.outputs.rows


def _lost(before: Labelled, levels: list[Labelled]) -> Estimate:
    after = levels[MIDDLE - 1]
    return paired_accuracy_loss(before.correct, after.correct, units=after.units, name="accuracy lost")


def _broken(data: Dataset, name: str, before: Labelled, levels: list[Labelled]) -> tuple[str, float]:
    """Where ten points are gone, in words, and the shift's parameter there: that of the last severity if nowhere."""
    point = breaking_point(before.correct, np.stack([one.correct for one in levels]), before.units, seed=data.seed)
    kind = Shifted(name).kind
    if point is None:
        return f"beyond {Shifted(name, 5).parameter}", kind.table[-1][0]
    place = kind.at(point.value)[0]
    ends = sorted(kind.at(end)[0] for end in (point.low, point.high))
    if name == "rotation":
        return f"at {place:.0f} degrees [{ends[0]:.0f}, {ends[1]:.0f}]", place
    return f"at {place:.1%} [{ends[0]:.1%}, {ends[1]:.1%}]", place


def _line(data: Dataset, name: str, before: Labelled, levels: list[Labelled], objects: Objects) -> tuple[str, ...]:
    loss, (words, place) = _lost(before, levels), _broken(data, name, before, levels)
    already = "not known from boxes or masks"
    if name in MEASURES:
        like, said = MEASURES[name]
        already = f"{like(objects, place).mean():.1%} {said}"
    return name, words, f"{loss:+.3f}", already


def _curve(before: Labelled, levels: list[Labelled]) -> SeverityCurve:
    named = [("as it is", before)]
    named += [(Shifted("off-centre", level).parameter, rows) for level, rows in zip(LEVELS, levels, strict=True)]
    steps = tuple(
        Step(
            severity=at, parameter=words, accuracy=proportion_of(rows.correct, rows.units, "accuracy"),
            confidence=mean(rows.outputs.confidence, rows.units, "stated confidence", bounds=(0.0, 1.0)),
        )
        for at, (words, rows) in enumerate(named)
    )  # fmt: skip
    return SeverityCurve(title="Accuracy and confidence off the centre", shift="off-centre", steps=steps)


def _spread(objects: Objects, place: float) -> Histogram:
    """How far out objects lie, up to what holds nearly all of them and the place where ten points are gone."""
    far = max(float(np.quantile(objects.offsets, 0.995)), 1.1 * place)
    edges = np.linspace(0, far, 21)
    counts = np.histogram(np.minimum(objects.offsets, far), edges)[0]
    halves = ", ".join(f"{level:.0%} within {np.quantile(objects.offsets, level):.1%}" for level in (0.5, 0.9, 0.99))
    series = Series(name=halves, shares=tuple((counts / counts.sum()).tolist()), rows=len(objects.rows))
    return Histogram(
        title="Where the objects lie",
        edges=tuple(edges.tolist()),
        series=(series,),
        line=place,
        line_name="ten points gone",
        axis="distance from the middle, as a share of the side",
    )


def _by_offset(clean: Labelled, objects: Objects) -> Iterator[Estimates]:
    """Accuracy of the rows as they are, by how far out their objects lie: quarters of at least thirty rows."""
    kept = np.isin(_rows(clean), objects.rows)
    order = np.argsort(_rows(clean)[kept], kind="stable")
    correct, units = clean.correct[kept][order], None if clean.units is None else clean.units[kept][order]
    offsets = objects.offsets[np.argsort(objects.rows, kind="stable")]
    edges = np.unique(np.quantile(offsets, (0, 0.25, 0.5, 0.75, 1)))
    items = []
    for low, high in pairwise(edges):
        here = (offsets >= low) & ((offsets < high) | (high == edges[-1]))
        if here.sum() >= BIN:
            some = None if units is None else units[here]
            items.append(proportion_of(correct[here], some, f"{low:.1%} to {high:.1%} from the middle"))
    if len(items) < 2:
        return
    design = np.stack([np.ones(len(offsets)), offsets], axis=1)
    try:
        slope, p = least_squares(design, correct.astype(float), units=units).effect(np.array([0.0, 0.1]), "trend")
    except InputError:
        return
    title = (
        f"Accuracy by how far out the object lies as it is (a tenth of the side further out: {slope:+.3f}, p = {p:.2g})"
    )
    yield Estimates(title=title, items=tuple(items))
