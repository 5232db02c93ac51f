"""Searching the worst row of a table or text nearby, with the scores alone: what was asked, what fell, what it cost."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray
from pfungst.attacked import Proposed
from pfungst.datasets.dataset import Batch
from pfungst.methods.attack_losses import margin

AT_ONCE = 4096
"""Candidates that the model is asked about in one go."""


@dataclass(eq=False)
class RowSearch:
    """Rows under attack; one that fell keeps the first budget it fell at. Rows without a label keep their answer's."""

    model: Any
    originals: Array
    labels: IntArray
    found: Array
    budget: FloatArray
    stage: IntArray
    forwards: FloatArray

    @classmethod
    def of(cls, model: Any, batch: Batch) -> "RowSearch":
        """The rows as they are: those that are wrong have fallen at budget 0."""
        first = model.predict(batch.inputs)
        labels = np.where(batch.labels < 0, first.predictions, batch.labels)
        wrong = first.predictions != labels
        budget, stage = np.where(wrong, 0.0, np.inf), wrong.astype(np.int64)
        return cls(model, batch.inputs, labels, batch.inputs.copy(), budget, stage, np.ones(len(labels)))

    @property
    def standing(self) -> IntArray:
        """Numbers of the rows that have not fallen."""
        return np.flatnonzero(np.isinf(self.budget))

    def ask(self, rows: IntArray, inputs: Array) -> FloatArray:
        """Margins of candidates (above 0 the answer is wrong), one a row number; nothing is kept."""
        scores = [
            self.model.predict(inputs[at : at + AT_ONCE]).logits for at in range(0, len(inputs), AT_ONCE)
        ]  # fmt: skip
        np.add.at(self.forwards, rows, 1)
        return margin(np.concatenate(scores), self.labels[rows]).values if scores else np.zeros(0)

    def keep(self, rows: IntArray, inputs: Array, fallen: BoolArray, size: float, stage: int) -> None:
        """Note candidates, one a row, that made the answer wrong at a budget."""
        now = rows[fallen]
        self.found[now], self.budget[now], self.stage[now] = inputs[fallen], size, stage

    def proposed(self) -> Proposed:
        """What is claimed."""
        none = np.zeros(len(self.labels))
        return Proposed(self.found, self.budget, self.stage, self.forwards, none, none.astype(np.int64))


def best_of(rows: IntArray, values: FloatArray) -> IntArray:
    """Of candidates sorted by their row, the place of each row's largest value; of equals the first.

    >>> best_of(np.array([0, 0, 2, 2]), np.array([1.0, 3.0, 5.0, 5.0])).tolist()
    [1, 2]
    """
    order = np.lexsort((np.arange(len(rows)), -values, rows))
    first = np.concatenate([[True], rows[order][1:] != rows[order][:-1]]) if len(rows) else np.zeros(0, bool)
    return np.asarray(order[first])
