"""How fast a view answers over many rows: python benchmarks/view.py [ROWS] [--write].

Answers of a made-up model to ROWS rows (1,000,000) of ten classes, with columns site, device and age, are audited from
recorded answers alone, twice, and the two runs are opened side by side. Every filter is asked once, of the application
that the server runs, the way a browser asks it: token, guard, filter, order, counts, the first hundred rows, HTML. The
first request reads the columns and is told apart; each filter is new to the server, so nothing is remembered.
"""

import resource
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import pfungst
from pfungst.viewing.server import HOST, application
from pfungst.viewing.view import View

RESULTS = Path(__file__).parent / "results" / "view.md"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SITES = ("A", "B", "C", "D", "E", "F", "G", "H")
TARGET = 0.300
TEXT = """# View

`python benchmarks/view.py --write` prints this. A machine of 2 cores that did other work as well.

{rows:,} rows, {classes} classes, two runs side by side. Each filter is new to the server; the time is that of the whole
page: token, filter, order, counts by confusion, site and device, the first 100 rows, HTML.

| filter | asked | median, ms | slowest, ms |
| --- | --- | --- | --- |
{lines}
{every}
{turned}

Target: median below {target:.0f} ms: {said}. Opening both runs took {opened:.1f} s, the first request, which reads the
columns, {first:.2f} s. Peak memory of the process that serves: {before:.0f} MB after the first request, {after:.0f} MB
after all of them."""


def recorded(folder: Path, rows: int, seed: int) -> Path:
    """A parquet file of answers, labels, ids and metadata; the labels and metadata are those of seed 0."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, len(CLASSES), rows)
    held = {
        "id": [f"site/picture-{row:07d}.jpeg" for row in range(rows)],
        "label": np.array(CLASSES, object)[labels],
        "site": np.array(SITES, object)[rng.integers(0, len(SITES), rows)],
        "device": np.array(["old", "new", "newest"], object)[rng.integers(0, 3, rows)],
        "age": rng.normal(50, 12, rows).round(1),
    }
    logits = 2 * np.random.default_rng(seed).normal(size=(rows, len(CLASSES))).astype(np.float32)
    logits[np.arange(rows), labels] += 4
    held |= {f"logit_{name}": logits[:, at] for at, name in enumerate(CLASSES)}
    file = folder / f"answers-{seed}.parquet"
    pq.write_table(pa.table({name: pa.array(values) for name, values in held.items()}), file)
    return file


def audited(runs: list[Path], rows: int) -> None:
    """Audit both models' answers."""
    for seed, out in enumerate(runs):
        pfungst.audit(
            str(recorded(out.parent, rows, seed)), only=("calibration",), out=out, images=False,
            task={"columns": {"site": ["site"], "group": ["device"]}},
        )  # fmt: skip


def filters() -> Iterator[tuple[str, str]]:
    """Kinds of filters, and many of each."""
    pairs = [(a, b) for a in CLASSES for b in CLASSES if a != b]
    for at, (a, b) in enumerate(pairs[:24]):
        yield (
            "one confusion at one site, sorted",
            (f"label = {a} and answer = {b} and site = {SITES[at % 8]} order by confidence"),
        )
    for at in range(12):
        yield "a site, sorted by confidence", f"site = {SITES[at % 8]} and age > {30 + at} order by confidence desc"
    for at in range(12):
        yield "all wrong answers above a confidence, sorted", f"wrong and confidence > 0.{50 + 3 * at} order by age"
    for at in range(12):
        yield "text in an id", f"id contains {at}{at + 1} order by confidence"
    for at in range(6):
        yield (
            "the other run's answers differ",
            f"answer != b.answer and b.confidence > 0.{60 + at} order by b.confidence",
        )
    for key in ("confidence", "age", "label", "site", "confidence desc, id", "b.confidence"):
        yield "no filter, every row sorted", f"order by {key}"


def main() -> None:
    """Audit, open, ask, print; with ``--write`` also into the results."""
    rows = int(next((word for word in sys.argv[1:] if word.isdigit()), 1_000_000))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        runs = [folder / "a", folder / "b"]
        # In a process of its own, so that what is measured here is the view's.
        making = get_context("spawn").Process(target=audited, args=(runs, rows))
        making.start()
        making.join()
        began = time.perf_counter()
        view = View(runs)
        opened = time.perf_counter() - began
        report = measured(view, rows, opened)
    print(report)
    if "--write" in sys.argv:
        RESULTS.write_text(report + "\n")


def measured(view: View, rows: int, opened: float) -> str:
    """Ask every filter and say how long each kind took."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from starlette.testclient import TestClient  # noqa: PLC0415 - warns where another client is installed
    client = TestClient(application(view, "token", 80), base_url=f"http://{HOST}:80", headers={"host": f"{HOST}:80"})

    def ask(query: dict[str, str]) -> float:
        began = time.perf_counter()
        answer = client.get("/token/rows", params=query)
        assert answer.status_code == 200, answer.text
        return time.perf_counter() - began

    first = ask({"where": 'site = A and wrong and id != "" and age > 0 and b.confidence > 0 order by confidence'})
    before = peak()
    spent: dict[str, list[float]] = {}
    for kind, where in filters():
        spent.setdefault(kind, []).append(ask({"where": where}))
    turned = [ask({"where": "order by confidence", "page": str(at)}) for at in range(2, 22)]
    every = [seconds for some in spent.values() for seconds in some]
    middle = statistics.median(every)
    said = f"{'met' if middle < TARGET else 'missed'}"
    return TEXT.format(
        rows=rows, classes=len(CLASSES), lines="\n".join(line(kind, some) for kind, some in spent.items()),
        every=line("**all**", every), turned=line("a further page of a filter", turned), target=1e3 * TARGET, said=said,
        opened=opened, first=first, before=before, after=peak(),
    )  # fmt: skip


def line(kind: str, some: list[float]) -> str:
    """One line of the table."""
    return f"| {kind} | {len(some)} | {1e3 * statistics.median(some):.0f} | {1e3 * max(some):.0f} |"


def peak() -> float:
    """Peak memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
