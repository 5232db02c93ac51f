"""Answers: what the model said about one row under every condition, read from the passes' files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pfungst.arrays import FloatArray
from pfungst.viewing.rows import Rows
from pfungst.viewing.run import AS_IT_IS, source

_SAID = frozenset({"prediction", "answers", "confidence", "logits", "top", "top_logs", "own"})


@dataclass(frozen=True)
class Said:
    """The answer to one row under one condition; ``of_label`` is the probability of its label, where that was kept."""

    condition: str
    answer: int
    confidence: float
    of_label: float | None = None
    most: tuple[tuple[int, float], ...] = ()


def said_of(rows: Rows, place: int) -> tuple[Said, ...]:
    """What was said of a row, as it is first; conditions that did not ask it, or of damaged files, are left out."""
    row = int(rows.positions[place])
    label = rows.values("label", np.array([place]))[0]
    guess = int(np.flatnonzero(rows.file_order == row)[0])
    plain = rows.run.plain[rows.on]
    return tuple(_each(((AS_IT_IS, plain.file), *((one.name, one.file) for one in rows.under)), row, label, guess))


def _each(files: tuple[tuple[str, Path], ...], row: int, label: int | None, guess: int) -> Iterator[Said]:
    for name, file in files:
        try:
            kept = _kept(file, row, guess)
        except (OSError, pa.ArrowException, ValueError):
            continue
        answer = None if kept is None else kept.get("prediction", kept.get("answers"))
        if kept is not None and answer is not None:
            own, most = _summary(kept) if "top" in kept else _whole(kept.get("logits"), label)
            yield Said(name, int(answer), float(kept["confidence"]), None if label is None else own, most)


Likely = tuple[float | None, tuple[tuple[int, float], ...]]
"""Probability of the label, and the likeliest classes with theirs."""


def _whole(logits: list[float] | None, label: int | None) -> Likely:
    chances = _chances(logits)
    if chances is None:
        return None, ()
    most = tuple((int(at), float(chances[at])) for at in np.argsort(-chances)[:5])
    return None if label is None else float(chances[label]), most


def _summary(kept: dict[str, Any]) -> Likely:
    return float(np.exp(kept["own"])), tuple(zip(kept["top"], np.exp(kept["top_logs"]).tolist(), strict=True))


def _kept(file: Path, row: int, guess: int) -> dict[str, Any] | None:
    """What a file keeps of a row; one group of rows is read. ``guess`` is where it stands if rows are in like order."""
    kept = source(file)
    names = [name for name in kept.schema_arrow.names if name in _SAID]
    starts = np.cumsum([0, *(kept.metadata.row_group(at).num_rows for at in range(kept.num_row_groups))])
    at = guess if guess < starts[-1] and _row(kept, starts, guess) == row else _sought(kept, row)
    if at is None:
        return None
    group = int(np.searchsorted(starts, at, side="right")) - 1
    found: dict[str, Any] = kept.read_row_group(group, columns=names).slice(int(at - starts[group]), 1).to_pylist()[0]
    return found


def _row(file: Any, starts: Any, at: int) -> int:
    group = int(np.searchsorted(starts, at, side="right")) - 1
    return int(file.read_row_group(group, columns=["row"])["row"][int(at - starts[group])].as_py())


def _sought(file: Any, row: int) -> int | None:
    found = np.flatnonzero(file.read(columns=["row"])["row"].to_numpy() == row)
    return int(found[0]) if len(found) else None


def _chances(logits: list[float] | None) -> FloatArray | None:
    """Probabilities of all classes; None where only the answer's was kept."""
    if not logits or not np.isfinite(logits).all():
        return None
    z = np.exp(np.asarray(logits, np.float64) - max(logits))
    return np.asarray(z / z.sum())
