"""Donors: the rows from which a cue is taken to be given to another row."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray


class Donors:
    """A bank of labelled rows of one half, read when first asked.

    ``load(half)`` gives an object with ``ids``, ``inputs`` and ``labels``.
    """

    def __init__(self, load: Callable[[Any], Any], half: str, classes: int) -> None:
        self._load, self._half, self.classes = load, half, classes
        self._measured: dict[Any, FloatArray] = {}

    @cached_property
    def _bank(self) -> Any:
        return self._load(self._half)

    @property
    def inputs(self) -> Array:
        """Inputs of the donors, (donors, ...)."""
        return np.asarray(self._bank.inputs)

    @property
    def labels(self) -> IntArray:
        """Class of each donor."""
        return np.asarray(self._bank.labels)

    @property
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

    def measured(self, key: Any, measure: Callable[[Array], FloatArray]) -> FloatArray:
        """A property of every donor, (donors, ...), computed once for each key."""
        if key not in self._measured:
            self._measured[key] = measure(self.inputs)
        return self._measured[key]

    def class_means(self, key: Any, measure: Callable[[Array], FloatArray]) -> FloatArray:
        """Mean of a property within each class, (classes, ...); classes without donors hold the overall mean."""
        values = self.measured(key, measure)
        overall = values.mean(axis=0)
        return np.stack([values[rows].mean(axis=0) if len(rows) else overall for rows in self._by_class])
