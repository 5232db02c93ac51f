"""Resident: how much memory the process of an audit holds, looked at while it is at work."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

STATUS = Path("/proc/self/status")
OFTEN = 0.05
"""Seconds between two looks; what is held for less may be missed."""

_NAMES = {"RssAnon": "anonymous_mb", "RssFile": "files_mb"}


@dataclass
class Resident:
    """The most that this process held: memory that the system must keep, and pages of files, which it may drop.

    ``most`` is in megabytes, ``anonymous_mb`` and ``files_mb``; empty where the system does not tell (Linux does).
    Workers are other processes.
    """

    most: dict[str, float] = field(default_factory=dict)
    ended: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def over(self) -> Iterator[Mapping[str, float]]:
        """Look while the body runs."""
        thread = threading.Thread(target=self._look, name="resident", daemon=True)
        thread.start()
        try:
            yield self.most
        finally:
            self.ended.set()
            thread.join()

    def _look(self) -> None:
        while not self.ended.wait(OFTEN):
            for name, size in now().items():
                self.most[name] = max(size, self.most.get(name, 0.0))


def now() -> dict[str, float]:
    """The same as it is held now."""
    lines = STATUS.read_text("ascii", "replace").splitlines() if STATUS.exists() else []
    sizes = dict(line.split(":", 1) for line in lines if ":" in line)
    return {said: round(int(sizes[name].split()[0]) * 1024 / 1e6, 1) for name, said in _NAMES.items() if name in sizes}
