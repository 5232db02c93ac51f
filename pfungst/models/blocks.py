"""Rows in blocks of one size, for networks that were exported with a fixed batch."""

from collections.abc import Callable, Sequence

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


def joined(values: Sequence[Array]) -> Array:
    """Scores (rows, classes) and whatever else each row gives, side by side; alone they stay as they are.

    >>> joined([np.zeros((2, 3)), np.ones((2, 2, 2))]).shape
    (2, 7)
    """
    if len(values) == 1:
        return np.asarray(values[0])
    return np.concatenate([np.asarray(each).reshape(len(each), -1) for each in values], axis=1)


def parted(values: Array, width: int) -> tuple[Array, Array]:
    """The scores, and the features that stand behind them as float32."""
    return values[:, :-width], np.ascontiguousarray(values[:, -width:], np.float32)
