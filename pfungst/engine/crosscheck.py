"""Cross-check: workers on several machines are asked about the same rows, and their answers compared."""

import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pfungst.datasets.dataset import Dataset, Half
from pfungst.engine.plan import Piece, Shard
from pfungst.engine.sweep import Swept
from pfungst.outputs import Outputs
from pfungst.passes import Predict

ROWS = 64
"""Rows of which every worker is asked: one batch."""

SECONDS = 120.0
"""How long the answers are waited for; a worker that is later is not compared."""


@dataclass
class Crosscheck:
    """What the first worker answered to the first rows, who was compared to it, and how far the furthest lies apart."""

    first: Swept | None = None
    seen: set[int] = field(default_factory=set)
    apart: float = 0.0
    between: tuple[str, str] = ("", "")

    def compare(self, answered: Iterable[tuple[int, Swept]]) -> None:
        """Take the answers of workers to the same work; the largest difference of a stated probability counts."""
        for worker, swept in answered:
            self.seen.add(worker)
            if self.first is None:
                self.first = swept
            elif (apart := _apart(self.first, swept)) > self.apart:
                self.apart, self.between = apart, (self.first.where, swept.where)


def same_rows(data: Dataset, doomed: Iterable[tuple[str, int]]) -> list[Piece]:
    """The work that every worker is given: the first rows, up to one that is known to kill."""
    half: Half = "discovery" if data.extent()["discovery"] else "confirmation"
    shard = Shard(data.name, 0, half)
    rows = shard.rows(data)[: min(ROWS, data.extent()[half])]
    bad = np.flatnonzero(np.isin(rows, [row for on, row in doomed if on == data.name]))
    count = int(bad[0]) if len(bad) else len(rows)
    return [Piece(Predict(), shard, count)] if count else []


def collected(
    tickets: dict[Hashable, int],
    ready: Callable[[Sequence[Hashable], float], Sequence[Hashable]],
    answer: Callable[[Hashable], Any],
    gone: type[Exception],
) -> list[tuple[int, Swept]]:
    """The answers of those who give one in time, in the order of the workers."""
    found: list[tuple[int, Swept]] = []
    ends = time.monotonic() + SECONDS
    while tickets and time.monotonic() < ends:
        for ticket in ready(list(tickets), 1.0):
            worker = tickets.pop(ticket)
            try:
                found.append((worker, answer(ticket)))
            except gone:
                continue
    return sorted(found, key=lambda one: one[0])


def _apart(one: Swept, other: Swept) -> float:
    mine, theirs = one.answers.get(Predict()), other.answers.get(Predict())
    if not (isinstance(mine, Outputs) and isinstance(theirs, Outputs)) or mine.rows is None or theirs.rows is None:
        return 0.0
    _, left, right = np.intersect1d(mine.rows, theirs.rows, return_indices=True)
    if not len(left) or not (mine.complete and theirs.complete):
        return 0.0
    gap = mine.take(left).probabilities - theirs.take(right).probabilities
    return float(np.abs(gap).max())
