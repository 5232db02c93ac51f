"""Trials: one cue reversed one way on some rows, and what became of the true class."""

from dataclasses import dataclass, replace

import msgspec
import numpy as np
from scipy.special import ndtr

from pfungst.arrays import FloatArray, IntArray
from pfungst.datasets.dataset import Batch, Dataset, Half
from pfungst.methods.cues import Cue
from pfungst.methods.standing import scores, units_of
from pfungst.methods.swaps import Swap, Way, arms
from pfungst.passes import Passes, Predict
from pfungst.probe import Labelled, labelled
from pfungst.statistics.estimate import Estimate, severity
from pfungst.statistics.intervals import difference_of_shares
from pfungst.statistics.sequential import FIRST, looks, sequential_mean
from pfungst.summarised import joined_answers

Held = tuple[Cue, ...]

CLEAR = np.log(100)
"""A likelihood a hundred times as high."""

SURE = 1e-4
"""A p-value that survives Holm's correction over five hundred tests."""


@dataclass(frozen=True)
class Trial:
    """Both arms of a cue: its class's own, and another's; ``held`` cues stay the row's own in both.

    ``upto``: so many of the rows are asked as yet, in a pass from each possible look to the next; 0 for all in one.
    """

    cue: Cue
    way: Way
    rows: int
    half: Half
    held: Held = ()
    upto: int = 0

    @property
    def arms(self) -> tuple[tuple[Predict, ...], tuple[Predict, ...]]:
        """The passes of the arm that keeps the class's cue, and of the one that reverses it."""
        ends = [rows for rows in looks(self.rows) if rows <= self.upto] or [self.rows]
        spans = list(zip([0, *ends], ends, strict=False))
        kept, reversed_ = (
            tuple(Predict(under, rows=end, half=self.half, after=start) for start, end in spans)
            for under in arms(self.cue, self.way, self.held)
        )
        return kept, reversed_

    @property
    def passes(self) -> tuple[Predict, ...]:
        """The passes of both arms."""
        return tuple(one for arm in self.arms for one in arm)

    def followed(self, data: Dataset, done: Passes, tolerance: float) -> "Trial":
        """The same as far as the first look that settles it, or that was not asked yet."""
        trial = self
        if len(looks(min(self.rows, len(data.halves[self.half])))) == 1:
            return trial
        for rows in looks(self.planned(data)):
            # Passes end at the same rows however few of the data are asked yet: with more of them none is asked twice.
            trial = replace(self, upto=next(end for end in looks(self.rows) if end >= rows))
            # Where most rows carry no label, a look has seen too few to stop on.
            if not trial.ran(done) or (
                2 * len(trial.moved(data, done)) >= FIRST and settled(trial.reliance(data, done), tolerance)
            ):
                break
        return trial

    def spared(self, data: Dataset) -> int:
        """Rows of each arm that are not asked as yet."""
        return self.planned(data) - min(self.upto or self.rows, self.planned(data))

    def planned(self, data: Dataset) -> int:
        """Rows of each arm that may be asked of these data."""
        return sum(data.extent(self.rows, self.half).values())

    def _look(self, data: Dataset) -> tuple[int, tuple[int, ...]]:
        """The number of the look that is due with the rows asked, and the rows of all that are planned."""
        planned = looks(self.planned(data)) if self.upto else (self.rows,)
        return sum(rows <= (self.upto or self.rows) for rows in planned), planned

    def ran(self, done: Passes) -> bool:
        """Whether both arms were asked."""
        return all(one in done for one in self.passes)

    def answers(self, data: Dataset, done: Passes) -> tuple[Labelled, Labelled]:
        """The labelled answers of both arms, row by row."""
        assert data.labels is not None, "unfit data are not judged"
        kept, reversed_ = (labelled(data, joined_answers([done[one] for one in arm], data.labels)) for arm in self.arms)
        assert kept is not None, "unfit data are not judged"
        assert reversed_ is not None, "unfit data are not judged"
        return kept, reversed_

    def moved(self, data: Dataset, done: Passes) -> FloatArray:
        """Probability of the true class that each row loses with another class's cue."""
        kept, reversed_ = self.answers(data, done)
        return kept.outputs.probability_of(kept.labels) - reversed_.outputs.probability_of(reversed_.labels)

    def reliance(self, data: Dataset, done: Passes) -> Estimate:
        """Its mean; the interval holds whenever one stops asking."""
        (look, planned), units = self._look(data), self.answers(data, done)[0].units
        return sequential_mean(self.moved(data, done), units, "reliance", look=look, of=len(planned))

    def plain(self) -> "Trial":
        """The same with nothing held."""
        return replace(self, held=())

    def given(self, data: Dataset, done: Passes) -> IntArray:
        """The class whose cue each row got in the reversed arm of a swap."""
        kept, _ = self.answers(data, done)
        rows = kept.outputs.rows
        assert rows is not None, "answers of a pass know their rows"
        bank = data.donors(self.half)
        batch = Batch(tuple(data.ids[row] for row in rows), rows, np.zeros((len(rows), 0)), kept.labels, data.seed)
        return np.asarray(bank.labels[Swap(self.cue, "other class", self.held).drawn(batch, bank)])


