"""How a world answers a deployed model: people who move, words that are added, forecasts that come true or defeat."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import sparse

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.errors import InputError

Response = Callable[[Any, Array, Any, np.random.Generator], tuple[Any, Array]]
"""(inputs, labels, deployed model, random numbers of the round) to the inputs and labels that the world then shows.

Inputs are (rows, columns), dense or scipy sparse, always the world's own rows and not those of the round before.
"""


def answers(model: Any, inputs: Any) -> FloatArray:
    """What a model says: the probability of class 1, probabilities (rows, classes) where there are more, or a number.

    ``predict_proba`` is asked where there is one, else ``predict``, ``decision_function``, or the model as a function.

    Raises:
        InputError: if it has none of them, or an answer is not finite or not one for each row.
    """
    names = ("predict_proba", "predict", "decision_function", "__call__")
    asked = next((getattr(model, name) for name in names if hasattr(model, name)), None)
    if asked is None:
        raise InputError(
            f"a {type(model).__name__} has neither predict_proba nor predict and is no function; return one of these"
        )
    said = np.asarray(asked(inputs), np.float64)
    if said.ndim not in {1, 2} or len(said) != inputs.shape[0]:
        raise InputError(
            f"a {type(model).__name__} answered {inputs.shape[0]} rows with shape {said.shape}; let it answer each row"
        )
    if not np.isfinite(said).all():
        raise InputError(f"a {type(model).__name__} gave answers that are not finite; check the fit and its inputs")
    return said[:, 1] if said.ndim == 2 and said.shape[1] == 2 else said


def coefficients(model: Any, columns: int) -> FloatArray:
    """How the score of class 1 rises with each column: ``coef_``, or a naive Bayes' difference of log-probabilities.

    Raises:
        InputError: if the model has neither for these columns; a response function of your own may read it instead.
    """
    found = getattr(model, "coef_", None)
    if found is None and len(getattr(model, "feature_log_prob_", ())) == 2:
        found = model.feature_log_prob_[1] - model.feature_log_prob_[0]
    theta = np.zeros(0) if found is None else np.asarray(found, np.float64).ravel()
    if len(theta) != columns:
        raise InputError(
            f"a {type(model).__name__} has no coefficient for each of {columns} columns, which this response needs; "
            "fit a linear model, or give a response function of your own"
        )
    return theta


@dataclass(frozen=True)
class LinearGaming:
    """Everybody moves the columns they can change against the score: x_S <- x_S - eps theta_S (Perdomo et al. 2020).

    >>> from types import SimpleNamespace
    >>> moves = LinearGaming((1,), 10.0)
    >>> moves(np.zeros((1, 2)), np.zeros(1), SimpleNamespace(coef_=[0.5, 0.2]), np.random.default_rng(0))[0]
    array([[ 0., -2.]])
    """

    columns: Sequence[int]
    eps: float

    def __call__(self, inputs: Array, labels: Array, model: Any, rng: np.random.Generator) -> tuple[Array, Array]:
        """Inputs moved, labels as they are."""
        del rng
        theta = coefficients(model, inputs.shape[1])
        chosen = _places(self.columns, inputs.shape[1])
        moved = _dense(inputs)
        moved[:, chosen] -= self.eps * theta[chosen]
        return moved, labels


@dataclass(frozen=True)
class ThresholdGaming:
    """Who stands on the wrong side moves just across, by the cheapest way, if that costs at most ``budget``.

    The score is x theta + intercept, the way w theta_M / abs(theta_M)^2 for cost ``l2``, or the one column with the
    largest coefficient for ``l1``; columns in ``immutable`` stay (Hardt et al. 2016). ``wanted`` is the good side.

    >>> from types import SimpleNamespace
    >>> line = SimpleNamespace(coef_=[1.0, 1.0], intercept_=0.0)
    >>> moves = ThresholdGaming(1.0, wanted="below", immutable=(1,))
    >>> moves(np.array([[0.5, 0.0], [2.0, 0.0]]), np.zeros(2), line, np.random.default_rng(0))[0].round(3)
    array([[-0.,  0.],
           [ 2.,  0.]])
    """

    budget: float
    threshold: float = 0.0
    wanted: Literal["above", "below"] = "above"
    immutable: Sequence[int] = ()
    cost: Literal["l1", "l2"] = "l2"

    def __call__(self, inputs: Array, labels: Array, model: Any, rng: np.random.Generator) -> tuple[Array, Array]:
        """Inputs of those who can cross moved to the other side, labels as they are."""
        del rng
        moved = _dense(inputs)
        theta = coefficients(model, moved.shape[1])
        free = theta.copy()
        free[_places(self.immutable, len(theta))] = 0.0
        if not free.any():
            raise InputError("every column that can change has coefficient 0, so nobody can cross; free other columns")
        way = free / float(free @ free) if self.cost == "l2" else _single(free)
        score = moved @ theta + float(np.ravel(getattr(model, "intercept_", 0.0))[0]) - self.threshold
        sign = 1.0 if self.wanted == "above" else -1.0
        # A hair beyond, so that rounding leaves nobody on the threshold.
        lacking = -sign * score + 1e-9 * (1 + np.abs(score))
        price = lacking * float(np.abs(way).sum() if self.cost == "l1" else np.linalg.norm(way))
        crosses = (sign * score < 0) & (price <= self.budget)
        moved[crosses] += sign * lacking[crosses, None] * way
        return moved, labels


@dataclass(frozen=True)
class GoodWords:
    """Rows of class 1 append ``words`` of the ``known`` words that lower the score most (Lowd and Meek 2005).

    Inputs are counts of words, dense or sparse; each row draws its words by lot, all different.

    >>> from types import SimpleNamespace
    >>> adds = GoodWords(1, known=1)
    >>> adds(np.zeros((2, 3)), np.array([0, 1]), SimpleNamespace(coef_=[0.1, -2, 3]), np.random.default_rng(0))[0]
    array([[0., 0., 0.],
           [0., 1., 0.]])
    """

    words: int
    known: int = 60

    def __call__(self, inputs: Any, labels: Array, model: Any, rng: np.random.Generator) -> tuple[Any, Array]:
        """Counts with the words added, labels as they are."""
        theta = coefficients(model, inputs.shape[1])
        good = np.argsort(theta, kind="stable")[: self.known]
        if self.words > len(good):
            raise InputError(f"{self.words} words were to be added and only {len(good)} are known; know more words")
        rows = np.flatnonzero(np.asarray(labels) == 1)
        drawn = np.argsort(rng.uniform(size=(len(rows), len(good))), axis=1)[:, : self.words]
        at = (np.repeat(rows, self.words), good[drawn].ravel())
        added = sparse.csr_matrix((np.ones(len(at[0])), at), shape=inputs.shape)
        if sparse.issparse(inputs):
            return (inputs + added).tocsr(), labels
        return np.asarray(inputs) + added.toarray(), labels


@dataclass(frozen=True)
class SelfFulfilling:
    """The label becomes the model's decision with probability ``kappa``: a forecast that brings itself about."""

    kappa: float
    threshold: float = 0.5

    def __call__(self, inputs: Any, labels: Array, model: Any, rng: np.random.Generator) -> tuple[Any, Array]:
        """Inputs as they are, labels (0 or 1) in part the decisions."""
        if not 0 <= self.kappa <= 1:
            raise InputError(f"kappa is a probability, and {self.kappa:g} was given; give one from 0 to 1")
        said = answers(model, inputs)
        if said.ndim > 1:
            raise InputError(f"a decision needs one answer a row, and the model gives {said.shape[1]}; use two classes")
        taken = rng.uniform(size=len(labels)) < self.kappa
        return inputs, np.where(taken, (said >= self.threshold).astype(labels.dtype), labels)


