"""Conformal sets: classes of which the right one is among them with a promised probability, whatever the model."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray
from pfungst.datasets.dataset import COUNTED
from pfungst.datasets.ids import Numbered, counted
from pfungst.errors import InputError
from pfungst.outputs import Outputs
from pfungst.paged import parts
from pfungst.registry import Registry

Score = Callable[[Outputs, FloatArray], FloatArray]
"""From answers and one uniform number a row to how badly each class would fit, (rows, classes)."""

By = Literal["", "class", "group"]
conformal_scores: Registry[Score] = Registry("conformal-scores")

PENALTY, FREE = 0.01, 5
"""What each class beyond the first five costs in the regularised score."""


@conformal_scores
def least_ambiguous(outputs: Outputs, uniforms: FloatArray) -> FloatArray:
    """Least ambiguous sets (LAC): 1 - p_y, the smallest sets on average (Sadinle, Lei and Wasserman 2019).

    The uniform numbers are not used.

    >>> least_ambiguous(Outputs(np.log(np.array([[0.75, 0.25]], np.float32))), np.zeros(1)).round(2).tolist()
    [[0.25, 0.75]]
    """
    del uniforms
    return np.asarray(1 - outputs.probabilities)


@conformal_scores
def adaptive(outputs: Outputs, uniforms: FloatArray) -> FloatArray:
    """Adaptive sets (APS): probability of all likelier classes plus a random share of the class's own.

    E_y = sum of p_j over p_j > p_y, plus U p_y with U uniform, one for each row (Romano, Sesia and Candes 2020,
    arXiv:2006.02544): hard rows get larger sets.

    >>> adaptive(Outputs(np.log(np.array([[0.75, 0.25]], np.float32))), np.array([0.5])).round(3).tolist()
    [[0.375, 0.875]]
    """
    return _ranked(outputs, uniforms)[0]


@conformal_scores
def regularised_adaptive(outputs: Outputs, uniforms: FloatArray) -> FloatArray:
    """Regularised adaptive sets (RAPS): as APS, and each class that ranks beyond the fifth costs 0.01 more.

    E_y + 0.01 max(0, rank of y - 5): no sets of many unlikely classes (Angelopoulos et al. 2021, arXiv:2009.14193).

    >>> p = np.full((1, 10), 0.1, np.float32)
    >>> float(regularised_adaptive(Outputs(np.log(p)), np.array([0.0])).max().round(2))
    0.95
    """
    scores, ranks = _ranked(outputs, uniforms)
    return np.asarray(scores + PENALTY * np.maximum(0, ranks - FREE))


@dataclass(frozen=True, eq=False)
class PredictionSets:
    """Classes whose score is at most a threshold: the right one is among them with probability 1 - doubt.

    ``thresholds`` is one number, one for each class (``by`` "class": the promise then holds for rows of each class) or
    one for each group (``by`` "group"); infinite where too few rows or none were seen, and then every class is in the
    set.
    """

    score: Score
    doubt: float
    by: By
    thresholds: FloatArray

    def __call__(self, outputs: Outputs, uniforms: FloatArray, groups: IntArray | None = None) -> BoolArray:
        """Which classes are in the set of each row, (rows, classes); ``groups`` numbers each row's group.

        Raises:
            InputError: if thresholds are by group and rows come without one.
        """
        limits = self._limits(len(outputs), groups)
        inside = np.empty(outputs.logits.shape, bool)
        for part in parts(outputs.logits):
            rows = slice(None) if len(limits) == 1 else part
            inside[part] = self.score(outputs.take(part), uniforms[part]) <= limits[rows]
        return inside

    def _limits(self, rows: int, groups: IntArray | None) -> FloatArray:
        if self.by != "group":
            return self.thresholds[None, :]
        if groups is None or len(groups) != rows or groups.min() < 0:
            raise InputError(f"sets by group need the number of a group for each of {rows} rows")
        known = len(self.thresholds)
        return np.append(self.thresholds, np.inf)[np.minimum(groups, known)][:, None]


def split_conformal(
    outputs: Outputs,
    labels: IntArray,
    uniforms: FloatArray,
    score: Score,
    doubt: float = 0.1,
    *,
    by: By = "",
    groups: IntArray | None = None,
) -> PredictionSets:
    """Thresholds from rows that did not train the model, so that a new row's class is in its set with 1 - doubt.

    The ceil((n + 1)(1 - doubt))-th smallest score of the right classes, infinite where that exceeds n (Vovk, Gammerman
    and Shafer 2005; by class or group: Mondrian). The promise is of rows drawn alike, on average over all of them:
    never of one row, and of one class or group only where the thresholds are by it.

    Raises:
        InputError: if there are no rows or full outputs, the doubt is no probability, or groups are lacking.
    """
    if not 0 < doubt < 1:
        raise InputError(f"prediction sets need a doubt between 0 and 1; got {doubt}")
    if not len(outputs) or not outputs.complete or not len(outputs) == len(labels) == len(uniforms):
        raise InputError(
            "prediction sets need the scores of all classes and as many labels and uniform numbers; got "
            f"{len(outputs)} answers ({'all classes' if outputs.complete else 'top class only'}), {len(labels)} labels "
            f"and {len(uniforms)} numbers"
        )
    if by == "group" and (groups is None or len(groups) != len(labels)):
        raise InputError(f"prediction sets by group need a group for each of {len(labels)} rows")
    own = np.concatenate(
        [
            score(outputs.take(part), uniforms[part])[np.arange(part.stop - part.start), labels[part]]
            for part in parts(outputs.logits)
        ]
    )
    parted = {"": np.zeros(len(own), np.int64), "class": labels, "group": groups}[by]
    assert parted is not None, "groups were given"
    count = {"": 1, "class": outputs.classes, "group": int(parted.max()) + 1}[by]
    return PredictionSets(score, doubt, by, np.array([quantile(own[parted == at], doubt) for at in range(count)]))


def quantile(scores: FloatArray, doubt: float) -> float:
    """The ceil((n + 1)(1 - doubt))-th smallest of n scores; infinite where that exceeds n.

    >>> quantile(np.arange(1, 20), 0.1), quantile(np.arange(8), 0.1)
    (18.0, inf)
    """
    # The product is exact but for rounding: 20 (1 - 0.1) must not become 19.
    rank = int(np.ceil(round((len(scores) + 1) * (1 - doubt), 9)))
    return float(np.partition(scores, rank - 1)[rank - 1]) if rank <= len(scores) else float("inf")


def uniforms_of(ids: Sequence[str], seed: int) -> FloatArray:
    """A uniform number in [0, 1) for each row, from the seed and the row's id alone; (rows,).

    Of many rows without names they are drawn by counting, as the order of the rows is.
    """
    secret = hashlib.blake2b(f"{seed}|conformal".encode(), digest_size=32).digest()
    if isinstance(ids, Numbered) and len(ids) > COUNTED:
        return (counted(ids, secret) >> np.uint64(10)) * 2.0**-53
    hashed = (
        hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8, key=secret).digest() for name in ids
    )
    return (np.frombuffer(b"".join(hashed), "<u8") >> np.uint64(11)) * 2.0**-53


def _ranked(outputs: Outputs, uniforms: Array) -> tuple[FloatArray, IntArray]:
    """Probability above each class plus a share of its own, and its rank from 1; equal ones by their number."""
    p = outputs.probabilities
    order = np.argsort(-p, axis=1, kind="stable")
    sorted_p = np.take_along_axis(p, order, axis=1)
    above = sorted_p.cumsum(axis=1) - sorted_p * (1 - uniforms[:, None])
    scores, ranks = np.empty_like(p), np.empty(p.shape, np.int64)
    np.put_along_axis(scores, order, above, axis=1)
    np.put_along_axis(ranks, order, np.broadcast_to(np.arange(1, p.shape[1] + 1), p.shape), axis=1)
    return scores, ranks
