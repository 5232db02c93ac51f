"""Handout: work for workers that may die or hang; what nobody survives is cut down to the rows that kill."""

import time
from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any, Protocol

from pfungst.datasets.dataset import Dataset
from pfungst.engine.isolation import HOPELESS
from pfungst.engine.plan import Piece, Shard
from pfungst.engine.sweep import Swept, joined
from pfungst.errors import InputError
from pfungst.listening import Listener, silence
from pfungst.passes import Pass

Work = Sequence[Piece]

READY_SECONDS = 120.0
"""How long all workers together may be away before it is said that none comes."""

PAUSE = 0.5
"""Seconds before a worker that did not come to life is called again."""

HANGING = 60.0, 20.0, 3600.0
"""Work hangs after so many seconds, and so many times the median of its like; after the last where that is unknown."""


LIMIT = 3600.0
"""Seconds that one batch of one pass may take, wherever it is asked."""


class WorkerDied(Exception):  # noqa: N818 - named for what it says
    """A worker ended without an answer."""


class Crew(Protocol):
    """Workers, known by number. A ticket stands for an answer that is to come; a worker may have ``ahead`` of them.

    They are ``scattered`` where they may work on different machines.
    """

    workers: int
    ahead: int
    scattered: bool

    def start(self, worker: int) -> Hashable:
        """Bring a worker (back) to life; what the ticket gives is of no matter, it is there when the worker is."""
        ...

    def ask(self, worker: int, work: Work) -> Hashable:
        """Let a worker answer; it takes one work after the other, in this order."""
        ...

    def ready(self, tickets: Sequence[Hashable], seconds: float) -> Sequence[Hashable]:
        """The tickets that have come to an end, which is waited for so long."""
        ...

    def answer(self, ticket: Hashable) -> Any:
        """What was answered; raises what the worker raised, or WorkerDied."""
        ...

    def end(self, worker: int) -> None:
        """End a worker that hangs; its tickets then come to an end."""
        ...

    def close(self) -> None:
        """End all workers; they may be started again."""
        ...


@dataclass(frozen=True)
class Part:
    """The rows ``first`` to ``last`` of a shard's work: all of it until a worker died on it."""

    work: Work
    first: int
    last: int

    @property
    def shard(self) -> Shard:
        """The shard in which the rows lie."""
        return self.work[0].shard

    @property
    def like(self) -> frozenset[Pass]:
        """What is asked: a row of one such work takes as long as a row of another."""
        return frozenset(one.asked for one in self.work)

    @property
    def cut(self) -> Work:
        """The pieces that ask about these rows."""
        some = (replace(one, start=max(one.start, self.first), rows=min(one.rows, self.last)) for one in self.work)
        return [one for one in some if one.start < one.rows]

    def smaller(self, batch_size: int) -> "list[Part]":
        """Batches of a shard, rows of a batch; nothing is smaller than a row."""
        step = batch_size if self.last - self.first > batch_size else 1
        starts = range(self.first, self.last, step) if self.last - self.first > 1 else ()
        return [replace(self, first=at, last=min(at + step, self.last)) for at in starts]


@dataclass
class _Held:
    """A part in a worker's hands; ``began`` is when it became the worker's first."""

    part: Part
    ticket: Hashable
    began: float
    overdue: bool = False


