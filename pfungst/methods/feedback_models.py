"""A model in force: what it says of rows, where it decides, and mixtures of models."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy.sparse import csr_array, issparse
from scipy.special import expit
from sklearn.base import clone, is_classifier

from pfungst.arrays import Array, BoolArray, FloatArray
from pfungst.errors import InputError, first_line

Answers = Literal["log-odds", "probabilities", "scores", "decisions", "values"]
Fit = Callable[[Any, Array], Any]

_SMALLEST, _AT_ONCE = 1e-300, 512


@dataclass(frozen=True, eq=False)
class Deployed:
    """Fitted models with the share of each, whose scores are added, and the score from which on they decide for 1.

    ``answers`` tells what the models give: decision functions that are log-odds, probabilities, other scores, mere
    decisions, or values (numbers, not classes).
    """

    parts: tuple[tuple[float, Any], ...]
    answers: Answers
    threshold: float = 0.0

    def __call__(self, inputs: Any) -> FloatArray:
        """Probabilities of class 1 (rows,) where the models state them, else scores, decisions or values."""
        scores = self.scores(inputs)
        return np.asarray(expit(scores)) if self.answers in {"log-odds", "probabilities"} else scores

    def scores(self, inputs: Any) -> FloatArray:
        """Log-odds of class 1 (rows,), else the scores, +-1 for decisions, or values; higher is nearer to class 1."""
        total = np.zeros(inputs.shape[0])
        for share, model in self.parts:
            total = total + share * _scores(model, inputs, self.answers)
        return total

    def decisions(self, inputs: Any) -> BoolArray:
        """Which rows are decided 1: their score reaches the threshold."""
        return np.asarray(self.scores(inputs) >= self.threshold)

    def slopes(self, inputs: Any) -> FloatArray:
        """What one more of each column adds to the score of an empty row (columns,); weights, where it is linear."""
        width, empty = inputs.shape[1], self.empty(inputs)
        found = np.zeros(width)
        for start in range(0, width, _AT_ONCE):
            stop = min(width, start + _AT_ONCE)
            found[start:stop] = self.scores(_units_of(inputs, start, stop)) - empty
        return found

    def empty(self, inputs: Any) -> float:
        """The score of a row of noughts, which is the intercept where the score is linear."""
        return float(self.scores(_rows_of(inputs, np.zeros((1, inputs.shape[1]))))[0])

    def moved(self, by: float, towards: "Deployed", away: "Deployed") -> "Deployed":
        """This model with ``by`` times the difference of two others added to its scores."""
        return self.with_parts((1.0, self), (by, towards), (-by, away))

    def with_parts(self, *terms: tuple[float, "Deployed"]) -> "Deployed":
        """This model with the sum of others' scores; a model that comes twice is kept once."""
        shares: dict[int, tuple[float, Any]] = {}
        for factor, other in terms:
            for share, model in other.parts:
                shares[id(model)] = (shares.get(id(model), (0.0, model))[0] + factor * share, model)
        return replace(self, parts=tuple(part for part in shares.values() if part[0] != 0))


def fitting(fit: Any, seed: int) -> Fit:
    """A function of inputs and labels that returns a new model: the one given, or a copy of an estimator fitted.

    Random states that an estimator leaves open are set to the seed.

    Raises:
        InputError: if it is neither; the returned function raises it if fitting fails.
    """
    if hasattr(fit, "fit") and hasattr(fit, "get_params"):
        opened = {name: seed for name, value in fit.get_params().items()
                  if name.split("__")[-1] == "random_state" and value is None}  # fmt: skip

        def train(inputs: Any, labels: Array) -> Any:
            return clone(fit).set_params(**opened).fit(inputs, labels)
    elif callable(fit):
        train = fit
    else:
        raise InputError(
            f"{type(fit).__name__} cannot be fitted; give a scikit-learn estimator, or a function of inputs and labels "
            "that returns a model"
        )

    def fitted(inputs: Any, labels: Array) -> Any:
        try:
            return train(inputs, labels)
        except (ValueError, TypeError, ArithmeticError, np.linalg.LinAlgError) as broken:
            counts = np.unique(labels, return_counts=True)[1]
            held = f", {counts.min()} of the rarer label" if len(counts) == 2 else ""
            raise InputError(
                f"fitting failed on {inputs.shape[0]} rows{held}: {first_line(broken)}; give a fit that can take what "
                "the response makes of the rows"
            ) from broken

    return fitted


