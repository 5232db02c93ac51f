"""A recalibrator in scikit-learn's manner: fit, predict_proba, predict."""

from typing import Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.errors import InputError
from pfungst.methods.recalibrators import recalibrators
from pfungst.outputs import Outputs, from_binary, from_log_probabilities, from_logits, from_probabilities
from pfungst.targets import targets

_READ = {"logits": from_logits, "probabilities": from_probabilities, "log-probabilities": from_log_probabilities}


class Recalibrator(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Makes a model's stated probabilities meet frequencies, by any registered method.

    ``X`` holds the model's scores, (rows, classes), as ``means`` declares them: logits, probabilities or
    log-probabilities; of two classes also one column, the score of the second. ``y`` holds a class for each row, its
    number or name (names stand for columns in sorted order), or labellers' votes or shares (rows, classes).

    >>> scores = np.log(np.array([[0.9, 0.1]] * 40))
    >>> fitted = Recalibrator("temperature").fit(scores, np.array([0, 0, 0, 1] * 10))
    >>> fitted.predict_proba(scores[:1]).round(2).tolist()
    [[0.75, 0.25]]
    """

    def __init__(
        self,
        method: str = "temperature",
        means: Literal["logits", "probabilities", "log-probabilities"] = "logits",
    ) -> None:
        self.method = method
        self.means = means

    def fit(self, X: Array, y: Array) -> Self:
        """Fit to rows that neither trained the model nor will test it.

        Raises:
            InputError: if the method is unknown, scores are not what they are declared to be, or rows are too few.
        """
        if self.method not in recalibrators:
            raise InputError(f"there is no recalibrator {self.method!r}; there are {', '.join(recalibrators)}")
        outputs = self._outputs(X)
        self.n_features_in_ = 1 if np.ndim(X) == 1 else np.shape(X)[1]
        self.map_ = recalibrators[self.method](outputs, self._targets(np.asarray(y), outputs.classes))
        return self

    def predict_proba(self, X: Array) -> FloatArray:
        """Recalibrated probabilities, (rows, classes) float64; rows sum to one.

        Raises:
            InputError: if it was not fitted, or the scores are not what they are declared to be.
        """
        if not hasattr(self, "map_"):
            raise InputError("this recalibrator was not fitted; call fit with scores and labels first")
        outputs = self._outputs(X)
        if outputs.classes != len(self.classes_):
            raise InputError(f"it was fitted to {len(self.classes_)} classes and scores of {outputs.classes} came")
        p = self.map_(outputs).probabilities
        return np.asarray(p / p.sum(axis=1, keepdims=True))

    def predict(self, X: Array) -> Array:
        """The class with the largest recalibrated probability, (rows,)."""
        answers = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[answers])

    def _outputs(self, X: Array) -> Outputs:
        if self.means not in _READ:
            raise InputError(f"scores are declared {self.means!r}; logits, probabilities, log-probabilities are known")
        values = np.asarray(X)
        if self.means == "probabilities" and (values.ndim == 1 or values.shape[1] == 1):
            return from_binary(values, positive=1)
        return _READ[self.means](values)

    def _targets(self, y: Array, classes: int) -> IntArray | FloatArray:
        """Targets as numbers; ``classes_`` becomes what ``predict`` answers with."""
        self.classes_ = np.arange(classes)
        if y.dtype.kind not in "fiub":
            self.classes_, y = np.unique(y, return_inverse=True)
            if len(self.classes_) != classes:
                raise InputError(f"labels name {len(self.classes_)} classes and the scores have {classes} columns")
        read = targets(y, classes)
        held = read.labels if read.labels is not None else read.shares
        assert held is not None, "targets hold labels or shares"
        return held
