"""Proofs beside attacks: of how many rows it is proven that no input within a budget turns the answer."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.attacked import Attacked
from pfungst.findings import Condition
from pfungst.methods.threats import Norm
from pfungst.passes import Passes, Prove
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.intervals import proportion_of

PROVABLE = ("linf", "l2")


class ContradictionError(RuntimeError):
    """A proof and the model's own answer contradict each other: one of pfungst's methods has a bug."""


def proof_beside(threat: Any, rows: int) -> Prove | None:
    """The proof of the same rows at the same sizes as an attack, where there is one for its norm."""
    if not isinstance(threat, Norm) or threat.norm not in PROVABLE:
        return None
    return Prove(threat.norm, tuple(sorted({*threat.levels, *threat.budgets})), rows=rows)


def open_question(threat: Any, found: Attacked, tolerance: float) -> bool:
    """Whether rows stand at a budget where the attack alone decides nothing: only then is a proof worth its cost."""
    right = found.budget > 0
    fallen = (found.broken & (found.budget <= size) for size in threat.budgets)
    return any(proportion_of(fell & right).against(tolerance) != "found" for fell in fallen)


def proven_radius(done: Passes, threat: Any, found: Attacked, rows: int) -> FloatArray | None:
    """Within which size each attacked row is proven, 0 for none; None where nothing was asked or could be.

    Raises:
        ContradictionError: if an input that was found within the size turns the answer of a proven row.
    """
    asked = proof_beside(threat, rows)
    if asked is None or asked not in done:
        return None
    proven = done[asked]
    assert proven.rows is not None, "answers of a pass know their rows"
    assert found.rows is not None, "answers of a pass know their rows"
    known = {int(row): float(size) for row, size in zip(proven.rows, proven.radius, strict=True)}
    radius = np.array([known.get(int(row), 0.0) for row in found.rows])
    wrong = found.rows[found.broken & (radius > 0) & (found.budget <= radius)]
    wrong = np.union1d(wrong, proven.rows[proven.refuted])
    if len(wrong):
        raise ContradictionError(
            f"{len(wrong)} rows are proven to keep their answer within {threat.norm} and lose it all the same (row "
            f"{int(wrong[0])} is one); no proof and no attack of this run is to be believed: please report it"
        )
    return radius


def most_lost(found: Attacked, radius: FloatArray, budget: float, units: Array | None) -> Estimate:
    """The share of rows that are right and not proven to stay so: what the best attack could reach."""
    return proportion_of((found.budget > 0) & (radius < budget), units, "accuracy not proven")


def proven_share(radius: FloatArray, budget: float, units: Array | None = None) -> Estimate:
    """The share of rows that are right and proven to stay so."""
    return proportion_of(radius >= budget, units, "proven accuracy")


def proven_condition(
    subject: str, radius: FloatArray | None, budget: float, units: Array | None
) -> Iterator[Condition]:
    """What is proven to remain of the accuracy, where anything is."""
    if radius is not None and (radius >= budget).any():
        yield Condition(condition=f"proven within {subject}", accuracy=proven_share(radius, budget, units))


def bracket(lost: Estimate, radius: FloatArray, budget: float, most: Estimate) -> str:
    """What attack and proof say together, in words."""
    return (
        f" A proof covers {int((radius >= budget).sum())} of the rows: no input within the budget turns them. So at "
        f"least {lost.value:.1%} (attacked) and at most {most:.1%} (not "
        "proven) of the rows can be made wrong."
    )
