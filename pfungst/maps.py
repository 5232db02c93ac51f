"""Maps: how much each part of each row's input carried the model's answer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Maps:
    """Attributions of some rows.

    ``values`` is (rows, height, width) float32: for a picture a lattice over it, for a table (rows, 1, columns), for
    texts (rows, 1, words) padded with NaN. ``targets`` is the class whose score was attributed. ``error`` is the
    standard error or the completeness gap of each map, NaN where the method has none. ``forwards`` is what each row
    cost in forward passes, a backward counting as two. ``rows`` holds positions in the data set.

    >>> Maps(np.ones((2, 1, 3), np.float32), np.zeros(2, int), np.zeros(2), np.ones(2)).take(np.array([0])).values.shape
    (1, 1, 3)
    """

    values: FloatArray
    targets: IntArray
    error: FloatArray
    forwards: FloatArray
    rows: IntArray | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, index: Array) -> "Maps":
        """The maps at these indices (or under this mask) of this object."""
        rows = None if self.rows is None else self.rows[index]
        return Maps(self.values[index], self.targets[index], self.error[index], self.forwards[index], rows)

    def at(self, rows: IntArray) -> "Maps":
        """The maps of these positions of the data set, in this order.

        Raises:
            KeyError: if a position was not asked.
        """
        assert self.rows is not None, "these maps do not know their rows"
        where = {int(row): index for index, row in enumerate(self.rows)}
        return self.take(np.array([where[int(row)] for row in rows], np.int64))


def joined_maps(parts: Sequence[Maps]) -> Maps:
    """Consecutive maps of one pass as one object; texts of different lengths are padded with NaN to the longest."""
    width = max(part.values.shape[2] for part in parts)
    values = [
        np.pad(part.values, ((0, 0), (0, 0), (0, width - part.values.shape[2])), constant_values=np.nan)
        if part.values.shape[2] < width
        else part.values
        for part in parts
    ]
    rows = [part.rows for part in parts if part.rows is not None]
    return replace(
        parts[0],
        values=np.concatenate(values),
        targets=np.concatenate([part.targets for part in parts]),
        error=np.concatenate([part.error for part in parts]),
        forwards=np.concatenate([part.forwards for part in parts]),
        rows=np.concatenate(rows) if len(rows) == len(parts) else None,
    )
