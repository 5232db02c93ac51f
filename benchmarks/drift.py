"""How often drift is called that is not there, and what watching costs: python benchmarks/drift.py [--runs 400].

Samples of 300 and 300 rows of the same world (32 features; answers of four classes), every detector at .05; logs of
20,000 outcomes at the audited error rate, looked at after each of 40 windows; then a log of a million rows in 50
windows, judged from scratch and once more after its last window came. Seconds are of this machine.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import pfungst
from pfungst.arrays import FloatArray
from pfungst.methods.log_windows import LogRows, Reference, judged_window
from pfungst.methods.two_sample import (
    black_box_shift_detection,
    classifier_two_sample_test,
    maximum_mean_discrepancy,
)
from pfungst.monitoring import monitor
from pfungst.outputs import from_logits
from pfungst.statistics.proportions import proportion
from pfungst.statistics.streams import risen


def rejected(seed: int) -> dict[str, bool]:
    """Which detectors call two samples of one world different."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, 300, 32))
    answers = rng.dirichlet(np.ones(4), size=(2, 300))
    old, new = (from_logits(np.log(one)) for one in answers)
    held = [{"age": rng.normal(size=300), "kind": rng.choice(list("abc"), 300)} for _ in range(2)]
    known = Reference(old, np.full(300, -1), ("a", "b", "c", "d"), held[0])
    window = judged_window(known, LogRows(new, np.full(300, -1), held[1], ("", ""), 0), 1, seed)
    return {
        "answers (black-box shift detection)": black_box_shift_detection(*answers, seed=seed).p_value <= 0.05,
        "features (maximum mean discrepancy)": maximum_mean_discrepancy(x, y, seed=seed).p_value <= 0.05,
        "features (classifier)": classifier_two_sample_test(x, y, seed=seed).p_value <= 0.05,
        "window: test of the answers": window.test.p_value <= 0.05,
        "window: band of the answers above 0": window.answers.low > 0,
        "window: any band of columns above 0": any(one.low > 0 for one in window.columns.values()),
    }


def stream(seed: int) -> bool:
    """Whether outcomes at the audited rate ever raise an alarm."""
    rng = np.random.default_rng((seed, 1))
    audited = int(rng.binomial(1000, 0.1))
    steps = np.arange(500, 20_001, 500)
    evidence, enough, _ = risen(np.cumsum(rng.binomial(500, 0.1, 40)), steps, (audited, 1000))
    return bool((evidence >= enough).any())


def log(rows: int, folder: Path) -> Path:
    """The first of a million rows of answers, a tenth with outcomes, and three columns."""
    rng, most = np.random.default_rng(0), 1_000_000
    labels = rng.integers(0, 2, most)
    score = 2 * rng.normal(2 * labels - 1)
    columns = {
        "logit_0": -score, "logit_1": score, "label": np.where(rng.random(most) < 0.1, labels, np.nan),
        "when": np.arange(most), "age": rng.normal(size=most), "income": rng.normal(size=most),
        "region": rng.choice(list("abcdef"), most),
    }  # fmt: skip
    pq.write_table(pa.table(columns).slice(0, rows), folder / f"{rows}.parquet")
    return folder / f"{rows}.parquet"


def watched(folder: Path) -> str:
    """What it takes to judge a long log, and its last window alone."""

    def answers(rows: FloatArray) -> FloatArray:
        return np.asarray(rows)

    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 2000)
    score = 2 * rng.normal(2 * labels - 1)
    rows = np.stack([-score, score], axis=1)
    pfungst.audit(answers, (rows, labels), only=("calibration",), outputs="logits", out=folder / "run")
    spent = []
    for many in (980_000, 1_000_000):
        held = log(many, folder)
        began, worked = time.perf_counter(), time.process_time()
        monitor(held, reference=folder / "run", task={"columns": {"time": "when"}}, window=20_000, out=folder / "out")
        spent.append(f"{time.perf_counter() - began:.0f} s by the clock, {time.process_time() - worked:.0f} s of work")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    return f"49 windows of 980,000 rows: {spent[0]}; the 50th: {spent[1]}; at most {most:.2f} GiB"


def spelled(hits: list[bool]) -> str:
    """A share with its interval."""
    return f"{proportion(sum(hits), len(hits)):.3f}"


def main() -> None:
    """Print false alarms, then seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400)
    runs = range(parser.parse_args().runs)
    with tempfile.TemporaryDirectory() as folder:
        print(watched(Path(folder)), flush=True)
    said = [rejected(seed) for seed in runs]
    print("\n| detector | called different |\n|---|---|")
    for name in said[0]:
        print(f"| {name} | {spelled([one[name] for one in said])} |")
    print(f"| stream of outcomes, ever in 40 looks | {spelled([stream(seed) for seed in runs])} |")


if __name__ == "__main__":
    main()
