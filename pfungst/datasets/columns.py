"""Columns of a table file: read by pyarrow, kept as NumPy arrays."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pa_parquet

from pfungst.arrays import WHOLE, Array
from pfungst.datasets.embedded import holds_files
from pfungst.errors import InputError, NoLabels, damage, first_line
from pfungst.packed import MOST_UNPACKED, bomb, gunzipped, refusal
from pfungst.paged import LARGE

_LINES = frozenset({".jsonl", ".ndjson", ".json"})
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
LABELS = ("label", "labels", "class", "target", "y")

FEWEST = 1024
"""Rows of Parquet, at least, that are read at a time."""

_CODE = re.compile(rb"0(?<=[,\t\n\r \"]0)[0-9]")
"""A number with a leading zero; to begin with the zero, and look back from it, is twice as fast."""


@dataclass(frozen=True)
class TableFile:
    """What a table file holds.

    ``columns`` are those of plain values; ``files`` those whose cells hold files, as Arrow holds them. ``numbers`` are
    columns of codes (007) once more, as the numbers they are where a model takes them in; ``classes`` are the names
    that the package datasets wrote into the file for the whole numbers of a column (-1: missing).
    """

    columns: dict[str, Array]
    files: dict[str, Any] = field(default_factory=dict)
    numbers: dict[str, Array] = field(default_factory=dict)
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)


def read_table(data: bytes, suffix: str, source: str, most: int = MOST_UNPACKED) -> dict[str, Array]:
    """Columns by name, in order; ``suffix`` is ``.csv``, ``.tsv``, ``.jsonl`` or ``.parquet``.

    Raises:
        InputError: if it cannot be read, unpacks to more than ``most`` bytes, or two columns share a name.
    """
    return read_apart(data, suffix, source, most).columns


def read_apart(data: bytes, suffix: str, source: str, most: int = MOST_UNPACKED) -> TableFile:
    """The same, and apart from it what else the file holds; cells that hold files are not copied.

    Raises:
        InputError: as ``read_table``.
    """
    unpacked = _unpacked(data, source, most)
    if suffix in _LINES:
        _objects(unpacked, source)
    with damage(f"{source} cannot be read as {suffix[1:]}"):
        table = _parquet(unpacked, source, most) if suffix == ".parquet" else _parsed(unpacked, suffix)
        # Names and cells are looked at here for the first time, and may be no text or no date.
        names = table.column_names
        distinct(names, source)
        files = {field.name: table.column(field.name) for field in table.schema if holds_files(field.name, field.type)}
        columns = {name: as_array(table.column(name)) for name in names if name not in files}
        codes = _codes(unpacked, suffix, table) if suffix in _DELIMITERS else {}
        numbers = {name: columns[name] for name in codes}
        classes = {name: given for name, given in _class_names(table.schema).items() if _numbered(columns, name, given)}
        del table
        give_back()
    return TableFile({**columns, **codes}, files, numbers, classes)


def distinct(names: Sequence[str], source: str) -> None:
    """Raise InputError if two columns share a name."""
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{source} has two columns named {twice!r}; rename one")


class ParquetColumns(Mapping[str, Array]):
    """Columns of a Parquet file, read when they are asked for: at most one of many rows lies in memory at a time.

    ``data`` are the bytes of the file. Columns that lie side by side are read together up to 16 MB.

    Raises:
        InputError: as ``read_table``; a column's own faults when it is read.
    """

    def __init__(self, data: bytes | memoryview, source: str, most: int = MOST_UNPACKED) -> None:
        self._source, self._held = source, dict[str, Array]()
        with self._reading():
            _small(data, source, most)
            self._file = pa_parquet.ParquetFile(pa.BufferReader(data))
            self._names = tuple(self._file.schema_arrow.names)
        distinct(self._names, source)
        self._side = max(1, LARGE // (8 * max(1, self._file.metadata.num_rows)))

    def __getitem__(self, name: str) -> Array:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._held:
            first = self._names.index(name) // self._side * self._side
            self._held = {}
            with self._reading():
                # Not by Arrow's threads: see _parquet.
                table = self._file.read(columns=list(self._names[first : first + self._side]), use_threads=False)
                self._held = {one: as_array(table[one]) for one in table.column_names}
        if name not in self._held:
            raise InputError(f"{self._source} cannot be read as parquet: its column {name!r} holds no values; drop it")
        return self._held[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def _reading(self) -> AbstractContextManager[None]:
        return damage(f"{self._source} cannot be read as parquet")


def give_back() -> None:
    """Let Arrow give back what it keeps for its next table: as much again as the last, and there is none."""
    pa.default_memory_pool().release_unused()


def _unpacked(data: bytes, source: str, most: int) -> bytes:
    return gunzipped(data, source, most) if data[:2] == b"\x1f\x8b" else data


def _small(data: bytes | memoryview, source: str, most: int) -> None:
    """Refuse Parquet that says much in little: a page of one value is as short for a billion rows as for one."""
    about = pa_parquet.read_metadata(pa.BufferReader(data))
    groups = [about.row_group(at) for at in range(about.num_row_groups)]
    # A damaged file may say one number of rows of itself and another of its parts; room is made for these.
    rows = max(about.num_rows, sum(group.num_rows for group in groups))
    unpacked = max(sum(group.total_byte_size for group in groups), 8 * rows * about.num_columns)
    if bomb(unpacked, len(data), most):
        raise refusal(source, unpacked, len(data))


def _objects(data: bytes, source: str) -> None:
    """Refuse lines that are no JSON object: the reader of pyarrow ends the whole process on some of them."""
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        begins = line.lstrip()[:1]
        if begins not in {b"", b"{"}:
            raise InputError(f"{source} cannot be read as JSON lines: line {number} is no object; write one a line")
        try:
            if begins:
                _one_value(line)
        except (ValueError, RecursionError) as error:
            why = getattr(error, "msg", "") or first_line(error)
            raise InputError(f"{source} cannot be read as JSON lines: line {number} is no JSON ({why})") from None


def _one_value(line: bytes) -> None:
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except msgspec.DecodeError:  # or NaN, which is no JSON and yet written by many
        json.loads(line.decode("utf-8"))


def _parquet(data: bytes, source: str, most: int) -> Any:
    """All columns, read some rows at a time: one long value is as short for a thousand rows as for one."""
    _small(data, source, most)
    file = pa_parquet.ParquetFile(pa.BufferReader(data))
    about = file.metadata
    # Sizes of single columns would tell more, but on damaged files asking for them ends the process.
    longest = max((about.row_group(at).total_byte_size for at in range(about.num_row_groups)), default=1)
    batches, size = [], 0
    # Arrow's own threads let go of the bytes late, which ends the process if Python has ended by then.
    for batch in file.iter_batches(min(max(most // max(1, longest), FEWEST), 1 << 16), use_threads=False):
        batches.append(batch)
        size += batch.nbytes
        if bomb(size, len(data), most):
            raise refusal(source, size, len(data))
    return pa.Table.from_batches(batches, file.schema_arrow)


def _own(data: bytes) -> Any:
    """Bytes that belong to Arrow: its threads may hold them when Python has ended, but nothing of Python's."""
    copy = pa.allocate_buffer(len(data))
    np.frombuffer(copy, np.uint8)[:] = np.frombuffer(data, np.uint8)
    return pa.BufferReader(copy)


