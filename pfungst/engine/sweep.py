"""Sweep: read each batch of a shard once and run every pass on it; the next inputs are made while the model answers."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np

from pfungst.arrays import Array
from pfungst.attacked import Attacked, joined_attacks
from pfungst.datasets.dataset import Batch, Dataset
from pfungst.engine.ahead import ahead
from pfungst.engine.plan import Piece, Shard
from pfungst.engine.room import Room
from pfungst.errors import InputError
from pfungst.maps import Maps, joined_maps
from pfungst.models.model import Model
from pfungst.outputs import NotFinite, Outputs
from pfungst.passes import Answers, Attack, Pass, Predict
from pfungst.proven import Proven, joined_proofs


@dataclass(frozen=True)
class Swept:
    """Answers of some passes on one shard.

    ``lost`` are rows that could not be read, ``refused`` methods that cannot be used on this model, with the reason.
    ``size`` is how many rows the model was shown at once in the end, where memory did not hold a whole batch, else 0.
    """

    shard: Shard
    answers: dict[Pass, Answers]
    lost: dict[int, str]
    seconds: dict[Pass, float] = field(default_factory=dict)
    refused: dict[Pass, str] = field(default_factory=dict)
    size: int = 0


Like: TypeAlias = tuple[str, str, int, int]
"""Who is asked, what is shown, the first row and how many: equal where a model is shown the same."""


class _Shown(NamedTuple):
    """What a pass is to be asked about, and what it is shown; empty where another of the batch is shown it before."""

    asked: Pass
    batch: Batch
    inputs: Array
    like: Like


@dataclass(frozen=True)
class Sweep:
    """The model, the rows and the other members; called with the pieces of one shard it answers them."""

    model: Model
    data: Dataset
    batch_size: int = 64
    members: Mapping[str, Model] = field(default_factory=dict)

    @cached_property
    def room(self) -> Room:
        """How many rows the model is shown at once: as many as a batch has, until memory runs out."""
        return Room(self.batch_size)

    def __call__(self, pieces: Sequence[Piece]) -> Swept:
        """Answer the pieces of one shard, batch by batch."""
        shard = pieces[0].shard
        found: dict[Pass, list[Answers]] = {piece.asked: [] for piece in pieces}
        spent = dict.fromkeys(found, 0.0)
        lost: dict[int, str] = {}
        refused: dict[Pass, str] = {}
        same: dict[Like, Outputs] = {}
        began = time.perf_counter()
        with closing(ahead(self._shown(pieces, lost))) as coming:
            for one in coming:
                if one is None:
                    same.clear()
                elif one.asked not in refused:
                    try:
                        found[one.asked] += self._answered(one, same)
                    except InputError as error:
                        if isinstance(one.asked, Predict):
                            raise
                        refused[one.asked] = str(error)
                    now = time.perf_counter()
                    spent[one.asked] += now - began
                    began = now
        answers = {one: joined(some) for one, some in found.items() if some and one not in refused}
        size = self.room.size
        return Swept(shard, answers, lost, spent, refused, size if size < self.batch_size else 0)

    def _shown(self, pieces: Sequence[Piece], lost: dict[int, str]) -> Iterator[_Shown | None]:
        """What each pass is shown of each batch; None when the next batch begins."""
        shard = pieces[0].shard
        rows = shard.rows(self.data)
        first, last = min(piece.start for piece in pieces), max(piece.rows for piece in pieces)
        for at in range(first, last, self.batch_size):
            asked = rows[at : min(at + self.batch_size, last)]
            batch, bad = self.data.on(shard.on).batch(asked, shard.half)
            lost |= bad
            yield None
            made: set[Like] = set()
            for piece in pieces:
                left = asked[max(0, piece.start - at) : max(0, piece.rows - at)]
                part = batch if len(left) == len(asked) else batch.take(np.isin(batch.rows, left))
                if not len(part):
                    continue
                one = piece.asked
                like = (one.by if isinstance(one, Predict | Attack) else "", one.shown, int(part.rows[0]), len(part))
                new = self._inputs(one, part) if isinstance(one, Predict) and like not in made else part.inputs[:0]
                yield _Shown(one, part, new, like)
                made |= {like} if isinstance(one, Predict) else set()

    def _answered(self, shown: _Shown, same: dict[Like, Outputs]) -> list[Answers]:
        """What a pass says of a batch; rows shown alike for two passes are asked once."""
        one, batch = shown.asked, shown.batch
        if isinstance(one, Predict):
            if shown.like not in same:
                same[shown.like] = self._ask(one, batch, shown.inputs)
            return [one.kept(same[shown.like])]

        def run(part: slice) -> Answers:
            some = batch if part.stop - part.start == len(batch) else batch.take(np.arange(part.start, part.stop))
            with_member = (self.members[one.by],) if isinstance(one, Attack) and one.by else ()
            return replace(one.run(self.model, some, *with_member), rows=some.rows)

        return list(self.room.parts(run, len(batch)))

    def _ask(self, one: Predict, batch: Batch, inputs: Array) -> Outputs:
        """Ask about one batch, padded to the full size: a network's last bits depend on the shape it is given."""
        model = self.members[one.by] if one.by else self.model

        def ask(part: slice) -> Outputs:
            rows = part.stop - part.start
            try:
                outputs = model.predict(_padded(inputs[part], self.room.size))
            except NotFinite as error:
                raise error.named(batch.ids[part], "" if one.under is None else one.name) from None
            if len(outputs) < rows:
                raise InputError(f"the model answered {len(outputs)} rows for {rows} inputs")
            outputs = outputs.take(slice(0, rows))  # type: ignore[arg-type]
            return Outputs(outputs.logits, outputs.features, batch.rows[part], outputs.normalised, outputs.complete)

        return _joined_outputs(list(self.room.parts(ask, len(batch), padded=True)))

    def _inputs(self, one: Predict, batch: Batch) -> Array:
        """What a model is shown; recorded answers are looked up by the rows' positions."""
        model = self.members[one.by] if one.by else self.model
        return self._checked(one, batch) if "new inputs" in model.offers else batch.rows

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


def _padded(inputs: Array, size: int) -> Array:
    short = size - len(inputs)
    return inputs if short <= 0 else np.concatenate([inputs, np.repeat(inputs[-1:], short, axis=0)])


def joined(parts: Sequence[Answers]) -> Answers:
    """Consecutive answers of one pass as one object."""
    if isinstance(parts[0], Maps):
        return joined_maps([part for part in parts if isinstance(part, Maps)])
    if isinstance(parts[0], Attacked):
        return joined_attacks([part for part in parts if isinstance(part, Attacked)])
    if isinstance(parts[0], Proven):
        return joined_proofs([part for part in parts if isinstance(part, Proven)])
    return _joined_outputs([part for part in parts if isinstance(part, Outputs)])


def _joined_outputs(parts: Sequence[Outputs]) -> Outputs:
    features = [part.features for part in parts if part.features is not None]
    rows = [part.rows for part in parts if part.rows is not None]
    return Outputs(
        np.concatenate([part.logits for part in parts]),
        np.concatenate(features) if len(features) == len(parts) else None,
        np.concatenate(rows),
        parts[0].normalised,
        parts[0].complete,
    )
