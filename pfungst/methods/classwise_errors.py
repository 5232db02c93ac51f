"""Calibration of every class's probability, not of the answer's alone."""

from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.errors import InputError
from pfungst.stated import Meaning, read
from pfungst.statistics.binning import bin_index
from pfungst.targets import Targets


@dataclass(frozen=True)
class ClasswiseError:
    """The expected calibration error of each class's probability against how often the class is true.

    Papers print the sum over classes or the mean under one name; here both are named, and the worst class with its own.
    """

    by_class: tuple[float, ...]

    def __str__(self) -> str:
        return f"mean {self.mean:.4f}, worst {self.worst:.4f} (class {self.worst_class})"

    @property
    def mean(self) -> float:
        """Mean over classes."""
        return sum(self.by_class) / len(self.by_class)

    @property
    def sum(self) -> float:
        """Sum over classes (as printed in Kull 2019's table)."""
        return sum(self.by_class)

    @property
    def worst_class(self) -> int:
        """The class with the largest error; the lowest on ties."""
        return max(range(len(self.by_class)), key=self.by_class.__getitem__)

    @property
    def worst(self) -> float:
        """Its error."""
        return self.by_class[self.worst_class]


def classwise_calibration_error(
    scores: Array, targets: Targets, means: Meaning = "probabilities", bins: int = 15
) -> ClasswiseError:
    """For each class k the expected calibration error of p_k against 1[y = k] (Kull 2019, arXiv:1910.12656).

    ``scores`` is (rows, classes). Equal-width, right-closed bins over [0, 1].

    Raises:
        InputError: if there are no rows, not as many targets, or a row is not what it is declared to be.

    >>> from pfungst.targets import targets
    >>> p = np.array([[0.9, 0.1], [0.9, 0.1]])
    >>> classwise_calibration_error(p, targets(np.array([0, 1]), 2)).by_class
    (0.4, 0.4)
    """
    if len(scores) == 0 or len(scores) != len(targets):
        raise InputError(
            f"calibration was asked of {len(scores)} answers and {len(targets)} targets; as many are needed"
        )
    sums = np.zeros((targets.classes, bins))
    for part in read(scores, means):
        sums += class_residuals(part.probabilities, targets.distribution(part.rows), bins)
    return classwise_of(sums, len(targets))


def class_residuals(probabilities: FloatArray, truth: FloatArray, bins: int) -> FloatArray:
    """Sum of probability less truth in each bin of each class, (classes, bins)."""
    p = probabilities.astype(np.float64)
    classes = p.shape[1]
    at = bin_index(p, bins) + np.arange(classes) * bins
    sums = np.bincount(at.ravel(), (p - truth).ravel(), minlength=classes * bins)
    return sums.astype(np.float64).reshape(classes, bins)


def classwise_of(sums: FloatArray, rows: int) -> ClasswiseError:
    """The errors from summed residuals, (classes, bins)."""
    return ClasswiseError(tuple((np.abs(sums).sum(axis=1) / rows).tolist()))
