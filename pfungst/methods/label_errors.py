"""Label errors: the share of labels that are wrong, read off the answers as a lapse rate."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray
from pfungst.outputs import Outputs
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.units import effective_rows

FEWEST = 100
"""Rows below which no rate is read off: the likelihood is flat."""

BINS = 200
MOST = 0.6
LARGEST = 30.0


@dataclass(frozen=True, eq=False)
class LabelErrors:
    """The share of wrong labels; for each row how often one with its margin errs, and whether its label is wrong.

    ``expected`` (rows,) is the error rate of answers as sure as this one, wrong labels included; ``probability``
    (rows,) is that of a wrong label, 0 where label and answer agree.
    """

    share: Estimate
    expected: FloatArray
    probability: FloatArray

    @property
    def suspects(self) -> IntArray:
        """Rows whose label is more likely wrong than right, likeliest first; none where perhaps no label is wrong."""
        if self.share.low <= 0:
            return np.zeros(0, np.int64)
        order = np.argsort(-self.probability, kind="stable")
        return np.asarray(order[self.probability[order] > 0.5])


def label_errors(outputs: Outputs, labels: IntArray, units: Array | None = None) -> LabelErrors:
    """Wrong labels as the rate at which even the surest answers contradict the label.

    A model errs less the surer it is; a wrong label does not care how sure it is. With m the margin of an answer (the
    log-probability of the first class less that of the second), the label is the answer with probability
    (1 - q) sigmoid(a + b m), b > 0: a psychometric function with lapse rate q (Wichmann & Hill 2001, Percept.
    Psychophys. 63:1293). q is its maximum-likelihood value, the interval that of the profile likelihood, scaled to the
    effective number of rows where rows come in units. Of the rows that contradict their label, one with margin m has a
    wrong label with probability q / (q + (1 - q)(1 - sigmoid(a + b m))).

    The rate holds where an answer that is sure is right. A model that follows a trick is sure and wrong where the trick
    misleads it, which looks the same from here.
    """
    margin, right = margins(outputs), outputs.predictions == labels
    margin = margin / max(float(margin.std()), 1e-6)
    binned = _binned(margin, right)
    rates = np.concatenate([[0.0], np.geomspace(5e-4, MOST, 60)])
    fits = [_fitted(rate, binned) for rate in rates]
    effective, groups = effective_rows(right.astype(np.float64), units)
    losses = np.array([loss for loss, _, _ in fits]) * effective / len(right)
    best = int(losses.argmin())
    share = Estimate(
        name="share of wrong labels",
        value=float(rates[best]),
        low=_bound(rates[best::-1], losses[best::-1]),
        high=_bound(rates[best:], losses[best:]),
        rows=groups,
        unit="row" if units is None else "unit",
    )
    _, offset, slope = fits[best]
    mistaken = (1 - share.value) * expit(-(offset + slope * margin))
    probability = np.where(right, 0.0, share.value / np.maximum(share.value + mistaken, 1e-300))
    return LabelErrors(share, share.value + mistaken, probability)


def margins(outputs: Outputs) -> FloatArray:
    """Log-probability of each answer less that of the next class, (rows,), cut off at 30."""
    first, second = -np.partition(-outputs.log_probabilities, 1, axis=1)[:, :2].T
    return np.asarray(np.clip(first - second, 0.0, LARGEST))


def _bound(rates: FloatArray, losses: FloatArray) -> float:
    """The rate, going away from the best, whose log-likelihood is lower by half the 95 % quantile of chi squared."""
    above = losses - losses[0] - 1.9207
    beyond = np.flatnonzero(above > 0)
    if not len(beyond):
        return float(rates[-1])
    at = int(beyond[0])
    return float(np.interp(0.0, above[at - 1 : at + 1], rates[at - 1 : at + 1]))


def _binned(margin: FloatArray, right: BoolArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean margin, rows and right rows of at most 200 bins of equal size."""
    order = np.argsort(margin, kind="stable")
    parts = np.array_split(order, min(BINS, len(order)))
    means = np.array([margin[part].mean() for part in parts])
    return means, np.array([len(part) for part in parts], np.float64), np.array([right[part].sum() for part in parts])


def _fitted(rate: float, binned: tuple[FloatArray, FloatArray, FloatArray]) -> tuple[float, float, float]:
    """Negative log-likelihood at the best offset and slope for a rate, and both."""
    means, rows, right = binned

    def loss(at: FloatArray) -> float:
        share = np.clip((1 - rate) * expit(at[0] + np.exp(min(at[1], 5.0)) * means), 1e-12, 1 - 1e-12)
        return -float((right * np.log(share) + (rows - right) * np.log1p(-share)).sum())

    found = minimize(loss, (0.0, 0.0), method="Nelder-Mead", options={"maxiter": 200, "xatol": 1e-3, "fatol": 1e-4})
    return float(found.fun), float(found.x[0]), float(np.exp(min(found.x[1], 5.0)))
