"""scikit-learn's curve of calibration, temperature, log-loss and area, which pfungst computes by itself."""

from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn.calibration
from sklearn.metrics import log_loss, roc_auc_score

VERSIONS = ("scikit-learn", "numpy")
Answer = Callable[[], dict[str, Any]]


def curve(arrays: dict[str, Any], *, bins: int) -> Answer:
    """Share of right answers and mean confidence of bins, as one expected calibration error."""
    f, right = arrays["f"], arrays["right"]

    def answer() -> dict[str, Any]:
        share, mean = sklearn.calibration.calibration_curve(right, f, n_bins=bins)
        edges = np.linspace(0, 1, bins + 1)
        counts = np.bincount(np.searchsorted(edges[1:-1], f), minlength=bins)
        return {"answer": float((np.abs(share - mean) * counts[counts > 0]).sum() / len(f))}

    return answer


def temperature(arrays: dict[str, Any]) -> Answer:
    """The fit alone: what stands around it in CalibratedClassifierCV is no part of the comparison."""
    scaling = sklearn.calibration._TemperatureScaling  # noqa: SLF001 - it has no other name
    return lambda: {"answer": 1 / float(scaling().fit(arrays["z"], arrays["y"]).beta_)}


def loss(arrays: dict[str, Any]) -> Answer:
    """Mean negative log-probability of the label."""
    classes = np.arange(arrays["p"].shape[1])
    return lambda: {"answer": log_loss(arrays["y"], arrays["p"], labels=classes)}


def area(arrays: dict[str, Any]) -> Answer:
    """Area under the ROC curve, without an interval."""
    return lambda: {"answer": roc_auc_score(arrays["y"], arrays["scores"])}


TASKS = {"curve": curve, "temperature": temperature, "loss": loss, "area": area}
