"""Local executors: here, one shard after the other, or in processes that each hold the model."""

import multiprocessing
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

import cv2

from pfungst.datasets.dataset import Dataset
from pfungst.engine.handout import HANGING, Handout, Listener, Work, WorkerDied, silence
from pfungst.engine.sweep import Sweep, Swept


class Executor(Protocol):
    """Whatever can answer the pieces of many shards; results come as they are ready."""

    def map(self, work: Sequence[Work], listen: Listener = silence) -> Iterator[Swept]:
        """Answer each item; the order of the results is free. ``listen`` hears of workers and rows that were lost."""
        ...


@dataclass(frozen=True)
class Inline:
    """One shard after the other in this process."""

    sweep: Sweep

    def map(self, work: Sequence[Work], listen: Listener = silence) -> Iterator[Swept]:
        """Answer each item in turn."""
        del listen
        yield from map(self.sweep, work)


@dataclass(frozen=True)
class Processes:
    """Processes, each of which loads the model and opens the data for itself.

    ``prepare`` is called once in each worker and gives the Sweep. A worker that dies or hangs is replaced, and the rows
    that end workers are lost.
    """

    prepare: Callable[[], Sweep]
    workers: int
    data: Dataset
    batch_size: int = 64
    hanging: tuple[float, float, float] = HANGING

    def map(self, work: Sequence[Work], listen: Listener = silence) -> Iterator[Swept]:
        """Answer each item."""
        crew = _Pipes(self.prepare, self.workers)
        try:
            yield from Handout(crew, self.data, self.batch_size, listen, self.hanging).map(work)
        finally:
            for worker in list(crew.processes):
                crew.end(worker)


@dataclass
class _Pipes:
    """Processes and the pipes to them. The ticket of an answer is the pipe through which it will come."""

    prepare: Callable[[], Sweep]
    workers: int
    # A worker takes work only when it has sent its answer: two ends that both write to full pipes would wait for ever.
    ahead: int = 1
    processes: dict[int, BaseProcess] = field(default_factory=dict)
    pipes: dict[int, Connection] = field(default_factory=dict)

    def start(self, worker: int) -> Connection:
        if worker in self.processes:
            self.end(worker)
            self.pipes.pop(worker).close()
        # Spawned, never forked: threads and accelerators do not survive a fork.
        context = multiprocessing.get_context("spawn")
        self.pipes[worker], theirs = context.Pipe()
        self.processes[worker] = context.Process(target=_serve, args=(self.prepare, theirs), daemon=True)
        self.processes[worker].start()
        theirs.close()
        return self.pipes[worker]

    def ask(self, worker: int, work: Work) -> Connection:
        pipe = self.pipes[worker]
        # Where it died while idle, reading from the pipe will tell.
        with suppress(OSError):
            pipe.send(work)
        return pipe

    def ready(self, tickets: Sequence[Any], seconds: float) -> Sequence[Any]:
        return wait(tickets, seconds)

    def answer(self, ticket: Any) -> Any:
        try:
            answered = pickle.loads(ticket.recv_bytes())  # noqa: S301 - written by our own process
        except (EOFError, OSError):
            raise WorkerDied from None
        if isinstance(answered, Exception):
            raise answered
        return answered

    def end(self, worker: int) -> None:
        self.processes[worker].kill()
        self.processes[worker].join()


def _serve(prepare: Callable[[], Sweep], pipe: Connection) -> None:
    """Answer until the other end is closed; first of all say that the model is loaded."""
    # One thread for each worker: more workers than cores times threads is the classic slowdown.
    cv2.setNumThreads(1)
    os.nice(1)
    try:
        sweep = prepare()
        pipe.send(None)
        while True:
            work = pipe.recv()
            pipe.send(sweep(work))
    except (EOFError, KeyboardInterrupt):
        return
    except Exception as error:  # noqa: BLE001 - it is raised again where it can be told
        pipe.send_bytes(_packed(error))


def _packed(error: Exception) -> bytes:
    try:
        packed = pickle.dumps(error)
        pickle.loads(packed)  # noqa: S301 - an exception may be written and yet not be read
    except Exception:  # noqa: BLE001 - whatever is wrong with it, its words can be carried
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return packed
