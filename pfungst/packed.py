"""Packed: archives and streams that would unpack to far more than they are, refused before they are unpacked."""

import zipfile
import zlib
from pathlib import Path

from pfungst.errors import InputError, damage

MOST_UNPACKED = 1 << 30
"""Bytes that anything may unpack to, however small it is packed, where the task file says nothing else."""
MOST_TIMES = 100
"""Beyond them, how many times its packed size: numbers and texts rarely pack better, bombs a thousand times."""


def bomb(unpacked: int, packed: int, most: int = MOST_UNPACKED) -> bool:
    """Whether so many bytes out of so few are no data but an attack; ``most`` bytes are none.

    >>> bomb(6 << 30, 6 << 20), bomb(6 << 30, 1 << 30), bomb(6 << 30, 6 << 20, most=8 << 30)
    (True, False, False)
    """
    return unpacked > most and unpacked > MOST_TIMES * packed


def refusal(source: str, unpacked: int, packed: int) -> InputError:
    """The sentence about a bomb."""
    return InputError(
        f"{source} has {packed:,} bytes and would unpack to {unpacked:,} or more, so it was not read; save it unpacked "
        "if you trust it, or raise `unpacked` under [limits] in the task file"
    )


def checked_zip(
    path: Path, refused: str = "cannot be read as a zip file", most: int = MOST_UNPACKED, then: str = ""
) -> list[zipfile.ZipInfo]:
    """The members of a zip file; ``refused`` says what it should have been, ``then`` what to do.

    Raises:
        InputError: if it is none, holds a name twice, or its members unpack to too much.
    """
    with damage(f"{path} {refused}", then), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    unpacked, packed = sum(one.file_size for one in members), path.stat().st_size
    if bomb(unpacked, packed, most):
        raise refusal(str(path), unpacked, packed)
    names = [one.filename for one in members]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{path} holds {twice[:200]!r} twice, so that readers may differ; write each member once")
    return members


def gunzipped(data: bytes, source: str, most: int = MOST_UNPACKED) -> bytes:
    """What a gzip file holds, all its members.

    Raises:
        InputError: if it is damaged, cut off, or unpacks to too much.
    """
    parts: list[bytes] = []
    size, left = 0, data
    try:
        while left:
            stream = zlib.decompressobj(31)
            while not stream.eof:
                part = stream.decompress(left, 1 << 24)
                left = stream.unconsumed_tail or stream.unused_data
                size += len(part)
                parts.append(part)
                if bomb(size, len(data), most):
                    raise refusal(source, size, len(data))
                if not part and not stream.eof and not stream.unconsumed_tail:
                    raise InputError(f"{source} is no whole gzip file: it is cut off")
            left = stream.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise InputError(f"{source} is no whole gzip file: {error}") from None
    return b"".join(parts)