def deployed(model: Any, inputs: Any, *, binary: bool, threshold: float = 0.5) -> Deployed:
    """The model as the rounds ask it; ``threshold`` is a probability where probabilities are stated.

    Raises:
        InputError: if it cannot be asked, or answers otherwise than one number a row.
    """
    if not binary:
        if is_classifier(model) or hasattr(model, "predict_proba"):
            raise InputError(
                "labels other than 0 and 1 were given to a model that tells classes; call one class 1 and all others 0"
            )
        return Deployed(((1.0, model),), _checked(model, inputs, "values"), threshold)
    if hasattr(model, "predict_proba"):
        found = _checked(model, inputs, "probabilities")
        if hasattr(model, "decision_function"):
            stated, scores = np.asarray(model.predict_proba(inputs))[:, 1], np.asarray(model.decision_function(inputs))
            if scores.shape == stated.shape and np.abs(expit(scores) - stated).max() < 1e-9:
                found = "log-odds"
        return Deployed(((1.0, model),), found, float(np.log(threshold) - np.log1p(-threshold)))
    if hasattr(model, "decision_function"):
        return Deployed(((1.0, model),), _checked(model, inputs, "scores"), 0.0)
    if hasattr(model, "predict"):
        return Deployed(((1.0, model),), _checked(model, inputs, "decisions"), 0.0)
    found = _checked(model, inputs, "probabilities")
    return Deployed(((1.0, model),), found, float(np.log(threshold) - np.log1p(-threshold)))


def _scores(model: Any, inputs: Any, answers: Answers) -> FloatArray:
    if answers in {"log-odds", "scores"}:
        return np.asarray(model.decision_function(inputs), np.float64)
    if answers == "probabilities":
        stated = np.asarray((model.predict_proba if hasattr(model, "predict_proba") else model)(inputs), np.float64)
        one = stated[:, 1] if stated.ndim == 2 else stated
        none = stated[:, 0] if stated.ndim == 2 else 1 - stated
        return np.asarray(np.log(np.maximum(one, _SMALLEST)) - np.log(np.maximum(none, _SMALLEST)))
    said = np.asarray((model.predict if hasattr(model, "predict") else model)(inputs), np.float64)
    if said.ndim == 2 and said.shape[1] == 1:
        said = said[:, 0]
    return 2 * said - 1 if answers == "decisions" else said


def _checked(model: Any, inputs: Any, answers: Answers) -> Answers:
    """The kind of answer, if a few rows are answered so.

    Raises:
        InputError: if they are not.
    """
    some = inputs[:50]
    if not (callable(model) or hasattr(model, "predict") or hasattr(model, "predict_proba")):
        raise InputError(
            f"the fit returned {type(model).__name__}, which cannot be asked; return a model with predict_proba, "
            "decision_function or predict, or a function of inputs"
        )
    if answers == "probabilities":
        said = np.asarray((model.predict_proba if hasattr(model, "predict_proba") else model)(some))
        right = said.shape in {(some.shape[0],), (some.shape[0], 2)}
        fits = right and bool(np.all((said >= 0) & (said <= 1)))
        wanted = "probabilities of class 1, or of classes 0 and 1"
    else:
        said = np.asarray(_scores(model, some, answers))
        fits = said.shape == (some.shape[0],) and bool(np.isfinite(said).all())
        wanted = "one finite number a row"
    if not fits:
        raise InputError(
            f"the model answered {some.shape[0]} rows with an array of shape {said.shape}, which does not hold "
            f"{wanted}; let it return those"
        )
    return answers


def _rows_of(inputs: Any, rows: FloatArray) -> Any:
    return csr_array(rows) if issparse(inputs) else rows


def _units_of(inputs: Any, start: int, stop: int) -> Any:
    width, count = inputs.shape[1], stop - start
    if issparse(inputs):
        place = (np.ones(count), (np.arange(count), np.arange(start, stop)))
        return csr_array(place, shape=(count, width))
    rows = np.zeros((count, width))
    rows[np.arange(count), np.arange(start, stop)] = 1.0
    return rows
