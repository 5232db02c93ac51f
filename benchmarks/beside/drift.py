"""Two-sample tests beside Frouros and Evidently: the same rows, kernel and number of permutations or draws."""

from collections.abc import Iterator
from functools import partial

import numpy as np
from scipy.spatial.distance import pdist

from beside.measured import Plan, Row, Task, compared, running
from beside.peer import Package
from pfungst.arrays import Array, FloatArray
from pfungst.methods.two_sample import maximum_mean_discrepancy

FROUROS = Package("frouros", "frouros", "frouros")
EVIDENTLY = Package("evidently", "evidently", "evidently", "compares columns one by one, with 100 draws", "Apache-2.0")
SIZES = {"frouros": ((100, 8, 199), (250, 32, 199)), "evidently": ((250, 1, 100),)}
"""Rows of each sample, columns, permutations."""


def rows(plan: Plan) -> Iterator[Row]:
    """The kernel's discrepancy with its chance."""
    for package in (FROUROS, EVIDENTLY):
        with running(package) as peer:
            yield from compared("drift", package, peer, tasks(package.name, plan), plan)


def tasks(name: str, plan: Plan) -> Iterator[Task]:
    """Samples that are a little apart."""
    rng = np.random.default_rng(0)
    for count, columns, draws in SIZES[name][: plan.rows(2, 1)]:
        old, new = rng.normal(size=(count, columns)), rng.normal(size=(count, columns)) + 0.2
        width = float(np.sqrt(np.median(pdist(np.concatenate([old, new]), "sqeuclidean"))))
        yield Task(
            "kernel's discrepancy with its chance", f"{count} + {count} rows, columns: {columns}, draws: {draws}",
            partial(discrepancy, old, new, draws), "discrepancy", {"old": old, "new": new}, same,
            {"draws": draws, "width": width},
        )  # fmt: skip


def discrepancy(old: FloatArray, new: FloatArray, draws: int) -> FloatArray:
    """Squared, and its p-value."""
    found = maximum_mean_discrepancy(old, new, draws=draws)
    return np.array([found.effect**2, found.p_value])


def same(mine: Array, theirs: dict[str, Array]) -> tuple[bool, str]:
    """The squared discrepancy is the same number; chance is drawn anew."""
    other, p = float(theirs["answer"]), float(theirs["p"])
    said = f"squared discrepancy: {mine[0]:.4f}, {other:.4f}; p: {mine[1]:.3f}, {p:.3f}"
    return abs(float(mine[0]) - other) <= 0.01 * abs(other), said
