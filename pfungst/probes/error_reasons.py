"""Reasons for errors: which of a model's errors make sense, and which nobody would make."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import BoolArray, FloatArray, IntArray, by_group
from pfungst.datasets.dataset import Dataset
from pfungst.methods.label_errors import margins
from pfungst.outputs import Outputs
from pfungst.paged import parts
from pfungst.probe import Labelled

HUMAN_SHARE = 0.1
"""Share of labellers who said what the model says, from which its error is one that people make."""

NEAR = 1.0
"""Log-probability of the answer less that of the label, below which the model was about to say the label."""

ENOUGH = 10_000
"""Rows of a class, taken evenly, that say which classes are near it: a median of more is no other one."""

NO_REASON = "no reason"
REASONS = ("labellers disagree", "the label looks wrong", "near miss", "classes alike", NO_REASON)


@dataclass(frozen=True, eq=False)
class Reasons:
    """For each row the position in ``REASONS`` of what excuses its error; -1 where the answer is right."""

    codes: IntArray

    def count(self, reason: str) -> int:
        """How many errors have this reason."""
        return int((self.codes == REASONS.index(reason)).sum())

    def words(self, row: int) -> str:
        """The reason of one row's error."""
        return REASONS[int(self.codes[row])]


def reasons(data: Dataset, rows: Labelled, suspects: IntArray, kinds: Mapping[str, tuple[str, ...]]) -> Reasons:
    """What excuses each error first.

    A tenth of the labellers say the same; the label is more likely wrong than right; the label came second by less than
    one unit of log-probability; label and answer are of one kind, or nearest classes.
    ``suspects`` are the rows whose label looks wrong, ``kinds`` names groups of classes that the user calls alike.
    """
    wrong = ~rows.correct
    outputs, labels = rows.outputs.take(wrong), rows.labels[wrong]
    answers = outputs.predictions
    held = np.zeros((len(REASONS), len(answers)), bool)
    held[-1] = True
    if data.label_counts is not None:
        assert outputs.rows is not None, "answers of a pass know their rows"
        votes = data.label_counts[outputs.rows].astype(np.float64)
        held[0] = votes[np.arange(len(answers)), answers] >= HUMAN_SHARE * np.maximum(votes.sum(axis=1), 1e-12)
    suspected = np.zeros(len(wrong), bool)
    suspected[suspects] = True
    held[1] = suspected[wrong]
    if outputs.complete:
        held[2] = (_second(outputs) == labels) & (margins(outputs) < NEAR)
    held[3] = alike(rows.outputs, rows.labels, data.classes, kinds)[labels, answers]
    codes = np.full(len(wrong), -1, np.int8)
    codes[wrong] = held.argmax(axis=0)
    return Reasons(codes)


def alike(
    outputs: Outputs, labels: IntArray, classes: tuple[str, ...], kinds: Mapping[str, tuple[str, ...]]
) -> BoolArray:
    """Which classes are of one kind, (classes, classes): as the user says, else each class and its nearest fifth.

    Near is what the model itself cannot keep apart: the mean log-probability that rows of one class give the other,
    either way round. Below five classes nobody is near without being told.
    """
    count = len(classes)
    same = np.eye(count, dtype=bool)
    for members in kinds.values():
        chosen = np.array([name in members for name in classes])
        same |= chosen[:, None] & chosen[None]
    if kinds or count < 5 or not outputs.complete:
        return same
    near = np.full((count, count), -np.inf)
    for label, rows in by_group(labels):
        some = outputs.take(rows[:: 1 + len(rows) // ENOUGH])
        near[label] = _middle(np.maximum(some.log_probabilities, -30.0))
    near = np.maximum(near, near.T)
    np.fill_diagonal(near, -np.inf)
    closest = np.argsort(-near, axis=1, kind="stable")[:, : max(1, (count - 1) // 5)]
    np.put_along_axis(same, closest, True, axis=1)
    return np.asarray(same | same.T)


def _second(outputs: Outputs) -> IntArray:
    """The class after the answer; the lowest on ties."""
    found = np.empty(len(outputs), np.int64)
    for part in parts(outputs.logits):
        rest = outputs.logits[part].copy()
        np.put_along_axis(rest, outputs.predictions[part, None], -np.inf, axis=1)
        found[part] = rest.argmax(axis=1)
    return found


def _middle(given: FloatArray) -> FloatArray:
    """The median, so that the errors whose excuse is asked for do not make it."""
    return np.asarray(np.median(given, axis=0))
