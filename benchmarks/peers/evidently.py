"""Evidently's test of a column by the kernel's discrepancy, with a width that is given and 100 draws."""

from collections.abc import Callable
from typing import Any

from evidently.legacy.calculations.stattests import mmd_stattest

VERSIONS = ("evidently", "numpy")
Answer = Callable[[], dict[str, Any]]


def discrepancy(arrays: dict[str, Any], *, draws: int, width: float) -> Answer:
    """The squared discrepancy and its p-value."""
    if draws != 100 or arrays["old"].shape[1] != 1:
        raise ValueError("compares one column with 100 draws")
    mmd_stattest.sigma_median = lambda _: width

    def answer() -> dict[str, Any]:
        p, squared = mmd_stattest.mmd_pval(arrays["old"], arrays["new"])
        return {"answer": float(squared), "p": float(p)}

    return answer


TASKS = {"discrepancy": discrepancy}
