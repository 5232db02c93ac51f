"""Local executors: here, one shard after the other, or in processes that each hold the model."""

import multiprocessing
import os
import pickle
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

import cv2

from pfungst.datasets.dataset import Dataset
from pfungst.engine.crosscheck import Crosscheck, collected, same_rows
from pfungst.engine.handout import HANGING, LIMIT, Crew, Handout, Work, WorkerDied
from pfungst.engine.sweep import Sweep, Swept
from pfungst.engine.watch import Watch
from pfungst.listening import Listener, silence


class Executor(Protocol):
    """Whatever can answer the pieces of many shards; results come as they are ready."""

    def map(self, work: Sequence[Work], listen: Listener = silence) -> Iterator[Swept]:
        """Answer each item; the order of the results is free. ``listen`` hears of workers and rows that were lost."""
        ...

    def close(self) -> None:
        """End what holds the model."""
        ...


@dataclass(frozen=True)
class Inline:
    """One shard after the other in this process; a batch of one pass that takes longer than ``limit`` s is given up."""

    sweep: Sweep
    limit: float = LIMIT

    def map(self, work: Sequence[Work], listen: Listener = silence) -> Iterator[Swept]:
        """Answer each item in turn. ``listen`` hears ``stuck`` where the model hangs and cannot be interrupted.

        Raises:
            InputError: if the model hangs.
        """
        for one in work:
            watch = Watch(self.limit, listen)
            with watch.over():
                swept = replace(self.sweep, beat=watch.beat)(one)
            yield swept

    def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True)
class Shared:
    """Workers, each of which loads the model and opens the data for itself and keeps both from round to round.

    A worker that dies or hangs is replaced, and the rows that end workers are lost.
    """

    crew: Crew
    data: Dataset
    batch_size: int = 64
    hanging: tuple[float, float, float] = HANGING
    limit: float = LIMIT
    doomed: dict[tuple[str, int], str] = field(default_factory=dict)
    crosscheck: Crosscheck = field(default_factory=Crosscheck)

    def map(self, work: Sequence[Work], listen: Listener = silence) -> Iterator[Swept]:
        """Answer each item."""
        try:
            handout = Handout(self.crew, self.data, self.batch_size, listen, self.hanging, self.limit, self.doomed)
            yield from handout.map(work)
            if self.crew.scattered:
                self._compare([worker for worker in handout.held if worker not in handout.away], listen)
        except BaseException:
            # What is still in their hands is of no use any more.
            self.close()
            raise

    def _compare(self, workers: Sequence[int], listen: Listener) -> None:
        """Ask those who were not yet about the same rows, and tell how far their answers lie apart."""
        new = [worker for worker in workers if worker not in self.crosscheck.seen]
        work = same_rows(self.data, self.doomed)
        if not (new and work):
            return
        tickets = {self.crew.ask(worker, work): worker for worker in new}
        self.crosscheck.compare(collected(tickets, self.crew.ready, self.crew.answer, WorkerDied))
        if len(seen := self.crosscheck.seen) > 1:
            facts = {"workers": len(seen), "rows": work[0].rows, "apart": self.crosscheck.apart}
            listen("crosscheck", {**facts, "between": list(self.crosscheck.between)})

    def close(self) -> None:
        """End the workers."""
        self.crew.close()


@dataclass
class Processes:
    """Processes of this machine and the pipes to them; the ticket of an answer is the number of its process.

    ``prepare`` is called once in each process and gives the Sweep. ``called`` are those whose greeting is unread.
    """

    prepare: Callable[[], Sweep]
    workers: int
    # A worker takes work only when it has sent its answer: two ends that both write to full pipes would wait for ever.
    ahead: int = 1
    scattered: bool = False
    processes: dict[int, BaseProcess] = field(default_factory=dict)
    pipes: dict[int, Connection] = field(default_factory=dict)
    called: set[int] = field(default_factory=set)

    def start(self, worker: int) -> int:
        """Start a process, or greet the one that is there."""
        if worker not in self.processes or not self.processes[worker].is_alive():
            # Spawned, never forked: threads and accelerators do not survive a fork.
            context = multiprocessing.get_context("spawn")
            self.pipes[worker], theirs = context.Pipe()
            self.processes[worker] = context.Process(target=_serve, args=(self.prepare, theirs), daemon=True)
            self.processes[worker].start()
            theirs.close()
        elif worker not in self.called:
            self.ask(worker, ())
        self.called.add(worker)
        return worker

    def ask(self, worker: int, work: Work) -> int:
        """Send work to an idle process."""
        # Where it died while idle, reading from the pipe will tell.
        with suppress(OSError):
            self.pipes[worker].send(work)
        return worker

    def ready(self, tickets: Sequence[Any], seconds: float) -> Sequence[Any]:
        """Those in whose pipe something stands, or who are gone."""
        workers = {self.pipes[worker]: worker for worker in tickets}
        return [workers[pipe] for pipe in wait(workers, seconds)]  # type: ignore[index]

    def answer(self, ticket: Any) -> Any:
        """Read an answer."""
        self.called.discard(ticket)
        try:
            answered = pickle.loads(self.pipes[ticket].recv_bytes())  # noqa: S301 - written by our own process
        except (EOFError, OSError):
            self.end(ticket)
            raise WorkerDied from None
        if isinstance(answered, Exception):
            raise answered
        return answered

    def end(self, worker: int) -> None:
        """Kill a process; the pipe then reads as ended."""
        self.processes[worker].kill()
        self.processes[worker].join()

    def close(self) -> None:
        """Kill all processes."""
        for worker in self.processes:
            self.end(worker)
            self.pipes[worker].close()
        self.processes.clear()
        self.called.clear()


def _serve(prepare: Callable[[], Sweep], pipe: Connection) -> None:
    """Answer until the other end is closed; first of all say that the model is loaded. Empty work is a greeting."""
    # One thread for each worker: more workers than cores times threads is the classic slowdown.
    cv2.setNumThreads(1)
    os.nice(1)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    try:
        sweep = prepare()
        pipe.send(None)
        while True:
            work = pipe.recv()
            pipe.send(sweep(work) if work else None)
    except (EOFError, OSError, KeyboardInterrupt):
        return
    except Exception as error:  # noqa: BLE001 - it is raised again where it can be told
        pipe.send_bytes(_packed(error))


def _end_with_parent() -> None:
    """End this process when its parent is gone: one that waits for a model would never read so from its pipe."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "workers are started by another process"
    parent.join()
    os._exit(1)


def _packed(error: Exception) -> bytes:
    try:
        packed = pickle.dumps(error)
        pickle.loads(packed)  # noqa: S301 - an exception may be written and yet not be read
    except Exception:  # noqa: BLE001 - whatever is wrong with it, its words can be carried
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return packed
