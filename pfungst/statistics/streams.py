"""Streams of errors: has the error rate risen, asked as often as one likes?"""

import numpy as np
from scipy.special import betaincc, betaincinv, betaln

from pfungst.arrays import Array, FloatArray


def log_evidence(errors: Array, steps: Array, known: float) -> FloatArray:
    """Log of the one-sided mixture e-process against an error rate of at most ``known``, after these errors in steps.

    log E = log[B(1 + S, 1 + t - S) (1 - I_p(1 + S, 1 + t - S))] - log(1 - p) - S log p - (t - S) log(1 - p): the
    likelihood ratio, averaged evenly over all rates above p (Robbins 1970; Ramdas et al. 2023, arXiv:2210.01948). If
    the rate is at most p, the chance that E ever reaches 1/a is at most a, however often one looks.

    >>> log_evidence(np.array([10, 30]), np.array([100, 100]), 0.1).round(2)
    array([-3.05, 13.3 ])
    """
    s, t = np.asarray(errors, np.float64), np.asarray(steps, np.float64)
    above = np.log(np.maximum(betaincc(1 + s, 1 + t - s, known), 1e-300))
    return np.asarray(
        betaln(1 + s, 1 + t - s) + above - np.log1p(-known) - s * np.log(known) - (t - s) * np.log1p(-known)
    )


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
