"""Progress: a live bar on a terminal, one plain line now and then elsewhere; always on standard error."""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from pfungst.listening import Listener
from pfungst.report.markup import clean

EVERY_SECONDS = 30.0


@contextmanager
def heard(*, quiet: bool) -> Iterator[Listener]:
    """A listener for the events of an audit; it ends the process where the model hangs and nothing else helps."""
    console = Console(stderr=True)
    if quiet:
        yield _ending
    elif console.is_terminal:
        columns = (
            TextColumn("asking the model"),
            BarColumn(),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f} rows"),
        )
        with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
            yield _Live(progress, progress.add_task("rows", total=0))
    else:
        yield _Plain(console)


def _ending(event: str, facts: Mapping[str, Any]) -> None:
    """End the process, whose main thread does not come back, with the exit code of what cannot be done."""
    if event == "stuck":
        print(f"pfungst: {clean(facts['why'])}", file=sys.stderr, flush=True)
        os._exit(2)


def trouble(event: str, facts: Mapping[str, Any]) -> str:
    """A word about a worker or a row that was lost, or memory that ran out; empty for what else happens."""
    if event == "memory":
        return f"memory did not hold a whole batch; the model is shown {facts['rows']} rows at once from now on"
    if event == "quarantine":
        return clean(f"row {facts['row']} is left out: {facts['why']}")
    if event == "worker-lost":
        first, last = facts["rows"]
        return f"a worker {facts['how']} on {last - first} rows of {facts['on']}; they are asked again"
    return ""


def preliminary(facts: Mapping[str, Any]) -> str:
    """A word about an answer that stands and will be refined."""
    return f"{facts['report']} holds a first answer from {facts['rows']:,} rows; it is refined until the budget ends"


@dataclass
class _Live:
    progress: Progress
    bar: TaskID
    total: int = 0

    def __call__(self, event: str, facts: Mapping[str, Any]) -> None:
        _ending(event, facts)
        if event == "round":
            self.total += facts["row_passes"]
            self.progress.update(self.bar, total=self.total)
        elif event == "shard":
            self.progress.update(self.bar, advance=facts["row_passes"])
        words = preliminary(facts) if event == "judged" and not facts["complete"] else trouble(event, facts)
        if words:
            self.progress.console.print(words, markup=False, highlight=False, soft_wrap=True)


@dataclass
class _Plain:
    console: Console
    done: int = 0
    total: int = 0
    began: float = field(default_factory=time.monotonic)
    said: float = field(default_factory=time.monotonic)

    def __call__(self, event: str, facts: Mapping[str, Any]) -> None:
        _ending(event, facts)
        if event == "round" and facts["row_passes"]:
            self.total += facts["row_passes"]
            self._say(f"asking the model about {facts['row_passes']:,} rows, all conditions together")
        elif event == "shard":
            self.done += facts["row_passes"]
            if time.monotonic() - self.said >= EVERY_SECONDS:
                rate = self.done / (time.monotonic() - self.began)
                left = (self.total - self.done) / max(rate, 1e-9)
                self._say(f"{self.done:,} of {self.total:,} rows, about {left:.0f} s left")
        words = preliminary(facts) if event == "judged" and not facts["complete"] else trouble(event, facts)
        if words:
            self._say(words)

    def _say(self, words: str) -> None:
        self.said = time.monotonic()
        self.console.print(f"pfungst: {words}", markup=False, highlight=False)
