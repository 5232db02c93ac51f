"""From a network's raw answer array to Outputs: shape checked, meaning declared once."""

from typing import Literal

import numpy as np

from pfungst.arrays import Array
from pfungst.errors import InputError
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
    """A table as float32. Raises InputError if it holds text."""
    try:
        return inputs.astype(np.float32, copy=False)
    except (TypeError, ValueError):
        raise InputError(
            f"{source} takes numbers and the rows hold text; give a table of numbers, or a model that encodes text"
        ) from None


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
