"""Multiplicity: p-values corrected for how many were looked at, in the order they came."""

from collections.abc import Sequence

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.errors import InputError


def holm(p_values: Sequence[float] | Array) -> FloatArray:
    """Holm's step-down adjustment, holding the family-wise error whatever the dependence (Holm 1979).

    Raises:
        InputError: if a value is no probability.

    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    p, order = _sorted(p_values)
    stepped = np.maximum.accumulate(p * np.arange(len(p), 0, -1))
    return _restored(stepped, order)


def benjamini_hochberg(p_values: Sequence[float] | Array) -> FloatArray:
    """Step-up adjustment of the false discovery rate, for independent or positively dependent tests (1995).

    Raises:
        InputError: if a value is no probability.

    >>> benjamini_hochberg([0.01, 0.04, 0.03])
    array([0.03, 0.04, 0.04])
    """
    return _stepped_up(p_values, 1.0)


def benjamini_yekutieli(p_values: Sequence[float] | Array) -> FloatArray:
    """Step-up adjustment of the false discovery rate under any dependence: Hochberg's times 1 + 1/2 + ... + 1/m (2001).

    Raises:
        InputError: if a value is no probability.

    >>> benjamini_yekutieli([0.01, 0.04]).round(3)
    array([0.03, 0.06])
    """
    return _stepped_up(p_values, float((1 / np.arange(1, len(p_values) + 1)).sum()))


def _stepped_up(p_values: Sequence[float] | Array, factor: float) -> FloatArray:
    p, order = _sorted(p_values)
    raised = p * factor * len(p) / np.arange(1, len(p) + 1)
    return _restored(np.minimum.accumulate(raised[::-1])[::-1], order)


def _sorted(p_values: Sequence[float] | Array) -> tuple[FloatArray, Array]:
    p = np.asarray(p_values, np.float64)
    bad = np.flatnonzero(~((p >= 0) & (p <= 1)))
    if len(bad):
        raise InputError(f"p-value number {bad[0]} is {p[bad[0]]}; it must lie in [0, 1]")
    order = np.argsort(p, kind="stable")
    return p[order], order


def _restored(adjusted: FloatArray, order: Array) -> FloatArray:
    out = np.empty(len(order))
    out[order] = np.minimum(adjusted, 1.0)
    return out
