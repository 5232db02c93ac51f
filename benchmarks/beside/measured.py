"""What is measured: rows of ratios over pairs in turn, and curves."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from beside.peer import Package, Peer, PeerError
from pfungst.arrays import Array

SHORTEST = 0.05
"""Processor seconds that a turn takes at least: shorter work is done several times."""

LONGEST = 20.0
"""Processor seconds of one turn above which there are no more than three."""

Work = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One task beside one package: the median over pairs of their time over ours, and its quartiles.

    ``check`` says what both answered, ``equal`` whether that is the same work; ``why`` is said where ours is slower,
    ``refusal`` where the package could not be asked, ``note`` what there is to know of the package.
    """

    benchmark: str
    task: str
    on: str
    peer: str
    version: str
    licence: str
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    pairs: int = 0
    equal: bool = False
    check: str = ""
    why: str = ""
    refusal: str = ""
    note: str = ""


@dataclass(frozen=True)
class Curve:
    """How a cost grows: ``ratio`` is the cost at each point over the cost at the first."""

    benchmark: str
    what: str
    over: str
    points: list[str]
    ratio: list[float]
    note: str = ""


@dataclass(frozen=True)
class Plan:
    """How much is measured: all of it, or little of it quickly."""

    quick: bool = False

    @property
    def pairs(self) -> int:
        """Turns of ours and theirs."""
        return 5 if self.quick else 9

    def rows(self, full: int, few: int) -> int:
        """How many rows where that is a choice."""
        return few if self.quick else full


@dataclass(frozen=True)
class Task:
    """One kind of work: ours, theirs by name with arrays and settings, and a comparison of the answers.

    ``ours`` answers with an array; ``same`` is given ours and theirs and says in words what it found and whether the
    work was equal. ``share`` is the part of our work that theirs does: rates are scaled by it.
    """

    name: str
    on: str
    ours: Callable[[], Array]
    theirs: str
    arrays: dict[str, Array]
    same: Callable[[Array, dict[str, Array]], tuple[bool, str]]
    settings: dict[str, object] = field(default_factory=dict)
    why: str = ""
    share: float = 1.0


def seconds(work: Work, times: int = 1) -> float:
    """Processor seconds of this process."""
    began = time.process_time()
    for _ in range(times):
        work()
    return time.process_time() - began


@contextmanager
def running(package: Package) -> Iterator[Peer | str]:
    """A package in its process, or why not."""
    try:
        peer = Peer.started(package)
    except PeerError as error:
        yield str(error)
        return
    try:
        yield peer
    finally:
        peer.close()


def compared(benchmark: str, package: Package, peer: Peer | str, tasks: Iterator[Task], plan: Plan) -> Iterator[Row]:
    """A row for each task; where a package cannot be asked, one that says so."""
    version, licence = package.stated
    for task in tasks:
        bare = Row(benchmark, task.name, task.on, package.name, version, licence, note=package.note)
        if isinstance(peer, str):
            yield _but(bare, refusal=peer)
            return
        try:
            found = timed(peer, task, plan)
        except PeerError as error:
            yield _but(bare, refusal=str(error))
            continue
        yield _but(bare, **found)


def timed(peer: Peer, task: Task, plan: Plan) -> dict[str, object]:
    """Both do it once, answers are compared, then they take turns; who begins changes from turn to turn."""
    answer = task.ours()
    theirs = peer.prepare(task.theirs, task.arrays, **task.settings)
    equal, check = task.same(answer, theirs)
    first, second = max(seconds(task.ours), 1e-6), max(peer.seconds(), 1e-6)
    mine, others = (max(1, round(SHORTEST / one)) for one in (first, second))
    pairs = plan.pairs if max(first, second) < LONGEST else 3
    ratios = []
    for turn in range(pairs):
        both = {}
        for which in ("ours", "theirs")[:: 1 if turn % 2 else -1]:
            both[which] = seconds(task.ours, mine) / mine if which == "ours" else peer.seconds(others) / others
        ratios.append(both["theirs"] / (both["ours"] * task.share))
    low, ratio, high = (float(one) for one in np.quantile(ratios, (0.25, 0.5, 0.75)))
    return {
        "ratio": ratio, "low": low, "high": high, "pairs": pairs, "equal": bool(equal), "check": check,
        "why": task.why if ratio < 1 else "",
    }  # fmt: skip


def near(
    tolerance: float, name: str = "answer", key: str = "answer"
) -> Callable[[Array, dict[str, Array]], tuple[bool, str]]:
    """Answers are the same work where they are no further apart than this share of their largest."""

    def same(ours: Array, theirs: dict[str, Array]) -> tuple[bool, str]:
        apart = float(
            np.abs(np.asarray(ours, float) - theirs[key]).max() / max(float(np.abs(theirs[key]).max()), 1e-12)
        )
        return apart <= tolerance, f"{name}: {apart:.0e} apart"

    return same


def middle(work: Work, other: Work, pairs: int) -> float:
    """Median of the time of one over that of another, both in this process and in turn."""
    return statistics.median(seconds(work) / seconds(other) for _ in range(pairs))


def _but(row: Row, **changed: object) -> Row:
    return Row(**{**vars(row), **changed})  # type: ignore[arg-type]
