"""Proven: up to which size of change the answers of some rows are proven to stay right."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Proven:
    """What was proven of some rows.

    ``radius`` is the largest of the sizes asked within which no input of the range changes the right answer, 0 where
    none was proven or the answer is wrong as it is. ``refuted`` says that the model itself, asked at the input where
    the proof is nearest to failing, answered otherwise: then the proof has a bug. ``forwards`` is the cost of each row
    in forward passes, counted by multiplications. ``rows`` holds positions in the data set.

    >>> Proven(np.array([0.1, 0.0]), np.zeros(2, bool), np.ones(2)).within(0.05).tolist()
    [True, False]
    """

    radius: FloatArray
    refuted: BoolArray
    forwards: FloatArray
    rows: IntArray | None = None

    def __len__(self) -> int:
        return len(self.radius)

    def within(self, size: float) -> BoolArray:
        """Whether each row is proven to keep its right answer within a size."""
        return np.asarray(self.radius >= size)

    def take(self, index: Array) -> "Proven":
        """Those at these indices (or under this mask) of this object."""
        return replace(self, **{name: value[index] for name, value in vars(self).items() if value is not None})


def joined_proofs(parts: Sequence[Proven]) -> Proven:
    """Consecutive proofs of one pass as one object."""
    names = [name for name, value in vars(parts[0]).items() if value is not None]
    return Proven(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
