"""Unknowns: what the model states when it is shown what belongs to none of its classes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import msgspec
import numpy as np

from pfungst.datasets.dataset import Dataset
from pfungst.findings import Estimates, Examples, Finding, Histogram, Series, Skipped
from pfungst.methods.unknownness import unknownness_scores, why_not
from pfungst.outputs import Outputs
from pfungst.passes import Passes, Predict
from pfungst.probe import Probe, probes, shot
from pfungst.statistics.auroc import accepted_at_95_id, auroc
from pfungst.statistics.estimate import Estimate, Severity, Status, severity
from pfungst.statistics.intervals import mean, proportion_of

_CLEAN = Predict()
_EDGES = tuple(np.round(np.linspace(0, 1, 21), 2).tolist())


@probes
@dataclass(frozen=True)
class Unknowns(Probe):
    """Share of strangers stated above ``sure``, and whether any score tells strangers from known rows.

    An honest answer to a stranger is 1/K for each of K classes. ``undetectable`` is the share of strangers let through
    at the threshold that keeps 95 % of known rows; the score is chosen on half of the strangers and reported on the
    other half (scores: maximum probability, energy and others; Hendrycks and Gimpel 2017, Liu et al. 2020).
    """

    topic: ClassVar[str] = "unknowns"
    question: ClassVar[str] = "What does it say to something that belongs to none of its classes?"
    tolerance: float = 0.02
    let_through: float = 0.10
    sure: float = 0.9
    fewest: int = 30
    shown: int = 12

    def needs(self, data: Dataset, done: Passes) -> Iterator[Predict]:
        """The known rows and each set of strangers, as they are."""
        del done
        yield _CLEAN
        for name in _strangers(data):
            yield Predict(on=name)

    def judge(self, data: Dataset, done: Passes) -> Iterator[Finding | Skipped]:
        """Two findings for each set of strangers."""
        if not _strangers(data):
            yield Skipped(probe=self.topic, reason="no strangers were given; name some with --ood NAME=DATA")
        for name in _strangers(data):
            asked = Predict(on=name)
            have = len(done[asked]) if asked in done else 0
            if have < self.fewest:
                reason = f"{have} rows could be asked; {self.fewest} are the least that say anything"
                yield Skipped(probe=self.topic, subject=name.removeprefix("ood:"), reason=reason)
                continue
            yield self._confident(data, name, done[_CLEAN], done[asked])
            yield from self._undetectable(name, done[_CLEAN], done[asked])

    def _confident(self, data: Dataset, name: str, known: Outputs, strangers: Outputs) -> Finding:
        subject, due = name.removeprefix("ood:"), 1 / strangers.classes
        share = proportion_of(strangers.confidence > self.sure, name=f"strangers stated above {self.sure}")
        stated = mean(strangers.confidence, name="mean stated confidence, strangers", bounds=(0.0, 1.0))
        usual = mean(known.confidence, name="mean stated confidence, known rows", bounds=(0.0, 1.0))
        known_share = proportion_of(known.confidence > self.sure, name=f"known rows stated above {self.sure}")
        favourite = np.bincount(strangers.predictions, minlength=strangers.classes).argmax()
        status = share.against(self.tolerance)
        claim = (
            f"Shown {len(strangers)} {subject}, the model stated {stated.value:.2f} on average where {due:.2f} was "
            f"due, and more than {self.sure} on {share.value:.1%} [{share.low:.1%}, {share.high:.1%}] of them "
            f"(tolerance {self.tolerance:.0%}; on its own test rows it states {usual.value:.2f}). "
            f"It takes them mostly for {data.classes[int(favourite)]}."
        )
        line = f"an honest shrug, 1/{strangers.classes}"
        histogram = Histogram(
            title="What it states about known rows and about strangers",
            edges=_EDGES,
            series=(_series("known rows", known), _series(subject, strangers)),
            line=due,
            line_name=line,
            axis="stated confidence",
        )
        numbers = Estimates(
            title="Stated confidence", items=(share, known_share, stated, usual), reference=due, reference_name=line
        )
        return Finding(
            probe=self.topic,
            kind="confident",
            subject=subject,
            status=status,
            severity=severity(share, "strangers", self.tolerance) if status == "found" else "none",
            claim=claim + _settle(share, status, self.tolerance),
            effect=share,
            tolerance=self.tolerance,
            evidence=(histogram, numbers, *self._pictures(data, name, strangers)),
            remedy="give it a way to say none of these: abstain below a threshold set on known rows, train with "
            "outlier exposure, or average an ensemble",
        )

    def _pictures(self, data: Dataset, name: str, strangers: Outputs) -> Iterator[Examples]:
        one = Predict(on=name)
        surest = np.argsort(-strangers.confidence, kind="stable")[: self.shown]
        yield Examples(
            title="The strangers it is surest of", items=tuple((shot(data, one, strangers, int(i)),) for i in surest)
        )
        typical = range(min(self.shown, len(strangers)))  # rows come in a random order
        yield Examples(
            title="Strangers drawn at random", items=tuple((shot(data, one, strangers, int(i)),) for i in typical)
        )

    def _undetectable(self, name: str, known: Outputs, strangers: Outputs) -> Iterator[Finding | Skipped]:
        subject = name.removeprefix("ood:")
        half = np.arange(len(strangers)) % 2 == 0
        scored = {}
        for score in unknownness_scores:
            reason = why_not(score, known) or why_not(score, strangers)
            if reason:
                yield Skipped(probe=self.topic, kind="undetectable", subject=f"{subject}, score {score}", reason=reason)
            else:
                scored[score] = (unknownness_scores[score](known), unknownness_scores[score](strangers))
        if not scored:
            return
        best = max(scored, key=lambda score: auroc(scored[score][0], scored[score][1][half]).value)
        known_best, strange_best = scored[best][0], scored[best][1][~half]
        through = accepted_at_95_id(known_best, strange_best)
        areas = tuple(_named(auroc(a, b[~half]), f"AUROC of {score}") for score, (a, b) in scored.items())
        area = next(item for item in areas if item.name == f"AUROC of {best}")
        status = through.against(self.let_through)
        yield Finding(
            probe=self.topic,
            kind="undetectable",
            subject=subject,
            status=status,
            severity=_weight(through) if status == "found" else "none",
            claim=f"A guard on the best of {len(scored)} scores ({best}, AUROC {area.value:.3f} [{area.low:.3f}, "
            f"{area.high:.3f}]) that keeps 95 % of known rows lets {through.value:.1%} [{through.low:.1%}, "
            f"{through.high:.1%}] of {subject} through (tolerance {self.let_through:.0%})."
            + _settle(through, status, self.let_through),
            effect=through,
            tolerance=self.let_through,
            evidence=(
                Estimates(title="Known rows against strangers", items=areas, reference=0.5, reference_name="chance"),
            ),
            remedy="a guard needs better features: train with outlier exposure, or guard with a separate detector",
        )


def _strangers(data: Dataset) -> list[str]:
    return [name for name in data.companions if name.startswith("ood:")]


def _named(estimate: Estimate, name: str) -> Estimate:
    return msgspec.structs.replace(estimate, name=name)


def _series(name: str, outputs: Outputs) -> Series:
    counts, _ = np.histogram(outputs.confidence.clip(0, 1), bins=np.array(_EDGES))
    return Series(name=name, shares=tuple((counts / len(outputs)).round(5).tolist()), rows=len(outputs))


def _weight(through: Estimate) -> Severity:
    # Nobody has promised a guard yet: a score that fails is a missed chance, not a fault of the answers.
    return "medium" if through.low >= 0.5 else "low"


def _settle(effect: Estimate, status: Status, tolerance: float) -> str:
    return f" {effect.settled_by(tolerance, 'strangers').capitalize()}." if status == "inconclusive" else ""
