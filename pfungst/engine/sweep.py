"""Sweep: read each batch of a shard once and run every pass on it; the next inputs are made while the model answers."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np

from pfungst.arrays import Array, BoolArray
from pfungst.attacked import Attacked, joined_attacks
from pfungst.datasets.dataset import Batch, Dataset
from pfungst.engine.ahead import ahead
from pfungst.engine.isolation import Isolation
from pfungst.engine.plan import Piece, Shard
from pfungst.engine.room import Room
from pfungst.errors import InputError, Unanswered
from pfungst.maps import Maps, joined_maps
from pfungst.models.model import Model
from pfungst.outputs import NotFinite, Outputs, joined_outputs
from pfungst.passes import Answers, Attack, Attribute, Pass, Predict, Prove
from pfungst.proven import Proven, joined_proofs
from pfungst.summarised import Summarised, joined_summaries, summarised

MOST_SCORES = 1 << 22
"""Classes times rows of a pass beyond which perturbed rows' answers are kept as summaries: 16 MB, of dozens of passes.
"""


@dataclass(frozen=True)
class Swept:
    """Answers of some passes on one shard.

    ``lost`` are rows that could not be read or that the model ``failed`` to answer, ``refused`` methods that cannot be
    used on this model, with the reason. ``where`` names the machine that answered, where there are several. ``size`` is
    how many rows the model was shown at once in the end, where memory did not hold a whole batch, else 0.
    """

    shard: Shard
    answers: dict[Pass, Answers]
    lost: dict[int, str]
    seconds: dict[Pass, float] = field(default_factory=dict)
    refused: dict[Pass, str] = field(default_factory=dict)
    failed: frozenset[int] = frozenset()
    where: str = ""
    size: int = 0


def untold(at: str) -> None:
    """Tell nobody what is asked."""


Same: TypeAlias = dict[tuple[str, str, bytes], Outputs]
"""Answers by who was asked, what was shown, and the positions of the rows."""


@dataclass
class _Share:
    """A pass in a shard: which of its rows are asked, and what came of it."""

    asked: Pass
    start: int
    rows: int
    found: list[Answers] = field(default_factory=list)
    seconds: float = 0.0
    refused: str = ""


class _Shown(NamedTuple):
    """Rows that a pass is to be asked about, and what is shown of them, where it was made ahead."""

    share: _Share
    batch: Batch
    inputs: Array | None


class _Next(NamedTuple):
    """The next batch begins: so many rows, of which some could not be read, with the reason."""

    rows: int
    bad: dict[int, str]


@dataclass(frozen=True)
class Sweep:
    """The model, the rows and the other members; called with the pieces of one shard it answers them.

    ``beat`` is told what is asked, before it is.
    """

    model: Model
    data: Dataset
    batch_size: int = 64
    members: Mapping[str, Model] = field(default_factory=dict)
    beat: Callable[[str], None] = untold
    room: Room = field(default_factory=Room)

    def __call__(self, pieces: Sequence[Piece]) -> Swept:
        """Answer the pieces of one shard, batch by batch.

        Raises:
            InputError: if the model cannot be asked, or fails on so many rows that it is not the rows.
        """
        shares = [_Share(piece.asked, piece.start, piece.rows) for piece in pieces]
        lost: dict[int, str] = {}
        isolation = Isolation()
        same: Same = {}
        with closing(ahead(self._coming(pieces[0].shard, shares))) as coming:
            for one in coming:
                if isinstance(one, _Next):
                    same.clear()
                    lost |= one.bad
                    isolation.asked += one.rows
                elif not one.share.refused:
                    self._answer(one, same, isolation)
        size = self.room.within(self.batch_size)
        return Swept(
            pieces[0].shard,
            {one.asked: joined(one.found) for one in shares if one.found and not one.refused},
            lost | isolation.failed,
            {one.asked: one.seconds for one in shares},
            {one.asked: one.refused for one in shares if one.refused},
            frozenset(isolation.failed),
            size=size if size < self.batch_size else 0,
        )

    def _coming(self, shard: Shard, shares: Sequence[_Share]) -> Iterator[_Shown | _Next]:
        """What each pass is shown of each batch, in the order in which it is asked."""
        rows = shard.rows(self.data)
        first, last = min(share.start for share in shares), max(share.rows for share in shares)
        for at in range(first, last, self.batch_size):
            asked = rows[at : min(at + self.batch_size, last)]
            batch, bad = self.data.on(shard.on).batch(asked, shard.half)
            yield _Next(len(asked), bad)
            made: set[tuple[str, str, bytes]] = set()
            for share in shares:
                left = asked[max(0, share.start - at) : max(0, share.rows - at)]
                part = batch if len(left) == len(asked) else _only(batch, np.isin(batch.rows, left))
                yield _Shown(share, part, self._ahead(share.asked, part, made))

    def _ahead(self, one: Pass, batch: Batch, made: set[tuple[str, str, bytes]]) -> Array | None:
        """What a pass is shown, unless another is shown the same; what cannot be made is tried again when asked."""
        if not isinstance(one, Predict) or not len(batch) or (key := _key(one, batch)) in made:
            return None
        made.add(key)
        try:
            return self._inputs(one, batch)
        except Exception:  # noqa: BLE001 - it is raised where the rows that it lies at are told apart
            return None

    def _answer(self, shown: _Shown, same: Same, isolation: Isolation) -> None:
        """Answer a batch for one pass; rows on which the model fails are put aside."""
        began, share, one = time.perf_counter(), shown.share, shown.share.asked
        batch = shown.batch
        if isolation.failed:
            batch = _only(batch, ~np.isin(batch.rows, list(isolation.failed)))
        ask = partial(self._answered, one, same=same, shown=shown)
        words = "" if isinstance(one, Predict) and one.under is None else one.name
        self.beat(f"{len(batch)} rows of {one.on}, {one.name}")
        try:
            answers, failed = isolation.answered(ask, batch, words)
        except InputError as error:
            if isinstance(one, Predict):
                raise
            share.refused = str(error)
        else:
            if failed and not answers and not share.found and not isinstance(one, Predict):
                share.refused = next(iter(failed.values()))
            else:
                share.found += answers
                isolation.failed |= failed
        share.seconds += time.perf_counter() - began

    def _answered(self, one: Pass, batch: Batch, same: Same, shown: _Shown) -> Answers:
        """What a pass says of a batch; rows shown alike for two passes are asked once."""
        if not isinstance(one, Predict):
            member = (self.members[one.by],) if isinstance(one, Attack) and one.by else ()

            def run(part: slice) -> Answers:
                some = batch if part.stop - part.start == len(batch) else batch.take(np.arange(part.start, part.stop))
                return replace(_run(one, self.model, some, *member), rows=some.rows)

            return joined(list(self.room.parts(run, len(batch), self.batch_size)))
        key = _key(one, batch)
        if key not in same:
            made = shown.inputs if batch is shown.batch else None
            same[key] = self._ask(one, batch, self._inputs(one, batch) if made is None else made)
        kept = one.kept(same[key])
        return summarised(kept, batch.labels) if kept.complete and self.summarises(one) else kept

    def summarises(self, one: Predict) -> bool:
        """Whether only a summary of these answers is kept: perturbed rows, and too many classes and rows of them.

        Members, and passes with features, are asked for by what compares whole distributions.
        """
        rows = sum(self.data.on(one.on).extent(one.rows, one.half).values())
        plain = one.under is not None and not one.features and not one.by
        return plain and rows * len(self.data.classes) > MOST_SCORES

    def _ask(self, one: Predict, batch: Batch, inputs: Array) -> Outputs:
        """Ask about one batch, padded to the full size: a network's last bits depend on the shape it is given."""
        model = self._asked(one)
        most, padded = self.batch_size, "new inputs" in model.offers

        def ask(part: slice) -> Outputs:
            rows = part.stop - part.start
            try:
                outputs = model.predict(_padded(inputs[part], self.room.within(most)) if padded else inputs[part])
            except NotFinite as error:
                # Rows beyond the part are those that fill it up: its last one, again and again.
                raise NotFinite(np.unique(np.minimum(error.rows, rows - 1)) + part.start) from None
            if len(outputs) < rows:
                raise InputError(f"the model answered {len(outputs)} rows for {rows} inputs")
            outputs = outputs if len(outputs) == rows else outputs.take(slice(0, rows))
            return Outputs(outputs.logits, outputs.features, batch.rows[part], outputs.normalised, outputs.complete)

        return joined_outputs(list(self.room.parts(ask, len(batch), most, padded=True)))

    def _asked(self, one: Predict) -> Model:
        return self.members[one.by] if one.by else self.model

    def _inputs(self, one: Predict, batch: Batch) -> Array:
        """What a model is shown; recorded answers are looked up by the rows' positions."""
        return self._checked(one, batch) if "new inputs" in self._asked(one).offers else batch.rows

    def _checked(self, one: Predict, batch: Batch) -> Array:
        inputs = one.inputs(batch)
        if one.under is None:
            return inputs
        if inputs.shape != batch.inputs.shape or inputs.dtype != batch.inputs.dtype:
            raise InputError(
                f"{one.name} turned {batch.inputs.dtype}{batch.inputs.shape} into {inputs.dtype}{inputs.shape}; "
                "a perturbation keeps shape and type"
            )
        if inputs.dtype.kind == "f" and batch.inputs.ndim == 4 and (inputs.min() < 0 or inputs.max() > 1):
            raise InputError(f"{one.name} left the range [0, 1]; a perturbation of images stays inside it")
        return inputs


