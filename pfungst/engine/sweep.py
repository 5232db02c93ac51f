"""Sweep: read each batch of a shard once and run every pass on it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from pfungst.arrays import Array
from pfungst.attacked import Attacked, joined_attacks
from pfungst.datasets.dataset import Batch, Dataset
from pfungst.engine.isolation import Isolation
from pfungst.engine.plan import ANSWERED_ROWS, Piece, Shard
from pfungst.errors import InputError, Unanswered
from pfungst.maps import Maps, joined_maps
from pfungst.models.model import Model
from pfungst.outputs import NotFinite, Outputs
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
    used on this model, with the reason. ``where`` names the machine that answered, where there are several.
    """

    shard: Shard
    answers: dict[Pass, Answers]
    lost: dict[int, str]
    seconds: dict[Pass, float] = field(default_factory=dict)
    refused: dict[Pass, str] = field(default_factory=dict)
    failed: frozenset[int] = frozenset()
    where: str = ""


def untold(at: str) -> None:
    """Tell nobody what is asked."""


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

    def __call__(self, pieces: Sequence[Piece]) -> Swept:
        """Answer the pieces of one shard, batch by batch.

        Raises:
            InputError: if the model cannot be asked, or fails on so many rows that it is not the rows.
        """
        shard = pieces[0].shard
        rows = shard.rows(self.data)
        first, last = min(piece.start for piece in pieces), max(piece.rows for piece in pieces)
        shares = [_Share(piece.asked, piece.start, piece.rows) for piece in pieces]
        lost: dict[int, str] = {}
        isolation = Isolation()
        for at in range(first, last, self._step):
            asked = rows[at : min(at + self._step, last)]
            batch, bad = self.data.on(shard.on).batch(asked, shard.half)
            lost |= bad
            isolation.asked += len(asked)
            same: dict[tuple[str, str, bytes], Outputs] = {}
            for share in shares:
                left = asked[max(0, share.start - at) : max(0, share.rows - at)]
                if not share.refused:
                    self._answer(share, _only(batch, left, isolation.failed), same, isolation)
        return Swept(
            shard,
            {one.asked: joined(one.found) for one in shares if one.found and not one.refused},
            lost | isolation.failed,
            {one.asked: one.seconds for one in shares},
            {one.asked: one.refused for one in shares if one.refused},
            frozenset(isolation.failed),
        )

    @property
    def _step(self) -> int:
        """Rows of a batch; recorded answers are looked up, and a batch of them costs the same for any number."""
        return self.batch_size if "new inputs" in self.model.offers else ANSWERED_ROWS

    def _answer(
        self, share: "_Share", batch: Batch, same: dict[tuple[str, str, bytes], Outputs], isolation: Isolation
    ) -> None:
        """Answer a batch for one pass; rows on which the model fails are put aside."""
        began, one = time.perf_counter(), share.asked
        ask = partial(self._answered, one, same=same)
        shown = "" if isinstance(one, Predict) and one.under is None else one.name
        self.beat(f"{len(batch)} rows of {one.on}, {one.name}")
        try:
            answers, failed = isolation.answered(ask, batch, shown)
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

    def _answered(self, one: Pass, batch: Batch, same: dict[tuple[str, str, bytes], Outputs]) -> Answers:
        """What a pass says of a batch; rows shown alike for two passes are asked once."""
        if isinstance(one, Attack) and one.by:
            return replace(one.run(self.model, batch, self.members[one.by]), rows=batch.rows)
        if not isinstance(one, Predict):
            return replace(_run(one, self.model, batch), rows=batch.rows)
        key = (one.by, one.shown, batch.rows.tobytes())
        if key not in same:
            same[key] = self._ask(one, batch)
        kept = one.kept(same[key])
        return summarised(kept, batch.labels) if kept.complete and self.summarises(one) else kept

    def summarises(self, one: Predict) -> bool:
        """Whether only a summary of these answers is kept: perturbed rows, and too many classes and rows of them.

        Members, and passes with features, are asked for by what compares whole distributions.
        """
        rows = sum(self.data.on(one.on).extent(one.rows, one.half).values())
        plain = one.under is not None and not one.features and not one.by
        return plain and rows * len(self.data.classes) > MOST_SCORES

    def _ask(self, one: Predict, batch: Batch) -> Outputs:
        """Ask about one batch, padded to the full batch size: a network's last bits depend on the shape it is given."""
        model = self.members[one.by] if one.by else self.model
        recorded = "new inputs" not in model.offers
        outputs = model.predict(batch.rows if recorded else _padded(self._checked(one, batch), self.batch_size))
        if len(outputs) < len(batch):
            raise InputError(f"the model answered {len(outputs)} rows for {len(batch)} inputs")
        outputs = outputs if len(outputs) == len(batch) else outputs.take(slice(0, len(batch)))
        return Outputs(outputs.logits, outputs.features, batch.rows, outputs.normalised, outputs.complete)

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


@dataclass
class _Share:
    """A pass in a shard: which of its rows are asked, and what came of it."""

    asked: Pass
    start: int
    rows: int
    found: list[Answers] = field(default_factory=list)
    seconds: float = 0.0
    refused: str = ""


def _only(batch: Batch, rows: Array, without: Mapping[int, str]) -> Batch:
    """The rows of a batch that are among some, without others."""
    kept = np.isin(batch.rows, rows)
    if without:
        kept &= ~np.isin(batch.rows, list(without))
    return batch if kept.all() else batch.take(kept)


def _run(one: Attribute | Attack | Prove, model: Model, batch: Batch) -> Maps | Attacked | Proven:
    """What a method says of a batch; its rows are not those that it asks the model about, so that NaN names none."""
    try:
        return one.run(model, batch)
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
    return _joined_outputs([part for part in parts if isinstance(part, Outputs)])


def _joined_outputs(parts: Sequence[Outputs]) -> Outputs:
    if len(parts) == 1:
        return parts[0]
    features = [part.features for part in parts if part.features is not None]
    rows = [part.rows for part in parts if part.rows is not None]
    return Outputs(
        np.concatenate([part.logits for part in parts]),
        np.concatenate(features) if len(features) == len(parts) else None,
        np.concatenate(rows),
        parts[0].normalised,
        parts[0].complete,
    )
