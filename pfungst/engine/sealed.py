"""Sealed: Parquet files that tell of every byte whether it is the one that was written.

Parquet has checksums of pages but none of the footer: a bit that flips there may turn rows, names or statistics into
others, which are read without a word. The seal is a digest of all other bytes. It stands between pages and footer: no
reader looks there because places in a Parquet file are counted from its start: any tool reads a sealed file as ever.
"""

import hashlib
import os
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

_SEAL = 16
"""Bytes of the seal."""
_END = 8
"""Bytes behind the footer: its length and the letters PAR1."""
_READ = 1 << 20


def write_sealed(path: Path, table: pa.Table, **how: Any) -> None:
    """Write a table by rename, so that a kill leaves a whole file or none; ``how`` goes to ``write_table``."""
    partial = path.with_name(f".{path.name}.tmp")
    pq.write_table(table, partial, compression="zstd", row_group_size=65_536, write_page_checksum=True, **how)
    seal(partial)
    partial.replace(path)


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
