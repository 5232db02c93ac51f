"""Ids of rows: names that a file gives, or the rows' numbers where it gives none."""

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np

from pfungst.arrays import IntArray
from pfungst.paged import filled
from pfungst.seeded import philox


class Numbered(Sequence[str]):
    """Ids of rows that have no names: their numbers, spelled only when they are looked at.

    Ten million names take a gigabyte; ten million numbers take none where they count up from 0.

    >>> ids = numbered_rows(12)
    >>> ids[10], ids == tuple(map(str, range(12))), list(ids.at(np.array([3, 1])))
    ('10', True, ['3', '1'])
    """

    def __init__(self, numbers: "range | IntArray") -> None:
        assert not isinstance(numbers, range) or numbers == range(len(numbers)), "a range counts up from 0"
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> "Numbered": ...
    def __getitem__(self, index: int | slice) -> "str | Numbered":
        return Numbered(np.asarray(self.numbers[index])) if isinstance(index, slice) else str(self.numbers[index])

    def __iter__(self) -> Iterator[str]:
        return map(str, self.numbers)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Numbered):
            return np.array_equal(np.asarray(self.numbers), np.asarray(other.numbers))
        return isinstance(other, tuple) and len(self) == len(other) and all(map(str.__eq__, self, other))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def at(self, rows: IntArray) -> "Numbered":
        """The ids at these positions."""
        return Numbered(rows if isinstance(self.numbers, range) else self.numbers[rows])


def numbered_rows(rows: int) -> Numbered:
    """The ids "0", "1", ... of so many rows."""
    return Numbered(range(rows))


def counted(ids: Numbered, secret: bytes) -> IntArray:
    """A 63-bit number for each row without a name, from the secret and the row's number alone; (rows,) uint64.

    The n-th number of a counter-based generator depends on n and the key alone, as a hash of n would, in a hundredth of
    the time.

    >>> some, secret = numbered_rows(9), bytes(16)
    >>> bool((counted(some, secret)[[7, 2]] == counted(some.at(np.array([7, 2])), secret)).all())
    True
    """
    asked = ids.numbers
    most = len(asked) if isinstance(asked, range) else int(asked.max(initial=-1)) + 1
    stream = philox(secret)
    drawn = filled(most, np.uint64, lambda part: stream.random_raw(part.stop - part.start) >> np.uint64(1))
    return drawn if isinstance(asked, range) else drawn[asked]


def ids_at(ids: Sequence[str], rows: IntArray) -> Sequence[str]:
    """The ids at these positions.

    >>> ids_at(("a", "b", "c"), np.array([2, 0]))
    ('c', 'a')
    """
    return ids.at(rows) if isinstance(ids, Numbered) else tuple(ids[row] for row in rows)
