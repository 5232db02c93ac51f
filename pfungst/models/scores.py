"""From a network's raw answer array to Outputs: shape checked, meaning declared once."""

from numbers import Real
from typing import Any, Literal

import numpy as np

from pfungst.arrays import Array, BoolArray
from pfungst.errors import InputError, Unanswered
from pfungst.outputs import (
    NoDistribution,
    Outputs,
    from_binary,
    from_log_probabilities,
    from_logits,
    from_probabilities,
)

Meaning = Literal["logits", "probabilities", "log-probabilities"]


def meaning(declared: str | None, proved: Meaning | None) -> Meaning:
    """What the answers are: as declared, else as proved by the graph, else logits.

    Raises:
        InputError: if the declaration is no known word.
    """
    if declared is None:
        return proved or "logits"
    known: dict[str, Meaning] = {
        "logits": "logits",
        "probabilities": "probabilities",
        "log-probabilities": "log-probabilities",
    }
    if declared not in known:
        raise InputError(f"outputs are declared {declared!r}; {', '.join(known)} are known")
    return known[declared]


def as_numbers(inputs: Array, source: str) -> Array:
    """A table as numbers, in the precision it has. Raises InputError if it holds text."""
    try:
        return inputs.astype(np.float64) if inputs.dtype == object else inputs
    except (TypeError, ValueError, OverflowError):
        raise InputError(
            f"{source} takes numbers and the rows hold text; give a table of numbers, or a model that encodes text"
        ) from None


def integers_of(inputs: Array, kind: np.dtype[Any], source: str) -> Array:
    """A table as a network takes it that takes integers: numbers between two are rounded, as a perturbation makes them.

    Raises:
        InputError: if it holds text or missing values.
    """
    low, high = bounds_of(kind)
    try:
        if inputs.dtype != object:
            # float64 holds no integer of 64 bits that is the largest, but one below.
            top = float(high) if float(high) <= high else np.nextafter(float(high), 0)
            whole = np.clip(np.rint(inputs.astype(np.float64)), low, top)
        else:
            whole = np.frompyfunc(lambda value: min(max(round(value), low), high), 1, 1)(inputs)
        if inputs.dtype == object or not np.isnan(whole).any():
            return np.asarray(whole.astype(kind))
    except (TypeError, ValueError, OverflowError):
        pass
    raise Unanswered(f"{source} takes {kind} and the rows hold text or missing values; give a table of whole numbers")


def held_by(kind: np.dtype[Any], column: Array) -> BoolArray:
    """Which values of a column of a table an integer type holds, (rows,).

    >>> held_by(np.dtype(np.uint8), np.array([1.0, 0.5, -1.0, 256.0, np.nan])).tolist()
    [True, False, False, False, False]
    """
    low, high = bounds_of(kind)
    if column.dtype != object:
        return np.asarray((column >= low) & (column < high + 1) & (column == np.floor(column)))
    return np.array([_number(one) and low <= one <= high and one == round(one) for one in column.tolist()], np.bool_)


def _number(value: Any) -> bool:
    return isinstance(value, Real)


def bounds_of(kind: np.dtype[Any]) -> tuple[int, int]:
    """The least and the largest number that a type of integers, or of truths, holds."""
    return (0, 1) if kind == np.bool_ else (int(np.iinfo(kind).min), int(np.iinfo(kind).max))


def outputs_of(values: Array, means: Meaning, rows: int, source: str, classes: int = 0) -> Outputs:
    """Outputs of ``rows`` inputs from an array (rows, classes); axes of length one behind are dropped.

    Raises:
        InputError: if the array is not (rows, classes), is no number, is not what it was declared to be, or answers
            another number of classes than ``classes`` (0: any).
    """
    try:
        outputs = _meant(values, means, rows, source)
    except NoDistribution as error:
        declared = 'if they are logits, say so: --outputs logits, or outputs = "logits" in the task file'
        multilabel = "; of a model with a sigmoid for each class (multilabel) one class at a time is judged"
        raise error.advising(declared, declared + multilabel) from None
    if classes and outputs.classes != classes:
        raise InputError(
            f"{source} answers {outputs.classes} classes and {classes} are named; give one name for each, in its order"
        )
    return outputs


def _meant(values: Array, means: Meaning, rows: int, source: str) -> Outputs:
    z = np.asarray(values)
    while z.ndim > 2 and z.shape[-1] == 1:
        z = z[..., 0]
    some = z.ndim == 1 or (z.ndim == 2 and z.shape[1] > 0)
    if not some or len(z) != rows or not np.issubdtype(z.dtype, np.floating):
        raise InputError(
            f"{source} answers an array of shape {np.shape(values)} and type {z.dtype} for {rows} rows; a classifier's "
            "scores (rows, classes) are needed: name another output with --output"
        )
    single = z.ndim == 1 or z.shape[1] == 1
    if means == "probabilities":
        # The one score of a two-class network is that of the second class, in every framework that allows it.
        return from_binary(z, positive=1) if single else from_probabilities(z)
    if means == "log-probabilities":
        return from_binary(np.exp(z.astype(np.float64)), positive=1) if single else from_log_probabilities(z)
    return from_logits(z)
