"""What a first look would spare the shift chapter: python benchmarks/shift_looks.py [MODEL DATA ROWS].

Every shift is asked with all rows, and judged again as if it had been looked at after 384 of 1,000 rows (or the same
share, in whole batches) and stopped there where both of its verdicts were settled, by repeated confidence intervals.
Printed are the rows spared, how many verdicts and severities stay, and how much wider the interval of the accuracy
under a shift that was stopped becomes.
"""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import pfungst
from pfungst.probes.shift import MIDDLE, Shift
from pfungst.probes.shift_summary import Judged
from pfungst.probes.stranger_looks import settled
from pfungst.statistics.estimate import Estimate, severity
from pfungst.statistics.intervals import paired_accuracy_loss, paired_mean, proportion_of
from pfungst.statistics.sequential import repeated

REAL = Path(os.environ.get("PFUNGST_DATA", Path(__file__).parents[2] / "shared" / "data"))
CASES = (
    ("cifar10_resnet20", "cifar10_test_jpeg.npz", 2000),
    ("mnist_convnet_baseline", "mnist_test.npz", 2000),
    ("gtsrb_simplecnn", "gtsrb_test.zip", 2000),
    ("imagenet_mobilenetv2", "imagenette_val_300.zip", 300),
)
SCALES = ("loss", "calibration")


@dataclass(frozen=True)
class Kept(Shift):
    """The chapter, which keeps what it judged and the half of each row."""

    found: list[tuple[Judged, np.ndarray]] = field(default_factory=list, compare=False)

    def _judge_one(self, name: str, kind: Any, data: Any, done: Any) -> Any:
        judged = super()._judge_one(name, kind, data, done)
        if isinstance(judged, Judged):
            self.found.append((judged, np.isin(judged.before.outputs.rows, data.halves["discovery"])))
        return judged


def effects(one: Judged, rows: np.ndarray, look: int, of: int) -> tuple[Estimate, Estimate]:
    """Accuracy lost, and confidence that did not follow, on some rows at a look."""
    before, after = one.before, one.levels[MIDDLE - 1]
    grown = (after.outputs.confidence - after.correct) - (before.outputs.confidence - before.correct)
    return (
        repeated(
            lambda level: paired_accuracy_loss(before.correct[rows], after.correct[rows], level=level), look=look, of=of
        ),
        repeated(lambda level: paired_mean(grown[rows], level=level, bounds=(-2.0, 2.0)), look=look, of=of),
    )


def verdicts(some: tuple[Estimate, Estimate]) -> list[tuple[str, str]]:
    """Status and severity of each."""
    return [
        (one.against(0.05), severity(one, scale, 0.05) if one.against(0.05) == "found" else "none")
        for one, scale in zip(some, SCALES, strict=True)
    ]


def width(one: Judged, rows: np.ndarray) -> float:
    """Width of the interval of the accuracy at the middle severity."""
    found = proportion_of(one.levels[MIDDLE - 1].correct[rows])
    return found.high - found.low


def case(model: str, data: str, rows: int) -> None:
    """Audit a network and print what a look would have spared."""
    probe = Kept()
    pfungst.audit(model, data, rows=rows, probes=[probe])
    spared = total = alike = 0
    wider = []
    for one, first_half in probe.found:
        every = np.arange(len(first_half))
        many = max(64, int(0.4 * len(every)) // 128 * 64)
        some = np.concatenate([np.flatnonzero(first_half)[:many], np.flatnonzero(~first_half)[:many]])
        early = effects(one, some, 1, 2)
        stop = all(settled(e, 0.05, lambda x, s=s: severity(x, s, 0.05)) for e, s in zip(early, SCALES, strict=True))
        said = verdicts(early if stop else effects(one, every, 2, 2))
        alike += sum(a == b for a, b in zip(said, verdicts(effects(one, every, 1, 1)), strict=True))
        total, spared = total + len(every), spared + stop * (len(every) - len(some))
        if stop:
            wider.append(width(one, some) / width(one, every))
    print(
        f"{Path(model).parent.name}, {len(probe.found)} shifts of {total // max(1, len(probe.found))} rows: "
        f"{spared / total:.2f} of the rows spared, {alike} of {2 * len(probe.found)} verdicts and severities alike"
        + (f", intervals of accuracy {np.mean(wider):.2f} times as wide where one stopped" if wider else ""),
        flush=True,
    )


def main() -> None:
    """The named network, or the real ones."""
    if sys.argv[1:]:
        case(sys.argv[1], sys.argv[2], int(sys.argv[3]))
        return
    for model, data, rows in CASES:
        case(str(REAL / "models" / model / "model.onnx"), str(REAL / "images" / data), rows)


if __name__ == "__main__":
    main()
