"""What 1e8 images would take, from what is measured here: python benchmarks/projection.py [MODEL DATA].

Measured: a plain pass by one worker and by two; the bytes of an answer on disk; and a whole audit of recorded answers
(opening, ordering, judging: what the one driving process does) at two sizes, of which the slope counts. The rest is
multiplication.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

from growth import peaks, write

from pfungst.auditing import audit
from pfungst.audits.request import resolve
from pfungst.audits.study import opened
from pfungst.demo import demo_files
from pfungst.engine.cache import Cache
from pfungst.engine.rounds import Rounds
from pfungst.methods.shifts import Shifted, named
from pfungst.passes import Passes, Predict

IMAGES = 1e8
WORKERS = 256
SAMPLE, CONDITIONS = 20_000, 100
"""Rows and number of the conditions other than the plain pass: more rows narrow no interval visibly."""

SIZES = (3_000_000, 10_000_000)
"""From where on all that grows with the rows lies in files: fewer rows would be judged by what does not."""


def alone(work: Callable[[int], None], rows: int) -> tuple[float, float]:
    """Processor seconds and MB of anonymous memory that work takes in a process of its own."""
    context = get_context("spawn")
    answers = context.SimpleQueue()
    process = context.Process(target=_told, args=(work, rows, answers))
    process.start()
    assert process.pid is not None, "it was started"
    anonymous, _ = peaks(process.pid, process.is_alive)
    seconds: float = answers.get()
    return seconds, anonymous


def _told(work: Callable[[int], None], rows: int, answers) -> None:  # noqa: ANN001 - a queue of any context
    began = time.process_time()
    work(rows)
    answers.put(time.process_time() - began)


def recorded(rows: int) -> None:
    """Audit so many recorded answers of ten classes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "answers.parquet")
        write(path, rows, 10)
        audit(str(path), None, only=("calibration", "mistakes"))


def asked(model: str, data: str, workers: int, folder: Path) -> tuple[float, float]:
    """Seconds a row of fifteen conditions when workers are up, and bytes a row of their answers."""
    study = opened(model, data, resolve(None, {"workers": workers}))
    cache = Cache(folder / str(workers), study.key)
    with closing(study.executor()) as executor:
        rounds = Rounds(study.data, executor, cache)
        done = rounds.answer({Predict(): ("bench",)}, Passes())
        more = {Predict(Shifted(name, 3)): ("bench",) for name in named(("imagenet-c",))}
        began = time.perf_counter()
        rounds.answer(more, done)
        spent = time.perf_counter() - began
    size = sum(path.stat().st_size for path in cache.parts.rglob("*.parquet"))
    return spent / len(more) / len(study.data), size / (len(more) + 1) / len(study.data)


def main() -> None:
    """Print what was measured and what follows."""
    files = demo_files()
    model, data = sys.argv[1:3] if len(sys.argv) > 2 else (str(files.model), str(files.data))
    with tempfile.TemporaryDirectory() as folder:
        (one, size), (two, _) = (asked(model, data, workers, Path(folder)) for workers in (1, 2))
    share = min(1.0, one / two / 2)  # more is what else the machine did meanwhile
    small, large = (alone(recorded, rows) for rows in SIZES)
    step = SIZES[1] - SIZES[0]
    driver, memory = (large[0] - small[0]) / step, (large[1] - small[1]) / step
    print(f"measured: {one * 1e3:.2f} ms a row and condition; two workers do {share:.0%} of twice that of one")
    print(f"measured: {size:.0f} bytes a row and condition on disk")
    print(f"measured: the driver takes {driver * 1e6:.1f} us and {memory * 2**20:.0f} bytes a row of ten classes")
    plain, conditions = (rows * one / WORKERS / share / 60 for rows in (IMAGES, SAMPLE * CONDITIONS))
    print(f"{IMAGES:.0e} images, {WORKERS} workers such as these: the plain pass {plain:.0f} min,")
    print(
        f"  {CONDITIONS} conditions on {SAMPLE:,} of them {conditions:.1f} min; {IMAGES * size / 1e9:.0f} GB on disk;"
    )
    print(f"  the driver {IMAGES * driver / 60:.0f} min and {IMAGES * memory / 1024:.0f} GB of memory")


if __name__ == "__main__":
    main()
