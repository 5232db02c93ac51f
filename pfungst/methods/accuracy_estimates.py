"""Estimates of the accuracy on rows without labels: each holds only if the shift does not break a shortcut."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.errors import TooFewRows
from pfungst.outputs import Outputs
from pfungst.registry import Registry
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.units import bracketed, numbered

MOST_MATCHED = 500
"""Rows that are matched to labels at a time: the cost grows with their third power."""

FEWEST = 20


@dataclass(frozen=True, eq=False)
class Scores:
    """What is read of a model's answers, a row each: the largest probability, the sum of p log p, and the answer."""

    confidence: FloatArray
    negative_entropy: FloatArray
    answers: IntArray

    def take(self, index: Array) -> "Scores":
        """The rows at these indices."""
        return Scores(self.confidence[index], self.negative_entropy[index], self.answers[index])


@dataclass(frozen=True, eq=False)
class Asked:
    """Labelled rows that were answered (``known``, ``correct``) and new ones without labels (``new``).

    ``probabilities`` are those of new rows, (rows, classes), ``shares`` the known rows' shares of the classes.
    ``others`` are the answers of other members to the new rows. ``units`` are of known and new rows, or None.
    """

    known: Scores
    correct: FloatArray
    new: Scores
    probabilities: FloatArray | None = None
    shares: FloatArray | None = None
    others: tuple[IntArray, ...] = ()
    units: tuple[Array | None, Array | None] = (None, None)


AccuracyEstimate = Callable[[Asked], float]
accuracy_estimates: Registry[AccuracyEstimate] = Registry("accuracy-estimates")


def scores_of(outputs: Outputs) -> Scores:
    """The scores of some answers.

    >>> scores_of(Outputs(np.log(np.array([[0.9, 0.1]], np.float32)), normalised=True)).confidence.round(2)
    array([0.9])
    """
    if not outputs.complete:
        return Scores(outputs.confidence, np.full(len(outputs), np.nan), outputs.predictions)
    logs = outputs.log_probabilities
    return Scores(outputs.confidence, (np.exp(logs) * logs).sum(axis=1), outputs.predictions)


def asked_about(
    known: Outputs,
    labels: IntArray,
    new: Outputs,
    others: Sequence[Outputs] = (),
    units: tuple[Array | None, Array | None] = (None, None),
) -> Asked:
    """Answers to labelled rows and to new rows, as the estimates take them.

    Raises:
        InputError: if there are fewer than 20 rows of either.
    """
    if min(len(known), len(new)) < FEWEST:
        raise TooFewRows(
            f"an accuracy was to be estimated for {len(new)} rows from {len(known)} labelled ones; each needs {FEWEST}"
        )
    whole = known.complete and new.complete
    return Asked(
        scores_of(known),
        (known.predictions == labels).astype(np.float64),
        scores_of(new),
        new.probabilities if whole else None,
        np.bincount(labels, minlength=new.classes) / len(labels) if whole else None,
        tuple(one.predictions for one in others),
        units,
    )


@accuracy_estimates
def average_confidence(asked: Asked) -> float:
    """AC, the mean stated probability of the answers to new rows (Hendrycks and Gimpel 2017)."""
    return float(asked.new.confidence.mean())


@accuracy_estimates
def difference_of_confidences(asked: Asked) -> float:
    """DoC, the known accuracy less the fall of the mean confidence from known to new rows (Guillory et al. 2021)."""
    return float(asked.correct.mean() - asked.known.confidence.mean() + asked.new.confidence.mean())


@accuracy_estimates
def thresholded_confidence(asked: Asked) -> float:
    """ATC, the share of new rows at or above the confidence below which as many known rows lie as are wrong.

    (Garg et al. 2022.)
    """
    return _above(asked.known.confidence, asked.correct, asked.new.confidence)


@accuracy_estimates
def thresholded_entropy(asked: Asked) -> float:
    """ATC-NE, the same with the negative entropy of all classes' probabilities (Garg et al. 2022)."""
    return _above(asked.known.negative_entropy, asked.correct, asked.new.negative_entropy)


