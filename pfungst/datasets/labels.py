"""Labels as they stand in a file: names, numbers, votes or nothing; and the parts that columns play."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pfungst.arrays import Array, IntArray
from pfungst.datasets.dataset import Roles, missing
from pfungst.errors import InputError
from pfungst.paged import filled
from pfungst.task import Columns

SITES = frozenset({"site", "hospital", "scanner", "center", "centre", "institution", "camera"})
MOST_CLASSES = 100_000


@dataclass(frozen=True)
class Labels:
    """Labels as positions in ``classes`` (-1: none); ``named`` is False where classes are only numbers."""

    values: IntArray | None
    classes: tuple[str, ...] = ()
    named: bool = False
    notes: tuple[str, ...] = ()


def coded(values: Array | None, names: tuple[str, ...] = (), source: str = "the data") -> Labels:
    """Labels from names or integers; ``names`` are those of the classes, if the file says them.

    Raises:
        InputError: if labels are neither, or lie outside the classes; the first such rows are named.

    >>> coded(np.array(["wolf", "husky"])).values.tolist()
    [1, 0]
    """
    if values is None:
        return Labels(None, names, bool(names) and not _numbers_only(names))
    if values.ndim != 1:
        raise InputError(f"the labels of {source} have shape {values.shape}; one class a row is read")
    try:
        values = np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values
    except UnicodeDecodeError:
        raise _no_text(source) from None
    kind = values.dtype.kind
    if kind not in "fiubUOT":
        raise InputError(f"the labels of {source} are {values.dtype}; give names or whole numbers")
    if kind == "f":
        values, kind = _whole(values, source), "i"
    if kind == "b":
        return _texts(np.where(values, "True", "False").astype(object), names, source)
    if kind in "iu":
        return _integers(values.astype(np.int64, copy=False), names, source)
    return _texts(np.asarray(values, dtype=object), names, source)


def _no_text(source: str) -> InputError:
    return InputError(f"the labels of {source} are bytes that are no text in UTF-8; save them as text")


def _whole(values: Array, source: str) -> IntArray:
    missing = np.isnan(values)
    off = ~missing & ((values != np.rint(values)) | (np.abs(values) > _LARGEST))
    if off.any():
        raise InputError(
            f"the labels of {source} are not whole numbers (row {np.flatnonzero(off)[0]}: {values[off][0]:g}); "
            "pfungst judges classifiers: give classes"
        )
    return np.where(missing, MISSING, np.nan_to_num(values)).astype(np.int64)


MISSING = np.iinfo(np.int64).min
_LARGEST = 2**53
"""Whole numbers beyond it are not told apart as floats."""


def _integers(values: IntArray, names: tuple[str, ...], source: str) -> Labels:
    absent = values == MISSING
    top = len(names) - 1 if names else MOST_CLASSES - 1
    bad = np.flatnonzero(~absent & ((values < 0) | (values > top)))
    if len(bad):
        shown = ", ".join(f"row {row} has {values[row]}" for row in bad[:3])
        allowed = f"0..{top}" if names else "0..K-1"
        raise InputError(
            f"{len(bad)} labels of {source} lie outside {allowed}: {shown}; number the classes from 0, or name them"
        )
    _distinct(names, source)
    kept = filled(len(values), np.int64, lambda part: np.where(absent[part], -1, values[part]))
    classes = names or tuple(str(i) for i in range(int(kept.max(initial=-1)) + 1))
    return Labels(kept, classes, bool(names) and not _numbers_only(names), _absent(absent))


def _texts(values: Array, names: tuple[str, ...], source: str) -> Labels:
    absent = np.array([value is None or value != value or value == "" for value in values], dtype=bool)  # noqa: PLR0124 - NaN
    if any(isinstance(value, bytes) for value in values):
        raise _no_text(source)
    texts = [str(value) for value in values[~absent]]
    classes = names or tuple(sorted(set(texts)))
    _distinct(classes, source)
    place = {name: i for i, name in enumerate(classes)}
    strange = sorted({text for text in texts if text not in place})
    if strange:
        raise InputError(
            f"{source} has labels {strange[:5]} that its own list of classes does not name; add them to it"
        )
    kept = np.full(len(values), -1, dtype=np.int64)
    kept[~absent] = [place[text] for text in texts]
    return Labels(kept, classes, not _numbers_only(classes), _absent(absent))


def _distinct(names: tuple[str, ...], source: str) -> None:
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        raise InputError(f"the classes of {source} name {twice[:100]!r} twice; give each class a name of its own")


def _absent(absent: Array) -> tuple[str, ...]:
    count = int(absent.sum())
    return (f"{count} of {len(absent)} rows have no label: they are left out where labels are needed",) if count else ()


def _numbers_only(names: tuple[str, ...]) -> bool:
    return all(name.isascii() and name.isdigit() for name in names)


def placed(values: Array, names: tuple[str, ...]) -> Array:
    """Whole numbers as places among ``names``, where each of them is one of these; all else as it is.

    >>> placed(np.array([1, 2, 1]), ("1", "2", "3")).tolist(), placed(np.array([0, 1]), ("1", "2", "3")).tolist()
    ([0.0, 1.0, 0.0], [0, 1])
    """
    place = {int(name): at for at, name in enumerate(names) if len(name) < 19 and _numbers_only((name,))}
    if values.dtype.kind not in "iuf" or all(number == at for number, at in place.items()):
        return values
    found, inverse = np.unique(values, return_inverse=True)
    places = [np.nan if value != value else place.get(value) for value in found.tolist()]  # noqa: PLR0124 - NaN
    return values if None in places else np.asarray(places, np.float64)[inverse]


def voted(values: Array, names: tuple[str, ...], source: str) -> Labels:
    """Labels of rows that have votes too: ``names`` say what the columns of votes stand for.

    Raises:
        InputError: as ``coded``; if labels are words and no names are given, in whose order votes could be read.
    """
    found = coded(values, names, source)
    if found.named and not names and values.dtype.kind != "b":
        raise InputError(
            f"the labels of {source} are words ({', '.join(found.classes[:3])}) and nothing says which column of "
            "`label_counts` stands for which; give `classes`, or [task] classes, in the order of the columns"
        )
    return found


def checked_votes(votes: Array, source: str) -> Array:
    """Votes of labellers, (rows, classes). Raises InputError if they are no counts."""
    if votes.ndim != 2 or not votes.shape[1]:
        raise InputError(f"`label_counts` of {source} has shape {votes.shape}; votes are (rows, classes)")
    if not (votes.dtype.kind in "fiub" and np.isfinite(votes).all() and (votes >= 0).all()):
        raise InputError(f"`label_counts` of {source} holds what is no count; votes are numbers of at least 0")
    return votes


def majority(counts: Array) -> IntArray:
    """The class with the most votes of each row, the lowest on ties, -1 where nobody voted."""
    return np.where(counts.sum(axis=1) > 0, counts.argmax(axis=1), -1)


def roles_of(columns: Mapping[str, Array], asked: Columns, source: str) -> tuple[Roles, tuple[str, ...]]:
    """The parts that columns play, as the task says; without one, columns named like a site count as sites.

    Raises:
        InputError: if the task names a column that is not there.
    """
    wanted = (*asked.site, *asked.group, *([asked.unit] if asked.unit else []), *([asked.time] if asked.time else []))
    for name in wanted:
        if name not in columns:
            have = ", ".join(list(columns)[:20]) or "none"
            raise InputError(f"the task names a column {name!r} that {source} does not have; its columns are {have}")
    site, notes = asked.site, []
    if not site:
        site = tuple(name for name in columns if name.lower() in SITES and _some(columns[name]))
        notes = [f"column {name} is taken for a site" for name in site]
    blank = int(missing(columns[asked.unit]).sum()) if asked.unit else 0
    if blank:
        notes.append(f"column {asked.unit} names no unit in {blank:,} rows; each of them stands for itself")
    return Roles(site, asked.group, asked.unit, asked.time), tuple(notes)


def _some(values: Any) -> bool:
    kinds = len({str(value) for value in values})
    return 1 < kinds <= max(2, min(100, len(values) // 5))
