"""Seeded: random generators that a digest of bytes names."""

from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence

from pfungst.arrays import Array


class _Words(ISeedSequence):
    """The words of a digest, given as they are; a key beside them would cost a read of the machine's entropy."""

    def __init__(self, digest: bytes) -> None:
        self._words = np.frombuffer(digest, "<u8")

    def generate_state(self, n_words: int, dtype: Any = np.uint64) -> Array:
        """As many words as a key of Philox has."""
        return self._words[:n_words].astype(dtype)


def philox(digest: bytes) -> np.random.Philox:
    """The bits that 16 bytes name, in any process and on any machine: ``Philox(key=...)`` at a third of its cost.

    >>> key = int.from_bytes(bytes(range(16)), "little")
    >>> bool(philox(bytes(range(16))).random_raw() == np.random.Philox(key=key).random_raw())
    True
    """
    return np.random.Philox(_Words(digest[:16]))  # type: ignore[arg-type]  # the stubs do not know seeds of one's own


def generator(digest: bytes) -> np.random.Generator:
    """The generator that 16 bytes name."""
    return np.random.Generator(philox(digest))
