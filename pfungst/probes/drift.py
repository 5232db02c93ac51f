"""Drift: has the world moved away from the rows that were audited, and does the model still hold there?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pfungst.datasets.dataset import Dataset
from pfungst.findings import Condition, Finding, Skipped, Table
from pfungst.methods.log_windows import Outcomes, Reference, Window
from pfungst.passes import Passes, Predict
from pfungst.probe import Probe, probes
from pfungst.statistics.estimate import Estimate, Severity, Status, severity
from pfungst.statistics.intervals import proportion_of
from pfungst.statistics.streams import risen

SHOWN = 60


@probes
@dataclass(frozen=True, kw_only=True)
class Drift(Probe):
    """How far the last window of a deployment log lies from the audited rows, and whether errors have become commoner.

    ``shifted``: Kolmogorov-Smirnov distance of the answers ("inputs") and of each column, tolerance 0.1.
    ``prevalence``: how far a class's estimated share moved, if nothing else did. ``accuracy``: lost since the audit;
    with outcomes by an e-process that may be looked at as often as one likes, without them only estimated.
    """

    topic: ClassVar[str] = "drift"
    question: ClassVar[str] = "Has the world moved away from the rows that were audited?"
    finds: ClassVar[Mapping[str, str]] = {
        "shifted": "A column or the answers are distributed otherwise than in the audit.",
        "prevalence": "The classes' shares have moved since the audit.",
        "accuracy": "The accuracy has fallen since the audit.",
    }
    tolerance: float = 0.1
    lost: float = 0.05
    reference: Reference | None = None
    windows: tuple[Window, ...] = ()
    outcomes: tuple[Outcomes, ...] = ()
    shares: tuple[str, float, Estimate, float] | None = None

    def needs(self, data: Dataset, done: Passes) -> Iterator[Predict]:
        """Nothing: the answers stand in the log."""
        del data, done
        yield from ()

    def judge(self, data: Dataset, done: Passes) -> Iterator[Finding | Skipped | Condition]:
        """A finding about the answers, about each column, the classes' shares and the accuracy."""
        del data, done
        if self.reference is None or not self.windows:
            reason = "needs a log of the deployed model: pfungst monitor LOG --reference RUN"
            yield Skipped(probe=self.topic, reason=reason)
            return
        accuracy = self._accuracy(self.reference)
        worse = accuracy is not None and accuracy.status == "found"
        yield self._shifted("inputs", [one.answers for one in self.windows], worse=worse)
        for name in self.windows[-1].columns:
            seen = [one.columns[name] for one in self.windows if name in one.columns]
            yield self._shifted(name, seen, worse=worse)
        yield from self._prevalence(worse=worse)
        if accuracy is not None:
            yield accuracy
        last = self.windows[-1]
        if last.accuracy is not None:
            yield Condition(condition=f"window {last.number}", accuracy=last.accuracy)

    def _shifted(self, subject: str, seen: Sequence[Estimate], *, worse: bool) -> Finding:
        effect, last = seen[-1], self.windows[-1]
        status = effect.against(self.tolerance)
        beyond = [at for at, one in enumerate(seen, start=1) if one.low > self.tolerance]
        since = (
            f" It lay beyond in {len(beyond)} of {len(seen)} windows, first in window {beyond[0]}." if beyond else ""
        )
        what = "what the model answers" if subject == "inputs" else f"{subject}"
        against = "the audited rows" if subject == "inputs" else "the log's first window"
        found = f" (p = {last.test.p_value:.2g}; {last.test.detectable:.2f} would be found in four of five cases)"
        return Finding(
            probe=self.topic,
            kind="shifted",
            subject=subject,
            status=status,
            severity=_weight(status, worse=worse),
            claim=f"In window {last.number} ({_between(last)}) {what} lies {effect:.3f} "
            f"from {against}, as a Kolmogorov-Smirnov distance (tolerance {self.tolerance})"
            f"{found if subject == 'inputs' else ''}.{since}",
            effect=effect,
            tolerance=self.tolerance,
            p_value=last.test.p_value if subject == "inputs" else None,
            evidence=(_table(self.windows, subject),),
            remedy="look at rows of this window, label some, and audit on them" if status == "found" else "",
        )

    def _prevalence(self, *, worse: bool) -> Iterator[Finding | Skipped]:
        if self.shares is None or self.shares[3] <= 0.05:
            reason = (
                "the answers do not tell the classes apart well enough, or the audited rows carry no labels"
                if self.shares is None
                else f"more changed than how common classes are (p = {self.shares[3]:.2g}): shares are not estimated"
            )
            yield Skipped(probe=self.topic, kind="prevalence", reason=reason)
            return
        name, before, now, p_value = self.shares
        moved = Estimate(
            name=f"change of the share of {name}", value=now.value - before, low=now.low - before,
            high=now.high - before, rows=now.rows, unit=now.unit,
        )  # fmt: skip
        far = moved.low > self.tolerance or moved.high < -self.tolerance
        inside = -self.tolerance <= moved.low and moved.high <= self.tolerance
        status: Status = "found" if far else "absent" if inside else "inconclusive"
        yield Finding(
            probe=self.topic,
            kind="prevalence",
            subject=name,
            status=status,
            severity=_weight(status, worse=worse),
            claim=f"{name} made up {before:.3f} of the audited rows and makes up {now:.3f} "
            f"of the last window, if nothing else has changed (not rejected, p = {p_value:.2f}).",
            effect=moved,
            tolerance=self.tolerance,
            remedy="recalibrate to the new shares" if status == "found" else "",
        )

    def _accuracy(self, reference: Reference) -> Finding | None:
        if self.outcomes and reference.known[1]:
            return self._with_outcomes(reference)
        expected = self.windows[-1].expected
        if expected is None or not reference.known[1]:
            return None
        tested = 1 - reference.known[0] / reference.known[1]
        loss = Estimate(
            name="accuracy lost, estimated", value=tested - expected.value, low=tested - expected.high,
            high=tested - expected.low, rows=expected.rows, unit=expected.unit,
        )  # fmt: skip
        trust = (
            f" It is not to be trusted: the audit found {', '.join(reference.doubts[:3])}."
            if reference.doubts
            else " It holds only if the drift does not break a shortcut."
        )
        return Finding(
            probe=self.topic, kind="accuracy", subject="", status="inconclusive", severity="none",
            claim=f"The log carries no outcomes. From its answers the accuracy in window {self.windows[-1].number} is "
            f"estimated to lie between {expected.low:.3f} and {expected.high:.3f} ({tested:.3f} when audited).{trust}",
            effect=loss, tolerance=self.lost, evidence=(_table(self.windows, "accuracy"),),
            remedy="log the outcome of a random share of the rows",
        )  # fmt: skip

    def _with_outcomes(self, reference: Reference) -> Finding:
        # In the order in which they came: each counts once, and what was looked at before stays as it was.
        errors, steps = (np.cumsum([getattr(one, name) for one in self.outcomes]) for name in ("errors", "labelled"))
        evidence, enough, rate = risen(errors, steps, reference.known)
        alarms = np.flatnonzero(evidence >= enough)
        wrong, rows = reference.known
        seen = [one for one in self.windows if one.labelled]
        last = proportion_of(np.arange(seen[-1].labelled) >= seen[-1].errors, name="accuracy")
        before = proportion_of(np.arange(rows) >= wrong, name="accuracy")
        value = before.value - last.value
        # Newcombe's interval of a difference of two independent shares, from their Wilson intervals.
        low = value - float(np.hypot(before.value - before.low, last.high - last.value))
        high = value + float(np.hypot(before.high - before.value, last.value - last.low))
        loss = Estimate(name="accuracy lost", value=value, low=low, high=high, rows=last.rows)
        status: Status = "found" if len(alarms) else ("absent" if loss.high <= self.lost else "inconclusive")
        told = (
            f"Errors have become commoner than {rate:.3f}, the most that the audit allows: the evidence passed "
            f"{np.exp(enough):.0f} in window {self.outcomes[alarms[0]].window}"
            if len(alarms)
            else f"Nothing shows that errors became commoner than {rate:.3f}, the most that the audit allows: the "
            f"evidence is {np.exp(min(float(evidence[-1]), 700.0)):.2g}, and {np.exp(enough):.0f} are needed"
        )
        return Finding(
            probe=self.topic, kind="accuracy", subject="", status=status,
            severity=_at_least_low(severity(loss, "loss", self.lost)) if len(alarms) else "none",
            claim=f"{told}. A false alarm, ever, has a chance of at most 5 %, however often this is looked at. In the "
            f"last window with outcomes the accuracy is {last:.3f}, when "
            f"audited it was {before:.3f}.",
            effect=loss, tolerance=self.lost, evidence=(_table(self.windows, "accuracy"),),
            remedy="find what changed, and retrain or refit the last layer on rows of now" if len(alarms) else "",
        )  # fmt: skip


