"""Mirrored: a RUN in an object store, as a folder here that is kept equal with it while a command works there.

Whoever writes into the folder knows nothing of the store. As files appear there by rename, a round has only to look: it
puts what is new or changed, then the page that speaks of it, then the journal, and last deletes what is gone. So the
store, like the folder, holds a readable RUN at any moment.
"""

import json
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, NamedTuple, Self

from pfungst.claims import claim, holder, taken
from pfungst.errors import InputError
from pfungst.report.files import written
from pfungst.stored import LANES, Stored, is_stored

WRITERS = ".writers"
"""The folder in the store where whoever works there says so."""

LAST = ("audit.json", "events.jsonl")
"""What speaks of other files, and is put after them in this order."""

PAUSE = 1.0
"""Seconds between two looks at the folder, at least."""

BEAT = 30.0
"""Seconds between two signs of life."""

STALE = 120 * 10**9
"""Nanoseconds after the last sign of life at which a writer counts as dead, by the store's clock."""

WORKING: set[str] = set()
"""Claims that this process holds."""

Listener = Callable[[str, Mapping[str, Any]], None]


class _State(NamedTuple):
    """What tells one content of a file from the next."""

    size: int
    changed: int
    inode: int


class Mirror:
    """The folder, and which of its files the store has.

    What was put is remembered beside the folder. It holds while nobody else has written into the store since; if
    somebody has, the folder is fetched anew.

    Raises:
        InputError: if another audit is at work there, or the store refuses.
    """

    def __init__(self, address: str) -> None:
        self.address, self._store = address.rstrip("/"), Stored(address.rstrip("/"))
        self._home = self._store.workplace
        self.folder, self._memory = self._home / "run", self._home / "sent.json"
        self._token = secrets.token_hex(8)
        self._sent: dict[str, _State] = {}
        self._there: set[str] = set()
        self._failed: Exception | None = None
        self._over = threading.Event()
        self._look = PAUSE
        self._threads = [
            threading.Thread(target=self._repeat, args=each, daemon=True)
            for each in ((self._round, lambda: self._look), (self._beat, lambda: BEAT))
        ]

    def __enter__(self) -> Self:
        self._writers.write(self._token, claim().encode())
        try:
            others = self._others()
        except BaseException:
            self._writers.remove(self._token)
            raise
        self._take_over(others)
        WORKING.add(self._token)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        WORKING.discard(self._token)
        if self._failed is None:
            try:
                self._round()
                # The claim stays, as one that nobody holds: it tells who wrote last.
                self._writers.write(self._token, b"{}")
            except InputError as failed:
                self._failed = failed
        if kind is None:
            self.check()

    def check(self) -> None:
        """Raise what went wrong with the store meanwhile."""
        if self._failed is not None:
            raise self._failed

    @property
    def _writers(self) -> Stored:
        return self._store.at(WRITERS)

    def _others(self) -> list[str]:
        """Earlier claims. As each writer claims first and looks then, of two that come at once one sees the other."""
        times = self._writers.changed
        others = [name for name in times if name != self._token]
        for name in others:
            said = self._writers.read(name) if max(times.values()) - times[name] < STALE else b""
            by = holder(said) if isinstance(said, bytes) else None
            # Where the store refused even the end of a claim, whoever made it may be this process.
            if by is not None and (by.items() != json.loads(claim()).items() or name in WORKING):
                raise taken(by, self.address)
        return others

    def _take_over(self, others: Sequence[str]) -> None:
        stored = [name for name in self._store.changed if _counts(name)]
        remembered = self._remembered()
        if remembered.get("token") in others:
            self._sent = {name: _State(*state) for name, state in remembered["sent"].items() if name in set(stored)}
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        self._remember()
        for name in others:
            self._writers.remove(name)
        self._there = set(stored)
        with ThreadPoolExecutor(LANES) as lanes:
            list(lanes.map(self._fetch, (name for name in stored if not (self.folder / name).exists())))

    def _fetch(self, name: str) -> None:
        path = self.folder / name
        partial = path.with_name(f".{path.name}.tmp")
        self._store.copy(name, partial)
        partial.replace(path)
        self._sent[name] = _state(path.stat())

    def _remembered(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._memory.read_bytes())
        except (OSError, ValueError):
            return {}
        return found

    def _remember(self) -> None:
        self._home.mkdir(parents=True, exist_ok=True)
        written(self._memory, json.dumps({"token": self._token, "sent": self._sent}).encode())

    def _repeat(self, what: Callable[[], None], pause: Callable[[], float]) -> None:
        try:
            while not self._over.wait(pause()):
                what()
        except Exception as error:  # noqa: BLE001 - whatever it is, the command ends with it
            self._failed = error

    def _beat(self) -> None:
        writers = self._writers
        if self._token not in writers.changed:
            raise InputError(f"another audit took {self.address} over, as this one had shown no sign of life for long")
        writers.write(self._token, claim().encode())

    def _round(self) -> None:
        """Make the store equal to the folder."""
        # What a file replaces is deleted after it was written: whoever saw the first gone sees the second now.
        started = time.monotonic()
        before, now = self._here(), self._here()
        self._look = max(PAUSE, 10 * (time.monotonic() - started))
        new = [name for name, state in now.items() if self._sent.get(name) != state]
        with ThreadPoolExecutor(LANES) as lanes:
            list(lanes.map(self._put, ((name, now[name]) for name in new if name not in LAST)))
        for name in LAST:
            if name in new:
                self._put((name, now[name]))
        gone = self._there - before.keys() - now.keys()
        for name in _spared(gone, before.keys() | now.keys()):
            self._store.remove(name)
        self._there -= gone
        if new or gone:
            self._sent = {name: state for name, state in self._sent.items() if name in self._there}
            self._remember()

    def _put(self, one: tuple[str, _State]) -> None:
        """Put a file as it was when it was seen; one that was replaced or deleted since is the next round's."""
        name, state = one
        with suppress(FileNotFoundError), (self.folder / name).open("rb") as file:
            if os.fstat(file.fileno()).st_ino == state.inode:
                self._store.send(name, file, state.size)
                self._there.add(name)
                self._sent[name] = state

    def _here(self) -> dict[str, _State]:
        found = {}
        for where, _, names in os.walk(self.folder):
            for name in names:
                path = Path(where) / name
                if _counts(name):
                    with suppress(FileNotFoundError):
                        found[path.relative_to(self.folder).as_posix()] = _state(path.stat())
        return found


def _state(told: os.stat_result) -> _State:
    return _State(told.st_size, told.st_mtime_ns, told.st_ino)


def _counts(name: str) -> bool:
    """Whether a file is part of a RUN: no claim, and none that is being written."""
    way = PurePosixPath(name)
    return not way.name.startswith(".") and way.parts[0] != WRITERS


def _spared(gone: Sequence[str] | set[str], kept: Sequence[str] | set[str]) -> set[str]:
    """Names to delete; folders, with a last ``/``, stand for all that was in them where nothing of it is kept.

    >>> sorted(_spared({"a/.parts/1", "a/.parts/2", "a/old"}, {"a/new"}))
    ['a/.parts/', 'a/old']
    """
    full = {way for name in kept for way in PurePosixPath(name).parents} | {PurePosixPath(".")}
    empty = ([way for way in reversed(PurePosixPath(name).parents) if way not in full] for name in gone)
    return {f"{ways[0]}/" if ways else name for name, ways in zip(gone, empty, strict=True)}


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
        InputError: if another audit is at work at the address, the store refuses, or the disk does not hold the folder.
    """
    if out is None or not is_stored(out):
        yield Place(None if out is None else Path(out))
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