@accuracy_estimates
def optimal_transport(asked: Asked) -> float:
    """COT, one less the cheapest way to give new rows the known rows' labels, a label costing 1 - its probability.

    Labels are dealt in the known shares and assigned one to one, 500 rows at a time (Lu et al. 2023).
    """
    if asked.probabilities is None or asked.shares is None:
        return np.nan
    total, rows = 0.0, len(asked.probabilities)
    parts = -(-rows // MOST_MATCHED)
    for start in range(parts):
        part = asked.probabilities[start::parts]
        dealt = np.repeat(np.arange(len(asked.shares)), _dealt(asked.shares, len(part)))
        total += float(part[:, dealt][linear_sum_assignment(part[:, dealt], maximize=True)].sum())
    return total / rows


@accuracy_estimates
def agreement(asked: Asked) -> float:
    """GDE, the share of new rows on which two members trained alike agree, the mean over pairs (Jiang et al. 2022)."""
    if not asked.others:
        return np.nan
    every = np.stack([asked.new.answers, *asked.others])
    pairs = [(every[i] == every[j]).mean() for i in range(len(every)) for j in range(i)]
    return float(np.mean(pairs))


DRAWN = ("average-confidence", "difference-of-confidences", "thresholded-confidence", "thresholded-entropy")
"""Estimates that are drawn again in the bootstrap; matching rows to labels again and again would take too long."""


def estimated(asked: Asked, draws: int = 200, seed: int = 0) -> tuple[Estimate, ...]:
    """Every registered estimate that can be had, each cut to [0, 1], with its bootstrap interval.

    Known and new rows (or units) are drawn anew in each draw. One that is not drawn again takes the widest interval of
    those that are.

    >>> rng = np.random.default_rng(0)
    >>> outputs = Outputs(rng.normal(size=(200, 3)).astype(np.float32))
    >>> found = estimated(asked_about(outputs, outputs.predictions, outputs), draws=20)
    >>> [one.name for one in found][-1], round(found[1].value, 3)
    ('optimal-transport', 1.0)
    """
    whole = {name: estimate(asked) for name, estimate in accuracy_estimates.items()}
    kept = {name: min(1.0, max(0.0, value)) for name, value in whole.items() if np.isfinite(value)}
    drawn = {name: np.empty(draws) for name in kept if name in DRAWN}
    rng = np.random.default_rng(seed)
    sides = [_units(units, rows) for units, rows in zip(asked.units, (asked.correct, asked.new.answers), strict=True)]
    for at in range(draws):
        first, second = (_resampled(side, rng) for side in sides)
        again = Asked(asked.known.take(first), asked.correct[first], asked.new.take(second))
        for name, values in drawn.items():
            values[at] = min(1.0, max(0.0, accuracy_estimates[name](again)))
    away = {name: (np.quantile(values, (0.025, 0.975)) - kept[name]).tolist() for name, values in drawn.items()}
    widest = (min((down for down, _ in away.values()), default=-1.0), max((up for _, up in away.values()), default=1.0))
    rows = min(len(side) for side in sides)

    def interval(name: str, value: float) -> Estimate:
        down, up = away.get(name, widest)
        ends = (max(0.0, value + down), min(1.0, value + up))
        return bracketed(name, value, ends, rows=rows, units=asked.units[1], level=0.95)

    return tuple(interval(name, value) for name, value in kept.items())


def spread(estimates: Sequence[Estimate]) -> Estimate:
    """The middle one of some estimates, from the lowest end of any of their intervals to the highest.

    >>> one = Estimate(name="a", value=0.8, low=0.7, high=0.9, rows=50)
    >>> spread([one, Estimate(name="b", value=0.6, low=0.5, high=0.7, rows=50)]).low
    0.5
    """
    middle = float(np.median([one.value for one in estimates]))
    low, high = min(one.low for one in estimates), max(one.high for one in estimates)
    first = estimates[0]
    return Estimate(name="estimated", value=middle, low=low, high=high, rows=first.rows, unit=first.unit)


def _above(known: FloatArray, correct: FloatArray, new: FloatArray) -> float:
    """Share of new scores at or above the known score below which the share of wrong answers lies."""
    wrong = int(len(correct) - correct.sum())
    threshold = np.inf if wrong == len(known) else np.partition(known, wrong)[wrong]
    return float(np.mean(new >= threshold)) if np.isfinite(known).all() else np.nan


def _dealt(shares: FloatArray, rows: int) -> IntArray:
    """Whole numbers of labels in these shares, by largest remainders."""
    counts = np.floor(shares * rows).astype(np.int64)
    order = np.argsort(counts - shares * rows, kind="stable")
    counts[order[: rows - int(counts.sum())]] += 1
    return counts


def _units(units: Array | None, rows: Array) -> list[IntArray]:
    """Positions of each unit's rows."""
    if units is None:
        return list(np.arange(len(rows))[:, None])
    codes, _ = numbered(units, len(rows))
    return np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])


def _resampled(side: list[IntArray], rng: np.random.Generator) -> IntArray:
    chosen = rng.integers(0, len(side), len(side))
    if len(side[0]) == 1 and all(len(one) == 1 for one in side):
        return chosen
    return np.concatenate([side[i] for i in chosen])