def _parsed(data: bytes, suffix: str) -> Any:
    if suffix in _LINES:
        return pa_json.read_json(_own(data), parse_options=pa_json.ParseOptions(newlines_in_values=False))
    return _delimited(data, suffix)


def _delimited(data: bytes, suffix: str, texts: Sequence[str] = ()) -> Any:
    """All columns; or those named in ``texts``, as they are written."""
    delimiter = _DELIMITERS.get(suffix, ",")
    # In tab-separated files a quotation mark is a character like any other; texts are full of lone ones.
    quoted = delimiter == ","
    options = pa_csv.ParseOptions(delimiter=delimiter, quote_char='"' if quoted else False, newlines_in_values=quoted)
    convert = pa_csv.ConvertOptions(
        strings_can_be_null=False, include_columns=texts, column_types=dict.fromkeys(texts, pa.string())
    )
    read = pa_csv.ReadOptions(block_size=max(1 << 20, len(data) + 1))
    return pa_csv.read_csv(_own(data), read_options=read, parse_options=options, convert_options=convert)


def _codes(data: bytes, suffix: str, table: Any) -> dict[str, Array]:
    """Columns of whole numbers of which one is written with a leading zero, as text: 01, 1 and 001 are three sites."""
    whole = [column.name for column in table.schema if pa.types.is_integer(column.type)]
    if not whole or _CODE.search(data) is None:
        return {}
    written = _delimited(data, suffix, whole)
    texts = {name: pc.utf8_trim_whitespace(written.column(name)) for name in whole}
    return {
        name: as_array(pc.if_else(table.column(name).is_valid(), text, None))
        for name, text in texts.items()
        if pc.any(pc.match_substring_regex(text, "^[-+]?0[0-9]")).as_py()
    }


