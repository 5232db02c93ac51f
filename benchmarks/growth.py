"""What a row costs as rows and classes grow: python benchmarks/growth.py [--ten-million].

Whole audits of recorded answers (Parquet, float32 scores with labels), each size in a process of its own, so that time
and peak memory are its own. What an audit costs at any size (imports, the page, simulations) is measured on 100 rows of
two classes and taken off before time is divided by rows. Ratios to a million rows of ten classes; CPU time, so that
other work on the machine counts less.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import pfungst

WRITTEN = 1 << 18
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


def audited(rows: int, classes: int) -> tuple[float, float, float]:
    """CPU seconds, seconds and peak MiB of an audit in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "answers.parquet"
        write(file, rows, classes)
        began = time.perf_counter()
        done = subprocess.run([sys.executable, __file__, str(file)], stdout=subprocess.PIPE, text=True, check=True)
        cpu, peak = done.stdout.split()[-2:]
        return float(cpu), time.perf_counter() - began, float(peak)


def audit(file: str) -> None:
    """Audit a file of answers and print CPU seconds and peak MiB of this process."""
    with tempfile.TemporaryDirectory() as folder:
        pfungst.audit(file, out=Path(folder) / "run")
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def measured(sizes: tuple[tuple[int, int], ...]) -> Iterator[tuple[int, int, float, float, float]]:
    """Rows, classes, microseconds a row beyond the fixed cost, seconds in all and peak MiB."""
    fixed, _, least = audited(*LEAST)
    print(f"at any size: {fixed:.1f} s of CPU time, {least:.0f} MiB", flush=True)
    for rows, classes in sizes:
        cpu, seconds, peak = audited(rows, classes)
        yield rows, classes, (cpu - fixed) / rows * 1e6, seconds, peak


def main() -> None:
    """Print the table."""
    if len(sys.argv) > 1 and sys.argv[1] != "--ten-million":
        audit(sys.argv[1])
        return
    sizes = SIZES + ((LARGEST,) if len(sys.argv) > 1 else ())
    found = list(measured(sizes))
    standard = next(each for each in found if each[:2] == STANDARD)
    print("| rows | classes | CPU time a row | a score | peak memory | seconds |\n|---|---|---|---|---|---|")
    for rows, classes, micro, seconds, peak in found:
        score = micro / classes / (standard[2] / STANDARD[1])
        print(f"| {rows:,} | {classes:,} | {micro / standard[2]:.2f} | {score:.2f} | {peak:,.0f} MiB | {seconds:.0f} |")


if __name__ == "__main__":
    main()
