"""Runs: where a RUN is written and read, a folder of this machine or an address in an object store."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pfungst.errors import InputError
from pfungst.listening import Listener
from pfungst.runs.mirrored import Mirror
from pfungst.runs.owned import named, unlinked
from pfungst.stored import Stored, is_stored


@dataclass(frozen=True)
class Place:
    """The folder of this machine in which a command works (None: it writes nothing), and its mirror if it has one."""

    folder: Any
    mirror: Mirror | None = None

    def told(self, value: Any) -> Any:
        """Words that speak of the address instead of the folder; anything else as it is."""
        return value if self.mirror is None else _spelled(value, self.mirror.folder, self.mirror.address)

    def heard(self, listen: Listener) -> Listener:
        """A listener that raises what went wrong with the store, and is told of the address instead of the folder."""

        def told(event: str, facts: Mapping[str, Any]) -> None:
            if self.mirror is not None:
                self.mirror.check()
            listen(event, {name: self.told(value) for name, value in facts.items()})

        return told


@contextmanager
def working(out: str | Path | None) -> Iterator[Place]:
    """Where to write what is to stand in a folder or at an address; at the end the address holds it all.

    Raises:
        InputError: if another audit is at work at the address, the store refuses, the disk does not hold the folder, or
            a link stands for a file of the RUN in it.
    """
    if out is None:
        yield Place(None)
        return
    if not is_stored(out):
        folder = named(out)
        unlinked(folder)
        yield Place(folder)
        return
    mirror = Mirror(out)
    try:
        with _named(mirror.folder, mirror.address), mirror:
            yield Place(mirror.folder, mirror)
    except OSError as error:
        raise InputError(
            f"writing to {mirror.folder}, which stands here for {mirror.address}, failed ({error.strerror or error}); "
            "what is finished is kept: make room and give the same command"
        ) from None


@contextmanager
def reading(run: str | Path, *patterns: str) -> Iterator[Path]:
    """A RUN folder, or a copy here of those files of one in a store whose names match; of a single file the file.

    Raises:
        InputError: if there is nothing at the address, or the store refuses.
    """
    if not is_stored(run):
        yield Path(run)
        return
    store = Stored(run)
    if store.is_file:
        folder, names = Stored(store.at("..").address, deep=False), [store.name]
    else:
        folder, names = store, [name for name in store.names if any(fnmatchcase(name, one) for one in patterns)]
    copied = folder.copied(names)
    with _named(copied, folder.address):
        yield copied / store.name if store.is_file else copied


def glanced(run: str | Path, name: str) -> bytes:
    """One file of a RUN; nothing where there is none. Raises InputError if a store refuses."""
    if is_stored(run):
        found = Stored(run).read(name)
        return found if isinstance(found, bytes) else b""
    try:
        return (Path(run) / name).read_bytes()
    except OSError:
        return b""


@contextmanager
def _named(folder: Path, address: str) -> Iterator[None]:
    """Sentences speak of the address that the user gave, not of the folder that stands for it."""
    try:
        yield
    except InputError as error:
        error.args = (_spelled(str(error), folder, address),)
        raise


def _spelled(value: Any, folder: Path, address: str) -> Any:
    if not isinstance(value, str):
        return value
    below = re.compile(re.escape(str(folder)) + r"(?:/([\w./*-]*\w))?")
    return below.sub(lambda found: Stored(address).at(found[1]).address if found[1] else address, value)