@dataclass(frozen=True)
class Congestion:
    """People avoid what is forecast to be full: load <- base (1 - e (forecast - mean) / mean), e = ``elasticity``."""

    elasticity: float

    def __call__(self, inputs: Any, labels: Array, model: Any, rng: np.random.Generator) -> tuple[Any, Array]:
        """Inputs as they are, loads moved against their forecast."""
        del rng
        forecast = answers(model, inputs)
        centre = float(forecast.mean())
        if forecast.ndim > 1 or abs(centre) <= 1e-12:
            raise InputError("congestion needs one forecast a row, with a mean other than 0; forecast loads")
        return inputs, np.asarray(labels, np.float64) * (1 - self.elasticity * (forecast - centre) / centre)


def _dense(inputs: Any) -> FloatArray:
    if sparse.issparse(inputs):
        raise InputError("this response moves numbers in columns and was given a sparse matrix; give a dense array")
    return np.array(inputs, np.float64)


def _single(free: FloatArray) -> FloatArray:
    way = np.zeros(len(free))
    best = int(np.abs(free).argmax())
    way[best] = 1 / free[best]
    return way


def _places(columns: Sequence[int], width: int) -> IntArray:
    places = np.asarray(tuple(columns), np.int64)
    if len(places) and (places.min() < 0 or places.max() >= width):
        raise InputError(f"columns {list(columns)} were named and there are {width}, numbered from 0; name those")
    return places
