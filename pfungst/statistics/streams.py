"""Streams of errors: has the error rate risen, asked as often as one likes?"""

import numpy as np
from scipy.special import betaincc, betaincinv, betaln

from pfungst.arrays import Array, FloatArray

LEAST = 1e-250
"""A tail below this is taken from its continued fraction: numbers end at 1e-308."""


def log_evidence(errors: Array, steps: Array, known: float) -> FloatArray:
    """Log of the one-sided mixture e-process against an error rate of at most ``known``, after these errors in steps.

    log E = log[B(1 + S, 1 + t - S) (1 - I_p(1 + S, 1 + t - S))] - log(1 - p) - S log p - (t - S) log(1 - p): the
    likelihood ratio, averaged evenly over all rates above p (Robbins 1970; Ramdas et al. 2023, arXiv:2210.01948). If
    the rate is at most p, the chance that E ever reaches 1/a is at most a, however often one looks.

    >>> log_evidence(np.array([10, 30]), np.array([100, 100]), 0.1).round(2)
    array([-3.05, 13.3 ])
    """
    s, t = np.asarray(errors, np.float64), np.asarray(steps, np.float64)
    above = betaincc(1 + s, 1 + t - s, known)
    near = betaln(1 + s, 1 + t - s) + np.log(np.maximum(above, LEAST))
    ratio = near - np.log1p(-known) - s * np.log(known) - (t - s) * np.log1p(-known)
    return np.asarray(np.where(above > LEAST, ratio, _far_below(s, t, known)))


def _far_below(s: FloatArray, t: FloatArray, known: float) -> FloatArray:
    """The same evidence where errors are so few that the tail above the known rate is no number any more.

    E = F(-S, 1; t - S + 2; -x) / (t - S + 1) with x = (1 - p) / p; three steps of Gauss's continued fraction for F are
    below it by a millionth at most (Cuyt et al. 2008, Handbook of Continued Fractions, 15.3).
    """
    x, c = (1 - known) / known, t - s + 2
    first, second = s * x / c, -(c + s) * x / (c * (c + 1))
    third = (s - 1) * c * x / ((c + 1) * (c + 2))
    # Where there are more errors than at the known rate, the fraction has no meaning and is not asked for.
    third = np.minimum(third, 0.999)
    first = np.minimum(first / (1 - second / (1 - third)), 0.999)
    return np.asarray(-np.log1p(-first) - np.log(t - s + 1))


def upper_rate(errors: int, rows: int, level: float) -> float:
    """Clopper and Pearson's upper bound of a rate, one-sided at this level.

    >>> round(upper_rate(10, 100, 0.975), 4)
    0.1762
    """
    return float(betaincinv(errors + 1, rows - errors, level)) if errors < rows else 1.0


def risen(errors: Array, steps: Array, known: tuple[int, int], alpha: float = 0.05) -> tuple[FloatArray, float, float]:
    """Evidence that the error rate is above that of ``known`` (errors, rows) labelled rows; when to believe it; p0.

    Half of ``alpha`` goes to the known rate, which is only estimated: p0 is its upper bound; half to the stream, so
    that evidence is believed from log(2 / alpha) on. A false alarm, ever, has a chance of at most ``alpha``.

    >>> evidence, enough, rate = risen(np.array([25]), np.array([100]), (50, 1000))
    >>> bool(evidence[0] > enough), round(rate, 3)
    (True, 0.065)
    """
    rate = min(max(upper_rate(*known, 1 - alpha / 2), 1e-9), 1 - 1e-9)
    return log_evidence(errors, steps, rate), float(np.log(2 / alpha)), rate
