"""Columns: cues of tables, one for each column."""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, FloatArray

ADMINISTRATIVE = frozenset(
    [
        "annotator",
        "batch",
        "camera",
        "center",
        "centre",
        "clinic",
        "device",
        "file",
        "folder",
        "hospital",
        "id",
        "index",
        "institution",
        "instrument",
        "lab",
        "machine",
        "operator",
        "photographer",
        "plate",
        "reader",
        "record",
        "run",
        "scanner",
        "session",
        "site",
        "source",
        "station",
        "uploader",
        "ward",
    ]
)
"""Words in names of columns that say how a row came to be recorded, not what it is about."""

BUCKETS = 16
"""Hash buckets that stand for the values of a column that are no numbers, twice: two values seldom share both."""

FLAGS = 3
"""Where the buckets begin in a measure."""

LARGEST = 1e30
"""Numbers are cut off here, so that their squares are finite."""


@dataclass(frozen=True)
class Column:
    """The value of one column of a table; numbers, texts and missing values may stand in it side by side.

    ``more`` are the places of columns that say the same in other words (a code beside a name, one column a value),
    which are swapped with it: alone, each would leave what it says to the others. ``of`` are then the names of all.

    >>> Column(1, "age").swap(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])).tolist()
    [[1.0, 4.0]]
    """

    at: int
    column: str
    more: tuple[int, ...] = ()
    of: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The subject of findings about it."""
        return f"column:{self.column}"

    @property
    def administrative(self) -> bool:
        """Whether the name says how the row came to be recorded.

        >>> Column(0, "record_number").administrative, Column(0, "age").administrative
        (True, False)
        """
        return bool(ADMINISTRATIVE & set(re.findall(r"[a-z]+", self.column.lower())))

    @property
    def places(self) -> tuple[int, ...]:
        """Places of all its columns."""
        return (self.at, *self.more)

    def measure(self, inputs: Array) -> FloatArray:
        """The number, its asinh, whether it is missing, hash buckets of what is no number, (rows, 3 + 2 * buckets).

        A few huge values leave nothing to be seen of the others but by their logarithms, which asinh nears. Each row is
        coded by itself, so that a row's measure is the same in any company; a missing number is 0.
        """
        return np.concatenate([_coded(inputs[:, at]) for at in self.places], axis=1)

    def swap(self, inputs: Array, donors: Array) -> Array:
        """Give the donors' value."""
        given = inputs.copy()
        given[:, self.places] = donors[:, self.places]
        return given


def _coded(values: Array) -> FloatArray:
    coded = np.zeros((len(values), FLAGS + 2 * BUCKETS))
    if values.dtype.kind in "fiub":
        known = np.isfinite(values.astype(np.float64))
        coded[:, 0], coded[:, 2] = np.where(known, np.clip(values, -LARGEST, LARGEST), 0.0), ~known
    else:
        for row, value in enumerate(values):
            number = _number(value)
            if number is None:
                hashed = zlib.crc32(str(value).encode("utf-8", "surrogatepass"))
                coded[row, [FLAGS + hashed % BUCKETS, FLAGS + BUCKETS + hashed // BUCKETS % BUCKETS]] = 1.0
            elif np.isfinite(number):
                coded[row, 0] = min(max(number, -LARGEST), LARGEST)
            else:
                coded[row, 2] = 1.0
    coded[:, 1] = np.arcsinh(coded[:, 0])
    return coded


def columns(names: Sequence[str]) -> tuple[Column, ...]:
    """A cue for each column of a table.

    >>> [cue.name for cue in columns(("age", "site"))]
    ['column:age', 'column:site']
    """
    return tuple(Column(at, name) for at, name in enumerate(names))


def recordings(names: Sequence[str]) -> tuple[Column, ...]:
    """The columns whose names say that they are about the recording; those about one thing are one cue.

    One thing is told by the first such word of a name, and gives the cue its name where several share it.

    >>> [(cue.column, cue.places) for cue in recordings(("age", "site", "clinic_a", "clinic_b", "site_id"))]
    [('site', (1, 4)), ('clinic', (2, 3))]
    """
    found: dict[str, list[Column]] = {}
    for cue in columns(names):
        if cue.administrative:
            word = next(word for word in re.findall(r"[a-z]+", cue.column.lower()) if word in ADMINISTRATIVE)
            found.setdefault(word, []).append(cue)
    return tuple(
        Column(first.at, word, tuple(each.at for each in more), tuple(each.column for each in (first, *more)))
        if more
        else first
        for word, (first, *more) in found.items()
    )


def others(inputs: Array, cue: Column, besides: Sequence[Column] = (), most: int = 64) -> FloatArray:
    """All other columns as numbers, (rows, at most ``most``): values, and ranks where there is room; else main axes.

    ``besides`` are left out, too.
    """
    coded: list[FloatArray] = []
    out = {at for each in (cue, *besides) for at in each.places}
    for at in range(inputs.shape[1]):
        if at not in out:
            part = np.delete(Column(at, "").measure(inputs), 1, axis=1)
            part = part[:, part.std(axis=0) > 0]
            coded.append(part)
    whole = np.concatenate(coded, axis=1) if coded else np.zeros((len(inputs), 0))
    if whole.shape[1] > most:
        spread = (whole - whole.mean(axis=0)) / whole.std(axis=0)
        _, _, axes = np.linalg.svd(spread, full_matrices=False)
        return np.asarray(spread @ axes[:most].T)
    ranks = np.argsort(np.argsort(whole, axis=0, kind="stable"), axis=0, kind="stable") / max(1, len(whole))
    return np.concatenate([whole, ranks], axis=1) if 2 * whole.shape[1] <= most else whole


def _number(value: object) -> float | None:
    """A number; NaN for what is missing, None for what is no number."""
    if value is None:
        return float("nan")
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:
        return LARGEST if value > 0 else -LARGEST  # type: ignore[operator]
    except (TypeError, ValueError):
        return None
