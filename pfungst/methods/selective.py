"""Selective prediction: what a model that may decline to answer errs, and what can be promised of it."""

from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

from pfungst.arrays import Array, BoolArray, FloatArray
from pfungst.errors import InputError

SHARES = np.array((0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0))
"""Shares of the rows that are tried as answered ones, fixed before any error is looked at."""


def risk_coverage(confidence: Array, wrong: Array) -> tuple[FloatArray, FloatArray]:
    """Coverage k / n and expected error rate among the k surest rows, k = 1 .. n, (n,) each.

    Rows that are equally sure come in no order: within a tie errors are spread evenly.

    Raises:
        InputError: if there are no rows, or not as many of both.

    >>> risk_coverage(np.array([0.9, 0.5, 0.5, 0.2]), np.array([0, 1, 0, 1]))[1].round(3).tolist()
    [0.0, 0.25, 0.333, 0.5]
    """
    c, w = np.asarray(confidence, np.float64), np.asarray(wrong, np.float64)
    if len(c) == 0 or len(c) != len(w):
        raise InputError(f"risk was asked of {len(c)} confidences and {len(w)} answers; as many of both are needed")
    order = np.argsort(-c, kind="stable")
    _, ties = np.unique(-c[order], return_inverse=True)
    spread = (np.bincount(ties, w[order]) / np.bincount(ties))[ties]
    counts = np.arange(1, len(c) + 1)
    return counts / len(c), np.cumsum(spread) / counts


def area_under_risk_coverage(confidence: Array, wrong: Array) -> float:
    """Mean over k of the error rate among the k surest rows (AURC; Geifman et al. 2019, arXiv:1805.08206).

    >>> round(area_under_risk_coverage(np.array([0.9, 0.8, 0.7, 0.6]), np.array([0, 0, 0, 1])), 4)
    0.0625
    """
    return float(risk_coverage(confidence, wrong)[1].mean())


def excess_area(confidence: Array, wrong: Array) -> float:
    """AURC less that of the order in which all wrong rows come last (E-AURC)."""
    w = np.asarray(wrong, np.float64)
    return area_under_risk_coverage(confidence, w) - area_under_risk_coverage(-w, w)


def area_under_generalised_risk(confidence: Array, wrong: Array) -> float:
    """Mean over k of the errors among the k surest rows, over all rows (AUGRC; Traub et al. 2024, arXiv:2407.01032).

    The risk that an answer is both given and wrong. Of many rows (1 - AUROC) accuracy (1 - accuracy)
    + (1 - accuracy)^2 / 2, with the AUROC of confidence telling right from wrong; ties are averaged.

    >>> round(area_under_generalised_risk(np.array([0.9, 0.8, 0.7, 0.6]), np.array([0, 0, 0, 1])), 4)
    0.0625
    """
    coverage, risk = risk_coverage(confidence, wrong)
    return float((coverage * risk).mean())


@dataclass(frozen=True)
class Promise:
    """Answer only where the confidence is at least ``threshold``: then at most ``risk`` of the answers are wrong.

    ``rows`` of ``of`` are answered, ``errors`` of them wrongly; ``bound`` is the upper bound of their error rate. Where
    nothing can be promised ``threshold`` is infinite.
    """

    risk: float
    threshold: float
    rows: int
    of: int
    errors: int
    bound: float


STARTS = (0.0, 0.2, 0.5)
"""Shares from which the tests begin: from the surest rows alone one early error would end them all."""


def promise(confidence: Array, wrong: BoolArray, risk: float, doubt: float = 0.05) -> Promise:
    """The largest share of rows that may be answered with at most ``risk`` errors, true with probability 1 - doubt.

    From each of three starts shares are tested from the more cautious on, each by the upper Clopper-Pearson bound at
    level 1 - doubt / 3; the first that fails ends that sequence (fixed-sequence testing with several starts, as in
    learn-then-test, Angelopoulos et al. 2021, arXiv:2110.01052). Rows as sure as the last one are answered too.

    Raises:
        InputError: if risk or doubt is no probability.
    """
    if not (0 < risk < 1 and 0 < doubt < 1):
        raise InputError(f"a promise needs a risk and a doubt between 0 and 1; got {risk} and {doubt}")
    c = np.asarray(confidence, np.float64)
    order = np.argsort(-c, kind="stable")
    sure, errors = c[order], np.asarray(wrong, np.int64)[order].cumsum()
    each = doubt / len(STARTS)
    fewest = int(np.ceil(np.log(each) / np.log1p(-risk)))
    best = Promise(risk, float("inf"), 0, len(c), 0, 1.0)
    for start in STARTS:
        counts = np.unique(np.maximum(fewest, np.rint(SHARES[start <= SHARES] * len(c)).astype(np.int64)))
        for count in counts[counts <= len(c)].tolist():
            last = int(np.searchsorted(-sure, -sure[count - 1], side="right"))
            bound = upper_bound(int(errors[last - 1]), last, each)
            if bound > risk:
                break
            if last > best.rows:
                best = Promise(risk, float(sure[last - 1]), last, len(c), int(errors[last - 1]), bound)
    return best


def upper_bound(errors: int, rows: int, doubt: float) -> float:
    """One-sided upper bound of an error rate (Clopper and Pearson 1934).

    >>> round(upper_bound(0, 59, 0.05), 4)
    0.0495
    """
    return 1.0 if errors >= rows else float(betaincinv(errors + 1, rows - errors, 1 - doubt))
