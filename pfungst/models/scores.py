"""From a network's raw answer array to Outputs: shape checked, meaning declared once."""

from typing import Literal

import numpy as np

from pfungst.arrays import Array
from pfungst.errors import InputError
from pfungst.outputs import Outputs, from_logits, from_probabilities

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


def outputs_of(values: Array, means: Meaning, rows: int, source: str) -> Outputs:
    """Outputs of ``rows`` inputs from an array (rows, classes); axes of length one behind are dropped.

    Raises:
        InputError: if the array is not (rows, classes), is no number, or is not what it was declared to be.
    """
    z = np.asarray(values)
    while z.ndim > 2 and z.shape[-1] == 1:
        z = z[..., 0]
    if z.ndim not in {1, 2} or len(z) != rows or not np.issubdtype(z.dtype, np.floating):
        raise InputError(
            f"{source} answers an array of shape {np.shape(values)} and type {z.dtype} for {rows} rows; a classifier's "
            "scores (rows, classes) are needed: name another output with --output"
        )
    if means == "probabilities":
        return from_probabilities(z)
    if means == "log-probabilities":
        return Outputs(from_probabilities(np.exp(z.astype(np.float64))).logits, normalised=True)
    return from_logits(z)