@dataclass
class Handout:
    """Hands out the work of many shards and gives each shard's answers once, whoever died meanwhile.

    When a worker dies, the part it was on is asked again in batches, the batch that is died on row by row: three
    deaths name a row, which is lost with that reason. ``doomed`` are such rows (data set and position) of earlier
    rounds; they are not asked again.
    """

    crew: Crew
    data: Dataset
    batch_size: int
    listen: Listener = silence
    hanging: tuple[float, float, float] = HANGING
    limit: float = LIMIT
    doomed: dict[tuple[str, int], str] = field(default_factory=dict)
    waiting: deque[Part] = field(default_factory=deque)
    held: dict[int, deque[_Held]] = field(default_factory=dict)
    away: dict[int, Hashable] = field(default_factory=dict)
    found: dict[Shard, dict[int, Swept]] = field(default_factory=dict)
    open: dict[Shard, int] = field(default_factory=dict)
    took: dict[frozenset[Pass], deque[float]] = field(default_factory=dict)
    asked: int = 0
    lost: int = 0

    def map(self, work: Sequence[Work]) -> Iterator[Swept]:
        """Answer each item; the order of the answers is free.

        Raises:
            InputError: if no worker comes to life, or too many rows end their worker.
        """
        for one in work:
            yield from self._planned(Part(one, min(piece.start for piece in one), max(piece.rows for piece in one)))
        workers = range(min(self.crew.workers, len(work)))
        self.held = {worker: deque() for worker in workers}
        self.away = {worker: self.crew.start(worker) for worker in workers}
        alive = time.monotonic()
        while self.waiting or any(self.held.values()):
            self._hand_out()
            alive = time.monotonic() if len(self.away) < len(self.held) else alive
            if time.monotonic() - alive > READY_SECONDS:
                raise InputError(
                    f"none of {len(self.held)} workers was ready within {READY_SECONDS:.0f} s; the machines may be "
                    "busy with other work, or lack memory; what is finished is kept, and the same command goes on"
                )
            yield from self._collected()

    def _planned(self, whole: Part) -> Iterator[Swept]:
        """Let a shard wait to be asked, without the rows that are known to kill."""
        shard, at = whole.shard, whole.first
        self.open[shard] = whole.last - whole.first
        rows = shard.rows(self.data)[whole.first : whole.last] if self.doomed else ()
        for place, row in enumerate(rows, whole.first):
            if (why := self.doomed.get((shard.on, int(row)))) is not None:
                self.waiting.extend([replace(whole, first=at, last=place)] if at < place else [])
                at = place + 1
                yield from self._kept(replace(whole, first=place, last=at), Swept(shard, {}, {int(row): why}))
        self.waiting.extend([replace(whole, first=at)] if at < whole.last else [])

    def _hand_out(self) -> None:
        for depth in range(self.crew.ahead):
            for worker, held in self.held.items():
                # A second one in hand saves waiting, but not where a worker that is still loading would have none.
                idle = sum(not one for one in self.held.values()) if depth else 0
                if len(self.waiting) > idle and worker not in self.away and len(held) == depth:
                    part = self.waiting.popleft()
                    held.append(_Held(part, self.crew.ask(worker, part.cut), time.monotonic()))

    def _collected(self) -> Iterator[Swept]:
        """What came to an end within a second."""
        holders = {one.ticket: worker for worker, held in self.held.items() for one in held}
        ended = set(self.crew.ready([*self.away.values(), *holders], 1.0))
        for worker, ticket in list(self.away.items()):
            if ticket in ended:
                self._came(worker, ticket)
        for worker, held in self.held.items():
            while held and held[0].ticket in ended:
                one = held.popleft()
                try:
                    swept = self.crew.answer(one.ticket)
                except WorkerDied:
                    held.appendleft(one)
                    yield from self._died(worker)
                    break
                now = time.monotonic()
                took = self.took.setdefault(one.part.like, deque(maxlen=99))
                took.append((now - one.began) / (one.part.last - one.part.first))
                for following in held:
                    following.began = now
                yield from self._kept(one.part, swept)
            # The first in hand is what it died on, even where the death of the next one is told before.
            if any(one.ticket in ended for one in held):
                yield from self._died(worker)
            elif held and not held[0].overdue and time.monotonic() - held[0].began > self._patience(held[0].part):
                held[0].overdue = True
                self.crew.end(worker)

    def _came(self, worker: int, ticket: Hashable) -> None:
        try:
            self.crew.answer(ticket)
        except WorkerDied:
            time.sleep(PAUSE)
            self.away[worker] = self.crew.start(worker)
        else:
            del self.away[worker]

    def _patience(self, part: Part) -> float:
        """Seconds after which a part hangs."""
        least, times, unknown = self.hanging
        like = self.took.get(part.like)
        rows = part.last - part.first
        usual = max(least, times * median(like) * rows) if like else unknown
        return min(usual, self.limit * -(-rows // self.batch_size) * len(part.cut))

    def _died(self, worker: int) -> Iterator[Swept]:
        """Ask what the worker had in hand again: what it was on in smaller parts, the rest as it is."""
        blamed, *others = self.held[worker]
        self.held[worker].clear()
        self.away[worker] = self.crew.start(worker)
        self.waiting.extendleft(one.part for one in reversed(others))
        part, shard = blamed.part, blamed.part.shard
        how = "gave no answer in time" if blamed.overdue else "died"
        facts = {"worker": worker, "on": shard.on, "shard": shard.name, "rows": [part.first, part.last], "how": how}
        self.listen("worker-lost", facts)
        smaller = part.smaller(self.batch_size)
        self.waiting.extendleft(reversed(smaller))
        if not smaller:
            row = int(shard.rows(self.data)[part.first])
            name = self.data.on(shard.on).ids[row]
            why = self.doomed[shard.on, row] = f"three workers in turn {how} when asked about it"
            self.listen("quarantine", {"on": shard.on, "shard": shard.name, "row": name, "how": how, "why": why})
            self.lost += 1
            yield from self._kept(part, Swept(shard, {}, {row: why}))

    def _kept(self, part: Part, swept: Swept) -> Iterator[Swept]:
        """Put parts together; a shard is given when the last of its rows is there."""
        self.asked += part.last - part.first
        most, share = HOPELESS
        if self.lost >= most and self.lost >= share * self.asked:
            raise InputError(
                f"{self.lost} of the first {self.asked} rows ended the process that asked the model about them; it is "
                "the model, its package or the memory that fails, not a few rows: ask it about one row yourself first"
            )
        self.found.setdefault(part.shard, {})[part.first] = swept
        self.open[part.shard] -= part.last - part.first
        if not self.open[part.shard]:
            some = self.found.pop(part.shard)
            yield together([some[first] for first in sorted(some)])


def together(parts: Sequence[Swept]) -> Swept:
    """Answers of consecutive rows of one shard as one."""
    if len(parts) == 1:
        return parts[0]
    refused = {one: why for part in parts for one, why in part.refused.items()}
    asked = dict.fromkeys(one for part in parts for one in part.answers if one not in refused)
    return Swept(
        parts[0].shard,
        {one: joined([part.answers[one] for part in parts if one in part.answers]) for one in asked},
        {row: why for part in parts for row, why in part.lost.items()},
        {one: sum(part.seconds.get(one, 0.0) for part in parts) for part in parts for one in part.seconds},
        refused,
        frozenset(row for part in parts for row in part.failed),
        size=min((part.size for part in parts if part.size), default=0),
    )
