"""Rows in blocks of one size, for networks that were exported with a fixed batch."""

from collections.abc import Callable

import numpy as np

from pfungst.arrays import Array


def in_blocks(run: Callable[[Array], Array], values: Array, size: int | None) -> Array:
    """Answers of ``run`` for all rows, asked in blocks of ``size`` (None: all at once).

    The last block is filled up with its last row, and what is answered there is dropped.

    >>> in_blocks(lambda block: block * 10, np.arange(3), 2).tolist()
    [0, 10, 20]
    """
    if size is None or not len(values):
        return run(values)
    answers = []
    for at in range(0, len(values), size):
        block = values[at : at + size]
        short = size - len(block)
        filled = np.concatenate([block, np.repeat(block[-1:], short, axis=0)]) if short else block
        answers.append(run(filled)[: len(block)])
    return np.concatenate(answers)
