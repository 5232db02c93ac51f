"""Nameless: a data set in which rows are told by their place, and no column says what a file or a row is called."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from pfungst.arrays import Array
from pfungst.datasets.dataset import Dataset, missing
from pfungst.datasets.ids import Numbered

_FILE = re.compile(r".*\w\.([a-z][a-z0-9]{1,4}|[A-Z][A-Z0-9]{1,4})", re.DOTALL)


def nameless(data: Dataset) -> Dataset:
    """The same rows; what a column says of files or rows becomes a number, in the order of the alphabet.

    Unit and time stay as they are: rows are drawn and ordered by them.

    >>> scans = {"scan": np.array(["b.png", "a.png"])}
    >>> some = Dataset("test", "", "table", ("jo", "al"), lambda rows: [], columns=scans)
    >>> nameless(some).columns["scan"].tolist(), nameless(some).told(1)
    (['scan 2', 'scan 1'], 'row 1')
    """
    kept = {data.roles.unit, data.roles.time}
    columns = {
        name: values if name in kept or not names_rows(values, data.ids) else _numbers(name, np.asarray(values))
        for name, values in data.columns.items()
    }
    return replace(data, columns=columns, nameless=True)


def names_rows(values: Array, ids: Sequence[str]) -> bool:
    """Whether a column holds paths, names of files, or ids of these rows.

    An id made of digits alone may be any number: only a column that repeats the id of every row holds such ones.

    >>> [names_rows(np.array(some), ("7", "8")) for some in (["A", "B"], ["a/b", ""], ["7", "8"], ["8", "7"])]
    [False, True, True, False]
    """
    values = np.asarray(values)
    named, words = not isinstance(ids, Numbered), values.dtype.kind in "OU"
    if not words and not (named and values.dtype.kind in "iu"):
        return False
    known = ~missing(values)
    own = [
        (str(value), ids[at]) for at, value in zip(np.flatnonzero(known).tolist(), values[known].tolist(), strict=True)
    ]
    if named and own and all(value == name for value, name in own):
        return True
    texts = {value for value, _ in own} if words else set()
    if any("/" in text or "\\" in text or _FILE.fullmatch(text) for text in texts):
        return True
    paths = [PurePosixPath(name) for name in ids] if named and texts else []
    called = {word for path in paths for word in (str(path), path.name, path.stem) if not word.isdigit()}
    return not texts.isdisjoint(called)


def _numbers(name: str, values: Array) -> Array:
    """Places in the order of what stood there; what is missing stays missing, numbers stay numbers."""
    gone = missing(values)
    kinds, places = np.unique(
        values[~gone] if values.dtype.kind in "iu" else values[~gone].astype(str), return_inverse=True
    )
    if values.dtype.kind in "iu":
        return places.reshape(values.shape)
    told = values.astype(object)
    told[~gone] = [f"{name} {place:0{len(str(len(kinds)))}}" for place in places + 1]
    return told if values.dtype.kind == "O" else told.astype(str)
