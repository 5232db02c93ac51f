"""What two-sample tests cost beside Frouros, and how often they alarm: python benchmarks/two_sample.py [--write].

Normal rows in three sizes, one worker and thread, as many permutations for both; each pair is timed in turn and the
middle ratio is printed. Both discrepancies are printed too: theirs takes a kernel of width 1, which tells nothing where
rows have many columns, so they agree in kind and not in value. Then, for each of our tests, the share of 200 pairs of
samples of one distribution that it calls different at 0.05, and of 200 pairs that are apart. With ``--write`` both
tables go into benchmarks/results/two_sample.md.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from frouros.callbacks import PermutationTestDistanceBased
from frouros.detectors.data_drift import MMD
from threadpoolctl import threadpool_limits

from pfungst.arrays import FloatArray
from pfungst.methods.two_sample import maximum_mean_discrepancy, two_sample_tests
from pfungst.statistics.proportions import proportion

RESULT = Path(__file__).parent / "results" / "two_sample.md"
SIZES = ((100, 8), (300, 32), (600, 64))
DRAWS, REPEATS, NULLS = 199, 5, 200
ROWS, WIDTH, APART = 300, 32, 0.08
"""Rows a sample, columns, and how far apart the means of each column are where samples differ."""


def theirs(reference: FloatArray, new: FloatArray) -> tuple[float, float]:
    """Frouros' discrepancy and p-value."""
    test = PermutationTestDistanceBased(num_permutations=DRAWS, num_jobs=1, random_state=0, name="permuted")
    detector = MMD(callbacks=test)
    detector.fit(X=reference)
    found, logs = detector.compare(X=new)
    return float(found.distance), float(logs["permuted"]["p_value"])


def ours(reference: FloatArray, new: FloatArray) -> tuple[float, float]:
    """Our squared discrepancy and p-value."""
    found = maximum_mean_discrepancy(reference, new, draws=DRAWS)
    return found.effect**2, found.p_value


def seconds(test: Callable[[FloatArray, FloatArray], object], reference: FloatArray, new: FloatArray) -> float:
    """Time of one call by the clock: theirs works in a process of its own."""
    began = time.perf_counter()
    test(reference, new)
    return time.perf_counter() - began


def speeds() -> list[str]:
    """A line of markdown for each size."""
    rng = np.random.default_rng(0)
    lines = [
        "| rows a sample, columns | ours, s | Frouros / ours | squared discrepancy, p: ours | Frouros |",
        "|---|---|---|---|---|",
    ]
    for rows, width in SIZES:
        pair = rng.normal(size=(rows, width)), rng.normal(size=(rows, width)) + 0.2
        spent = [(seconds(ours, *pair), seconds(theirs, *pair)) for _ in range(REPEATS)]
        ratio = statistics.median(slow / quick for quick, slow in spent)
        said = " | ".join(f"{value:.4f}, {p:.3f}" for value, p in (ours(*pair), theirs(*pair)))
        quick = statistics.median(quick for quick, _ in spent)
        lines.append(f"| {rows}, {width} | {quick:.4f} | {ratio:.0f} | {said} |")
    return lines


def alarms(name: str, apart: float) -> str:
    """Share of pairs that a test calls different at 0.05; the one that looks at probabilities is shown some."""
    found = 0
    for seed in range(NULLS):
        rng = np.random.default_rng((seed, 77))
        pair = [rng.normal(size=(ROWS, WIDTH)), rng.normal(size=(ROWS, WIDTH)) + apart]
        if name == "black-box-shift-detection":
            pair = [np.exp(2 * rows[:, :4]) / np.exp(2 * rows[:, :4]).sum(axis=1, keepdims=True) for rows in pair]
            pair[1] = pair[1] if apart == 0 else pair[1] ** 0.5 / (pair[1] ** 0.5).sum(axis=1, keepdims=True)
        found += two_sample_tests[name](*pair, draws=DRAWS, seed=seed).p_value <= 0.05
    share = proportion(found, NULLS)
    return f"{share.value:.3f} [{share.low:.3f}, {share.high:.3f}]"


def rates() -> list[str]:
    """A line of markdown for each test."""
    lines = ["| test | alarms where nothing differs | where samples differ |", "|---|---|---|"]
    return lines + [f"| {name} | {alarms(name, 0.0)} | {alarms(name, APART)} |" for name in two_sample_tests]


def main() -> None:
    """Print both tables, and write them if asked to."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--write", action="store_true", help="put the tables into benchmarks/results/two_sample.md")
    given: Any = asked.parse_args()
    with threadpool_limits(1):
        lines = [*speeds(), "", f"Frouros {version('frouros')}, numpy {version('numpy')}; {DRAWS} permutations.", ""]
        apart = (
            f"{NULLS} pairs of {ROWS} rows; means {APART} apart in each of {WIDTH} columns, or, for the test of "
            "probabilities, four classes whose probabilities are flattened (their root, made to sum to 1)."
        )
        lines += [*rates(), "", apart]
    print("\n".join(lines))
    if given.write:
        RESULT.write_text("\n".join(["# Two-sample tests", "", *lines]) + "\n", "utf-8")


if __name__ == "__main__":
    main()
