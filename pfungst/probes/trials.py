"""Trials: one cue reversed one way on some rows, and what became of the true class."""

from dataclasses import dataclass, replace

import numpy as np

from pfungst.arrays import FloatArray, IntArray
from pfungst.datasets.dataset import Batch, Dataset, Half
from pfungst.methods.cues import Cue
from pfungst.methods.standing import scores, units_of
from pfungst.methods.swaps import Swap, Way, arms
from pfungst.passes import Passes, Predict
from pfungst.probe import Labelled, labelled
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.intervals import difference_of_shares, paired_mean

Held = tuple[Cue, ...]

CLEAR = np.log(100)
"""A likelihood a hundred times as high."""


@dataclass(frozen=True)
class Trial:
    """Both arms of a cue: its class's own, and another's; ``held`` cues stay the row's own in both."""

    cue: Cue
    way: Way
    rows: int
    half: Half
    held: Held = ()

    @property
    def passes(self) -> tuple[Predict, Predict]:
        """The arm that keeps the class's cue, and the one that reverses it."""
        kept, reversed_ = (
            Predict(under, rows=self.rows, half=self.half) for under in arms(self.cue, self.way, self.held)
        )
        return kept, reversed_

    def ran(self, done: Passes) -> bool:
        """Whether both arms were asked."""
        return all(one in done for one in self.passes)

    def answers(self, data: Dataset, done: Passes) -> tuple[Labelled, Labelled]:
        """The labelled answers of both arms, row by row."""
        kept, reversed_ = (labelled(data, done[one]) for one in self.passes)
        assert kept is not None, "unfit data are not judged"
        assert reversed_ is not None, "unfit data are not judged"
        return kept, reversed_

    def moved(self, data: Dataset, done: Passes) -> FloatArray:
        """Probability of the true class that each row loses with another class's cue."""
        kept, reversed_ = self.answers(data, done)
        return kept.outputs.probability_of(kept.labels) - reversed_.outputs.probability_of(reversed_.labels)

    def reliance(self, data: Dataset, done: Passes) -> Estimate:
        """Its mean."""
        return paired_mean(self.moved(data, done), units=self.answers(data, done)[0].units, name="reliance")

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
