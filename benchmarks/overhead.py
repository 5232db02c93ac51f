"""What an audit costs beyond the model: python benchmarks/overhead.py [engine|whole|chapters] [MODEL DATA ROWS].

``engine``: a clean pass through the engine (read, batch, ask, keep) against the same session called in a bare loop over
the same decoded arrays, in turn, in one process. ``whole``: an audit with all chapters that run by default against the
bare time of the forward and backward passes that it lists. ``chapters``: calibration, mistakes and unknowns beside
shift against shift alone; what they add is taken beside an audit of the plain pass, which all of them want. Ratios
only, of time passed and of processor time; on a busy machine read the latter.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import pfungst
from pfungst.audits.request import resolve
from pfungst.audits.study import opened
from pfungst.datasets.dataset import Dataset
from pfungst.demo import demo_files
from pfungst.engine.cache import Cache
from pfungst.engine.rounds import Rounds
from pfungst.findings import Finding
from pfungst.passes import Passes, Predict
from pfungst.probe import Probe

REPEATS = 7
REAL = Path(os.environ.get("PFUNGST_DATA", Path(__file__).parents[2] / "shared" / "data"))
CASES = (
    ("cifar10_resnet20", "cifar10_test_jpeg.npz", 2000),
    ("imagenet_mobilenetv2", "imagenette_val_300.zip", 200),
)
"""Networks and pictures of 32 and of 224 pixels, and how many rows of them are audited."""

Times = np.ndarray
"""Seconds that passed, and seconds of all processors."""


def main() -> None:
    """Print the ratios for the named model and data; else for the real networks where they are, and for the demo.

    The embedded example's network takes tens of microseconds a row, so its ratio shows the engine's fixed cost.
    """
    what, *named = sys.argv[1:] or ["engine"]
    if named:
        cases = [(named[0], named[1], int(named[2]))]
    else:
        there = [case for case in CASES if (REAL / "models" / case[0]).exists()]
        cases = [(str(REAL / "models" / m / "model.onnx"), str(REAL / "images" / d), rows) for m, d, rows in there]
    files = demo_files()
    cases = cases or [(str(files.model), str(files.data), 200)]
    for case in cases:
        {"engine": engine, "whole": whole, "chapters": chapters}[what](*case)


def taken(work: Callable[[], Any]) -> tuple[Times, Any]:
    """The times of some work, and what it gives."""
    began = time.perf_counter(), time.process_time()
    given = work()
    return np.array([time.perf_counter() - began[0], time.process_time() - began[1]]), given


def engine(model: str, data: str, rows: int) -> None:
    """Time a clean pass both ways, in turn, and print the ratio."""
    study = opened(model, data, resolve(None, {"rows": rows}))
    batch, _ = study.data.batch(study.data.sample())
    size = study.request.batch_size
    ratios = []
    for _ in range(REPEATS):
        bare, _ = taken(
            lambda: [study.model.predict(batch.inputs[at : at + size]) for at in range(0, len(batch), size)]
        )
        with tempfile.TemporaryDirectory() as folder:
            rounds = Rounds(study.data, study.executor(), Cache(Path(folder), study.key))
            ours, _ = taken(lambda: rounds.answer({Predict(): ("bench",)}, Passes()))  # noqa: B023 - called at once
        ratios.append(ours / bare)
    say(model, f"{len(batch)} rows: engine / bare loop", np.median(ratios, axis=0), "1.10")


def a_row(study: Any) -> Times:
    """Bare time of one row in a full batch of the network's own numbers: the runtime alone, nothing prepared."""
    size = study.request.batch_size
    batch, _ = study.data.batch(study.data.sample(size))
    values = np.resize(study.model._prepared(batch.inputs), (size, *study.model._prepared(batch.inputs).shape[1:]))  # noqa: SLF001 - that is what is timed
    study.model._run(values)  # noqa: SLF001 - the first call is slower
    return np.median([taken(lambda: study.model._run(values))[0] for _ in range(REPEATS)], axis=0) / size  # noqa: SLF001


def whole(model: str, data: str, rows: int) -> None:
    """Audit with all chapters, the bare time taken before and after, and print the ratio."""
    study = opened(model, data, resolve(None, {"rows": rows}))
    before = a_row(study)
    with tempfile.TemporaryDirectory() as folder:
        ours, result = taken(lambda: pfungst.audit(model, data, rows=rows, out=Path(folder) / "run"))
    forwards = sum(one.forwards for one in result.report.passes)
    bare = forwards * (before + a_row(study)) / 2
    say(model, f"{rows} rows, {forwards:,.0f} forward passes of a row: audit / bare passes", ours / bare, "1.25")


@dataclass(frozen=True)
class Plain(Probe):
    """Wants the rows as they are, and says nothing of them."""

    def needs(self, data: Dataset, done: Passes) -> Iterator[Predict]:
        """The plain pass."""
        del data, done
        yield Predict()

    def judge(self, data: Dataset, done: Passes) -> Iterator[Finding]:
        """Nothing."""
        del data, done
        return iter(())


def chapters(model: str, data: str, rows: int) -> None:
    """Audit with one chapter, with three others and with none, in turn, and print the ratio."""

    def audited(**asked: Any) -> Times:
        return taken(lambda: pfungst.audit(model, data, rows=rows, **asked))[0]

    audited(probes=[Plain()])  # the first audit of a process imports and compiles
    ratios = []
    for _ in range(3):
        alone, more = audited(only=("shift",)), audited(only=("calibration", "mistakes", "unknowns"))
        ratios.append(1 + (more - audited(probes=[Plain()])) / alone)
    say(model, f"{rows} rows: shift with three chapters / shift alone", np.median(ratios, axis=0), "1.03")


def say(model: str, what: str, ratio: Times, target: str) -> None:
    """One line."""
    print(
        f"{Path(model).parent.name}, {what} = {ratio[0]:.3f}, of processor time {ratio[1]:.3f} (target {target})",
        flush=True,
    )


if __name__ == "__main__":
    main()
