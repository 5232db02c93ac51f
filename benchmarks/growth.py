"""What a row costs as rows and classes grow: python benchmarks/growth.py [--ten-million].

Whole audits of recorded answers (Parquet, float32 scores with labels), each size in processes of its own, so that time
and peak memory are its own. CPU time, so that other work on the machine counts less; up to 100,000 rows the least of
three runs. Four costs of a row, as ratios to those of a million rows of ten classes:

- whole: all CPU time over the rows;
- beyond the least: less what an audit of 100 rows of two classes takes (imports, the page, simulations of few rows);
- further: what a row costs that is added to the next smaller number of rows of as many classes. Costs that end at some
  number of rows (fits and simulations do) stand in the rows up to there and in none after;
- a score: beyond the least, over the classes.

Memory is sampled from outside, every hundredth of a second: what is anonymous, which the system must keep, and pages of
files, which it drops when it needs the room (Linux; elsewhere both are 0).
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import pfungst

WRITTEN, FEW = 1 << 18, 1_000_000
SIZES = (
    (1_000, 10), (10_000, 10), (100_000, 10), (1_000_000, 10),
    (1_000_000, 2), (100_000, 100), (10_000, 1_000), (100_000, 1_000),
)  # fmt: skip
STANDARD, LARGEST, LEAST = (1_000_000, 10), (10_000_000, 10), (100, 2)


def write(file: Path, rows: int, classes: int) -> None:
    """Answers that are right more often the surer they are."""
    writer = None
    for start in range(0, rows, max(1, WRITTEN * 10 // classes)):
        rng = np.random.default_rng(start)
        count = min(max(1, WRITTEN * 10 // classes), rows - start)
        labels = rng.integers(0, classes, count)
        scores = rng.normal(size=(count, classes)).astype(np.float32)
        scores[np.arange(count), labels] += 3.0
        table = pa.table({**{f"logit_{k}": scores[:, k] for k in range(classes)}, "label": labels})
        writer = writer or pq.ParquetWriter(file, table.schema, compression="zstd")
        writer.write_table(table)
    assert writer is not None, "there is at least one row"
    writer.close()


def audited(rows: int, classes: int) -> tuple[float, float, float, float]:
    """CPU seconds, seconds, and peak MiB, anonymous and of files, of an audit in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "answers.parquet"
        write(file, rows, classes)
        began = time.perf_counter()
        with subprocess.Popen([sys.executable, __file__, str(file)], stdout=subprocess.PIPE, text=True) as process:
            anonymous, files = peaks(process.pid, lambda: process.poll() is None)
            assert process.stdout is not None, "it was asked for"
            cpu = float(process.stdout.read().split()[-1])
        return cpu, time.perf_counter() - began, anonymous, files


def peaks(process: int, lives: Callable[[], bool]) -> tuple[float, float]:
    """Largest MiB of a process while it lives: anonymous memory, and pages of files."""
    most = {"RssAnon": 0.0, "RssFile": 0.0}
    status = Path("/proc", str(process), "status")
    while lives():
        with suppress(OSError):
            for line in status.read_text("utf-8").splitlines():
                name, _, size = line.partition(":")
                if name in most:
                    most[name] = max(most[name], int(size.split()[0]) / 1024)
        time.sleep(0.01)
    return most["RssAnon"], most["RssFile"]


def audit(file: str) -> None:
    """Audit a file of answers and print the CPU seconds of this process."""
    with tempfile.TemporaryDirectory() as folder:
        pfungst.audit(file, out=Path(folder) / "run")
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(used.ru_utime + used.ru_stime)


@dataclass(frozen=True)
class Measured:
    """An audit of so many rows and classes: CPU seconds, seconds in all, peak MiB of anonymous memory and of files."""

    rows: int
    classes: int
    cpu: float
    seconds: float
    anonymous: float
    files: float

    def whole(self) -> float:
        """CPU time a row."""
        return self.cpu / self.rows

    def beyond(self, least: float) -> float:
        """CPU time a row beyond that of the least audit."""
        return (self.cpu - least) / self.rows

    def further(self, found: Iterable["Measured"]) -> float | None:
        """CPU time of a row more than the next smaller number of rows of as many classes; None for the smallest."""
        before = max(
            (one for one in found if one.classes == self.classes and one.rows < self.rows),
            key=lambda one: one.rows, default=None,
        )  # fmt: skip
        return None if before is None else (self.cpu - before.cpu) / (self.rows - before.rows)


def measured(rows: int, classes: int) -> Measured:
    """The run with the least CPU time, of three where they are short."""
    runs = 3 if rows * classes <= FEW else 1
    return min((Measured(rows, classes, *audited(rows, classes)) for _ in range(runs)), key=lambda one: one.cpu)


def main() -> None:
    """Print the table."""
    if len(sys.argv) > 1 and sys.argv[1] != "--ten-million":
        audit(sys.argv[1])
        return
    least = measured(*LEAST)
    print(
        f"at any size: {least.cpu:.1f} s of CPU time, {least.anonymous:.0f} MiB anonymous, {least.files:.0f} of files",
        flush=True,
    )
    found = [measured(*size) for size in SIZES + ((LARGEST,) if len(sys.argv) > 1 else ())]
    standard = next(one for one in found if (one.rows, one.classes) == STANDARD)
    beyond, rest = standard.beyond(least.cpu), standard.further(found)
    assert rest is not None, "there is a smaller size"
    print(f"a row of a million of ten classes: {1e6 * standard.whole():.1f} µs, of which beyond {1e6 * beyond:.1f} µs")
    print(
        "| rows | classes | whole | beyond the least | further | a score | memory | pages of files | CPU time | time |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for one in found:
        more, own = one.further(found), one.beyond(least.cpu)
        print(
            f"| {one.rows:,} | {one.classes:,} | {one.whole() / standard.whole():.2f} | {own / beyond:.2f} | "
            f"{'' if more is None else f'{more / rest:.2f}'} | {own / one.classes / (beyond / standard.classes):.2f} | "
            f"{one.anonymous:,.0f} MiB | {one.files:,.0f} MiB | {one.cpu:.1f} s | {one.seconds:.1f} s |"
        )


if __name__ == "__main__":
    main()
