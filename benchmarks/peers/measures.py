"""Calibration errors and areas under curves by netcal, torchmetrics and relplot."""

from collections.abc import Callable
from typing import Any

VERSIONS = ("numpy",)
Answer = Callable[[], dict[str, Any]]


def netcal(arrays: dict[str, Any], *, bins: int) -> Answer:
    """Netcal's expected calibration error."""
    from netcal.metrics import ECE  # noqa: PLC0415 - one package is asked at a time

    return lambda: {"answer": ECE(bins=bins).measure(arrays["p"], arrays["y"])}


def torchmetrics(arrays: dict[str, Any], *, bins: int) -> Answer:
    """The expected calibration error of torchmetrics."""
    import torch  # noqa: PLC0415 - one package is asked at a time
    from torchmetrics.functional.classification import multiclass_calibration_error as error  # noqa: PLC0415

    torch.set_num_threads(1)
    p, y = torch.from_numpy(arrays["p"]), torch.from_numpy(arrays["y"])
    return lambda: {"answer": error(p, y, p.shape[1], bins)}


def torchmetrics_area(arrays: dict[str, Any]) -> Answer:
    """The area under the ROC curve of torchmetrics."""
    import torch  # noqa: PLC0415 - one package is asked at a time
    from torchmetrics.functional.classification import binary_auroc  # noqa: PLC0415

    torch.set_num_threads(1)
    # Scores outside [0, 1] would be put through a sigmoid, which makes ties.
    scores, y = torch.from_numpy(arrays["scores"]), torch.from_numpy(arrays["y"])
    return lambda: {"answer": binary_auroc(scores, y)}


def relplot(arrays: dict[str, Any]) -> Answer:
    """Relplot's smooth calibration error."""
    import relplot as rp  # noqa: PLC0415 - one package is asked at a time

    return lambda: {"answer": rp.smECE(arrays["f"], arrays["right"])}


TASKS = {"netcal": netcal, "torchmetrics": torchmetrics, "torchmetrics-area": torchmetrics_area, "relplot": relplot}
