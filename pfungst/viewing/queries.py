"""Queries: filters run by DuckDB over columns that are handed to it; it reads no file and cannot."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import RLock, Timer
from typing import Any

import numpy as np
import pyarrow as pa

from pfungst.arrays import IntArray
from pfungst.errors import InputError
from pfungst.viewing.compiled import PLACE, Compiled, compiled
from pfungst.viewing.fields import Field
from pfungst.viewing.language import Either, Parsed, parse, parse_order, quoted
from pfungst.viewing.rows import Rows

PATIENCE = 10.0
"""Seconds a query may take."""
REMEMBERED = 8
"""Filters whose rows are remembered; turning pages and stepping through rows then costs nothing."""
FACETS = 12


class TooSlow(InputError):  # noqa: N818 - named for what it says
    """A query that was stopped."""


@dataclass(frozen=True, eq=False)
class Selection:
    """A filter and the places of the rows it leaves, in its order."""

    parsed: Parsed
    sql: Compiled
    places: IntArray

    def __len__(self) -> int:
        return len(self.places)

    def around(self, place: int) -> tuple[int | None, int | None, int | None]:
        """The number of a place in this selection, and the places before and after it; None where there is none."""
        found = np.flatnonzero(self.places == place)
        if not len(found):
            return None, None, None
        at = int(found[0])
        before = int(self.places[at - 1]) if at else None
        return at, before, int(self.places[at + 1]) if at + 1 < len(self.places) else None

    def narrowed(self, more: str) -> str:
        """The filter's words with a further condition."""
        words = self.parsed.words
        if not words:
            return more
        return f"({words}) and {more}" if isinstance(self.parsed.condition, Either) else f"{words} and {more}"


@dataclass(frozen=True)
class Facet:
    """What the rows of a selection are split by: for each value its words, its rows, and the filter that keeps it."""

    name: str
    values: tuple[tuple[str, int, str], ...]


class Queries:
    """Asks about the rows of one set; safe to use from several threads."""

    def __init__(self, rows: Rows, patience: float = PATIENCE) -> None:
        self.rows, self.patience = rows, patience
        self._database = database()
        self._selected: OrderedDict[tuple[str, str], Selection] = OrderedDict()
        self._facets: OrderedDict[str, tuple[Facet, ...]] = OrderedDict()
        self._lock = RLock()

    def select(self, where: str = "", order: str = "") -> Selection:
        """The rows of a filter; ``order`` overrules the one in it.

        Raises:
            FilterError: if it cannot be read.
            TooSlow: if it takes longer than it may.
        """
        with self._lock:
            if (where, order) in self._selected:
                self._selected.move_to_end((where, order))
                return self._selected[where, order]
        parsed = parse(where)
        if order.strip():
            parsed = replace(parsed, order=parse_order(order), order_words=order.strip())
        sql = compiled(parsed.condition, parsed.order, self.rows.vocabulary)
        places = self._places(parsed, sql)
        with self._lock:
            self._selected[where, order] = found = Selection(parsed, sql, places)
            while len(self._selected) > REMEMBERED:
                self._selected.popitem(last=False)
        return found

    def facets(self, selection: Selection) -> tuple[Facet, ...]:
        """How many rows of a selection are confused for what, and stand under each value of the columns of few."""
        words = selection.parsed.words
        with self._lock:
            if words in self._facets:
                return self._facets[words]
        found = [self._confusions(selection), *(self._values(selection, one) for one in self.rows.facetted)]
        kept = tuple(one for one in found if one.values)
        with self._lock:
            self._facets[words] = kept
            while len(self._facets) > REMEMBERED:
                self._facets.popitem(last=False)
        return kept

    def _places(self, parsed: Parsed, sql: Compiled) -> IntArray:
        if parsed.condition is None and not parsed.order:
            return np.arange(len(self.rows), dtype=np.int32)
        # Every name is made in compiled.py, and every value is a parameter.
        statement = f"select {PLACE} from rows where {sql.where} order by {sql.order}"  # noqa: S608 - see above
        table = pa.table({name: self.rows.column(key) for key, name in {"place": PLACE, **sql.columns}.items()})
        with self._asked(table, sql.values, statement) as answer:
            return np.asarray(answer.fetchnumpy()[PLACE], np.int32)

    def _confusions(self, selection: Selection) -> Facet:
        fields = [self.rows.vocabulary.own["label"], self.rows.vocabulary.own["answer"]]
        found = self._grouped(selection, fields, "{0} <> {1}")
        names = self.rows.classes
        return Facet(
            "taken for another",
            tuple(
                (f"{names[a]} → {names[b]}", rows, f"label = {quoted(names[a])} and answer = {quoted(names[b])}")
                for a, b, rows in found
            ),
        )

    def _values(self, selection: Selection, field: Field) -> Facet:
        found = self._grouped(selection, [field], "true")
        column = f"column({_literal(field.name.removeprefix('column:'))})"
        plain = quoted(field.name) == field.name and field.name not in self.rows.vocabulary.own
        name = field.name if plain else column
        return Facet(
            field.name,
            tuple(
                (_words(value), rows, f"{name} is missing" if value is None else f"{name} = {quoted(_words(value))}")
                for value, rows in found
            ),
        )

    def _grouped(self, selection: Selection, fields: Sequence[Field], only: str) -> list[tuple[Any, ...]]:
        """Counts of the values of some fields among the rows of a selection, whose filter is not run again."""
        places = pa.array(selection.places)
        names = [f"c{at}" for at in range(len(fields))]
        columns = {name: self.rows.column(field.key).take(places) for name, field in zip(names, fields, strict=True)}
        listed = ", ".join(names)
        # Every name is made here.
        grouped = f"where {only.format(*names)} group by {listed} order by count(*) desc, {listed} limit {FACETS}"
        statement = f"select {listed}, count(*) from rows {grouped}"  # noqa: S608 - see above
        with self._asked(pa.table(columns), (), statement) as answer:
            found: list[tuple[Any, ...]] = answer.fetchall()
            return found

    @contextmanager
    def _asked(self, table: Any, values: Sequence[Any], statement: str) -> Iterator[Any]:
        import duckdb  # noqa: PLC0415 - an extra

        cursor = self._database.cursor()
        watch = Timer(self.patience, cursor.interrupt)
        watch.daemon = True
        watch.start()
        try:
            cursor.register("rows", table)
            yield cursor.execute(statement, list(values))
        except duckdb.InterruptException:
            raise TooSlow(f"this filter took longer than {self.patience:g} s and was stopped; ask for less") from None
        except duckdb.Error as error:
            raise InputError(f"this filter cannot be run: {str(error).splitlines()[0][:200]}") from None
        finally:
            watch.cancel()
            cursor.close()


def database() -> Any:
    """A database in memory that may read and write no file, load no extension, and cannot be told otherwise.

    Raises:
        InputError: if DuckDB is not installed.
    """
    try:
        import duckdb  # noqa: PLC0415 - an extra
    except ImportError:
        raise InputError("`pfungst view` needs duckdb, which is not installed; pip install pfungst[view]") from None
    settings: dict[str, Any] = {
        "enable_external_access": "false", "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false", "python_enable_replacements": "false", "memory_limit": "2GB",
    }  # fmt: skip
    found = duckdb.connect(":memory:", config=settings)
    found.execute("set lock_configuration = true")
    return found


def _words(value: Any) -> str:
    if value is None:
        return "missing"
    return ("no", "yes")[value] if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _literal(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
