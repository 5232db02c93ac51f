"""Plan: which passes are wanted, by whom, and over which shards of rows they run."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pfungst.arrays import IntArray
from pfungst.datasets.dataset import Dataset, Half
from pfungst.findings import Skipped
from pfungst.passes import Passes, Predict
from pfungst.probe import Probe

SHARD_ROWS = 1024
"""Rows of a shard: the unit of scheduling, of caching and of loss. A multiple of every usual batch size."""


@dataclass(frozen=True, order=True)
class Shard:
    """Some consecutive rows, in audit order, of one half of one data set."""

    on: str
    number: int
    half: Half

    @property
    def name(self) -> str:
        """File name of the shard's answers."""
        return f"{self.half}-{self.number:05d}"

    def rows(self, data: Dataset) -> IntArray:
        """Positions of the shard's rows."""
        start = self.number * SHARD_ROWS
        return data.on(self.on).halves[self.half][start : start + SHARD_ROWS]


@dataclass(frozen=True)
class Piece:
    """The part of a pass that falls into one shard: its first ``rows`` rows."""

    asked: Predict
    shard: Shard
    rows: int


def wanted(probes: Iterable[Probe], data: Dataset, done: Passes) -> dict[Predict, tuple[str, ...]]:
    """Distinct passes in the order they were asked for, and the topics that asked; equal passes are one."""
    asked: dict[Predict, tuple[str, ...]] = {}
    for probe in probes:
        for one in probe.needs(data, done):
            asked[one] = tuple(dict.fromkeys((*asked.get(one, ()), probe.topic)))
    return asked


def possible(
    asked: Mapping[Predict, tuple[str, ...]], offers: frozenset[str]
) -> tuple[dict[Predict, tuple[str, ...]], list[Skipped]]:
    """The passes this model can run, and one skipped entry for each topic that wanted more than it offers."""
    can = {one: by for one, by in asked.items() if one.wants <= offers}
    lacking: dict[str, set[str]] = {}
    for one, by in asked.items():
        for topic in by:
            lacking.setdefault(topic, set()).update(one.wants - offers)
    reason = "needs a model that answers new inputs; these are recorded answers: give the model itself"
    return can, [Skipped(probe=topic, reason=reason) for topic, what in lacking.items() if what]


def pieces(one: Predict, data: Dataset) -> Iterator[Piece]:
    """The pieces of a pass, shard by shard."""
    for half, count in data.on(one.on).extent(one.rows, one.half).items():
        for number in range(-(-count // SHARD_ROWS)):
            yield Piece(one, Shard(one.on, number, half), min(SHARD_ROWS, count - number * SHARD_ROWS))


def row_passes(passes: Iterable[Predict], data: Dataset) -> int:
    """Rows shown to the model by these passes: the cost of a plan in forward passes."""
    return sum(piece.rows for one in passes for piece in pieces(one, data))
