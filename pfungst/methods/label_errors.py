"""Label errors: the share of labels that are wrong, read off the answers as a lapse rate."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray
from pfungst.outputs import Outputs
from pfungst.paged import filled, paged, parts, widened
from pfungst.statistics.binning import equal_mass_index
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.sureness import MANY
from pfungst.statistics.units import effective_rows

FEWEST = 100
"""Rows below which no rate is read off: the likelihood is flat."""

BINS = 200
MOST = 0.6
LARGEST = 30.0
"""Margins are cut off here; an answer as sure as that states certainty, which is no measure of how sure it is."""

STEPS, CLOSE, STEEPEST = 50, 1e-4, 5.0
"""Of the fit: at most so many steps, the gain in log-likelihood that ends it, the logarithm of the steepest slope."""

OFF = 1.4
"""Deviation of the logarithm of the slope about 0 that is expected: margins four times too large or small are usual.

Temperatures of networks in wide use lie between 0.5 and 3 (Guo et al. 2017, arXiv:1706.04599; Minderer et al. 2021,
arXiv:2106.07998).
"""


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
        some = np.flatnonzero(self.probability > 0.5)
        return some[np.argsort(-self.probability[some], kind="stable")]


def label_errors(outputs: Outputs, labels: IntArray, units: Array | None = None) -> LabelErrors:
    """Wrong labels as the rate at which even the surest answers contradict the label.

    A model errs less the surer it is; a wrong label does not care how sure it is. With m the margin of an answer (the
    log-probability of the first class less that of the second), the label is the answer with probability
    (1 - q) sigmoid(a + b m), b > 0: a psychometric function with lapse rate q (Wichmann & Hill 2001, Percept.
    Psychophys. 63:1293). ln b is normal about 0, what it is where margins are calibrated: else answers that are all
    about as sure could be said to err alike for no reason. An answer that states certainty, as trees do, counts as sure
    as the surest of the others. q is its value of greatest penalised likelihood, the interval that of the profile, with
    the effective number of rows where rows come in units. Of the rows that contradict their label, one with margin m
    has a wrong label with probability q / (q + (1 - q)(1 - sigmoid(a + b m))).

    The rate holds where an answer that is sure is right. A model that follows a trick is sure and wrong where the trick
    misleads it, which looks the same from here.
    """
    margin, right = _short_of_certain(margins(outputs)), outputs.predictions == labels
    effective, groups = effective_rows(widened(right), units)
    rates = np.concatenate([[0.0], np.geomspace(5e-4, MOST, 60)])
    losses, curves = _fitted(rates, _binned(margin, right, effective / len(right)))
    best = int(losses.argmin())
    share = Estimate(
        name="share of wrong labels",
        value=float(rates[best]),
        low=_bound(rates[best::-1], losses[best::-1]),
        high=_bound(rates[best:], losses[best:]),
        rows=groups,
        unit="row" if units is None else "unit",
    )
    offset, slope = curves[best]
    q = share.value
    expected = filled(len(right), np.float64, lambda part: q + (1 - q) * expit(-(offset + slope * margin[part])))
    wrong = filled(
        len(right), np.float64, lambda part: np.where(right[part], 0.0, q / np.maximum(expected[part], 1e-300))
    )
    return LabelErrors(share, expected, wrong)


def _short_of_certain(margin: FloatArray) -> FloatArray:
    """Margins of which those that are cut off are the largest of the others, if there are any."""
    top = float(np.max(margin, where=margin < LARGEST, initial=-np.inf))
    return filled(len(margin), np.float64, lambda part: np.minimum(margin[part], top)) if top >= 0 else margin


def margins(outputs: Outputs) -> FloatArray:
    """Log-probability of each answer less that of the next class, (rows,), cut off at 30."""
    found = paged(len(outputs), np.float64)
    for part in parts(outputs.logits):
        two = np.partition(outputs.logits[part], -2, axis=1)[:, -2:].astype(np.float64)
        found[part] = np.clip(two[:, 1] - two[:, 0], 0.0, LARGEST)
    return found


def _bound(rates: FloatArray, losses: FloatArray) -> float:
    """The rate, going away from the best, whose log-likelihood is lower by half the 95 % quantile of chi squared."""
    above = losses - losses[0] - 1.9207
    beyond = np.flatnonzero(above > 0)
    if not len(beyond):
        return float(rates[-1])
    at = int(beyond[0])
    return float(np.interp(0.0, above[at - 1 : at + 1], rates[at - 1 : at + 1]))


def _binned(margin: FloatArray, right: BoolArray, weight: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean margin, rows and right rows of at most 200 bins of equal size; a row counts for ``weight`` rows."""
    if len(margin) > MANY:
        top = max(float(margin.max()), 1e-12)
        index = equal_mass_index(filled(len(margin), np.float64, lambda part: 1 - margin[part] / top), BINS)
        rows = np.bincount(index).astype(np.float64)
        return np.bincount(index, margin) / rows, weight * rows, weight * np.bincount(index, right)
    order = np.argsort(margin, kind="stable")
    count = min(BINS, len(order))
    starts = np.arange(count) * len(order) // count
    rows = np.diff(starts, append=len(order)).astype(np.float64)
    kept = np.add.reduceat(right[order], starts, dtype=np.float64)
    return np.add.reduceat(margin[order], starts) / rows, weight * rows, weight * kept


