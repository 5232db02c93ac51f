"""Rows of a log: put in the order of time, and refused where they have none or stand there twice."""

from datetime import datetime

import numpy as np

from pfungst.arrays import Array, IntArray
from pfungst.datasets.dataset import Dataset
from pfungst.errors import InputError
from pfungst.models.recorded import RecordedAnswers

REPEATED = 0.01
"""Share of rows that stand twice from which a log was put together wrongly."""

DISCRETE = 0.9
"""Different answers among different rows below which equal rows are no wonder: scores are coarse."""


def in_time(data: Dataset) -> IntArray:
    """Positions of the rows in the order of time; as they stand where no column is named as time.

    Raises:
        InputError: if a row has no time, or times are words that are not written as ISO 8601.
    """
    name = data.roles.time
    if name is None:
        return np.arange(len(data))
    times = data.columns[name]
    known = _known(times)
    if not known.all():
        raise InputError(
            f"{(~known).sum():,} of {len(times):,} rows of {data.source} have no {name} (the first is row "
            f"{int(np.argmin(known))}); fill it in, or leave these rows out"
        )
    order = np.argsort(_comparable(times, name, data.source), kind="stable")
    return np.asarray(order)


def once(model: RecordedAnswers, data: Dataset) -> None:
    """Raise InputError if rows without ids stand in a log more than once, by all that is known of them."""
    if {"id", "ids"} & set(model.held) or data.roles.time is None:
        return
    logits = model.outputs.logits
    said = _marks([logits[:, at] for at in range(logits.shape[1])])
    rows = _marks([said, *data.columns.values(), *([] if data.labels is None else [data.labels])])
    distinct, many = len(np.unique(rows)), len(rows)
    coarse = len(np.unique(said)) < DISCRETE * distinct
    if not coarse and many - distinct >= REPEATED * many:
        raise InputError(
            f"{many - distinct:,} of {many:,} rows of {data.source} repeat the time, answers and columns of another "
            "row, as in a log that was joined twice; keep one of each, or add a column id"
        )


def _marks(columns: list[Array]) -> Array:
    """A hash for each row, (rows,), equal where all columns are."""
    found = np.zeros(len(columns[0]), np.uint64)
    for values in columns:
        if values.dtype.kind in "OU":
            bits = np.array([hash(one) for one in values.tolist()], np.int64).view(np.uint64)
        elif values.dtype.kind in "mM":
            bits = values.view(np.int64).view(np.uint64)
        else:
            bits = values.astype(np.float64).view(np.uint64)
        # Multiplied, shifted and multiplied again, so that neighbouring numbers lie far apart.
        found = (found ^ bits) * np.uint64(0x9E3779B97F4A7C15)
        found = (found ^ (found >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return found


def _known(times: Array) -> Array:
    kind = times.dtype.kind
    if kind in "OU":
        return np.array([str(one).strip() not in {"", "nan", "NaT", "None"} for one in times])
    if kind in "mM":
        return ~np.isnat(times)
    return np.isfinite(times) if kind == "f" else np.ones(len(times), bool)


def _comparable(times: Array, name: str, source: str) -> Array:
    """Times that are sorted as time is: numbers and dates as they are, words as ISO 8601 (or as numbers)."""
    if times.dtype.kind not in "OU":
        return times
    try:
        return times.astype(np.float64)
    except ValueError:
        pass
    words = times.tolist()
    try:
        stamps = [datetime.fromisoformat(str(one).strip()) for one in words]
    except ValueError:
        raise InputError(
            f"the column {name} of {source} holds times such as {str(words[0])[:40]!r}, whose order cannot be read; "
            "write them as 2026-11-27T10:00 (ISO 8601), or as numbers"
        ) from None
    zoned = {one.tzinfo is not None for one in stamps}
    if len(zoned) > 1:
        raise InputError(f"some times in {name} of {source} have a time zone and some have none; write all alike")
    start = stamps[0]
    return np.array([(one - start).total_seconds() for one in stamps])
