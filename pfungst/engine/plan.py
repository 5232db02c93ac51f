"""Plan: which passes are wanted, by whom, and over which shards of rows they run."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pfungst.arrays import IntArray
from pfungst.datasets.dataset import Dataset, Half
from pfungst.errors import InputError
from pfungst.findings import Skipped
from pfungst.passes import Pass, Passes, Predict
from pfungst.probe import Probe

SHARD_ROWS, ANSWERED_ROWS = 1024, 1 << 16
"""Rows of a shard: the unit of scheduling, of caching and of loss. A multiple of every usual batch size.

Recorded answers are looked up, so that losing many costs nothing, and few shards are named faster."""

BROKE = "the probe broke: "
"""How the reason begins where a probe failed."""

SPELLED_OUT = 6
"""Passes that are named one by one where a model cannot run them."""

LACKING = {
    "new inputs": "needs a model that answers new inputs; these are recorded answers: give the model itself",
    "gradients": "some methods need gradients, which this model does not offer (a PyTorch module does); those "
    "that only ask were run",
    "bounds": "proofs need the network's own layers, which this model does not offer (a PyTorch module does)",
}


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
        size = shard_rows(data.on(self.on))
        start = self.number * size
        return data.on(self.on).halves[self.half][start : start + size]


def shard_rows(data: Dataset) -> int:
    """Rows of a shard of these data; never another number for another worker or executor."""
    return ANSWERED_ROWS if data.modality == "answers" else SHARD_ROWS


@dataclass(frozen=True)
class Piece:
    """The part of a pass that falls into one shard: its rows ``start`` to ``rows``, as the shard counts them."""

    asked: Pass
    shard: Shard
    rows: int
    start: int = 0


def wanted(
    probes: Iterable[Probe], data: Dataset, done: Passes, broken: dict[str, str] | None = None
) -> dict[Pass, tuple[str, ...]]:
    """Distinct passes in the order they were asked for, and the topics that asked; equal passes are one.

    A probe that fails is written into ``broken``, its topic with the reason, and asks for nothing.
    """
    asked: dict[Pass, tuple[str, ...]] = {}
    broken = {} if broken is None else broken
    for probe in probes:
        if probe.topic in broken:
            continue
        try:
            some = list(probe.needs(data, done))
        except InputError:
            raise
        except Exception as error:  # noqa: BLE001 - one broken probe must not cost the others' results
            broken[probe.topic] = f"{BROKE}{type(error).__name__}: {error}"
            continue
        for one in some:
            asked[one] = tuple(dict.fromkeys((*asked.get(one, ()), probe.topic)))
    return asked


def possible(
    asked: Mapping[Pass, tuple[str, ...]], offers: frozenset[str]
) -> tuple[dict[Pass, tuple[str, ...]], list[Skipped]]:
    """The passes this model can run, and what each topic goes without because the model does not offer it."""
    can = {one: by for one, by in asked.items() if one.wants <= offers}
    lacking: dict[tuple[str, str], list[str]] = {}
    for one, by in asked.items():
        for topic in by:
            for what in sorted(one.wants - offers):
                lacking.setdefault((topic, what), []).append(one.name)
    skipped = []
    for (topic, what), names in lacking.items():
        rest = any(topic in by for by in can.values())
        subject = ", ".join(dict.fromkeys(names)) if rest and len(set(names)) <= SPELLED_OUT else ""
        skipped.append(Skipped(probe=topic, subject=subject, reason=LACKING[what]))
    return can, skipped


def pieces(one: Pass, data: Dataset) -> Iterator[Piece]:
    """The pieces of a pass, shard by shard; one that goes on ``after`` others begins with the row behind theirs."""
    size = shard_rows(data.on(one.on))
    after = one.after if isinstance(one, Predict) else 0
    for half, count in data.on(one.on).extent(one.rows, one.half).items():
        for number in range(after // size, -(-count // size)):
            rows, start = min(size, count - number * size), max(0, after - number * size)
            if start < rows:
                yield Piece(one, Shard(one.on, number, half), rows, start)


def row_passes(passes: Iterable[Pass], data: Dataset) -> int:
    """Rows shown to the model by these passes: the cost of a plan in forward passes."""
    return sum(piece.rows - piece.start for one in passes for piece in pieces(one, data))
