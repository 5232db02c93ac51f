"""Tests: exact and permutation p-values for paired answers, counts and estimates."""

from typing import Literal

import numpy as np
from scipy.special import bdtr, bdtrc, gammaln, stdtr, stdtrit, xlog1py, xlogy

from pfungst.arrays import Array, BoolArray, FloatArray
from pfungst.errors import InputError
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.units import checked, numbered

Alternative = Literal["two-sided", "greater", "less"]

_ENUMERATED = 12


def mcnemar_midp(before: BoolArray, after: BoolArray, units: Array | None = None) -> float:
    """Two-sided p-value of "as often right before as after", of the same rows.

    The exact conditional binomial test less half the observed point's probability a side (mid-p; Fagerland 2013).
    Clustered rows are tested by ``sign_flip`` of whole units.

    Raises:
        InputError: if there are no rows, or not the same number before and after.

    >>> import numpy as np
    >>> before, after = np.repeat([True, False], [1, 7]), np.repeat([False, True], [1, 7])
    >>> round(mcnemar_midp(before, after), 4)
    0.0391
    """
    x, y = checked(before, "McNemar's test"), checked(after, "McNemar's test")
    if len(x) != len(y):
        raise InputError(f"McNemar's test compares {len(x)} rows with {len(y)}; the same rows are needed")
    if units is not None:
        return sign_flip(x - y, units)
    return mcnemar_of_counts(int(np.sum(x > y)), int(np.sum(x < y)))


def mcnemar_of_counts(lost: int, won: int) -> float:
    """``mcnemar_midp`` from the two discordant counts.

    >>> mcnemar_of_counts(3, 3), mcnemar_of_counts(0, 0)
    (1.0, 1.0)
    """
    n, fewer = lost + won, min(lost, won)
    if lost == won:
        return 1.0
    return float(min(1.0, 2 * bdtr(fewer, n, 0.5) - np.exp(_log_binomial(fewer, n, 0.5))))


def sign_flip(
    differences: Array,
    units: Array | None = None,
    *,
    alternative: Alternative = "two-sided",
    draws: int = 9999,
    seed: int = 0,
) -> float:
    """p-value of "paired differences are symmetric around zero", by flipping the signs of rows or whole units.

    (1 + #{flipped sum as extreme}) / (1 + draws); all 2^G flips are enumerated up to 12 units that differ from zero.

    Raises:
        InputError: if there are no differences, one is not finite, or units are of another length.

    >>> sign_flip(np.ones(5))
    0.0625
    """
    d = checked(differences, "the sign-flip test")
    if units is not None:
        codes, groups = numbered(units, len(d))
        d = np.asarray(np.bincount(codes, d, minlength=groups), np.float64)
    d = d[d != 0]
    if len(d) == 0:
        return 1.0
    d = d if alternative != "less" else -d
    observed = d.sum()
    threshold = (abs(observed) if alternative == "two-sided" else observed) - 1e-9 * np.abs(d).sum()
    enumerated = len(d) <= _ENUMERATED
    sums = _all_flips(d) if enumerated else _some_flips(d, draws, np.random.default_rng(seed))
    extreme = int(np.sum((np.abs(sums) if alternative == "two-sided" else sums) >= threshold))
    return extreme / len(sums) if enumerated else (1 + extreme) / (1 + draws)


def _all_flips(d: FloatArray) -> FloatArray:
    bits = np.arange(2 ** len(d))[:, None] >> np.arange(len(d)) & 1
    return np.asarray((2 * bits - 1) @ d)


def _some_flips(d: FloatArray, draws: int, rng: np.random.Generator) -> FloatArray:
    # Rows of draws are padded to whole bytes, so that the draws do not depend on how they are chunked.
    width = -(-len(d) // 8)
    chunk = max(1, 4_000_000 // (8 * width))
    parts = []
    for start in range(0, draws, chunk):
        size = min(chunk, draws - start)
        raw = np.frombuffer(rng.bytes(size * width), np.uint8).reshape(size, width)
        bits = np.unpackbits(raw, axis=1, count=len(d))
        parts.append(2 * (bits @ d) - d.sum())
    return np.concatenate(parts)


def p_at_most(estimate: Estimate, delta: float) -> float:
    """One-sided p-value of "the effect is at most ``delta``", read back from an estimate's interval.

    The side of the interval that faces ``delta`` gives the standard error; t on rows - 1 degrees. It equals
    (1 - level) / 2 exactly where the interval's lower bound is ``delta``.

    >>> round(p_at_most(Estimate(name="loss", value=0.2, low=0.1, high=0.3, rows=100), 0.1), 4)
    0.025
    """
    degrees = estimate.rows - 1
    distance = estimate.value - delta
    if degrees < 1:
        return 1.0
    half = estimate.value - estimate.low if distance > 0 else estimate.high - estimate.value
    if half <= 0:
        return 0.0 if distance > 0 else 1.0
    return float(stdtr(degrees, -distance / half * stdtrit(degrees, (1 + estimate.level) / 2)))


def binomial_exact(k: int, n: int, chance: float, alternative: Alternative = "two-sided") -> float:
    """Exact p-value of "each of n rows counts with this chance"; two-sided sums all outcomes no likelier than k.

    Raises:
        InputError: if not 0 <= k <= n, n < 1 or the chance is no probability.

    >>> round(binomial_exact(8, 10, 0.5), 4)
    0.1094
    """
    if not (0 <= k <= n and n >= 1 and 0 <= chance <= 1):
        raise InputError(f"a binomial test was asked of {k} of {n} rows at chance {chance}; give 0 <= k <= n, n >= 1")
    if alternative == "greater":
        return 1.0 if k == 0 else float(bdtrc(k - 1, n, chance))
    if alternative == "less":
        return float(bdtr(k, n, chance))
    likelihood = _log_binomial(np.arange(n + 1), n, chance)
    return float(min(1.0, np.exp(likelihood[likelihood <= likelihood[k] + 1e-7]).sum()))


def _log_binomial(k: Array | int, n: int, chance: float) -> FloatArray:
    ways = gammaln(n + 1.0) - gammaln(np.add(k, 1.0)) - gammaln(n - np.asarray(k) + 1.0)
    return np.asarray(ways + xlogy(k, chance) + xlog1py(n - np.asarray(k), -chance))
