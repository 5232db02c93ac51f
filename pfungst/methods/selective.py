"""Selective prediction: what a model that may decline to answer errs, and what can be promised of it."""

from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv, digamma

from pfungst.arrays import Array, BoolArray, FloatArray
from pfungst.errors import InputError
from pfungst.statistics.sureness import Runs, runs_of

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
    _, rows, wrongs = runs_of(confidence, wrong)
    counts = np.arange(1, int(rows.sum()) + 1)
    return counts / len(counts), np.cumsum(np.repeat(wrongs / rows, rows)) / counts


@dataclass(frozen=True, eq=False)
class Answering:
    """What a model errs that answers only its surest rows, read off runs of equally sure rows, the surest first.

    Within a run errors come in no order: they are spread evenly.

    >>> some = answering(np.array([0.9, 0.8, 0.7, 0.6]), np.array([0, 0, 0, 1]))
    >>> some.area, some.excess, some.generalised
    (0.0625, 0.0, 0.0625)
    """

    runs: Runs

    @property
    def area(self) -> float:
        """Mean over k of the error rate among the k surest rows (AURC; Geifman et al. 2019, arXiv:1805.08206)."""
        return _area(self.runs)

    @property
    def excess(self) -> float:
        """AURC less that of the order in which all wrong rows come last (E-AURC)."""
        total, errors = int(self.runs[1].sum()), round(float(self.runs[2].sum()))
        some = [(1.0, total - errors, 0), (0.0, errors, errors)]
        confidence, rows, wrong = (np.array(part) for part in zip(*(run for run in some if run[1]), strict=True))
        return self.area - _area((confidence, rows, wrong))

    @property
    def generalised(self) -> float:
        """Mean over k of the errors among the k surest rows, over all rows (AUGRC; Traub 2024, arXiv:2407.01032).

        The risk that an answer is both given and wrong. Of many rows (1 - AUROC) accuracy (1 - accuracy)
        + (1 - accuracy)^2 / 2, with the AUROC of confidence telling right from wrong; ties are averaged.
        """
        _, rows, wrong = self.runs
        before = np.cumsum(wrong) - wrong
        total = float(rows.sum())
        return float((rows * before + wrong * (rows + 1) / 2).sum() / total**2)


def answering(confidence: Array, wrong: Array) -> Answering:
    """What is erred on the surest rows.

    Raises:
        InputError: if there are no rows, or not as many of both.
    """
    return Answering(runs_of(confidence, wrong))


def _area(runs: Runs) -> float:
    """Sum of (e + r j) / (k + j), j = 1 .. m, over runs of m rows with error rate r, k rows and e errors before it."""
    _, rows, wrong = runs
    k, e, r = np.cumsum(rows) - rows, np.cumsum(wrong) - wrong, wrong / rows
    # The harmonic numbers' difference is that of digamma; for one row it is 1 / (k + 1), which needs no cancelling.
    between = np.where(rows == 1, 1 / (k + 1), digamma(k + rows + 1.0) - digamma(k + 1.0))
    return float((r * rows + (e - r * k) * between).sum() / rows.sum())


def area_under_risk_coverage(confidence: Array, wrong: Array) -> float:
    """Mean over k of the error rate among the k surest rows (AURC).

    >>> round(area_under_risk_coverage(np.array([0.9, 0.8, 0.7, 0.6]), np.array([0, 0, 0, 1])), 4)
    0.0625
    """
    return answering(confidence, wrong).area


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
    return promised(runs_of(confidence, wrong), risk, doubt) if len(confidence) else Promise(risk, np.inf, 0, 0, 0, 1.0)


def promised(runs: Runs, risk: float, doubt: float = 0.05) -> Promise:
    """The same from runs of equally sure rows."""
    sure, ends, errors = runs[0], np.cumsum(runs[1]), np.cumsum(runs[2])
    total, each = int(ends[-1]), doubt / len(STARTS)
    fewest = int(np.ceil(np.log(each) / np.log1p(-risk)))
    best = Promise(risk, float("inf"), 0, total, 0, 1.0)
    for start in STARTS:
        counts = np.unique(np.maximum(fewest, np.rint(SHARES[start <= SHARES] * total).astype(np.int64)))
        for count in counts[counts <= total].tolist():
            at = int(np.searchsorted(ends, count))
            last, wrong = int(ends[at]), int(errors[at])
            bound = upper_bound(wrong, last, each)
            if bound > risk:
                break
            if last > best.rows:
                best = Promise(risk, float(sure[at]), last, total, wrong, bound)
    return best


def upper_bound(errors: int, rows: int, doubt: float) -> float:
    """One-sided upper bound of an error rate (Clopper and Pearson 1934).

    >>> round(upper_bound(0, 59, 0.05), 4)
    0.0495
    """
    return 1.0 if errors >= rows else float(betaincinv(errors + 1, rows - errors, 1 - doubt))
