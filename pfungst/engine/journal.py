"""Journal: who works in a RUN folder, on what, and how far it came."""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from pfungst.errors import InputError
from pfungst.runs.claims import claim, holder, taken
from pfungst.runs.owned import LOCK, is_vacant, settled
from pfungst.runs.places import glanced

EVENTS = "events.jsonl"


class Journal:
    """One writer's claim on a RUN folder, and its ``events.jsonl``.

    ``explicit`` tells that the user named the folder; only then may another audit's results be replaced in it. With
    ``redact`` no event names a file, and names that stand there already are taken out.

    Raises:
        InputError: if the folder cannot be written, another audit is at work in it, or it holds another audit or no
            audit but other things.
    """

    def __init__(self, folder: Path, run_key: str, *, explicit: bool, redact: bool = False) -> None:
        self.folder, self.run_key, self.redact = folder, run_key, redact
        settled(folder)
        before = read_events(folder)
        started = [event for event in before if event["event"] == "started"]
        same = bool(started) and started[-1].get("run") == run_key
        if started and not same and not explicit:
            raise InputError(
                f"{folder} holds the audit of another model or other data ({started[-1].get('what', 'unknown')}); "
                f"name it with --out {folder} to replace it, or name another folder"
            )
        if not started and not explicit and not is_vacant(folder):
            raise InputError(
                f"{folder} holds an audit, and no journal says of what; name it with --out {folder} to replace it, or "
                "name another folder"
            )
        self._before = before
        self._file: TextIO | None = None
        begun = [at for at, event in enumerate(before) if event["event"] == "started" and event.get("run") == run_key]
        self._same = before[begun[0] :] if same else []
        self.finished = same and before[-1]["event"] == "finished"

    def __enter__(self) -> Self:
        try:
            self._made = not self.folder.exists()
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock()
        except OSError as error:
            raise InputError(f"{self.folder} cannot be written ({error.strerror}); name a folder with --out") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and self._file is not None:
            with suppress(OSError):  # a full disk is what may have stopped it
                self.write("interrupted" if issubclass(kind, KeyboardInterrupt) else "stopped", {"why": str(error)})
        if self._file is not None:
            self._file.close()
        self._lock_file.unlink(missing_ok=True)
        if self._made and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def told(self, event: str) -> list[dict[str, Any]]:
        """What earlier runs of the same audit wrote of one kind of event."""
        return [one for one in self._same if one["event"] == event]

    def write(self, event: str, facts: Mapping[str, Any]) -> None:
        """Append one event; it reaches the operating system at once. The file is opened by the first event."""
        if self._file is None:
            self._file = (self.folder / EVENTS).open("w" if self.redact else "a", encoding="utf-8")
            self._file.writelines(f"{json.dumps(_nameless(one))}\n" for one in (self._before if self.redact else ()))
        line = {"event": event, "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "clock": time.monotonic(), **facts}
        self._file.write(json.dumps(_nameless(line) if self.redact else line, ensure_ascii=True) + "\n")
        self._file.flush()

    @property
    def _lock_file(self) -> Path:
        return self.folder / LOCK

    def _lock(self) -> None:
        try:
            with self._lock_file.open("x") as file:
                file.write(claim())
        except FileExistsError:
            by = self._holder()
            if by is not None:
                raise taken(by, self.folder) from None
            self._lock_file.write_text(claim())

    def _holder(self) -> dict[str, Any] | None:
        """The live process behind the lock, or None if it is gone."""
        try:
            return holder(self._lock_file.read_bytes())
        except OSError:
            return None


def _nameless(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event without what may quote the name of a file."""
    return {name: value for name, value in event.items() if name not in {"what", "why", "report", "row", "between"}}


def read_events(run: str | Path) -> list[dict[str, Any]]:
    """The events in the journal of a RUN, on a disk or in a store; a line torn by a kill is dropped."""
    events = []
    for line in glanced(run, EVENTS).decode("utf-8", "replace").splitlines():
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict) and isinstance(event.get("event"), str):
            events.append(event)
    return events
