"""Local executors: here, one shard after the other, or in a pool of processes that each hold the model."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Protocol

import cv2

from pfungst.engine.plan import Piece
from pfungst.engine.sweep import Sweep, Swept
from pfungst.errors import InputError

Work = Sequence[Piece]


class Executor(Protocol):
    """Whatever can answer the pieces of many shards; results come as they are ready."""

    def map(self, work: Sequence[Work]) -> Iterator[Swept]:
        """Answer each item; the order of the results is free."""
        ...


@dataclass(frozen=True)
class Inline:
    """One shard after the other in this process."""

    sweep: Sweep

    def map(self, work: Sequence[Work]) -> Iterator[Swept]:
        """Answer each item in turn."""
        yield from map(self.sweep, work)


@dataclass(frozen=True)
class Processes:
    """A pool of processes, each of which loads the model and opens the data for itself.

    ``prepare`` is called once in each worker and gives the Sweep. A dead worker breaks a pool: it is built anew and
    the unanswered shards are handed out again; after three deaths without one answered shard it gives up.
    """

    prepare: Callable[[], Sweep]
    workers: int

    def map(self, work: Sequence[Work]) -> Iterator[Swept]:
        """Answer each item, most recent pool permitting."""
        left = dict(enumerate(work))
        deaths = 0
        while left:
            before = len(left)
            try:
                for number, swept in self._one_pool(left):
                    del left[number]
                    yield swept
            except BrokenProcessPool:
                deaths = deaths + 1 if len(left) == before else 1
                if deaths == 3:
                    raise InputError(
                        f"three workers in a row died on the same {len(left)} shards without a message; the machine "
                        "may lack memory: try --workers 1 or a smaller --batch-size; what is finished is kept"
                    ) from None

    def _one_pool(self, left: dict[int, Work]) -> Iterator[tuple[int, Swept]]:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self.workers, context, _start_worker, (self.prepare,)) as pool:
            queue = iter(list(left.items()))
            flying: dict[Future[Swept], int] = {}
            while True:
                while len(flying) < 2 * self.workers and (item := next(queue, None)) is not None:
                    flying[pool.submit(_answer, item[1])] = item[0]
                if not flying:
                    return
                ready, _ = wait(flying, return_when=FIRST_COMPLETED)
                for future in ready:
                    yield flying.pop(future), future.result()


_SWEEP: list[Sweep] = []


def _start_worker(prepare: Callable[[], Sweep]) -> None:
    # One thread for each worker: more workers than cores times threads is the classic slowdown.
    cv2.setNumThreads(1)
    os.nice(1)
    _SWEEP[:] = [prepare()]


def _answer(work: Work) -> Swept:
    return _SWEEP[0](work)
