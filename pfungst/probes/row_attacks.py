"""Attacks on texts and tables: which are searched, and what is shown of them."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from pfungst.attacked import Attacked
from pfungst.datasets.dataset import Dataset
from pfungst.errors import InputError
from pfungst.findings import Table
from pfungst.methods.row_threats import ColumnMoves, GoodWords, Misspelling
from pfungst.methods.table_shifts import columns_of
from pfungst.methods.text_shifts import vocabulary_of
from pfungst.probes.named_threats import Asked

LONGEST = 160
"""Letters of a text that are shown."""

ROWS = 2000


def row_threats(asked: Asked, data: Dataset) -> tuple[Any, ...]:
    """What is searched in texts or tables.

    Raises:
        InputError: if an immutable column is none of the table's.
    """
    if data.modality == "text":
        return GoodWords(vocabulary_of(data), asked.words), Misspelling(asked.misspelled)
    known, names = columns_of(data), data.features or tuple(f"column {at}" for at in range((data.shape or (0,))[0]))
    strange = [name for name in asked.immutable if name not in names]
    if strange:
        raise InputError(
            f"[adversarial] immutable names {strange[0]!r}; the columns of {data.source} are {', '.join(names[:12])}"
        )
    free = [at for at in known.measures if names[at] not in asked.immutable]
    batch, _ = data.batch(data.sample(ROWS, "discovery"))
    values = batch.inputs[:, free].astype(np.float64)
    if not free or not len(values):
        return ()
    low, high = (tuple(function(values, axis=0).tolist()) for function in (np.nanmin, np.nanmax))
    return (ColumnMoves(tuple(free), tuple(known.deviation[at] for at in free), low, high, asked.columns),)


def allowed(threat: Any, size: float) -> str:
    """What an attacker may do within a budget, in words."""
    if isinstance(threat, GoodWords):
        return f"With {size:g} word{'s' * (size != 1)} of other classes appended"
    if isinstance(threat, Misspelling):
        return f"With {size:g} word{'s' * (size != 1)} misspelled"
    return f"With its measures moved by {size:g} deviations in sum"


def changed_rows(data: Dataset, found: Attacked, shown: int) -> Iterator[Table]:
    """A few rows that fell, as they were and as they were left."""
    chosen = np.flatnonzero(found.broken & (found.budget > 0))[:shown]
    if not len(chosen):
        return
    assert found.rows is not None, "answers of a pass know their rows"
    batch, _ = data.batch(found.rows[chosen])
    where = {int(row): at for at, row in enumerate(batch.rows)}
    lines = []
    for at in chosen:
        row = int(found.rows[at])
        if row in where:
            before, after = _told(data, batch.inputs[where[row]], found.left[at])
            answer = f"{data.classes[int(found.answers[at])]}, {found.confidence[at]:.2f}"
            lines.append((data.told(row), before, after, data.classes[int(batch.labels[where[row]])], answer))
    yield Table(
        title="Some rows that fell",
        columns=("row", "as it is", "as it was left", "label", "answer then"),
        rows=tuple(lines),
    )


def _told(data: Dataset, before: Any, after: Any) -> tuple[str, str]:
    if data.modality == "text":
        return _cut(str(before)), _cut(str(after))
    names = data.features or tuple(f"column {at}" for at in range(len(before)))
    moved = [at for at in range(len(before)) if before[at] != after[at] and before[at] == before[at]]
    return tuple(", ".join(f"{names[at]} {float(row[at]):.4g}" for at in moved) for row in (before, after))  # type: ignore[return-value]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"
