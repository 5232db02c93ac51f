"""Attribution for rows that are no pictures: each column, or each word, changed in turn."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.datasets.dataset import Batch
from pfungst.errors import InputError
from pfungst.maps import Maps
from pfungst.methods.columns import Column
from pfungst.methods.tokens import without
from pfungst.models.model import Model
from pfungst.outputs import Outputs

SURE = 13.8
"""Log-odds are cut off here, a millionth from certainty: trees state 0 and 1, whose log-odds are infinite."""

ASKED = 1024
"""Changed rows shown to the model at once."""

NEAR = 0.05
"""Share of the donors that count as like a row."""


@dataclass(frozen=True)
class ColumnPermutation:
    """Log-odds of the answer lost when a column's value is a like row's: conditional permutation.

    Values come from the donors nearest to the row in all other columns, so that no impossible row is shown (Strobl et
    al. 2008, doi:10.1186/1471-2105-9-307). ``error`` is the standard error over the draws, root mean square of the
    columns.
    """

    draws: int = 8
    name: str = "column-permutation"

    @property
    def wants(self) -> frozenset[str]:
        """It shows changed rows."""
        return frozenset({"new inputs"})

    def __call__(self, model: Model, batch: Batch) -> Maps:
        """Maps (rows, 1, columns).

        Raises:
            InputError: if there are no other labelled rows to take values from.
        """
        drawn = self.like_rows(batch)
        assert batch.donors is not None, "like rows are donors"
        before = model.predict(batch.inputs)
        targets = before.predictions
        sure = log_odds(before, targets)
        lost = np.empty((*drawn.shape[:2], self.draws))
        for at in range(drawn.shape[1]):
            changed = np.repeat(batch.inputs, self.draws, axis=0)
            changed[:, at] = batch.donors.inputs[drawn[:, at].ravel(), at]
            left = _asked(model, changed, np.repeat(targets, self.draws))
            lost[:, at] = sure[:, None] - left.reshape(-1, self.draws)
        error = np.sqrt((lost.var(axis=2, ddof=1) / self.draws).mean(axis=1)) if self.draws > 1 else sure * np.nan
        cost = np.full(len(batch), 1.0 + drawn.shape[1] * self.draws)
        return Maps(lost.mean(axis=2)[:, None].astype(np.float32), targets, error, cost, batch.rows)

    def like_rows(self, batch: Batch) -> IntArray:
        """Donors for each row and column, (rows, columns, draws): any of those nearest in the other columns."""
        bank = batch.donors
        if bank is None or len(bank.labels) < 2:
            raise InputError(f"{self.name} takes values from other labelled rows and there are none; label more rows")
        known = bank.known("columns coded", lambda: _coded(bank.inputs, bank.inputs))
        apart = _apart(_coded(batch.inputs, bank.inputs), known)
        rows, wide = batch.inputs.shape
        near = min(len(bank.labels), max(self.draws, round(NEAR * len(bank.labels))))
        place = {name: at for at, name in enumerate(bank.ids)}
        drawn = np.empty((rows, wide, self.draws), np.int64)
        whole = apart.sum(axis=2)
        for row, (name, rng) in enumerate(zip(batch.ids, batch.generators("like rows"), strict=True)):
            chosen = rng.integers(0, near, (wide, self.draws))
            if name in place:
                whole[row, place[name]] = np.inf
            for at in range(wide):
                like = np.argsort(whole[row] - apart[row, :, at], kind="stable")[:near]
                drawn[row, at] = like[chosen[at]]
        return drawn


def _coded(inputs: Array, bank: Array) -> FloatArray:
    """Columns as points, (columns, rows, numbers): standardised by the bank, with flags for what is no number."""
    coded = []
    for at in range(inputs.shape[1]):
        points, known = (Column(at, "").measure(each) for each in (inputs, bank))
        middle, spread = known[:, 1].mean(), known[:, 1].std()
        points[:, 1] = np.clip((points[:, 1] - middle) / (spread or 1.0), -3, 3)
        coded.append(points[:, 1:])
    return np.stack(coded)


def _apart(points: FloatArray, bank: FloatArray) -> FloatArray:
    """Squared distances by column, (rows, donors, columns)."""
    inner = np.einsum("crn,cbn->rbc", points, bank, optimize=True)
    squares = (points**2).sum(axis=2).T[:, None] + (bank**2).sum(axis=2).T[None] - 2 * inner
    return np.asarray(np.maximum(squares, 0).round(6))


@dataclass(frozen=True)
class TokenOcclusion:
    """Log-odds of the answer lost when a word is deleted; of long texts, runs of words, whose loss is shared evenly.

    Words are what stands between white space (Li et al. 2016, arXiv:1612.08220).
    """

    most: int = 64
    name: str = "token-occlusion"

    @property
    def wants(self) -> frozenset[str]:
        """It shows changed rows."""
        return frozenset({"new inputs"})

    def __call__(self, model: Model, batch: Batch) -> Maps:
        """Maps (rows, 1, words of the longest text), NaN behind the words of shorter ones."""
        before = model.predict(batch.inputs)
        targets = before.predictions
        parts = [list(self._parts(str(text))) for text in batch.inputs]
        owner = np.repeat(np.arange(len(batch)), [len(each) for each in parts])
        lost = np.zeros(0)
        if len(owner):
            changed = np.empty(len(owner), object)
            changed[:] = [
                without(str(text), places) for text, each in zip(batch.inputs, parts, strict=True) for places in each
            ]
            lost = log_odds(before, targets)[owner] - _asked(model, changed, targets[owner])
        sizes = [[len(places) for places in each] for each in parts]
        values = np.full((len(batch), 1, max([1, *map(sum, sizes)])), np.nan, np.float32)
        for row, each in enumerate(sizes):
            values[row, 0, : sum(each)] = np.repeat(lost[owner == row] / np.maximum(each, 1), each)
        cost = 1.0 + np.array([len(each) for each in parts])
        return Maps(values, targets, np.full(len(batch), np.nan), cost, batch.rows)

    def _parts(self, text: str) -> Iterator[list[tuple[int, int]]]:
        """Places of the words that are deleted together."""
        places = [found.span() for found in re.finditer(r"\S+", text)]
        for part in np.array_split(np.arange(len(places)), min(self.most, len(places)) or 1):
            if len(part):
                yield [places[at] for at in part]


def log_odds(outputs: Outputs, targets: IntArray) -> FloatArray:
    """Log-odds of a class of each row, log p - log(1 - p), within +-``SURE``.

    >>> log_odds(Outputs(np.array([[0.0, 2.0, 0.0]], np.float32)), np.array([1])).round(4)
    array([1.3069])
    """
    others = outputs.logits.astype(np.float64)
    own = others[np.arange(len(others)), targets]
    others[np.arange(len(others)), targets] = -np.inf
    return np.asarray(np.clip(own - np.logaddexp.reduce(others, axis=1), -SURE, SURE))


def _asked(model: Model, inputs: Array, targets: IntArray) -> FloatArray:
    """Log-odds of the target class of each row."""
    parts = [slice(at, at + ASKED) for at in range(0, len(inputs), ASKED)]
    return np.concatenate([log_odds(model.predict(inputs[part]), targets[part]) for part in parts])