def settled(effect: Estimate, tolerance: float) -> bool:
    """Whether further rows would change nothing: it lies inside the tolerance, or surely beyond, in one severity.

    >>> settled(Estimate(name="reliance", value=0.5, low=0.45, high=0.55, rows=1024), 0.05)
    True
    >>> settled(Estimate(name="reliance", value=0.3, low=0.26, high=0.34, rows=1024), 0.05)
    False
    """
    if effect.against(tolerance) != "found":
        return effect.against(tolerance) == "absent"
    most = severity(msgspec.structs.replace(effect, low=effect.high), "loss", tolerance)
    return severity(effect, "loss", tolerance) == most and beyond(effect, tolerance) <= SURE


def beyond(effect: Estimate, tolerance: float) -> float:
    """One-sided p-value of "reliance <= tolerance", read off the interval.

    An interval of one of several looks is wider, so that a p-value below 0.3 holds whenever one stops.
    """
    error = max((effect.high - effect.low) / 3.92, 1e-9)
    return float(ndtr((tolerance - effect.value) / error))


def natural_loss(
    data: Dataset, done: Passes, cue: Cue, halves: tuple[Half, ...], *, fewest: int = 10, clear: float = 0.0
) -> Estimate | None:
    """Accuracy on rows in which the cue speaks for the label less that where it speaks for another; nothing is edited.

    It speaks for another class where its log-likelihood there is higher by more than ``clear``: with ``CLEAR`` at most
    one row in a hundred is merely misread. None where either kind has fewer rows.
    """
    clean = done[Predict()]
    leads, right, units = [], [], []
    for half in halves:
        donors, named = data.donors(half), units_of(data, half)
        asked = np.isin(donors.rows, np.asarray(clean.rows))
        leads.append(_lead(scores(data, cue, half).scores, donors.labels)[asked])
        right.append(clean.at(donors.rows[asked]).predictions == donors.labels[asked])
        units.append(np.arange(asked.sum()) if named is None else named[asked])
    lead, correct, unit = (np.concatenate(parts) for parts in (leads, right, units))
    agrees, contradicts = lead > 0, lead < -clear
    if min(agrees.sum(), contradicts.sum()) < fewest:
        return None
    one, other = (None, None) if data.units is None else (unit[agrees], unit[contradicts])
    name = "accuracy lost where the cue speaks for another class, nothing edited"
    return difference_of_shares(correct[agrees], correct[contradicts], one, other, name)


def _lead(scored: FloatArray, labels: IntArray) -> FloatArray:
    """Log-likelihood of each row's label less the best of the others."""
    rows = np.arange(len(labels))
    others = scored.copy()
    others[rows, labels] = -np.inf
    return np.asarray(scored[rows, labels] - others.max(axis=1))
