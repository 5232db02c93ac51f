"""How a world answers a model in force: people move, words are appended, forecasts make themselves true or false."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.sparse import csr_array, issparse

from pfungst.arrays import Array, BoolArray, FloatArray
from pfungst.errors import InputError
from pfungst.methods.feedback_models import Deployed

Response = Callable[[Any, Array, Deployed], tuple[Any, Array]]
"""From the rows as they would be without a model, their labels and the model in force to what they become."""

_BEYOND = 1e-9
_LINEAR = 1e-6


@dataclass(frozen=True)
class Gaming:
    """Everybody moves against the model's weights: x_S <- x_S - strength theta_S (Perdomo et al. 2020, section 5).

    The best response of people with a quadratic cost; ``columns`` is S (all where not given), ``only`` the label of
    those who move (everybody where not given).

    Raises:
        InputError: if the score is not linear in the columns, or there is no such column.

    >>> model = Deployed(((1.0, lambda rows: rows @ np.array([1.0, 2.0])),), "values")
    >>> Gaming(0.5, columns=(1,))(np.zeros((1, 2)), np.zeros(1), model)[0]
    array([[ 0., -1.]])
    """

    strength: float
    columns: tuple[int, ...] | None = None
    only: float | None = None

    def __call__(self, inputs: Any, labels: Array, model: Deployed) -> tuple[Any, Array]:
        """The rows moved; labels stay."""
        rows = _dense(inputs)
        moving = _mutable(rows, self.columns)
        step = np.where(moving, -self.strength * _weights(rows, model), 0.0)
        return rows + step * _who(labels, self.only)[:, None], labels


@dataclass(frozen=True)
class BestResponse:
    """Who is decided against makes the cheapest move across the threshold, if it costs no more than the budget.

    For a score w x + b, with mutable columns S (``columns``), the distance d of the score to the threshold costs
    d / |w_S|_2 along w_S where cost is l2, and d / max|w_S| in the one best column where it is l1 (Hardt et al. 2016).
    ``wanted`` is the decision that people want, ``only`` the label of those who move, ``share`` how many of them do
    (which ones is drawn by the seed and stays).

    Raises:
        InputError: if the score is not linear in the columns, or there is no such column.

    >>> model = Deployed(((1.0, lambda rows: rows @ np.array([3.0, 4.0])),), "values", threshold=5.0)
    >>> BestResponse(1.0)(np.zeros((1, 2)), np.zeros(1), model)[0].round(3)
    array([[0.6, 0.8]])
    """

    budget: float
    cost: Literal["l2", "l1"] = "l2"
    columns: tuple[int, ...] | None = None
    wanted: int = 1
    only: float | None = None
    share: float = 1.0
    seed: int = 0

    def __call__(self, inputs: Any, labels: Array, model: Deployed) -> tuple[Any, Array]:
        """The rows moved; labels stay."""
        rows = _dense(inputs)
        direction, price = self.way(rows, model)
        lacking = self.lacking(rows, model)
        cost = lacking * price
        who = (
            _who(labels, self.only)
            & _some(len(rows), self.share, self.seed)
            & (lacking > 0)
            & (cost <= self.budget * (1 + _LINEAR))
        )
        return rows + np.where(who, lacking, 0.0)[:, None] * direction, labels

    def lacking(self, rows: FloatArray, model: Deployed) -> FloatArray:
        """How much score each row lacks (rows,) for the wanted decision; 0 where it has that already."""
        away = model.threshold - model.scores(rows)
        beyond = _BEYOND * (1 + np.abs(model.threshold) + np.abs(away))
        if self.wanted == 1:
            return np.where(away > 0, away + beyond, 0.0)
        return np.where(away <= 0, beyond - away, 0.0)

    def way(self, rows: FloatArray, model: Deployed) -> tuple[FloatArray, float]:
        """The move (columns,) that changes the score by 1 towards the wanted side at the least cost, and that cost."""
        weights = np.where(_mutable(rows, self.columns), _weights(rows, model), 0.0)
        sign = 1.0 if self.wanted == 1 else -1.0
        if not np.any(weights):
            return np.zeros(len(weights)), np.inf
        if self.cost == "l2":
            return sign * weights / (weights @ weights), float(1 / np.sqrt(weights @ weights))
        best = int(np.argmax(np.abs(weights)))
        return sign * np.eye(len(weights))[best] / weights[best], float(1 / abs(weights[best]))


@dataclass(frozen=True)
class GoodWords:
    """Rows of one label append ``count`` of the ``pool`` words that speak most against it (Lowd and Meek 2005).

    Inputs are counts of words (dense or scipy sparse). What a word says is the score of a row that holds it alone less
    that of an empty row; which of the pool a row takes is drawn anew from the seed for each row, and stays.

    >>> model = Deployed(((1.0, lambda rows: rows @ np.array([1.0, -1.0, -2.0])),), "values")
    >>> GoodWords(1, pool=1)(np.array([[1, 0, 0], [1, 0, 0]]), np.array([1, 0]), model)[0]
    array([[1., 0., 1.],
           [1., 0., 0.]])
    """

    count: int
    pool: int = 60
    only: float = 1
    seed: int = 0

    def __call__(self, inputs: Any, labels: Array, model: Deployed) -> tuple[Any, Array]:
        """The rows with words appended; labels stay."""
        if not 0 <= self.count <= self.pool <= inputs.shape[1]:
            raise InputError(
                f"{self.count} of {self.pool} good words were asked for, of {inputs.shape[1]} there are; append no "
                "more than the pool holds, and let it hold no more than there are"
            )
        slopes = model.slopes(inputs)
        best = np.argsort(-slopes if self.only == 0 else slopes, kind="stable")[: self.pool]
        ranks = np.random.default_rng(self.seed).uniform(size=(inputs.shape[0], self.pool)).argsort(axis=1)
        who = np.flatnonzero(_who(labels, self.only))
        words = best[ranks[who, : self.count]].ravel()
        place = (np.ones(len(words)), (np.repeat(who, self.count), words))
        added = csr_array(place, shape=inputs.shape)
        if issparse(inputs):
            return (csr_array(inputs, dtype=np.float64) + added).tocsr(), labels
        return np.asarray(inputs, np.float64) + added.toarray(), labels


@dataclass(frozen=True)
class SelfFulfilling:
    """The label becomes what was decided, with probability ``kappa``; ``decided`` names the one decision that acts.

    Which rows give in is drawn by the seed and stays, so that only the model changes from round to round.

    >>> model = Deployed(((1.0, lambda rows: rows[:, 0]),), "values")
    >>> SelfFulfilling(1.0, decided=1)(np.array([[1.0], [-1.0]]), np.array([0, 1]), model)[1]
    array([1, 1])
    """

    kappa: float
    decided: int | None = None
    seed: int = 0

    def __call__(self, inputs: Any, labels: Array, model: Deployed) -> tuple[Any, Array]:
        """The labels changed; inputs stay."""
        decisions = model.decisions(inputs)
        giving = _some(len(labels), self.kappa, self.seed)
        if self.decided is not None:
            giving &= decisions == bool(self.decided)
        return inputs, np.where(giving, decisions.astype(labels.dtype), labels)


@dataclass(frozen=True)
class Congestion:
    """Who hears a forecast of a crowd stays away: load <- base (1 - elasticity (forecast - mean) / mean).

    ``base`` are the labels, ``mean`` is theirs. An elasticity near 1 makes forecasts overshoot for ever.

    Raises:
        InputError: if the mean load is not above 0.

    >>> model = Deployed(((1.0, lambda rows: rows[:, 0]),), "values")
    >>> Congestion(0.5)(np.array([[2.0], [1.0]]), np.array([1.0, 1.0]), model)[1]
    array([0.5, 1. ])
    """

    elasticity: float

    def __call__(self, inputs: Any, labels: Array, model: Deployed) -> tuple[Any, Array]:
        """The loads changed; inputs stay."""
        usual = float(np.mean(labels))
        if not usual > 0:
            raise InputError(f"the mean load is {usual:.3g}, congestion needs one above 0; give loads as labels")
        return inputs, labels * (1 - self.elasticity * (model(inputs) - usual) / usual)


def _dense(inputs: Any) -> FloatArray:
    if issparse(inputs):
        raise InputError("columns of a sparse matrix cannot be moved; give a dense array, or append words (GoodWords)")
    rows = np.asarray(inputs, np.float64)
    if rows.ndim != 2:
        raise InputError(f"inputs of shape {rows.shape} have no columns to move; give an array of rows and columns")
    return rows


def _weights(rows: FloatArray, model: Deployed) -> FloatArray:
    """The weights of a score that is linear in its columns.

    Raises:
        InputError: if it is not.
    """
    weights = model.slopes(rows)
    some = rows[np.linspace(0, len(rows) - 1, min(len(rows), 50)).astype(int)]
    scores = model.scores(some)
    left = np.abs(scores - some @ weights - model.empty(rows))
    # Log-odds of stated probabilities are worth nothing where those are rounded to 0 or 1.
    known = np.abs(scores) < 30 if model.answers == "probabilities" else np.full(len(some), fill_value=True)
    if model.answers == "decisions" or (known.any() and left[known].max() > _LINEAR * (1 + np.abs(scores).max())):
        raise InputError(
            "the model's score is not linear in the columns, so that the cheapest move is not known; give a linear "
            "model, or your own function of inputs, labels and model"
        )
    return weights


def _mutable(rows: FloatArray, columns: tuple[int, ...] | None) -> BoolArray:
    width = rows.shape[1]
    if columns is None:
        return np.ones(width, bool)
    wrong = [one for one in columns if not 0 <= one < width]
    if wrong:
        raise InputError(f"there is no column {wrong[0]}; the inputs have columns 0 to {width - 1}")
    return np.isin(np.arange(width), columns)


def _who(labels: Array, only: float | None) -> BoolArray:
    return np.ones(len(labels), bool) if only is None else np.asarray(labels == only)


def _some(rows: int, share: float, seed: int) -> BoolArray:
    if not 0 <= share <= 1:
        raise InputError(f"a share of {share} of the rows was asked for; give one from 0 to 1")
    return np.random.default_rng(seed).uniform(size=rows) < share
