"""What calibration costs beside its peers: python benchmarks/calibration.py [--write].

Every ratio is the middle of repeats in turn, in one process, on one thread; a peer (netcal, torchmetrics, relplot) that
is not installed is named and left out. A "read" is the sum over the array of probabilities, the least anybody can do
who looks at every number. With ``--write`` the table goes into docs/calibration.md.
"""

import argparse
import importlib
import re
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import sklearn.calibration
from threadpoolctl import threadpool_limits

from pfungst import measure_calibration
from pfungst.methods.calibration_chance import by_chance
from pfungst.methods.calibration_errors import expected_calibration_error, smooth_calibration_error
from pfungst.methods.recalibration import temperature
from pfungst.outputs import from_logits
from pfungst.stated import stated
from pfungst.statistics.binning import grid_of, merged
from pfungst.statistics.smoothing import smooth_error

PAGE = Path(__file__).parents[1] / "docs" / "calibration.md"
REPEATS = 5
Row = tuple[str, str, str, str]
Array = np.ndarray[Any, np.dtype[Any]]


def peer(name: str) -> ModuleType | None:
    """A package that may not be there."""
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"{name} is not installed and is left out")
        return None


def ratio(one: Callable[[], object], other: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median over repeats of the time of one over that of the other, in turn."""
    found = []
    for _ in range(repeats):
        times = []
        for each in (one, other):
            began = time.perf_counter()
            each()
            times.append(time.perf_counter() - began)
        found.append(times[0] / times[1])
    return statistics.median(found)


def memory(ask: Callable[[], object], beside: Array) -> str:
    """Most memory held on the way, as a share of the array."""
    tracemalloc.start()
    ask()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return f"{peak / beside.nbytes:.1%}"


def scores(rows: int, classes: int) -> tuple[Array, Array]:
    """Logits of a network that is too sure, and labels."""
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((rows, classes), np.float32) * 2
    labels = (logits / 2 - np.log(-np.log(rng.random((rows, classes), np.float32) + 1e-30))).argmax(axis=1)
    return logits, labels


def softmax(logits: Array) -> Array:
    """Probabilities in single precision."""
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return p


def expected(rows: int, classes: int) -> Iterator[Row]:
    """The expected calibration error from probabilities, in reads of the array."""
    logits, labels = scores(rows, classes)
    p = softmax(logits)
    del logits
    size = f"{rows:,} rows, {classes} classes"

    def here() -> float:
        answers = stated(p, "probabilities")
        return expected_calibration_error(answers.confidence, answers.predictions == labels)

    def read() -> Array:
        return p.sum()

    yield "expected calibration error", size, "pfungst", f"{ratio(here, read):.2f} reads"
    if (netcal := peer("netcal.metrics")) is not None:
        value = netcal.ECE(bins=15).measure(p, labels)
        assert abs(value - here()) < 1e-5
        factor = ratio(lambda: netcal.ECE(bins=15).measure(p, labels), here, 3)
        yield "", "", "netcal", f"{factor:.1f} times as long"
    torch, metrics = peer("torch"), peer("torchmetrics.functional.classification")
    if torch is not None and metrics is not None:
        torch.set_num_threads(1)
        given, true = torch.from_numpy(p), torch.from_numpy(labels)
        factor = ratio(lambda: metrics.multiclass_calibration_error(given, true, classes, 15), here, 3)
        yield "", "", "torchmetrics", f"{factor:.1f} times as long"
    yield "memory beside the array", size, "pfungst, this error", memory(here, p)
    every = memory(lambda: measure_calibration(p, labels, "probabilities"), p)
    yield "", "", "pfungst, every number and its null", every
    if netcal is not None:
        yield "", "", "netcal", memory(lambda: netcal.ECE(bins=15).measure(p, labels), p)


def smooth(rows: int) -> Iterator[Row]:
    """The smooth calibration error from confidences, and from a grid that is there already."""
    rng = np.random.default_rng(1)
    confidence = 0.5 + 0.5 * rng.beta(2, 1, rows)
    correct = (rng.uniform(size=rows) < np.clip(confidence - 0.08 * np.sin(14 * confidence), 0, 1)).astype(float)
    relplot = peer("relplot")
    if relplot is None:
        return
    residuals = grid_of(confidence, correct).residuals / rows
    ours, theirs = smooth_calibration_error(confidence, correct), relplot.smECE(confidence, correct)
    after = ratio(lambda: relplot.smECE(confidence, correct), lambda: smooth_error(residuals))
    whole = ratio(lambda: relplot.smECE(confidence, correct), lambda: smooth_calibration_error(confidence, correct))
    agreed = f"({theirs:.5f}; here {ours:.5f})"
    yield "smooth calibration error", f"{rows:,} rows", "relplot", f"{whole:.0f} times as long {agreed}"
    yield "", "after the grid is filled", "relplot", f"{after:.0f} times as long"


def temperatures(rows: int, classes: int) -> Iterator[Row]:
    """A temperature, from logits."""
    logits, labels = scores(rows, classes)
    outputs = from_logits(logits)
    # The fit alone: what stands around it in CalibratedClassifierCV is no part of the comparison.
    scaling = sklearn.calibration._TemperatureScaling  # noqa: SLF001
    fitted: list[float] = []

    def theirs() -> None:
        fitted.append(1 / float(scaling().fit(logits, labels).beta_))

    factor = ratio(theirs, lambda: temperature(outputs, labels), 3)
    ours = temperature(outputs, labels).value
    agreed = f"(T {fitted[0]:.4f}; here {ours:.4f})"
    yield "temperature", f"{rows:,} rows, {classes} classes", "scikit-learn", f"{factor:.1f} times as long {agreed}"


def resampled() -> Iterator[Row]:
    """A thousand draws under perfect calibration, of all errors at once, do not grow with the rows."""
    rng = np.random.default_rng(2)
    few, many = (0.5 + 0.5 * rng.beta(2, 1, rows) for rows in (10_000, 1_000_000))
    factor = ratio(lambda: by_chance(many, many > 0.7), lambda: by_chance(few, few > 0.7), 3)
    yield "1000 draws of every error", "a million rows against ten thousand", "pfungst", f"{factor:.1f} times as long"


def pixels() -> Iterator[Row]:
    """Fifty million rows in single precision against double."""
    rng = np.random.default_rng(3)
    single, double = grid_of(np.empty(0), np.empty(0)), grid_of(np.empty(0), np.empty(0))
    for _ in range(50):
        confidence = rng.random(1_000_000, dtype=np.float32)
        right = rng.random(1_000_000, dtype=np.float32) < confidence - 0.04
        single = merged(single, grid_of(confidence, right))
        double = merged(double, grid_of(confidence.astype(np.float64), right))
    apart = abs(single.error(15) - double.error(15))
    yield "single against double precision", "50,000,000 rows", "pfungst", f"{apart:.0e} apart"


def table() -> Iterator[str]:
    """The table, line by line."""
    yield "| what | on | whose | measured |"
    yield "|---|---|---|---|"
    parts = (expected(100_000, 1000), expected(1_000_000, 10), smooth(100_000), smooth(1_000_000))
    more = (temperatures(100_000, 100), temperatures(20_000, 1000), resampled(), pixels())
    for part in (*parts, *more):
        for row in part:
            yield f"| {' | '.join(row)} |"


def main() -> None:
    """Print the table; with ``--write`` put it into the page."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--write", action="store_true", help="put the table into docs/calibration.md")
    write = asked.parse_args().write
    with threadpool_limits(1):
        lines = "\n".join(table())
    print(lines)
    if write:
        marked = re.compile(r"(<!-- speed: begin -->\n).*?(<!-- speed: end -->)", re.DOTALL)
        page = PAGE.read_text()
        assert marked.search(page), "the page has no place for the table"
        PAGE.write_text(marked.sub(lambda found: f"{found[1]}{lines}\n{found[2]}", page))


if __name__ == "__main__":
    main()