def _class_names(schema: Any) -> dict[str, tuple[str, ...]]:
    """Names of classes by column, as the package datasets writes them; what is written otherwise is passed over."""
    try:
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        kinds = {name: kind for name, kind in features.items() if kind["_type"] == "ClassLabel"}
        return {name: tuple(str(each) for each in kind["names"]) for name, kind in kinds.items()}
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
        return {}


def _numbered(columns: Mapping[str, Array], name: str, classes: tuple[str, ...]) -> bool:
    """Whether a column holds nothing but the numbers of these classes, -1 and what is missing."""
    values = columns.get(name)
    if values is None or values.dtype.kind not in "iuf" or len(set(classes)) < len(classes):
        return False
    return bool((np.isnan(values) | ((values >= -1) & (values < len(classes)) & (values == np.rint(values)))).all())


def as_array(column: Any) -> Array:
    """A column as numbers (missing: NaN), text or other objects (missing: None)."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_boolean(kind) and not column.null_count:
        return np.asarray(column.to_numpy(), dtype=bool)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        numbers = np.asarray(column.to_numpy())
        # Missing integers make floats of the others, which may not hold them.
        if not (pa.types.is_integer(kind) and column.null_count and (np.abs(numbers) > WHOLE).any()):
            return numbers
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        return np.array([None if value is None else value.isoformat() for value in column.to_pylist()], dtype=object)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        column = _decoded(column)
    values = np.empty(len(column), dtype=object)
    values[:] = column.to_pylist()
    return values


def _decoded(column: Any) -> Any:
    """Bytes as the text in UTF-8 that they are, or as they are."""
    try:
        return column.cast(pa.large_string())
    except pa.ArrowInvalid:
        return column


def label_column(table: Mapping[str, Array], asked: str | None, source: str) -> str | None:
    """Name of the label column, as asked or by its usual names; None if there is none.

    Raises:
        NoLabels: if the one asked for is not there.
    """
    if asked is not None and asked not in table:
        raise NoLabels(
            f"the task names a label column {asked!r} that {source} does not have; its columns are "
            f"{', '.join(list(table)[:20])}"
        )
    return asked or next((name for name in LABELS if name in table), None)


def plain_columns(table: Mapping[str, Array]) -> dict[str, Array]:
    """Columns of one value a row: text as str (missing: empty), numbers as they are; lists and records are left out."""
    kept: dict[str, Array] = {}
    for name, values in table.items():
        if values.dtype.kind != "O":
            kept[name] = values
        elif not any(isinstance(value, list | dict) for value in values):
            kept[name] = np.array(["" if value is None else str(value) for value in values], dtype=object)
    return kept
