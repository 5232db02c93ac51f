"""What gaming costs: how far a row must move, or how many words it must add, to come across a linear threshold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pfungst.arrays import FloatArray
from pfungst.errors import InputError
from pfungst.methods.feedback_responses import coefficients
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.medians import binomial_quantile
from pfungst.statistics.proportions import proportion_of

Cost = Literal["l1", "l2", "words"]


@dataclass(frozen=True, eq=False)
class GamingCost:
    """The cheapest way across: the cost at which a share of the rows has crossed, and the price of each row.

    ``prices`` (rows that have to cross,) are infinite where nothing that may change brings a row across.
    """

    estimate: Estimate
    prices: FloatArray

    def within(self, budget: float) -> Estimate:
        """The share of rows that cross for at most ``budget``."""
        return proportion_of(self.prices <= budget, name=f"rows that cross for at most {budget:g}")


def gaming_cost(
    model: Any,
    inputs: Any,
    *,
    share: float = 0.5,
    cost: Cost = "l1",
    threshold: float = 0.0,
    wanted: Literal["above", "below"] = "below",
    immutable: Sequence[int] = (),
    known: int = 60,
) -> GamingCost:
    """The smallest cost for which ``share`` of the rows on the wrong side of a threshold come across it.

    The score is x theta + intercept. ``l1``: the distance over the largest abs(theta) of a column that may change;
    ``l2``: over the norm of these; ``words``: how many of the ``known`` best words, each added once to counts, it takes
    (Lowd and Meek 2005). The interval is that of order statistics (binomial).

    Raises:
        InputError: if no row has to cross, the share is not in (0, 1], or less than that can cross.

    >>> from types import SimpleNamespace
    >>> line = SimpleNamespace(coef_=[1.0, 4.0], intercept_=0.0)
    >>> found = gaming_cost(line, np.array([[2.0, 0.0], [4.0, 0.0], [-1.0, 0.0]]), immutable=(1,))
    >>> found.prices, gaming_cost(line, np.array([[2.0, 0.0]])).estimate.value
    (array([2., 4.]), 0.5)
    """
    if not 0 < share <= 1:
        raise InputError(f"share is {share:g}; give the share of rows that shall cross, above 0 and up to 1")
    theta = coefficients(model, inputs.shape[1])
    sign = 1.0 if wanted == "below" else -1.0
    distance = sign * (np.asarray(inputs @ theta).ravel() + _intercept(model) - threshold)
    distance = distance[distance >= 0]
    if not len(distance):
        raise InputError(f"no row lies on the other side than {wanted} the threshold {threshold:g}; none has to cross")
    free = theta.copy()
    free[np.asarray(tuple(immutable), np.int64)] = 0.0
    prices = _words(distance, -sign * free, known) if cost == "words" else _moves(distance, free, cost)
    ordered, rows = np.sort(prices), len(prices)
    place = max(0, int(np.ceil(share * rows)) - 1)
    if not np.isfinite(ordered[place]):
        raise InputError(
            f"{np.isfinite(prices).mean():.1%} of {rows} rows can cross and {share:.0%} were asked about; ask about a "
            "smaller share, or free more columns or words"
        )
    low, high = (
        int(np.clip(binomial_quantile(level, rows, share) + more, 0, rows - 1))
        for level, more in ((0.025, -1), (0.975, 0))
    )
    finite = ordered[np.isfinite(ordered)]
    name = f"{'words' if cost == 'words' else cost + ' cost'} with which {share:.0%} cross"
    estimate = Estimate(
        name=name, value=float(ordered[place]), low=float(ordered[min(low, place)]),
        high=float(min(ordered[max(high, place)], finite[-1])), rows=rows,
    )  # fmt: skip
    return GamingCost(estimate, prices)


def _intercept(model: Any) -> float:
    if hasattr(model, "class_log_prior_") and not hasattr(model, "intercept_"):
        return float(model.class_log_prior_[1] - model.class_log_prior_[0])
    return float(np.ravel(getattr(model, "intercept_", 0.0))[0])


def _moves(distance: FloatArray, free: FloatArray, cost: Cost) -> FloatArray:
    size = float(np.abs(free).max() if cost == "l1" else np.linalg.norm(free))
    return np.asarray(distance / size) if size > 0 else np.full(len(distance), np.inf)


def _words(distance: FloatArray, gains: FloatArray, known: int) -> FloatArray:
    """How many of the best words bring a row across, each taken once."""
    best = np.sort(gains[gains > 0])[::-1][:known]
    reached = np.cumsum(best)
    needed = np.searchsorted(reached, distance, side="right") + 1.0
    return np.where(needed <= len(best), needed, np.inf)
