"""cleanlab's search for wrong labels, from labels and predicted probabilities."""

from collections.abc import Callable
from typing import Any

from cleanlab.filter import find_label_issues

VERSIONS = ("cleanlab", "numpy")
Answer = Callable[[], dict[str, Any]]


def issues(arrays: dict[str, Any]) -> Answer:
    """Whether each label is called wrong."""
    return lambda: {"answer": find_label_issues(arrays["y"], arrays["p"], n_jobs=1)}


TASKS = {"issues": issues}
