"""Rows of one set in the order of their position; columns are read when needed, and kept while there is room."""

from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from threading import RLock
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pfungst.arrays import IntArray
from pfungst.errors import InputError
from pfungst.viewing.fields import Field, Kind, Vocabulary
from pfungst.viewing.run import Run, columns_of

ROOM = 512 << 20
"""Bytes of columns that are kept."""


class Rows:
    """The rows of a set that were answered as they are.

    ``other`` is a second run over the same rows, paired by id; its answers are ``b.answer`` and ``b.confidence``.

    Raises:
        InputError: if the set is not there, or its answers cannot be read.
    """

    def __init__(self, run: Run, on: str, other: Run | None = None) -> None:
        if on not in run.plain:
            raise InputError(f"there is no set of rows {on[:60]!r}; there are {', '.join(run.sets)}")
        self.run, self.on, self.other = run, on, other
        self.facts: Any = run.facts if on == "test" else None
        self.under = run.under(on)
        self._kept: OrderedDict[str, Any] = OrderedDict()
        self._lock = RLock()
        base = columns_of(run.plain[on].file, ["row", "label", "prediction", "confidence"])
        self.file_order: IntArray = base["row"].to_numpy()
        self._order = np.argsort(self.file_order)
        self.positions: IntArray = self.file_order[self._order]
        self._places = np.full(int(self.positions[-1]) + 1 if len(self.positions) else 0, -1, np.int32)
        self._places[self.positions] = np.arange(len(self.positions), dtype=np.int32)
        label, answer = (base[name].to_numpy()[self._order] for name in ("label", "prediction"))
        self._base = {
            "row": pa.array(self.positions),
            "label": pa.array(label, mask=label < 0),
            "answer": pa.array(answer),
            "confidence": pa.array(base["confidence"].to_numpy()[self._order]),
            "place": pa.array(np.arange(len(self.positions), dtype=np.int32)),
        }

    def __len__(self) -> int:
        return len(self.positions)

    def agrees(self) -> bool:
        """Whether the second run has rows of these ids, and calls none of them by another label."""
        assert self.other is not None, "a second run was given"
        table = columns_of(self.other.plain[self.on].file, ["id", "label"])
        at = self._pairs(table["id"])
        numbers = np.array([*(self.classes.index(name) for name in self.other.classes), -1], np.int32)
        theirs = pa.array(numbers[table["label"].to_numpy()]).take(at).fill_null(-1).to_numpy()
        mine = self._base["label"].fill_null(-1).to_numpy()
        return at.null_count < len(at) and not ((mine != theirs) & (mine >= 0) & (theirs >= 0)).any()

    def _pairs(self, ids: Any) -> Any:
        """Where each of these rows stands among the other run's; null where it does not."""
        return pc.index_in(self.own_ids, value_set=_whole(ids))

    def place(self, row: int) -> int | None:
        """Where the row at this position of the data stands among these, or None if it was not asked."""
        found = int(self._places[row]) if 0 <= row < len(self._places) else -1
        return None if found < 0 else found

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, those of the other run that this one does not have last."""
        return tuple(dict.fromkeys((*self.run.classes, *(self.other.classes if self.other else ()))))

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The names that a filter may use."""
        own: dict[str, Kind] = {
            "label": "class", "answer": "class", "confidence": "number", "id": "text", "row": "number",
        }  # fmt: skip
        own |= {"b.answer": "class", "b.confidence": "number"} if self.other else {}
        columns = {name: Field(name, _kind(self._stored(at)), f"column:{at}") for at, name in enumerate(self.metadata)}
        names = {one.name: f"condition:{at}" for at, one in enumerate(self.under)}
        swapped = (one.name for one in self.under if one.name.endswith(" of another class"))
        aliases = {f"{name.removesuffix(' of another class')} swapped": name for name in swapped}
        return Vocabulary(
            self.classes, {name: Field(name, kind, name) for name, kind in own.items()}, columns, names, aliases
        )

    @cached_property
    def metadata(self) -> tuple[str, ...]:
        """Names of the metadata columns."""
        return () if self.facts is None else tuple(self.facts.column_names[3:])

    @cached_property
    def facetted(self) -> tuple[Field, ...]:
        """Metadata of few values, those that play a part first: what a person would split the rows by."""
        fields = self.vocabulary.columns
        first = [name for name in self.run.roles if name in fields]
        found = [name for name in (*first, *fields) if 1 < self._values(name) <= 20 or name in first[:2]]
        return tuple(fields[name] for name in dict.fromkeys(found))[:4]

    @cached_property
    def shown(self) -> tuple[Field, ...]:
        """Metadata columns of the table: those that play a part, then the first of the others."""
        fields = self.vocabulary.columns
        return tuple(fields[name] for name in dict.fromkeys((*self.run.roles, *fields)) if name in fields)[:6]

    def column(self, key: str) -> Any:
        """A column by its key, as an Arrow array in the order of these rows."""
        if key in self._base:
            return self._base[key]
        with self._lock:
            if key not in self._kept:
                self._kept[key] = self._read(key)
                while len(self._kept) > 1 and sum(one.nbytes for one in self._kept.values()) > ROOM:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]

    def values(self, key: str, places: IntArray) -> list[Any]:
        """Values of a column at some places; classes as numbers."""
        found: list[Any] = self.column(key).take(pa.array(places)).to_pylist()
        return found

    def _read(self, key: str) -> Any:
        kind, _, rest = key.partition(":")
        readers: dict[str, Callable[[str], Any]] = {
            "id": self._ids, "column": self._metadata, "condition": self._condition, "b.answer": self._others,
            "b.confidence": self._others,
        }  # fmt: skip
        return readers[kind](rest or kind)

    def _ids(self, _: str) -> Any:
        if self.facts is not None:
            return self._aligned(self.facts["row"], self.facts["id"])
        return self.own_ids

    def _metadata(self, at: str) -> Any:
        return self._aligned(self.facts["row"], self._stored(int(at)))

    def _condition(self, rest: str) -> Any:
        at, _, part = rest.partition(":")
        file = self.under[int(at)].file
        names = pq.read_schema(file).names
        stored = {"answer": "prediction" if "prediction" in names else "answers", "confidence": "confidence"}[part]
        table = columns_of(file, ["row", stored])
        return self._aligned(table["row"], table[stored])

    def _others(self, key: str) -> Any:
        """The other run's answers to these rows, found by id; its classes get the numbers that they have here."""
        assert self.other is not None, "a second run was given"
        file = self.other.plain[self.on].file
        table = columns_of(file, ["id", "prediction", "confidence"])
        at = self._pairs(table["id"])
        if key == "b.confidence":
            return _whole(table["confidence"].take(at))
        numbers = np.array([self.classes.index(name) for name in self.other.classes], np.int32)
        return _whole(pa.array(numbers[table["prediction"].to_numpy()]).take(at))

    @cached_property
    def own_ids(self) -> Any:
        """Ids as the answers keep them, also where the report names none."""
        return _whole(columns_of(self.run.plain[self.on].file, ["id"])["id"].take(pa.array(self._order)))

    def _stored(self, at: int) -> Any:
        return self.facts.column(3 + at)

    def _values(self, name: str) -> int:
        """How many values a text column has, where few; 0 for others."""
        column = self.facts.column(name)
        return len(column.chunk(0).dictionary) if pa.types.is_dictionary(column.type) and column.num_chunks else 0

    def _aligned(self, rows: Any, values: Any) -> Any:
        """Values of some rows as a column of these rows, null where there is none."""
        theirs = rows.to_numpy()
        inside = (theirs >= 0) & (theirs < len(self._places))
        places = self._places[theirs[inside]]
        at = np.full(len(self), -1, np.int64)
        at[places[places >= 0]] = np.flatnonzero(inside)[places >= 0]
        return _whole(values.take(pa.array(at, mask=at < 0)))


def _whole(column: Any) -> Any:
    """A column as one array; NaN is null."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return array if not isinstance(array, pa.ChunkedArray) else pa.concat_arrays(array.chunks)


def _kind(column: Any) -> Kind:
    if pa.types.is_boolean(column.type):
        return "truth"
    return "number" if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) else "text"
