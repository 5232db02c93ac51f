"""Calibration and metrics beside netcal, torchmetrics, relplot and scikit-learn: the same arrays, the same definition.

Ours refuse what is no distribution and read in parts; the time of that is in theirs over ours.
"""

from collections.abc import Iterator

import numpy as np

from beside.measured import Plan, Row, Task, compared, near, running
from beside.peer import Package
from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.methods.calibration_errors import expected_calibration_error, smooth_calibration_error
from pfungst.methods.recalibration import log_losses, temperature
from pfungst.outputs import from_logits, from_probabilities
from pfungst.stated import stated
from pfungst.statistics.auroc import auroc

NETCAL = Package("netcal", "measures", "measures")
TORCHMETRICS = Package("torchmetrics", "measures", "measures")
RELPLOT = Package("relplot", "measures", "measures")
SKLEARN = Package("scikit-learn", "sklearn")
BINS = 15
CHECKED = "ours reads in parts and refuses what is no distribution"


def rows(plan: Plan) -> Iterator[Row]:
    """Expected and smooth calibration errors, a temperature, log-loss, area under the curve."""
    for package, tasks in (
        (NETCAL, of_netcal),
        (TORCHMETRICS, of_torchmetrics),
        (RELPLOT, of_relplot),
        (SKLEARN, of_sklearn),
    ):
        with running(package) as peer:
            yield from compared("calibration", package, peer, tasks(plan), plan)


def of_netcal(plan: Plan) -> Iterator[Task]:
    """Its expected calibration error."""
    for size in sizes(plan):
        yield expected(size, "netcal")


def of_torchmetrics(plan: Plan) -> Iterator[Task]:
    """Its expected calibration error and its area under the curve."""
    for size in sizes(plan):
        yield expected(size, "torchmetrics")
    yield area(plan.rows(200_000, 20_000), "torchmetrics-area")


def of_relplot(plan: Plan) -> Iterator[Task]:
    """Its smooth calibration error: within one per cent on data whose gaps change sign."""
    f, right = confidences(plan.rows(200_000, 20_000))
    yield Task(
        "smooth calibration error", f"{len(f):,} rows", lambda: np.array(smooth_calibration_error(f, right)), "relplot",
        {"f": f, "right": right.astype(float)}, near(0.01, "error"),
    )  # fmt: skip


def of_sklearn(plan: Plan) -> Iterator[Task]:
    """What it and pfungst both compute."""
    f, right = confidences(plan.rows(1_000_000, 100_000))
    on = f"{len(f):,} rows"
    yield Task(
        "curve of calibration", on, lambda: np.array(expected_calibration_error(f, right, BINS)), "curve",
        {"f": f, "right": right}, near(1e-4, "its mean gap"), {"bins": BINS},
    )  # fmt: skip
    z, y = scores(plan.rows(50_000, 10_000), 100)
    outputs, on = from_logits(z), f"{len(z):,} rows, 100 classes"
    yield Task(
        "temperature", on, lambda: np.array(temperature(outputs, y).value), "temperature", {"z": z, "y": y},
        near(2e-3, "temperature"),
    )  # fmt: skip
    p = softmax(z.astype(np.float64))
    yield Task(
        "log-loss", on, lambda: log_losses(from_probabilities(p), y).mean(), "loss", {"p": p, "y": y},
        near(1e-5, "loss"),
    )  # fmt: skip
    yield area(plan.rows(200_000, 20_000), "area")


def expected(size: tuple[int, int], theirs: str) -> Task:
    """The expected calibration error from probabilities, which are read and checked."""
    z, y = scores(*size)
    p = softmax(z)

    def ours() -> FloatArray:
        answers = stated(p, "probabilities")
        return np.array(expected_calibration_error(answers.confidence, answers.predictions == y, BINS))

    on = f"{size[0]:,} rows, {size[1]:,} classes"
    given: dict[str, Array] = {"p": p, "y": y}
    return Task("expected calibration error", on, ours, theirs, given, near(1e-3, "error"), {"bins": BINS}, CHECKED)


def area(rows_: int, theirs: str) -> Task:
    """The area under the ROC curve; ours with its interval."""
    rng = np.random.default_rng(4)
    known, strange = rng.beta(2, 5, rows_ // 2), rng.beta(3, 4, rows_ // 2)
    given = {"scores": np.concatenate([known, strange]), "y": np.repeat([0, 1], rows_ // 2)}
    on = f"{rows_:,} rows, ours with an interval"
    return Task(
        "area under the curve", on, lambda: np.array(auroc(known, strange).value), theirs, given, near(1e-6, "area"),
        why="ours has an interval",
    )  # fmt: skip


def sizes(plan: Plan) -> tuple[tuple[int, int], ...]:
    """Rows and classes: many of the one, many of the other."""
    return ((20_000, 100),) if plan.quick else ((50_000, 1000), (500_000, 10))


def scores(count: int, classes: int) -> tuple[FloatArray, IntArray]:
    """Logits of a network that is too sure, and labels."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((count, classes), np.float32) * 2
    y = (z / 2 - np.log(-np.log(rng.random((count, classes), np.float32) + 1e-30))).argmax(axis=1)
    return z, y


def softmax(z: FloatArray) -> FloatArray:
    """Probabilities in the precision of the logits."""
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return p


def confidences(count: int) -> tuple[FloatArray, Array]:
    """Confidences whose gaps change sign, and whether the answer was right."""
    rng = np.random.default_rng(1)
    f = 0.5 + 0.5 * rng.beta(2, 1, count)
    return f, rng.uniform(size=count) < np.clip(f - 0.08 * np.sin(14 * f), 0, 1)
