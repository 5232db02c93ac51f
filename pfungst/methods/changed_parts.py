"""Changed parts: whether changing the words or columns that a map names first changes the answer."""

import re
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.datasets.dataset import Batch
from pfungst.maps import Maps
from pfungst.methods.tokens import without
from pfungst.methods.wordwise import ColumnPermutation, TokenOcclusion
from pfungst.models.model import Model

SHARES = (0.1, 0.2, 0.4)
"""Shares of the parts that are changed."""

COUNTS = (1, 2, 3, 5, 8, 13, 21, 34, 55)
"""Numbers of parts of which the smallest that changes the answer is looked for."""


@dataclass(frozen=True)
class ChangedParts:
    """Probability lost where the parts a map names first are changed, less where as many at random are.

    Words are deleted, columns get a like row's value. Values are (rows, 1, 1), the mean over ``SHARES``; ``error`` is
    the smallest number of parts, in the map's order, whose change changes the answer, NaN where none does.
    """

    method: TokenOcclusion | ColumnPermutation

    @property
    def name(self) -> str:
        """The method's name and what was done."""
        return f"{self.method.name}, parts changed in its order"

    @property
    def wants(self) -> frozenset[str]:
        """What the method wants."""
        return self.method.wants

    def __call__(self, model: Model, batch: Batch) -> Maps:
        """One run of the method, and fifteen passes."""
        maps = self.method(model, batch)
        parts = np.isfinite(maps.values[:, 0]).sum(axis=1)
        known = np.where(np.isfinite(maps.values[:, 0]), maps.values[:, 0], -np.inf)
        order = np.argsort(-known, axis=1, kind="stable")
        chance = np.stack(
            [_shuffled(rng, count, order.shape[1]) for rng, count in zip(batch.generators(self), parts, strict=True)]
        )
        lost = np.zeros(len(batch))
        for share in SHARES:
            counts = np.minimum(parts, np.maximum(1, np.rint(share * parts))).astype(np.int64)
            for ranked, sign in ((chance, 1), (order, -1)):
                lost += sign * self._stated(model, batch, ranked, counts, maps.targets)[0] / len(SHARES)
        fewest = np.full(len(batch), np.nan)
        for count in COUNTS:
            answers = self._stated(model, batch, order, np.minimum(count, parts), maps.targets)[1]
            flipped = (answers != maps.targets) & (count <= parts) & np.isnan(fewest)
            fewest[flipped] = count
        cost = maps.forwards + 2 * len(SHARES) + len(COUNTS)
        return Maps(lost[:, None, None].astype(np.float32), maps.targets, fewest, cost, batch.rows)

    def _stated(
        self, model: Model, batch: Batch, ranked: IntArray, counts: IntArray, targets: IntArray
    ) -> tuple[FloatArray, IntArray]:
        """Probability of the target, and the answer, where the first ``counts`` parts of each row are changed."""
        chosen = [ranked[row, :count] for row, count in enumerate(counts)]
        said = model.predict(changed(batch, chosen, self.method))
        return said.probability_of(targets), said.predictions


def changed(batch: Batch, chosen: list[IntArray], method: TokenOcclusion | ColumnPermutation) -> Array:
    """The inputs without the chosen words, or with a like row's values in the chosen columns."""
    if isinstance(method, TokenOcclusion):
        given = np.empty(len(batch), object)
        for row, (text, words) in enumerate(zip(batch.inputs, chosen, strict=True)):
            places = [found.span() for found in re.finditer(r"\S+", str(text))]
            given[row] = without(str(text), [places[at] for at in sorted(words)])
        return given
    drawn = method.like_rows(batch)
    given = batch.inputs.copy()
    assert batch.donors is not None, "values come from other rows"
    for row, columns in enumerate(chosen):
        for at in columns:
            given[row, at] = batch.donors.inputs[drawn[row, at, 0], at]
    return given


def _shuffled(rng: np.random.Generator, count: int, width: int) -> IntArray:
    """The first ``count`` parts in random order, then the rest."""
    return np.concatenate([rng.permutation(count), np.arange(count, width)])
