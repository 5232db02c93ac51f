"""Embedded: picture files that lie in the cells of a table, as the package datasets and the Hub write them."""

import io
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc

from pfungst.datasets.files import Files
from pfungst.errors import UnreadableRow, first_line

NAMES = ("image", "img")
"""Columns whose cells are taken for pictures; sound lies in cells of the same kind."""


class Embedded:
    """Files in the cells of one Arrow column, read when they are asked for; a file's name is its row.

    A cell is the bytes of a file, or a record of ``bytes`` and ``path``. ``elsewhere`` are the rows of a path without
    bytes, and where among the files ``beside`` the table it leads.
    """

    def __init__(self, column: Any, beside: Files | None, elsewhere: Mapping[int, str]) -> None:
        self._cells, self._beside, self._elsewhere = _bytes(column), beside, elsewhere

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The rows, as text."""
        return tuple(map(str, range(len(self._cells))))

    @property
    def stamp(self) -> str:
        """Nothing: the bytes of the table tell whether a cell changed."""
        return ""

    def read(self, name: str) -> bytes | UnreadableRow:
        """Contents of the file in a row, or why it cannot be read."""
        row = int(name)
        try:
            cell = self._cells[row].as_py()
        except (pa.ArrowException, IndexError) as error:  # a damaged cell may point to where nothing is
            return UnreadableRow(f"the cell cannot be read: {first_line(error)}")
        if cell is not None:
            return bytes(cell)
        if row in self._elsewhere and self._beside is not None:
            return self._beside.read(self._elsewhere[row])
        return UnreadableRow("the row holds no picture")

    def opened(self, name: str) -> tuple[IO[bytes], int] | UnreadableRow:
        """The file in a row opened for reading and its size in bytes, or why it cannot be."""
        data = self.read(name)
        return data if isinstance(data, UnreadableRow) else (io.BytesIO(data), len(data))


def holds_files(name: str, kind: Any) -> bool:
    """Whether a column of this name and Arrow type holds files: records with ``bytes``, or bytes under a usual name.

    >>> holds_files("mask", pa.struct({"bytes": pa.binary(), "path": pa.string()}))
    True
    >>> holds_files("image", pa.binary()), holds_files("key", pa.binary()), holds_files("image", pa.string())
    (True, False, False)
    """
    if pa.types.is_struct(kind):
        at = kind.get_field_index("bytes")
        return at >= 0 and _is_bytes(kind.field(at).type)
    return name in NAMES and _is_bytes(kind)


def _bytes(column: Any) -> Any:
    return pc.struct_field(column, "bytes") if pa.types.is_struct(column.type) else column


def _is_bytes(kind: Any) -> bool:
    return str(kind.value_type if pa.types.is_dictionary(kind) else kind) in {"binary", "large_binary", "binary_view"}


def paths_in(column: Any) -> Sequence[str | None]:
    """The path that each cell names beside its bytes, or None."""
    if not pa.types.is_struct(column.type) or column.type.get_field_index("path") < 0:
        return [None] * len(column)
    return [None if path is None else str(path) for path in pc.struct_field(column, "path").to_pylist()]


def lacking(column: Any) -> Sequence[int]:
    """The rows whose cell holds no bytes."""
    cells = _bytes(column)
    return pc.indices_nonzero(cells.is_null()).to_pylist() if cells.null_count else []
