"""Mirrored: a RUN in an object store, as a folder here that is kept equal with it while a command works there.

Whoever writes into the folder knows nothing of the store. As files appear there by rename, a round has only to look: it
puts what is new or changed, then the page that speaks of it, then the journal, and last deletes what is gone. So the
store, like the folder, holds a readable RUN at any moment.
"""

import json
import os
import shutil
import time
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, NamedTuple, Self

from pfungst.errors import InputError
from pfungst.report.files import written
from pfungst.runs.beside import Beside
from pfungst.runs.owned import ANSWERS, MARKS
from pfungst.runs.writers import WRITERS, Writer
from pfungst.stored import LANES, NotThere, Stored

LAST = ("audit.json", "events.jsonl")
"""What speaks of other files, and is put after them in this order."""

PAUSE = 1.0
"""Seconds between two looks at the folder, at least."""

BEAT = 30.0
"""Seconds between two signs of life."""


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
        InputError: if another audit is at work there, what lies there is no RUN, or the store refuses.
    """

    def __init__(self, address: str) -> None:
        self.address, self._store = address.rstrip("/"), Stored(address.rstrip("/"))
        self._home = self._store.workplace
        self.folder, self._memory = self._home / "run", self._home / "sent.json"
        self._writer = Writer(self.address)
        self._sent: dict[str, _State] = {}
        self._there: set[str] = set()
        self._look = PAUSE
        self._rounds = Beside(self._round, lambda: self._look)
        self._life = Beside(self._writer.live, lambda: BEAT)
        self._open, self._equal = ExitStack(), False

    def __enter__(self) -> Self:
        self._settled()
        with ExitStack() as opened:
            before = self._writer.begin()
            opened.callback(self._writer.rest)
            opened.callback(self._end)
            opened.enter_context(self._life)
            self._take_over(before)
            opened.push(self._last)
            opened.enter_context(self._rounds)
            self._open = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._open.__exit__(kind, error, trace)

    def check(self) -> None:
        """Raise what went wrong with the store meanwhile."""
        self._rounds.check()
        self._life.check()

    def _last(self, kind: type[BaseException] | None, *_: object) -> None:
        """Put what is left, unless the store fails; that is told only where nothing else went wrong before."""
        try:
            self.check()
            self._round()
            self._equal = True
        except InputError:
            if kind is None:
                raise

    def _end(self) -> None:
        """Let others in at once, if the store is known to take what is written."""
        if self._equal:
            self._writer.end()

    def _settled(self) -> None:
        """Refuse what by its names is no RUN before any of it is fetched; the rest is told by what the files hold."""
        there: set[str] = set()
        with suppress(NotThere):
            there = {PurePosixPath(name).parts[0] for name in Stored(self.address).changed if _counts(name)}
        if there and not there & {*MARKS, ANSWERS}:
            raise InputError(f"{self.address} exists and holds no audit; name a new or an empty folder with --out")

    def _take_over(self, before: list[str]) -> None:
        """Make the folder equal to the store, but for what this machine could not put when it wrote there last."""
        self._there = {name for name in self._store.changed if _counts(name)}
        remembered = self._remembered()
        if remembered.get("token") in before:
            self._sent = {name: _State(*state) for name, state in remembered["sent"].items() if name in self._there}
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        self._remember()
        self._writer.forget(before)
        with ThreadPoolExecutor(LANES) as lanes:
            list(lanes.map(self._fetch, (name for name in sorted(self._there) if not (self.folder / name).exists())))

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
        written(self._memory, json.dumps({"token": self._writer.token, "sent": self._sent}).encode())

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
        # First the state of what speaks of other files: then these are no older than it says.
        found = {}
        for name in reversed(LAST):
            with suppress(FileNotFoundError):
                found[name] = _state((self.folder / name).stat())
        for where, _, names in os.walk(self.folder):
            for name in names:
                path = Path(where) / name
                if _counts(name):
                    with suppress(FileNotFoundError):
                        found.setdefault(path.relative_to(self.folder).as_posix(), _state(path.stat()))
        return found


def _state(told: os.stat_result) -> _State:
    return _State(told.st_size, told.st_mtime_ns, told.st_ino)


def _counts(name: str) -> bool:
    """Whether a file is part of a RUN: no claim, and none that is being written."""
    way = PurePosixPath(name)
    return not way.name.startswith(".") and way.parts[0] != WRITERS


def _spared(gone: AbstractSet[str], kept: AbstractSet[str]) -> set[str]:
    """Names to delete; folders, with a last ``/``, stand for all that was in them where nothing of it is kept.

    >>> sorted(_spared({"a/.parts/1", "a/.parts/2", "a/old"}, {"a/new"}))
    ['a/.parts/', 'a/old']
    """
    full = {way for name in kept for way in PurePosixPath(name).parents} | {PurePosixPath(".")}
    empty = ([way for way in reversed(PurePosixPath(name).parents) if way not in full] for name in gone)
    return {f"{ways[0]}/" if ways else name for name, ways in zip(gone, empty, strict=True)}
