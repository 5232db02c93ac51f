"""Budget: a first answer from few rows soon, refined with more rows for as long as the time lasts."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from pfungst.audits.study import Study
from pfungst.engine.local import Inline
from pfungst.engine.plan import Piece, Shard, pieces, possible, row_passes, wanted
from pfungst.engine.rounds import Rounds
from pfungst.findings import Skipped
from pfungst.listening import Listener
from pfungst.passes import Pass, Passes, Predict
from pfungst.probe import Probe

FEWEST_ROWS = 200
"""Rows with which a first answer is worth giving: a proportion is then known to 7 points."""

FIRST_ROWS, FIRST_SECONDS = 500, 25.0
"""Rows of the first answer, and seconds of asking the model before it, where the budget allows them."""

TRIED_ROWS, TRIED_SECONDS = 8, 10.0
"""Rows of each pass that are asked to learn what it costs, and the time after which no more passes are tried."""

WORTHWHILE = 1.15
"""A further stage has at least this many times the rows of the one before; less would narrow no interval visibly."""

Asked = Mapping[Pass, tuple[str, ...]]


@dataclass(frozen=True)
class Cost:
    """What the first round of a plan asks for: seconds a row of each pass, measured on one batch, and rows of it."""

    seconds_a_row: dict[Pass, float]
    asked: Asked

    def seconds(self, study: Study) -> float:
        """Seconds for the plan with the rows the study allows."""
        return (
            sum(rate * row_passes([one], study.data) for one, rate in self.seconds_a_row.items())
            / study.request.workers
        )


def measured(study: Study, chosen: Sequence[Probe]) -> Cost:
    """Run one batch of every pass of the first round and take the time."""
    asked, _ = possible(wanted(chosen, study.data, Passes()), study.model.offers)
    return Cost(_rates(study, list(asked), study.request.batch_size), asked)


def _rates(study: Study, passes: Sequence[Pass], size: int) -> dict[Pass, float]:
    """Seconds a row of each of some passes, on their first rows."""
    first: dict[Shard, list[Piece]] = {}
    for one in passes:
        piece = next(pieces(one, study.data))
        first.setdefault(piece.shard, []).append(replace(piece, rows=min(piece.start + size, piece.rows)))
    rates: dict[Pass, float] = {}
    for swept in Inline(replace(study.sweep(), batch_size=size)).map(list(first.values())):
        rates |= {
            one: spent / min(size, len(swept.answers[one]))
            for one, spent in swept.seconds.items()
            if spent and one in swept.answers
        }
    return rates


@dataclass(frozen=True)
class Stage:
    """Some probes on some rows: an audit in small. ``left_out`` says what is missing for want of time."""

    study: Study
    chosen: Sequence[Probe]
    left_out: tuple[Skipped, ...] = ()


@dataclass
class Stages:
    """The stages of an audit: one without a budget, else as many as fit into it, each with more rows or more probes.

    How many rows are asked depends on the clock alone, never on what was found, so every interval stays valid. Half of
    what is left of the budget goes into more rows; ``rounds`` tells what the passes of earlier stages cost.
    Iterating ends when no further stage is worthwhile; ask for the next one only when a stage was answered.
    """

    study: Study
    chosen: Sequence[Probe]
    rounds: Rounds
    hear: Listener
    rates: dict[Pass, float] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Stage]:
        budget, began = self.study.request.budget, time.monotonic()
        if budget is None:
            yield Stage(self.study, self.chosen)
            return
        # Without a folder nothing is kept between stages, and nobody could read a first answer.
        staged = self.rounds.cache is not None
        self._try_passes()
        left = budget - (time.monotonic() - began)
        fewest = min(FEWEST_ROWS, self.most)
        stage: Stage | None = (
            self._fitting(min(FIRST_SECONDS, 0.4 * left), fewest, FIRST_ROWS, ())
            if staged
            else self._fitting(0.6 * left, fewest, self.most, ())
        )
        while stage is not None:
            started, asked = time.monotonic(), sum(record.seconds for record in self.rounds.records.values())
            yield stage
            if not staged:
                return
            spent = sum(record.seconds for record in self.rounds.records.values()) - asked
            judging = time.monotonic() - started - spent / self.study.request.workers
            self.rates |= {one: r.seconds / r.rows for one, r in self.rounds.records.items() if r.rows and r.seconds}
            left = budget - (time.monotonic() - began) - 1.5 * judging
            stage = self._after(stage, left)

    @property
    def most(self) -> int:
        """Rows that may be asked at all."""
        return _limit(self.study)

    def _after(self, stage: Stage, seconds: float) -> Stage | None:
        """The stage after one that was answered, or None where it would not be worth its time.

        What was not asked yet comes before more rows of what was.
        """
        before = _limit(stage.study)
        if seconds <= 0 or (before == self.most and len(stage.chosen) == len(self.chosen)):
            return None
        wider = self._fitting(0.8 * seconds, before, before, stage.chosen)
        if len(wider.chosen) > len(stage.chosen):
            return wider
        deeper = self._fitting(0.5 * seconds, before, self.most, stage.chosen)
        rows = _limit(deeper.study)
        return deeper if rows >= WORTHWHILE * before or before < rows == self.most else None

    def _try_passes(self) -> None:
        """Learn what passes cost, until the time for that is up; the others are taken to cost as much as their like."""
        asked = self._asked(self.chosen)
        ends = time.monotonic() + min(TRIED_SECONDS, 0.1 * (self.study.request.budget or 0.0))
        for one in sorted(asked, key=lambda one: not isinstance(one, Predict)):
            if time.monotonic() > ends and self.rates:
                break
            self.rates |= _rates(self.study, [one], min(TRIED_ROWS, self.study.request.batch_size))

    def _asked(self, chosen: Sequence[Probe]) -> Asked:
        """Passes of the first round, and those of later rounds that an earlier stage asked for these probes."""
        topics = {probe.topic for probe in chosen}
        later = {one: record.asked for one, record in self.rounds.records.items()}
        return {one: by for one, by in {**later, **self._first_round}.items() if topics & set(by)}

    @cached_property
    def _first_round(self) -> Asked:
        return possible(wanted(self.chosen, self.study.data, Passes()), self.study.model.offers)[0]

    def _rate(self, one: Pass) -> float:
        if one in self.rates:
            return self.rates[one]
        like = [rate for other, rate in self.rates.items() if type(other) is type(one)]
        return sum(like) / len(like) if like else float("inf")

    def _seconds(self, chosen: Sequence[Probe], limit: int) -> float:
        """Seconds that these probes still cost with so many rows."""
        data = self.study.data.limited(limit)
        known = self.rounds.records
        left = {one: row_passes([one], data) - (known[one].rows if one in known else 0) for one in self._asked(chosen)}
        return sum(self._rate(one) * rows for one, rows in left.items() if rows > 0) / self.study.request.workers

    def _fitting(self, seconds: float, fewest: int, most: int, kept: Sequence[Probe]) -> Stage:
        """The probes that fit into the time with the fewest rows, cheap ones first, and as many rows as then fit.

        At most ``most`` rows while probes are left out or all rows do not fit: what is not asked yet tells more.
        """
        fits = list(kept)
        for probe in sorted(self.chosen, key=lambda one: self._seconds([one], fewest)):
            if probe not in fits and (not fits or self._seconds([*fits, probe], fewest) <= seconds):
                fits.append(probe)
        chosen = [probe for probe in self.chosen if probe in fits]
        low, high = fewest, self.most
        if self._seconds(chosen, high) <= seconds and len(chosen) == len(self.chosen):
            low = high
        high = max(low, min(high, most))
        while high - low > max(1, low // 50):
            middle = (low + high) // 2
            low, high = (middle, high) if self._seconds(chosen, middle) <= seconds else (low, middle)
        return self._stage(chosen, low)

    def _stage(self, chosen: Sequence[Probe], rows: int) -> Stage:
        left_out = [probe for probe in self.chosen if probe not in chosen]
        missing = [Skipped(probe=probe.topic, reason=self._late) for probe in left_out]
        if rows < self.most:
            self.hear("budget", {"rows": rows, "of": self.most})
            reason = (
                f"{rows} of {self.most} rows were asked, a random sample that holds each class at its share, to end "
                f"within {self.study.request.budget:g} s; intervals are wider for it"
            )
            missing.append(Skipped(probe="budget", kind="rows", reason=reason))
        data = self.study.data if rows == self.most else self.study.data.limited(rows)
        return Stage(replace(self.study, data=data), chosen, tuple(missing))

    @property
    def _late(self) -> str:
        return (
            f"did not fit into {self.study.request.budget:g} s beside what was asked first; give a larger --budget, "
            "or ask it alone with --only"
        )


def _limit(study: Study) -> int:
    return min(study.data.limit or len(study.data), len(study.data))
