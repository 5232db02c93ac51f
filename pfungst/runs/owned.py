"""Owned: what in a folder is a RUN's own. Whatever else lies there is somebody's: neither replaced nor deleted."""

import json
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pfungst.errors import InputError
from pfungst.stored import is_stored

LOCK = ".lock"
ANSWERS = "answers"
MARKS = {
    "events.jsonl": rb'^\{"event": "started", "time": "[^"]*", "clock": ',
    "audit.json": rb'"schema": ?"pfungst/audit/',
    "compare.json": rb'"schema": ?"pfungst/compare/',
    "windows.json": rb'\A\{"size":\d+,"against":"[0-9a-f]+","windows":\[',
}
"""Files that tell a RUN, and what only pfungst writes into them."""
OWN = frozenset({
    *MARKS, ANSWERS, LOCK, "report.html", "compare.html", "thumbnails.zip", "rows.parquet", "junit.xml",
    "findings.sarif", "summary.md", "model-card.md", "remedy.json",
})  # fmt: skip
"""Names of what pfungst writes into a RUN."""


def named(out: str | Path) -> Path:
    """The folder of this machine that a user named. Raises InputError if it is named by nothing, as unset variables do.

    >>> named("")
    Traceback (most recent call last):
    pfungst.errors.InputError: the folder of results has an empty name; give one with --out, or leave --out away
    """
    if not str(out):
        raise InputError("the folder of results has an empty name; give one with --out, or leave --out away")
    return Path(out)


def settled(folder: Path) -> None:
    """Refuse a folder that holds something and no RUN.

    Raises:
        InputError: if it does; nothing in it would be pfungst's to replace.
    """
    if not (is_vacant(folder) or is_run(folder)):
        raise InputError(f"{folder} exists and holds no audit; name a new or an empty folder with --out")


def is_vacant(folder: Path) -> bool:
    """Whether nothing is in a folder, or nothing but the lock of an audit that was killed before its first answer."""
    if not folder.is_dir():
        return True
    names = {one.name for one in folder.iterdir()}
    return not names or (names == {LOCK} and _is_claim(folder / LOCK))


def is_run(folder: Path) -> bool:
    """Whether pfungst worked in a folder.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "audit.json").write_text('{"mine": 1}')
    ...     is_run(Path(folder))
    False
    """
    return any(_marked(folder / name, mark) for name, mark in MARKS.items()) or _answered(folder)


def unlinked(folder: Path) -> None:
    """Refuse a RUN in which a link stands for one of its own files or folders: what it leads to is another's.

    Raises:
        InputError: if there is one. That the folder itself is reached over a link does no harm.
    """
    if not folder.is_dir():
        return
    here = (one for one in folder.iterdir() if _is_own(one.name))
    below = (Path(where) / name for where, *names in os.walk(folder / ANSWERS) for name in (*names[0], *names[1]))
    for found in (*here, *below):
        if found.is_symlink():
            raise InputError(
                f"{found} is a link, through which another's files would be written; remove it, or name another "
                "folder with --out"
            )


def apart(out: Any, sources: Iterable[Any]) -> None:
    """Refuse a folder of results that is, or holds, what is read.

    Raises:
        InputError: if it is or does.

    >>> apart("s3://bucket/run", ["s3://bucket/run/rows.npz?region=eu-1"])
    Traceback (most recent call last):
    pfungst.errors.InputError: --out s3://bucket/run holds s3://bucket/run/rows.npz?region=eu-1, which is read; name ...
    """
    if out is None:
        return
    place = _way(out if is_stored(out) else str(named(out)))
    for source in sources:
        if not isinstance(source, str | os.PathLike) or "\0" in str(source):
            continue
        way = _way(_file(os.fspath(source)))
        if place == way or place in way.parents:
            said = "is" if place == way else "holds"
            raise InputError(f"--out {out} {said} {source}, which is read; name another with --out")


def _file(source: str) -> str:
    """The file of a factory ``file.py:name``, as of any other source."""
    # Not Path.exists, which raises where a name is longer than a file's can be.
    return source if is_stored(source) or os.path.exists(source) else source.partition(":")[0]  # noqa: PTH110


def _way(place: str) -> PurePath:
    return PurePosixPath(place.partition("?")[0]) if is_stored(place) else Path(place).resolve()


def _is_own(name: str) -> bool:
    """Whether a name is a RUN's, or that of one of its files while it is written."""
    return name in OWN or any(name.startswith(f".{own}.") for own in OWN)


def _is_claim(file: Path) -> bool:
    with suppress(OSError, ValueError, RecursionError):
        words = file.read_bytes()
        said = json.loads(words) if words else {"host": "", "pid": 0}
        return isinstance(said, dict) and said.keys() == {"host", "pid"}
    return False


def _marked(file: Path, mark: bytes) -> bool:
    with suppress(OSError):
        return re.search(mark, file.read_bytes(), re.MULTILINE) is not None
    return False


def _answered(folder: Path) -> bool:
    """Whether there is nothing but what a RUN has, pfungst's answers in it: all that a store may have when it ends."""
    if not folder.is_dir() or not all(_is_own(one.name) for one in folder.iterdir()):
        return False
    return any(_has_answers(file) for file in (folder / ANSWERS).glob("**/*.parquet"))


def _has_answers(file: Path) -> bool:
    with suppress(OSError, pa.ArrowException):
        return b"pfungst" in (pq.read_schema(file).metadata or {})
    return False
