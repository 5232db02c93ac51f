"""Frouros' discrepancy with its permutation test, and its Kolmogorov-Smirnov test of a column."""

from collections.abc import Callable
from functools import partial
from typing import Any

from frouros.callbacks import PermutationTestDistanceBased
from frouros.detectors.data_drift import MMD
from frouros.utils.kernels import rbf_kernel

VERSIONS = ("frouros", "numpy")
Answer = Callable[[], dict[str, Any]]


def discrepancy(arrays: dict[str, Any], *, draws: int, width: float) -> Answer:
    """The squared discrepancy and its p-value; fitting is part of it."""

    def answer() -> dict[str, Any]:
        test = PermutationTestDistanceBased(num_permutations=draws, num_jobs=1, random_state=0, name="permuted")
        detector = MMD(kernel=partial(rbf_kernel, sigma=width), callbacks=test)
        detector.fit(X=arrays["old"])
        found, logs = detector.compare(X=arrays["new"])
        return {"answer": float(found.distance), "p": float(logs["permuted"]["p_value"])}

    return answer


TASKS = {"discrepancy": discrepancy}