def _key(one: Predict, batch: Batch) -> tuple[str, str, bytes]:
    return one.by, one.shown, batch.rows.tobytes()


def _only(batch: Batch, kept: BoolArray) -> Batch:
    return batch if kept.all() else batch.take(kept)


def _run(one: Attribute | Attack | Prove, model: Model, batch: Batch, *member: Model) -> Maps | Attacked | Proven:
    """What a method says of a batch; its rows are not those that it asks the model about, so that NaN names none."""
    try:
        return one.run(model, batch, *member)
    except NotFinite as error:
        raise Unanswered(str(error)) from error


def _padded(inputs: Array, size: int) -> Array:
    short = size - len(inputs)
    return inputs if short <= 0 else np.concatenate([inputs, np.repeat(inputs[-1:], short, axis=0)])


def joined(parts: Sequence[Answers]) -> Answers:
    """Consecutive answers of one pass as one object."""
    if isinstance(parts[0], Maps):
        return joined_maps([part for part in parts if isinstance(part, Maps)])
    if isinstance(parts[0], Attacked):
        return joined_attacks([part for part in parts if isinstance(part, Attacked)])
    if isinstance(parts[0], Summarised):
        return joined_summaries([part for part in parts if isinstance(part, Summarised)])
    if isinstance(parts[0], Proven):
        return joined_proofs([part for part in parts if isinstance(part, Proven)])
    return joined_outputs([part for part in parts if isinstance(part, Outputs)])