def _at_least_low(found: Severity) -> Severity:
    return "low" if found == "none" else found


def _weight(status: Status, *, worse: bool) -> Severity:
    """Drift alone is low: the model may hold. It is medium where the accuracy is known to have fallen."""
    return "none" if status != "found" else "medium" if worse else "low"


def _between(one: Window) -> str:
    when = f", {one.between[0]} to {one.between[1]}" if one.between[0] else ""
    return f"rows {one.rows[0]:,} to {one.rows[1]:,}{when}"


def _table(windows: Sequence[Window], subject: str) -> Table:
    lines = []
    for one in windows[-SHOWN:]:
        if subject == "accuracy":
            told = (one.accuracy, one.expected)
            cells = tuple("" if e is None else f"{e:.3f}" for e in told)
        else:
            here = one.answers if subject == "inputs" else one.columns.get(subject)
            joint = "" if one.joint is None else f"{one.joint.effect:.2f} (p {one.joint.p_value:.2g})"
            cells = ("" if here is None else f"{here:.3f}", joint)
        lines.append((str(one.number), _between(one), f"{one.confidence:.3f}", *cells))
    heads = ("by outcomes", "estimated") if subject == "accuracy" else ("distance", "AUC of telling its columns apart")
    title = f"{subject}, window by window" + (f" (the last {SHOWN})" if len(windows) > SHOWN else "")
    return Table(title=title, columns=("window", "rows", "mean confidence", *heads), rows=tuple(lines))
