"""Feedback: do the model's answers change the world that they predict? Judged from a log of decisions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray
from pfungst.datasets.dataset import Dataset
from pfungst.errors import InputError, TooFew, reason_of
from pfungst.findings import Condition, Estimates, Finding, Skipped, Table
from pfungst.methods.discontinuity import bunching, discontinuity
from pfungst.methods.feedback_tests import Effect, arm_contrast, version_switch
from pfungst.methods.identifiability import Design, designs, identifiable, thresholds
from pfungst.passes import Passes, Predict
from pfungst.probe import Probe, probes
from pfungst.statistics.estimate import Estimate, Severity, Status

WITHHELD = frozenset({"withheld", "holdout", "hold-out", "held-out", "control"})
"""What stands in the column ``arm`` where a decision was withheld by lot."""

BUNCHED = 0.1
"""Excess beyond what is smooth, as a share of it, that is called gaming."""


@probes
@dataclass(frozen=True, kw_only=True)
class Feedback(Probe):
    """The effect of acting on an answer, where the log can tell it from drift, in deviations of the outcome.

    Columns of the log: ``decision`` (acted on or not), ``outcome`` (a number, seen later), and one of ``arm`` (holds
    withheld, holdout or control where a decision was withheld by lot), ``score`` (what was cut at a threshold), or
    ``version`` of the model with time. ``moves-the-world``: beyond ``minimum`` deviations either way. ``gaming``:
    scores crowd on the better side of the threshold.
    """

    topic: ClassVar[str] = "feedback"
    question: ClassVar[str] = "Do its answers change the world that they predict?"
    finds: ClassVar[Mapping[str, str]] = {
        "moves-the-world": "Acting on the answers changes what they predict.",
        "unstable": "Deploying and retraining does not settle.",
        "gaming": "Scores crowd on the better side of a threshold.",
    }
    minimum: float = 0.1
    drifted: str = ""

    def needs(self, data: Dataset, done: Passes) -> Iterator[Predict]:
        """Nothing: a log holds its answers."""
        del data, done
        yield from ()

    def judge(self, data: Dataset, done: Passes) -> Iterator[Finding | Skipped | Condition]:
        """What the log can prove, first; then what it shows."""
        del done
        if "decision" not in data.columns or "outcome" not in data.columns:
            lacking = " and ".join(name for name in ("decision", "outcome") if name not in data.columns)
            reason = f"no log of decisions: there is no column {lacking}; see pfungst monitor, and feedback.simulate"
            yield Skipped(probe=self.topic, reason=reason)
            return
        try:
            log = _Log.of(data)
            found = designs(
                log.acted, withheld=log.withheld, score=log.score, version=log.version, rounds=log.rounds,
                units=log.units,
            )  # fmt: skip
        except InputError as error:
            yield Skipped(probe=self.topic, reason=reason_of(error))
            return
        if not any(one.held for one in found):
            reasons = "; ".join(f"{one.name}: {one.reason}" for one in found)
            reason, few = f"{identifiable(found)} {reasons}", any(isinstance(one.reason, TooFew) for one in found)
            yield Skipped(probe=self.topic, kind="moves-the-world", reason=reason, too_few=few)
        for design in found:
            if design.held:
                yield from self._moves(log, design, found)
        yield from self._games(log)
        yield Skipped(
            probe=self.topic, kind="unstable",
            reason="whether retraining settles is not in a log; pfungst.feedback.simulate plays it",
        )  # fmt: skip

    def _moves(self, log: "_Log", design: Design, every: tuple[Design, ...]) -> Iterator[Finding | Skipped]:
        try:
            effect, tables = _effect(log, design)
        except InputError as error:
            yield Skipped(probe=self.topic, kind="moves-the-world", subject=design.name, reason=reason_of(error))
            return
        spread = effect.spread or 1.0
        size = Estimate(
            name="effect of acting, in deviations", value=effect.estimate.value / spread,
            low=effect.estimate.low / spread, high=effect.estimate.high / spread, rows=effect.estimate.rows,
            unit=effect.estimate.unit,
        )  # fmt: skip
        status = effect.against(self.minimum)
        way = "raises" if size.value > 0 else "lowers"
        caused = (
            f" The rows drifted as well ({self.drifted}): your model causes part of this drift."
            if status == "found" and self.drifted
            else ""
        )
        yield Finding(
            probe=self.topic,
            kind="moves-the-world",
            subject=design.name,
            status=status,
            severity=_weight(size) if status == "found" else "none",
            claim=f"By the {design.name}, acting {way} the outcome by {abs(size.value):.3f} deviations "
            f"([{size.low:+z.3f}, {size.high:+z.3f}]; {self.minimum:g} either way count as none).{caused} "
            f"{identifiable(every)}",
            effect=size,
            tolerance=self.minimum,
            p_value=effect.p_value,
            evidence=(Estimates(title="In the outcome's own unit", items=(effect.estimate,)), *tables),
            remedy="judge and retrain on rows that were withheld by lot, not on those it acted on"
            if status == "found"
            else "",
        )

    def _games(self, log: "_Log") -> Iterator[Finding | Skipped]:
        if log.score is None:
            yield Skipped(
                probe=self.topic, kind="gaming", reason="the log has no column score that is cut at a threshold"
            )
            return
        try:
            cut = thresholds(log.score, log.acted, log.withheld)[0]
            found = bunching(cut.running(log.score), cut.value)
        except InputError as error:
            yield Skipped(probe=self.topic, kind="gaming", reason=reason_of(error))
            return
        side = max((found.below, found.above), key=lambda one: one.low)
        status: Status = "found" if found.p_value < 0.05 and side.low > BUNCHED else side.against(BUNCHED)
        yield Finding(
            probe=self.topic,
            kind="gaming",
            subject="",
            status=status,
            severity=_weight(side) if status == "found" else "none",
            claim=f"Next to the threshold {cut.value:.4g} lie {side:+.1%} "
            f"more rows on the side where they crowd most than a smooth histogram holds (p = {found.p_value:.2g}).",
            effect=side,
            tolerance=BUNCHED,
            p_value=found.p_value,
            remedy="cut at a threshold that is not known outside, or at one drawn for each row"
            if status == "found"
            else "",
        )


@dataclass(frozen=True, eq=False)
class _Log:
    """The columns of a log that feedback is judged by."""

    acted: BoolArray
    outcome: FloatArray
    withheld: BoolArray | None
    score: FloatArray | None
    version: Array | None
    rounds: Array | None
    units: Array | None

    @classmethod
    def of(cls, data: Dataset) -> "_Log":
        columns = data.columns
        outcome = _numbers(columns["outcome"], "outcome")
        seen = np.isfinite(outcome)
        if not seen.any():
            raise InputError("the column outcome of the log holds no number")
        acted = _numbers(columns["decision"], "decision")[seen]
        if not np.isin(acted, (0, 1)).all():
            raise InputError("the column decision of the log holds more than 0 and 1; 1 is acted on")
        arm = None if "arm" not in columns else np.isin(np.char.lower(columns["arm"][seen].astype(str)), list(WITHHELD))
        score = _numbers(columns["score"], "score")[seen] if "score" in columns else None
        version = columns["version"][seen] if "version" in columns else None
        when = columns[data.roles.time][seen] if data.roles.time else None
        rounds = None if when is None else np.unique(when, return_inverse=True)[1].astype(np.float64)
        units = None if data.units is None else data.units[seen]
        return cls(acted == 1, outcome[seen], arm, score, version, rounds, units)


def _effect(log: _Log, design: Design) -> tuple[Effect, tuple[Table, ...]]:
    if design.name == "hold-out":
        assert log.withheld is not None, "a hold-out was found"
        both = log.acted | log.withheld
        units = None if log.units is None else log.units[both]
        return arm_contrast(log.outcome[both], log.acted[both], units), ()
    if design.name == "threshold":
        assert log.score is not None, "a threshold was found"
        cut = thresholds(log.score, log.acted, log.withheld)[0]
        kept = np.ones(len(log.acted), bool) if log.withheld is None else ~log.withheld
        units = None if log.units is None else log.units[kept]
        found = discontinuity(cut.running(log.score[kept]), log.outcome[kept], units)
        jumps = (("half", found.half), ("as chosen", found.effect.estimate), ("twice", found.double))
        rows = tuple((name, f"{one:+.3f}") for name, one in jumps)
        title = f"Jump at {cut.value:.4g}, with bandwidths around {found.bandwidth:.3g}"
        return found.effect, (Table(title=title, columns=("bandwidth", "jump"), rows=rows),)
    assert log.version is not None, "versions were found"
    assert log.withheld is not None, "versions are told apart beside a hold-out"
    _, first = np.unique(log.version, return_index=True)
    return version_switch(log.outcome, log.version != log.version[first.min()], log.withheld, log.units), ()


def _numbers(values: Array, name: str) -> FloatArray:
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise InputError(f"the column {name} of the log holds words; give numbers") from None


def _weight(size: Estimate) -> Severity:
    """By the end of the interval nearer to none: from 0.5 on high, from 0.2 on medium."""
    near = max(size.low, -size.high, 0.0)
    return "high" if near >= 0.5 else "medium" if near >= 0.2 else "low"
