"""Donors: the rows from which a cue is taken to be given to another row."""

from collections.abc import Callable
from functools import cached_property
from threading import RLock
from typing import Any, TypeVar

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray

T = TypeVar("T")

_COMPUTING = RLock()
"""Rows are perturbed in one thread while the model is asked in another, and both may want the donors first."""


class Donors:
    """A bank of labelled rows of one half, read when first asked.

    ``load(half)`` gives an object with ``ids``, ``rows``, ``inputs``, ``labels`` and ``masks``.
    """

    def __init__(self, load: Callable[[Any], Any], half: str, classes: int) -> None:
        self._load, self._half, self.classes = load, half, classes
        self._known: dict[Any, Any] = {}

    @property
    def _bank(self) -> Any:
        return self.known("bank", lambda: self._load(self._half))

    @property
    def inputs(self) -> Array:
        """Inputs of the donors, (donors, ...)."""
        return np.asarray(self._bank.inputs)

    @property
    def labels(self) -> IntArray:
        """Class of each donor."""
        return np.asarray(self._bank.labels)

    @property
    def masks(self) -> Array | None:
        """Where the object lies in each donor, (donors, height, width), or None where nobody said."""
        return None if self._bank.masks is None else np.asarray(self._bank.masks)

    @property
    def rows(self) -> IntArray:
        """Position of each donor in the data set."""
        return np.asarray(self._bank.rows)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Row id of each donor."""
        return tuple(self._bank.ids)

    @cached_property
    def _by_class(self) -> list[IntArray]:
        return [np.flatnonzero(self.labels == k) for k in range(self.classes)]

    @cached_property
    def present(self) -> IntArray:
        """Classes that have at least two donors."""
        return np.array([k for k, rows in enumerate(self._by_class) if len(rows) > 1], dtype=np.int64)

    def draw(self, rng: np.random.Generator, name: str, label: int, *, same: bool) -> int:
        """Index of a donor for the row ``name`` of class ``label``: of the same class, or of another drawn evenly.

        Always two draws, whatever they hit, so that later draws of the row stay in step. A row is never its own donor.
        """
        first, second = rng.random(), rng.random()
        others = self.present[self.present != label]
        pool = self._by_class[label] if same or not len(others) else self._by_class[others[int(first * len(others))]]
        if not len(pool):
            return int(second * len(self.labels))
        at = int(second * len(pool))
        if self.ids[pool[at]] == name:
            at = (at + 1) % len(pool)
        return int(pool[at])

    def known(self, key: Any, compute: Callable[[], T]) -> T:
        """What is computed about the donors once for each key, which stands for one computation only."""
        if key not in self._known:
            with _COMPUTING:
                if key not in self._known:
                    self._known[key] = compute()
        found: T = self._known[key]
        return found

    def class_means(self, values: FloatArray) -> FloatArray:
        """Mean of a number of each donor within each class, (classes, ...); without donors it is the overall mean."""
        overall = values.mean(axis=0)
        return np.stack([values[rows].mean(axis=0) if len(rows) else overall for rows in self._by_class])
