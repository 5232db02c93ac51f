"""Sealed: Parquet files that tell of every byte whether it is the one that was written.

Parquet has checksums of pages but none of the footer: a bit that flips there may turn rows, names or statistics into
others, which are read without a word. The seal is a digest of all other bytes. It stands between pages and footer: no
reader looks there because places in a Parquet file are counted from its start: any tool reads a sealed file as ever.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

GROUP = 65_536
"""Rows of a group: what is written, and can be read, at once."""
_SEAL = 16
"""Bytes of the seal."""
_END = 8
"""Bytes behind the footer: its length and the letters PAR1."""
_READ = 1 << 20


def write_sealed(path: Path, tables: Iterable[pa.Table], **how: Any) -> None:
    """Write tables, one behind the other, by rename, so that a kill leaves a whole file or none.

    Each is made when the one before it is written; ``how`` goes to ``ParquetWriter``.
    """
    partial = path.with_name(f".{path.name}.tmp")
    coming = iter(tables)
    first = next(coming)
    with pq.ParquetWriter(partial, first.schema, compression="zstd", write_page_checksum=True, **how) as writer:
        for table in chain([first], coming):
            writer.write_table(table, row_group_size=GROUP)
    seal(partial)
    partial.replace(path)


def groups(rows: int) -> Iterator[slice]:
    """Which rows go into each group; one that is empty where there are none.

    >>> list(groups(70_000))
    [slice(0, 65536, None), slice(65536, 70000, None)]
    """
    return (slice(start, min(start + GROUP, rows)) for start in range(0, max(1, rows), GROUP))


def seal(path: Path) -> None:
    """Put the digest of a Parquet file into it, and the file onto the disk."""
    with path.open("rb+") as file:
        start = _footer(file)
        file.seek(start)
        footer = file.read()
        found = _digest(file, start, start)
        file.seek(start)
        file.write(found + footer)
        file.flush()
        os.fsync(file.fileno())


def sealed(path: Path) -> pq.ParquetFile:
    """Open a file that ``write_sealed`` wrote.

    Raises:
        OSError, ArrowInvalid: as ``check_seal``.
    """
    check_seal(path)
    return pq.ParquetFile(path, page_checksum_verification=True)


def check_seal(path: Path) -> None:
    """Read a file once from end to end.

    Raises:
        OSError: if it cannot be read.
        ArrowInvalid: if any byte of it is another than was written.
    """
    with path.open("rb") as file:
        start = _footer(file)
        stop = max(0, start - _SEAL)
        file.seek(stop)
        if file.read(_SEAL) != _digest(file, stop, start):
            raise pa.ArrowInvalid("it is not as it was written")


def _footer(file: BinaryIO) -> int:
    """Where the footer starts, as the end of the file says it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END))
    return max(0, size - _END - int.from_bytes(file.read(4), "little"))


def _digest(file: BinaryIO, stop: int, start: int) -> bytes:
    """Digest of the bytes before ``stop`` and of those from ``start`` on."""
    found = hashlib.blake2b(digest_size=_SEAL)
    file.seek(0)
    while file.tell() < stop and (part := file.read(min(_READ, stop - file.tell()))):
        found.update(part)
    file.seek(start)
    while part := file.read(_READ):
        found.update(part)
    return found.digest()
