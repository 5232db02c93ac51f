"""Losses: which rows have no answer, and whether so many that what is said of the others may not hold for all."""

from collections.abc import Iterator, Mapping

import numpy as np

from pfungst.datasets.dataset import Dataset
from pfungst.findings import Skipped

FEW = 0.01
"""Share of the rows asked above which a loss is spelled out by class."""

SPELLED_OUT = 5


def unanswered(data: Dataset, lost: Mapping[str, Mapping[int, str]]) -> Iterator[Skipped]:
    """Entries for the report: one for each row lost of each set (position to reason), one for a set that lost many.

    >>> some = Dataset("test", "a table", "table", tuple("abcd"), lambda rows: [])
    >>> [entry.kind for entry in unanswered(some, {"test": {1: "NaN"}})]
    ['lost', 'unreadable']
    """
    for on, rows in lost.items():
        some = data.on(on)
        asked = sum(some.extent().values())
        if len(rows) > FEW * asked:
            yield Skipped(probe="data", kind="lost", subject=on, reason=_loss(some, sorted(rows), asked))
        for row in sorted(rows):
            yield Skipped(probe="data", kind="unreadable", subject=some.told(row), reason=rows[row])


def _loss(data: Dataset, rows: list[int], asked: int) -> str:
    said = (
        f"{len(rows)} of {asked} rows ({len(rows) / asked:.1%}) could not be read, or the model gave no answer; what "
        "is said holds for the others"
    )
    if data.labels is None:
        return said
    have = np.bincount(data.labels[data.sample()] + 1, minlength=len(data.classes) + 1)[1:]
    gone = np.bincount(data.labels[rows] + 1, minlength=len(have) + 1)[1:]
    worst = [one for one in np.argsort(-gone / np.maximum(have, 1), kind="stable") if gone[one]][:SPELLED_OUT]
    shares = ", ".join(f"{data.classes[one]} {gone[one]} of {have[one]}" for one in worst)
    return f"{said}; by class: {shares}" if shares else said
