"""Files of a RUN folder: written whole or not at all."""

import os
from pathlib import Path

from pfungst.errors import InputError


def written(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a kill, meets the old content or the new, never a part."""
    partial = path.with_name(f".{path.name}.tmp")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def read_audit(folder: Path) -> bytes:
    """The bytes of ``audit.json`` in a RUN folder. Raises InputError if there is none."""
    try:
        return (folder / "audit.json").read_bytes()
    except OSError as error:
        raise InputError(
            f"there is no audit in {folder} ({error.strerror}); `pfungst audit MODEL DATA --out {folder}` writes one"
        ) from None
