"""Calibration: stated probability against actual frequency."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from pfungst.datasets.dataset import Dataset
from pfungst.findings import AnyEvidence, Estimates, Finding, ReliabilityCurve, Skipped, Table
from pfungst.methods.calibration_chance import Chance, by_chance, error_estimate, errors_by_chance, reliability
from pfungst.methods.calibration_errors import signed_gap
from pfungst.methods.selective import answering, promised
from pfungst.passes import Passes, Predict
from pfungst.probe import Labelled, Probe, labelled, none_of, probes
from pfungst.probes.calibration_by_part import by_class, by_slice
from pfungst.probes.calibration_under_shift import summarised_shifts, under_shift
from pfungst.probes.ensembles import with_members
from pfungst.probes.labellers import against_labellers
from pfungst.probes.promised_sets import promised_sets
from pfungst.probes.recalibrated import recalibrated
from pfungst.statistics.estimate import Estimate, severity
from pfungst.statistics.intervals import mean, proportion_of

_CLEAN = Predict()
RISKS = (0.01, 0.02, 0.05, 0.1)
"""Error rates that may be promised, each with probability 0.95."""


@probes
@dataclass(frozen=True, kw_only=True)
class Calibration(Probe):
    """Signed gap between stated confidence and accuracy, and the expected calibration error beside its null.

    gap = mean(confidence - correct); positive is over-confident. The expected calibration error (ECE, equal-width bins)
    is biased upwards, so it is printed with the 95 % quantile it would have at this number of rows if the model were
    perfectly calibrated (consistency resampling, Bröcker and Smith 2007), and leads no verdict.
    """

    topic: ClassVar[str] = "calibration"
    question: ClassVar[str] = "When it states a probability, is that how often it is right?"
    finds: ClassVar[Mapping[str, str]] = {
        "overconfident": "Stated probabilities are higher than the share of right answers.",
        "underconfident": "Stated probabilities are lower than the share of right answers.",
        "classwise": "Stated probabilities are off for one class.",
        "slice": "Stated probabilities are off for a part of the rows.",
        "humans": "Stated probabilities are far from how often people give each label.",
        "ensemble": "Averaging the members states truer probabilities than one alone.",
    }
    tolerance: float = 0.01
    class_tolerance: float = 0.05
    bins: int = 15
    fewest: int = 100

    def needs(self, data: Dataset, done: Passes) -> Iterator[Predict]:
        """The rows as they are, asked of the model and of the other members of its ensemble."""
        del done
        yield _CLEAN
        yield from (Predict(by=name) for name in data.members)

    def judge(self, data: Dataset, done: Passes) -> Iterator[Finding | Skipped]:
        """Over- and under-confidence, by class, and against labellers where there are votes."""
        rows = labelled(data, done[_CLEAN])
        if rows is None or len(rows.labels) < self.fewest:
            yield Skipped(probe=self.topic, reason=none_of(rows, self.fewest))
            return
        gap = signed_gap(rows.outputs.confidence, rows.correct, units=rows.units)
        evidence, sentence = self._evidence(data, rows, gap)
        evidence = (*evidence, *under_shift(data, rows, done), *promised_sets(data, rows))
        yield self._finding("overconfident", gap, evidence, sentence)
        if (summaries := summarised_shifts(done)) and rows.outputs.complete:
            reason = (
                f"a temperature needs the scores of all {rows.outputs.classes:,} classes under shift, and of "
                f"{summaries} shifted passes only the likeliest were kept; ask about fewer rows (--rows)"
            )
            yield Skipped(probe=self.topic, subject="a temperature under shift", reason=reason)
        less = msgspec.structs.replace(-gap, name="confidence lacking")
        yield self._finding("underconfident", less, (), "")
        yield from by_class(rows, data.classes, self.class_tolerance)
        yield from by_slice(data, rows, self.class_tolerance)
        if data.label_counts is not None:
            yield from against_labellers(data, rows, _CLEAN, self.tolerance)
        yield from with_members(data, rows, done, self.tolerance)

    def _evidence(self, data: Dataset, rows: Labelled, gap: Estimate) -> tuple[tuple[AnyEvidence, ...], str]:
        confidence, correct = rows.outputs.confidence, rows.correct
        chance = by_chance(confidence, correct, self.bins, rows.units)
        ece, null_mean, null_high, p = error_estimate(confidence, correct, self.bins, rows.units, chance=chance)
        accuracy = proportion_of(correct, units=rows.units, name="accuracy")
        stated = mean(confidence, units=rows.units, name="mean stated confidence", bounds=(0.0, 1.0))
        curve = ReliabilityCurve(
            title="Stated probability against actual frequency",
            bins=reliability(confidence, correct, bins=self.bins, units=rows.units, chance=chance),
        )
        numbers = Estimates(title="Calibration in numbers", items=(accuracy, stated, gap, ece))
        over, under = chance.signed_parts
        sentence = (
            f" The expected calibration error is {ece.value:.3f} ({self.bins} bins; {over:.3f} of it over-confident, "
            f"{under:.3f} under-confident); a perfectly calibrated model would show {null_mean:.3f} on average and "
            f"up to {null_high:.3f} on {len(correct)} rows (p = {p:.2g})."
        )
        if p > 0.05:
            sentence += " By this it is not distinguishable from a calibrated model."
        tables, fixable = recalibrated(data, rows)
        return (curve, numbers, self._by_chance(rows, chance), *tables, self._declining(rows)), sentence + fixable

    def _by_chance(self, rows: Labelled, chance: Chance) -> Table:
        """Every calibration error beside what a perfectly calibrated model would show, from one simulation."""
        lines = [
            (
                one.name.replace("-", " "),
                f"{one.value:z.4f}",
                f"{one.null_mean:z.4f}" if one.p_value >= 0 else "not simulated",
                f"{one.null_high:.4f}" if one.p_value >= 0 else "-",
                f"{one.p_value:.2g}" if one.p_value >= 0 else "-",
            )
            for one in errors_by_chance(rows.outputs.confidence, rows.correct, chance, self.bins)
        ]
        title = f"Calibration errors of {len(rows.correct)} rows, and what a perfectly calibrated model would show"
        columns = ("error", "here", "calibrated: mean", "calibrated: 95 % lie below", "p")
        return Table(title=title, columns=columns, rows=tuple(lines))

    def _declining(self, rows: Labelled) -> Table:
        """What may be answered at most, so that few of the answers are wrong."""
        surest = answering(rows.outputs.confidence, ~rows.correct)
        lines = []
        for risk in RISKS:
            given = promised(surest.runs, risk)
            some = given.rows > 0 and rows.units is None
            never = "rows of one unit are not independent" if given.rows else f"not promised by {given.of} rows"
            lines.append(
                (
                    f"{risk:.0%}",
                    f"{given.threshold:.4f}" if some else never,
                    f"{given.rows / given.of:.1%}" if some else "-",
                    f"{given.errors} of {given.rows}, at most {given.bound:.1%}" if some else "-",
                )
            )
        title = (
            f"Answering only when sure (area under risk and coverage {surest.area:.4f}, {surest.excess:.4f} above the "
            f"best order; generalised {surest.generalised:.4f})"
        )
        return Table(
            title=title, columns=("promised error", "answer from", "answers", "errors here"), rows=tuple(lines)
        )

    def _finding(self, kind: str, effect: Estimate, evidence: tuple[AnyEvidence, ...], sentence: str) -> Finding:
        status = effect.against(self.tolerance)
        more, less = (
            ("The stated confidence", "the accuracy") if kind == "overconfident" else ("The accuracy", "the confidence")
        )
        claim = f"{more} exceeds {less} by {effect:.3f} (tolerance {self.tolerance:.2f})."
        if status == "inconclusive":
            claim += f" {effect.settled_by(self.tolerance).capitalize()}."
        return Finding(
            probe=self.topic,
            kind=kind,
            subject="",
            status=status,
            severity=severity(effect, "calibration", self.tolerance) if status == "found" else "none",
            claim=claim + sentence,
            effect=effect,
            tolerance=self.tolerance,
            evidence=evidence,
            remedy="fit a temperature on rows that neither trained nor test the model" if status == "found" else "",
        )