def _fitted(rates: FloatArray, binned: tuple[FloatArray, FloatArray, FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Penalised negative log-likelihood (rates,) at the best offset and slope for each rate, and both, (rates, 2).

    All rates climb side by side, by Fisher scoring with Levenberg's damping: a step that does not gain is not taken and
    the next is shorter. The slope is held by its logarithm, so that it stays above 0. They start in the midst of the
    margins, where the curve is not flat yet.
    """
    means, rows, right = binned
    whole = max(float(rows.sum()), 1e-300)  # rows of a single unit count for none: every rate is as likely then
    middle = float(means @ rows / whole)
    steep = min(1.0, 1 / max(float(np.sqrt((means - middle) ** 2 @ rows / whole)), 1e-6))
    start = (logit(np.clip(right.sum() / whole, 0.01, 0.99)) - steep * middle, np.log(steep))
    at, damping = np.tile(start, (len(rates), 1)), np.full(len(rates), 1e-3)
    loss, slope, curve = _likelihood(rates, at, binned)
    left = np.arange(len(rates))
    for _ in range(STEPS):
        short = damping[left, None] * (np.diagonal(curve[left], axis1=1, axis2=2) + 1e-9)
        step = np.linalg.solve(curve[left] + short[:, :, None] * np.eye(2), slope[left, :, None])[..., 0]
        tried = at[left] + np.clip(step, -2.0, 2.0)
        tried[:, 1] = np.minimum(tried[:, 1], STEEPEST)
        found = _likelihood(rates[left], tried, binned)
        gain = loss[left] - found[0]
        better = gain > 0
        gained = left[better]
        at[gained], loss[gained], slope[gained], curve[gained] = tried[better], *(part[better] for part in found)
        damping[left] *= np.where(better, 0.1, 10.0)
        left = left[np.abs(gain) >= CLOSE]
        if not len(left):
            break
    return loss, np.column_stack([at[:, 0], np.exp(at[:, 1])])


def _likelihood(
    rates: FloatArray, at: FloatArray, binned: tuple[FloatArray, FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Penalised negative log-likelihood (rates,), its descent (rates, 2), expected curvature (rates, 2, 2)."""
    means, rows, right = binned
    steep = np.exp(at[:, 1:]) * means
    sure = expit(at[:, :1] + steep)
    kept = 1 - rates[:, None]
    share = np.clip(kept * sure, 1e-12, 1 - 1e-12)
    loss = 0.5 * (at[:, 1] / OFF) ** 2 - (np.log(share) @ right + np.log1p(-share) @ (rows - right))
    moves = kept * sure * (1 - sure) / (share * (1 - share))
    pull, weight = (right - rows * share) * moves, rows * moves * moves * share * (1 - share)
    slope = np.stack([pull.sum(axis=1), (pull * steep).sum(axis=1) - at[:, 1] / OFF**2], axis=1)
    crossed = (weight * steep).sum(axis=1)
    bent = (weight * steep * steep).sum(axis=1) + OFF**-2
    curve = np.stack([weight.sum(axis=1), crossed, crossed, bent], axis=1)
    return loss, slope, curve.reshape(-1, 2, 2)
