"""What pfungst costs beside other packages: python benchmarks/run.py [--quick] [--only NAME ...] [--out FILE].

Ratios only: the time of another package over ours at equal work, one thread each, in turn, by processor time; the
median of at least five pairs with its quartiles. Answers are compared first, and a row says whether the work was equal.
Every package runs in an environment of its own, made by pip from the pins in ``benchmarks/peers`` where it is not there
yet (build/peers); one that cannot be installed or asked is shown with its sentence. All of it goes into
benchmarks/results.json, of which scripts/benchmark_page.py makes docs/benchmarks.md; what is run in part or quickly
goes into build/benchmarks.json unless ``--out`` names a file.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from beside.peer import SINGLE

# Before NumPy and torch look how many threads they may have.
os.environ.update(SINGLE)

from beside import attacks, calibration, corruptions, curves, drift, labels, maps, unknowns
from beside.measured import Curve, Plan, Row
from threadpoolctl import threadpool_limits

HERE = Path(__file__).parent
OURS = ("pfungst", "numpy", "scipy", "scikit-learn", "opencv-python-headless", "torch", "onnxruntime")
ROWS: dict[str, Callable[[Plan], Iterator[Row]]] = {
    "maps": maps.rows, "attacks": attacks.rows, "corruptions": corruptions.rows, "calibration": calibration.rows,
    "unknowns": unknowns.rows, "drift": drift.rows, "labels": labels.rows,
}  # fmt: skip
CURVES: dict[str, Callable[[Plan], Iterator[Curve]]] = curves.CURVES
PRINTED = ("overhead", "growth")
"""Commands of their own beside this file, whose lines stand in the results as they print them."""


def lines_of(name: str) -> list[str]:
    """What a command beside this one prints."""
    done = subprocess.run(
        [sys.executable, str(HERE / f"{name}.py")], capture_output=True, text=True, check=False, cwd=HERE.parent
    )
    if done.returncode:
        return [f"ended with code {done.returncode}: {(done.stderr.strip().splitlines() or [''])[-1]}"]
    return [line.rstrip() for line in done.stdout.splitlines() if line.strip()]


def shown(row: Row) -> str:
    """A row for the terminal."""
    head = f"{row.benchmark:12} {row.task:40} {row.peer:30}"
    if row.refusal:
        return f"{head} {row.refusal}"
    spread = "" if row.low is None else f"[{row.low:.2f}, {row.high:.2f}]{'' if row.equal else ' (other work)'}"
    return f"{head} {row.ratio:8.2f} {spread}  {row.check}"


def measured(names: list[str], plan: Plan) -> Iterator[dict[str, Any]]:
    """Everything that is asked for; what there is so far after each part."""
    found: dict[str, Any] = {"rows": [], "curves": [], "printed": {}, "minutes": {}}
    for name in names:
        began = time.perf_counter()
        if name in ROWS:
            for row in ROWS[name](plan):
                print(shown(row), flush=True)
                found["rows"].append(asdict(row))
        elif name in CURVES:
            for curve in CURVES[name](plan):
                print(f"{curve.benchmark}: {curve.what}: {curve.ratio} over {curve.points}", flush=True)
                found["curves"].append(asdict(curve))
        else:
            found["printed"][name] = lines_of(name)
            print("\n".join(found["printed"][name]), flush=True)
        found["minutes"][name] = round((time.perf_counter() - began) / 60, 1)
        yield found


def main() -> None:
    """Measure and write."""
    scripts = [name for name in PRINTED if (HERE / f"{name}.py").is_file()]
    every = [*ROWS, *CURVES, *scripts]
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--only", nargs="+", choices=every, default=every, metavar="NAME", help=", ".join(every))
    asked.add_argument("--quick", action="store_true", help="smaller sizes and fewer pairs")
    asked.add_argument("--out", type=Path, help="where the results go")
    given = asked.parse_args()
    whole = list(given.only) == every and not given.quick
    out = given.out or (HERE / "results.json" if whole else HERE.parent / "build" / "benchmarks.json")
    warnings.simplefilter("ignore")
    before = os.getloadavg()[0]
    head = {
        "measured": datetime.now(UTC).date().isoformat(),
        "quick": given.quick,
        "machine": {"cores": os.cpu_count(), "kind": platform.machine(), "load before": round(before, 1)},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in OURS}},
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    with threadpool_limits(1):
        for found in measured(list(given.only), Plan(quick=given.quick)):
            out.write_text(json.dumps({**head, **found}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{out}: {sum(found['minutes'].values()):.0f} minutes")


if __name__ == "__main__":
    main()
