"""Decoded: pictures that were read before, so that each is decoded once however many passes and pages show it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pfungst.arrays import Array, IntArray

MOST = 1 << 28
"""Bytes of pictures that are kept: 1,700 of 224 x 224, 85,000 of 32 x 32."""


class Decoded:
    """Rows by position, the first that were read, as many as fit into ``most`` bytes; the others are read again.

    The first, not the last: an audit goes over its rows in the same order again and again, by which the last rows
    read are always those that are needed last.
    """

    def __init__(self, most: int = MOST) -> None:
        self._held: dict[int, Any] = {}
        self._left = most

    def items(self, rows: IntArray, read: Callable[[IntArray], Sequence[Any] | Array]) -> Sequence[Any] | Array:
        """What stands at these positions, read only where it is not kept; one array lies in memory already.

        >>> asked = []
        >>> def read(rows):
        ...     asked.extend(rows.tolist())
        ...     return [np.zeros(4, np.uint8)] * len(rows)
        >>> some = Decoded(most=8)
        >>> for _ in range(2):
        ...     _ = some.items(np.array([7, 8, 9]), read)
        >>> asked
        [7, 8, 9, 9]
        """
        new = np.array([row for row in rows.tolist() if row not in self._held], np.int64)
        items = read(new) if len(new) else []
        if isinstance(items, np.ndarray):
            return items
        got = dict(zip(new.tolist(), items, strict=True))
        for row, item in got.items():
            if isinstance(item, np.ndarray) and item.nbytes <= self._left:
                self._held[row] = item
                self._left -= item.nbytes
        return [self._held[row] if row in self._held else got[row] for row in rows.tolist()]
