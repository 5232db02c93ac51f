"""Logistic regression: scikit-learn's, imported when one is first fitted, for most audits fit none."""

from importlib import import_module
from typing import Any

from pfungst.arrays import FloatArray, IntArray


def logistic_regression(x: FloatArray, labels: IntArray, **settings: Any) -> Any:
    """A fitted ``sklearn.linear_model.LogisticRegression`` with these settings; ``x`` is (rows, columns).

    >>> import numpy as np
    >>> logistic_regression(np.array([[0.0], [1.0]] * 9), np.array([0, 1] * 9)).predict([[2.0]])
    array([1])
    """
    return import_module("sklearn.linear_model").LogisticRegression(**settings).fit(x, labels)
