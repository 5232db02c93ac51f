"""Shift: where accuracy breaks when rows are taken, written or recorded differently, and whether confidence notices."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import msgspec
import numpy as np

from pfungst.datasets.dataset import Dataset
from pfungst.errors import InputError
from pfungst.findings import Condition, Examples, Finding, SeverityCurve, Skipped, Step
from pfungst.methods.breaking import breaking_point
from pfungst.methods.own_shifts import own
from pfungst.methods.shift_kind import USUAL
from pfungst.methods.shifts import Shifted, maker, named, shifts
from pfungst.passes import Passes, Predict
from pfungst.probe import Labelled, Probe, labelled, none_of, probes, shot
from pfungst.probes.natural_shift import natural_passes, natural_shifts
from pfungst.probes.resampled import resampled
from pfungst.probes.shift_summary import Judged, summary
from pfungst.statistics.estimate import Estimate, Status, severity
from pfungst.statistics.intervals import mean, paired_accuracy_loss, paired_mean, proportion_of
from pfungst.statistics.significance import mcnemar_midp
from pfungst.task import Task

_CLEAN = Predict()
MIDDLE = 3
SCALES = ("table", "similarity")
"""How corruptions are scaled: by published parameters, or by how alike they leave the user's own pictures."""


@probes
@dataclass(frozen=True, kw_only=True)
class Shift(Probe):
    """Accuracy lost at the middle of five severities, paired by row, and the confidence that did not follow.

    ``fragile``: accuracy as it is minus accuracy under the shift, same rows (Newcombe's paired interval).
    ``overconfident``: how much further the stated confidence lies above the accuracy than on the rows as they are.
    """

    topic: ClassVar[str] = "shift"
    question: ClassVar[str] = (
        "What remains of the accuracy when the same rows are taken, written or recorded differently?"
    )
    finds: ClassVar[Mapping[str, str]] = {
        "fragile": "Accuracy is lost when rows are taken, written or recorded differently.",
        "overconfident": "The confidence does not fall with the accuracy under a shift.",
    }
    tolerance: float = 0.05
    kinds: tuple[str, ...] = (USUAL,)
    severity: str = "table"
    functions: tuple[str, ...] = ()
    occluders: tuple[str, ...] = ()
    rows: int = 1000
    fewest: int = 100
    shown: int = 6

    def for_task(self, task: Task) -> Self:
        """The shifts and the scale of severities that the task file names."""
        asked = task.shift
        if asked.severity not in SCALES:
            raise InputError(f"[shift] severity is {asked.severity!r}; there are {', '.join(SCALES)}")
        kinds = asked.kinds or self.kinds
        named(kinds, own(asked.functions, asked.occluders))
        return replace(self, kinds=kinds, severity=asked.severity, functions=asked.functions, occluders=asked.occluders)

    def asked(self, data: Dataset) -> dict[str, Callable[..., Any]]:
        """Makers of the shifts for rows of this kind, each of a severity, by name."""
        ours = own(self.functions, self.occluders, nameless=data.nameless)
        made = {name: maker(name, data, self.severity) for name in self._fitting(data)}
        return made | {name: one for name, (modality, one) in ours.items() if modality in {"", data.modality}}

    def _fitting(self, data: Dataset) -> list[str]:
        names = named(self.kinds, own(self.functions, self.occluders))
        fitting = [name for name in names if name in shifts and shifts[name].modality == data.modality]
        # What is told of the data to an informed shift of texts is which words go with which label.
        return [name for name in fitting if name != "good-words" or data.labels is not None]

    def needs(self, data: Dataset, done: Passes) -> Iterator[Predict]:
        """The rows as they are, and a sample of them under every shift at five severities."""
        del done
        yield _CLEAN
        yield from natural_passes(data)
        if data.modality != "answers":
            for kind in self.asked(data).values():
                for level in range(1, 6):
                    yield self._under(kind(severity=level))

    def judge(self, data: Dataset, done: Passes) -> Iterator[Finding | Skipped | Condition]:
        """Two findings and a condition for each shift, and all of them side by side with the worst."""
        yield from natural_shifts(data, done, self.tolerance)
        if data.modality == "answers":
            reason = "these are recorded answers; give the model and its rows, to have them shown differently"
            yield Skipped(probe=self.topic, reason=reason)
            return
        if len(data.classes) and labelled(data, done[_CLEAN]) is None:
            yield Skipped(probe=self.topic, reason="the rows carry no labels")
            return
        for name in self.kinds:
            if name in shifts and shifts[name].modality != data.modality:
                reason = f"made for {shifts[name].modality} rows; these are {data.modality} rows"
                yield Skipped(probe=self.topic, subject=name, reason=reason)
        judged = []
        for name, kind in self.asked(data).items():
            if self._under(kind(severity=MIDDLE)) in done:
                found = self._judge_one(name, kind, data, done)
                if isinstance(found, Judged):
                    judged.append(found)
                else:
                    yield found
        yield from summary(judged, data.classes)
        yield from resampled(data, done, self.tolerance, self.fewest)

    def _under(self, perturbation: Any) -> Predict:
        return Predict(under=perturbation, rows=self.rows)

    def _judge_one(self, name: str, kind: Any, data: Dataset, done: Passes) -> Judged | Skipped:
        middle = self._under(kind(severity=MIDDLE))
        after = labelled(data, done[middle])
        if after is None or len(after.labels) < self.fewest:
            return Skipped(probe=self.topic, subject=name, reason=none_of(after, self.fewest))
        assert after.outputs.rows is not None, "answers of a pass know their rows"
        before = Labelled(done[_CLEAN].at(after.outputs.rows), after.labels, after.units)
        levels = self._levels(kind, data, done)
        steps = [_step(level, kind(severity=level).parameter, rows) for level, rows in enumerate(levels, start=1)]
        curve = SeverityCurve(
            title=f"Accuracy and confidence as {name} grows", shift=name, steps=(_step(0, "as it is", before), *steps)
        )
        loss = paired_accuracy_loss(before.correct, after.correct, units=after.units, name="accuracy lost")
        words = kind(severity=MIDDLE).name
        point = breaking_point(before.correct, np.stack([one.correct for one in levels]), before.units, seed=data.seed)
        pictures = self._flipped(data, middle, before, after)
        fragile = self._fragile(words, loss, curve, pictures, mcnemar_midp(before.correct, after.correct, after.units))
        grown = (after.outputs.confidence - after.correct) - (before.outputs.confidence - before.correct)
        gap = paired_mean(grown, units=after.units, name="confidence that did not follow", bounds=(-2.0, 2.0))
        return Judged(
            name=name,
            condition=Condition(condition=words, accuracy=curve.steps[MIDDLE].accuracy),
            fragile=msgspec.structs.replace(fragile, claim=fragile.claim + _breaks(point, self._place(name, point))),
            overconfident=self._overconfident(words, gap, curve),
            breaks=point,
            before=before,
            levels=levels,
        )

    def _place(self, name: str, point: Estimate | None) -> str:
        """The shift's own measure at a severity between, where it has one and severities are those of its table."""
        own_scale = name in shifts and bool(shifts[name].parameter)
        if point is None or not own_scale or (self.severity != "table" and shifts[name].family.startswith("imagenet")):
            return ""
        return f" ({Shifted(name, strength=point.value).parameter})"

    def _levels(self, kind: Any, data: Dataset, done: Passes) -> tuple[Labelled, ...]:
        found = [labelled(data, done[self._under(kind(severity=level))]) for level in range(1, 6)]
        return tuple(rows for rows in found if rows is not None)

    def _flipped(self, data: Dataset, one: Predict, before: Labelled, after: Labelled) -> Iterator[Examples]:
        flipped = np.flatnonzero(before.correct & ~after.correct)
        order = flipped[np.argsort(-after.outputs.confidence[flipped], kind="stable")][: self.shown]
        if len(order):
            pairs = tuple(
                (shot(data, _CLEAN, before.outputs, int(i)), shot(data, one, after.outputs, int(i))) for i in order
            )
            yield Examples(title="Right before, wrong after, and surest of it", items=pairs)

    def _fragile(
        self, words: str, loss: Estimate, curve: SeverityCurve, pictures: Iterable[Examples], p_value: float
    ) -> Finding:
        status = loss.against(self.tolerance)
        first, then = curve.steps[0].accuracy, curve.steps[MIDDLE].accuracy
        return Finding(
            probe=self.topic,
            kind="fragile",
            subject=curve.shift,
            status=status,
            severity=severity(loss, "loss", self.tolerance) if status == "found" else "none",
            claim=f"Under {words} the accuracy goes from {first.value:.3f} to {then.value:.3f} on the same {loss.rows} "
            f"{loss.unit}s: {loss:.3f} is lost (tolerance {self.tolerance})." + _settle(loss, status, self.tolerance),
            effect=loss,
            tolerance=self.tolerance,
            p_value=p_value,
            evidence=(curve, *pictures),
            remedy=f"train on rows shifted like this ({curve.shift}), or keep such rows from the model in use"
            if status == "found"
            else "",
        )

    def _overconfident(self, words: str, gap: Estimate, curve: SeverityCurve) -> Finding:
        status = gap.against(self.tolerance)
        was, then = curve.steps[0], curve.steps[MIDDLE]
        return Finding(
            probe=self.topic,
            kind="overconfident",
            subject=curve.shift,
            status=status,
            severity=severity(gap, "calibration", self.tolerance) if status == "found" else "none",
            claim=f"Under {words} the stated confidence goes from {was.confidence.value:.3f} to "
            f"{then.confidence.value:.3f} while the accuracy goes from {was.accuracy.value:.3f} to "
            f"{then.accuracy.value:.3f}: the gap grows by {gap:.3f} "
            f"(tolerance {self.tolerance})." + _settle(gap, status, self.tolerance),
            effect=gap,
            tolerance=self.tolerance,
            evidence=(curve,) if status == "found" else (),
            remedy="do not gate on its confidence under this shift; an ensemble notices more"
            if status == "found"
            else "",
        )


def _breaks(point: Estimate | None, place: str) -> str:
    """At which severity a tenth of the rows is lost, in a sentence; ``place`` says it in the shift's own measure."""
    if point is None:
        return " Ten points are not gone at the largest severity."
    return f" Ten points are gone at severity {point:.1f}{place}."


def _step(level: int, parameter: str, rows: Labelled) -> Step:
    return Step(
        severity=level,
        parameter=parameter,
        accuracy=proportion_of(rows.correct, units=rows.units, name="accuracy"),
        confidence=mean(rows.outputs.confidence, units=rows.units, name="stated confidence", bounds=(0.0, 1.0)),
    )


def _settle(effect: Estimate, status: Status, tolerance: float) -> str:
    return f" {effect.settled_by(tolerance).capitalize()}." if status == "inconclusive" else ""
