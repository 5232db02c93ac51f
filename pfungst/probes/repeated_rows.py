"""Repeated rows: the same input under two labels, and rows of the test set that the model was trained on."""

from collections.abc import Iterator

import numpy as np

from pfungst.arrays import Array, BoolArray, IntArray
from pfungst.datasets.dataset import Dataset
from pfungst.findings import AnyEvidence, Estimates, Table
from pfungst.methods.near_duplicates import near_duplicates
from pfungst.probe import Labelled
from pfungst.statistics.intervals import proportion_of

LISTED = 20


def repeated_rows(data: Dataset, rows: Labelled) -> Iterator[AnyEvidence]:
    """Pairs of one input with two labels, within the set and across to its training set; accuracy on what repeats."""
    positions, inputs = rows_read(data)
    if not len(positions):
        return
    assert data.labels is not None, "labelled rows have labels"
    within = positions[near_duplicates(inputs)]
    pairs = [(data, int(one), data, int(other)) for one, other in within]
    if "train" in data.companions and data.companions["train"].labels is not None:
        train = data.companions["train"]
        known, others = rows_read(train)
        across = near_duplicates(inputs, others) if len(known) else np.zeros((0, 2), np.int64)
        pairs += [(data, int(positions[one]), train, int(known[other])) for one, other in across]
        yield from _leaked(data, rows, positions, positions[across[:, 0]])
    told = [_words(*pair) for pair in pairs]
    conflicts = tuple(words for words in told if words[1] != words[3])
    if conflicts:
        title = f"One input, two labels: {len(conflicts)} of {len(pairs)} repeated rows"
        yield Table(title=title, columns=("row", "label", "the same as", "label there"), rows=conflicts[:LISTED])


def rows_read(data: Dataset) -> tuple[IntArray, Array]:
    """Positions and inputs of the rows that are read as donors."""
    banks = [bank for bank in (data.donors("discovery"), data.donors("confirmation")) if len(bank.rows)]
    if data.modality == "answers" or not banks:
        return np.zeros(0, np.int64), np.zeros(0)
    return np.concatenate([bank.rows for bank in banks]), np.concatenate([bank.inputs for bank in banks])


def _words(data: Dataset, row: int, other: Dataset, twin: int) -> tuple[str, str, str, str]:
    names = [
        (one.told(at), one.classes[int(one.labels[at])] if one.labels is not None else "")
        for one, at in ((data, row), (other, twin))
    ]
    (first, label), (second, there) = names
    return first, label, second if other is data else f"{other.name}: {second}", there


def _leaked(data: Dataset, rows: Labelled, positions: IntArray, leaked: IntArray) -> Iterator[Estimates]:
    """Accuracy on the rows that stand in the training set too, and on the others that were compared."""
    here = rows.outputs.rows
    assert here is not None, "answers of a pass know their rows"
    compared: BoolArray = np.isin(here, positions)
    repeats = np.isin(here, leaked)
    parts = ((repeats, "accuracy on rows that stand in train too"), (compared & ~repeats, "accuracy on the others"))
    if repeats.any() and (compared & ~repeats).any():
        units = rows.units
        items = tuple(
            proportion_of(rows.correct[part], None if units is None else units[part], name) for part, name in parts
        )
        title = f"{int(repeats.sum())} of {int(compared.sum())} rows of {data.name} stand in the training set too"
        yield Estimates(title=title, items=items)
