"""How often two-sample tests alarm: python benchmarks/two_sample.py [--write].

For each of our tests, the share of 200 pairs of samples of one distribution that it calls different at 0.05, and of 200
pairs that are apart. With ``--write`` the table goes into benchmarks/results/two_sample.md.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from pfungst.methods.two_sample import two_sample_tests
from pfungst.statistics.proportions import proportion

RESULT = Path(__file__).parent / "results" / "two_sample.md"
DRAWS, NULLS = 199, 200
ROWS, WIDTH, APART = 300, 32, 0.08
"""Rows a sample, columns, and how far apart the means of each column are where samples differ."""


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
    return f"{proportion(found, NULLS):.3f}"


def rates() -> list[str]:
    """A line of markdown for each test."""
    lines = ["| test | alarms where nothing differs | where samples differ |", "|---|---|---|"]
    return lines + [f"| {name} | {alarms(name, 0.0)} | {alarms(name, APART)} |" for name in two_sample_tests]


def main() -> None:
    """Print the table, and write it if asked to."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--write", action="store_true", help="put the table into benchmarks/results/two_sample.md")
    given: Any = asked.parse_args()
    apart = (
        f"{NULLS} pairs of {ROWS} rows, {DRAWS} permutations; means {APART} apart in each of {WIDTH} columns, or, for "
        "the test of probabilities, four classes whose probabilities are flattened (their root, made to sum to 1)."
    )
    with threadpool_limits(1):
        lines = [*rates(), "", apart]
    print("\n".join(lines))
    if given.write:
        RESULT.write_text("\n".join(["# Two-sample tests", "", *lines]) + "\n", "utf-8")


if __name__ == "__main__":
    main()
