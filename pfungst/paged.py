"""Paged: arrays too large for memory lie in a file without a name, whose pages the system drops and reads again."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from pfungst.arrays import Array

LARGE = 1 << 24
"""Bytes from which an array lies in a file: 16 MB."""

PART = 1 << 18
"""Numbers looked at in one go: a part stays in the processor's cache, and no copy of all rows is made."""


def paged(shape: int | tuple[int, ...], kind: npt.DTypeLike = np.float32) -> Array:
    """An array whose values are still to be written; from 16 MB on it lies in a file in the folder for temporary ones.

    The file has no name: it is gone when the array is, however the process ends. Where that folder has no room the
    array lies in memory.

    >>> paged(3).shape, paged((5_000_000, 1)).base is None
    ((3,), False)
    """
    lengths = (shape,) if isinstance(shape, int) else shape
    size = math.prod(lengths) * np.dtype(kind).itemsize
    if size < LARGE or np.dtype(kind).hasobject:
        return np.empty(lengths, kind)
    try:
        with TemporaryFile(prefix="pfungst-") as file:
            _made_room(file, size)
            # The plain array, for what is computed from it is no map of a file.
            return np.asarray(np.memmap(file, kind, "r+", shape=lengths))
    except OSError:
        return np.empty(lengths, kind)


def _made_room(file: IO[Any], size: int) -> None:
    """Take the room on the disk before anything is written: a map that finds none when it is used ends the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
    else:
        for start in range(0, size, LARGE):
            file.write(bytes(min(LARGE, size - start)))
        file.flush()


def filled(shape: int | tuple[int, ...], kind: npt.DTypeLike, of: Callable[[slice], Array]) -> Array:
    """A paged array that is written part by part; ``of`` gives the values of some rows.

    >>> filled(3, np.int64, lambda rows: np.arange(rows.start, rows.stop) * 2).tolist()
    [0, 2, 4]
    """
    found = paged(shape, kind)
    for part in parts(found):
        found[part] = of(part)
    return found


def taken(values: Array, index: Array | slice) -> Array:
    """``values[index]``, by positions, by a mask or a slice; many rows are copied part by part into a paged array.

    >>> taken(np.array([[1, 2], [3, 4]]), np.array([False, True])).tolist()
    [[3, 4]]
    """
    if isinstance(index, slice):
        return values[index]
    at = np.flatnonzero(index) if index.dtype == np.bool_ else index
    return filled((len(at), *values.shape[1:]), values.dtype, lambda part: values[at[part]])


def chained(some: Sequence[Array]) -> Array:
    """Arrays one behind the other, by their rows.

    >>> chained([np.zeros((1, 2)), np.ones((1, 2))]).tolist()
    [[0.0, 0.0], [1.0, 1.0]]
    """
    found, start = paged((sum(map(len, some)), *some[0].shape[1:]), np.result_type(*some)), 0
    for one in some:
        found[start : start + len(one)] = one
        start += len(one)
    return found


def widened(values: Array) -> Array:
    """The same values in double precision; no copy where they are in it already.

    >>> widened(np.array([0.5], np.float32)).dtype
    dtype('float64')
    """
    return values if values.dtype == np.float64 else filled(values.shape, np.float64, lambda part: values[part])


def file_bytes(path: Path) -> memoryview:
    """What a file holds, as it is now: whoever reads on reads this copy."""
    held, end = paged(path.stat().st_size, np.uint8).data, 0
    with path.open("rb") as file:
        while end < len(held) and (read := file.readinto(held[end : end + LARGE])):
            end += read
    return held[:end]


def parts(values: Array) -> Iterator[slice]:
    """Slices of rows that hold about ``PART`` numbers each.

    >>> [part.stop for part in parts(np.zeros((3, PART)))]
    [1, 2, 3]
    """
    size = max(1, PART // max(1, math.prod(values.shape[1:])))
    return (slice(start, min(start + size, len(values))) for start in range(0, len(values), size))
