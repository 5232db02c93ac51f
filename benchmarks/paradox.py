"""Whom a temperature serves, and what averaging buys: python benchmarks/paradox.py.

Four published CIFAR-10 networks with the votes of some fifty people a picture. Fitted to the labels a temperature mends
the calibration to labels; whether people's votes are met better is another question. All numbers are cross-fitted: each
row is judged by a temperature fitted to other rows.
"""

import os
from pathlib import Path

import numpy as np

from pfungst.arrays import FloatArray, IntArray
from pfungst.methods.calibration_errors import expected_calibration_error
from pfungst.methods.ensembles import averaged, sizes
from pfungst.methods.opportunity import folds_of
from pfungst.methods.recalibration import cross_fitted, log_losses
from pfungst.outputs import Outputs, from_logits
from pfungst.statistics.intervals import paired_mean

REAL = Path(os.environ.get("PFUNGST_DATA", Path(__file__).parents[2] / "shared" / "data"))
NETWORKS = ("densenet_BC_100_12", "resnet_basic_110", "vgg_15_BN_64", "wrn_28_10")
TAUGHT = "cifar10h_post_wrn_28_10"
"""One of them after training on the votes themselves: it states what people say, and labels look badly met."""


def main() -> None:
    """Print both tables, or that the answers are not there."""
    files = [REAL / "answers" / f"cifar10h_base_{name}.npz" for name in NETWORKS]
    absent = [file.name for file in files if not file.is_file()]
    if absent:
        print(f"skipped: {', '.join(absent)} are not in {REAL / 'answers'}; set PFUNGST_DATA to where they lie")
        return
    held = [np.load(file) for file in files]
    labels, counts = held[0]["labels"].astype(int), held[0]["label_counts"].astype(float)
    shares = counts / counts.sum(axis=1, keepdims=True)
    members = [from_logits(one["logits"]) for one in held]
    headed("network", "probabilities", "label ECE", "label log-loss", "human ECE", "cross-entropy to humans", "change")
    for name, one in (*zip(NETWORKS, members, strict=True), (f"all {len(members)} averaged", averaged(members))):
        rows(name, one, labels, shares)
    if (REAL / "answers" / f"{TAUGHT}.npz").is_file():
        taught = np.load(REAL / "answers" / f"{TAUGHT}.npz")
        rows("wrn_28_10 taught the votes", from_logits(taught["logits"]), labels, shares)
    curve(members, labels, shares)


def rows(name: str, outputs: Outputs, labels: IntArray, shares: FloatArray) -> None:
    """One network: as it is, at the labels' temperature, at the votes' temperature."""
    folds = folds_of(len(labels))
    every = {
        "as it is": outputs,
        "temperature to labels": cross_fitted(outputs, labels, folds),
        "temperature to votes": cross_fitted(outputs, shares, folds),
    }
    before = log_losses(outputs, shares)
    for kind, one in every.items():
        right, said = one.predictions == labels, shares[np.arange(len(shares)), one.predictions]
        loss = log_losses(one, shares)
        change = paired_mean(loss - before, name="change")
        against = "" if one is outputs else f"{change:+.4f}"
        numbers = (
            expected_calibration_error(one.confidence, right, 15),
            log_losses(one, labels).mean(),
            expected_calibration_error(one.confidence, said, 15),
            loss.mean(),
        )
        print(f"| {name} | {kind} | {' | '.join(f'{number:.4f}' for number in numbers)} | {against} |")


def curve(members: list[Outputs], labels: IntArray, shares: FloatArray) -> None:
    """What each further member buys, and what a temperature afterwards does to labels and to people."""
    print()
    headed("members", "accuracy", "log-loss", "ECE", "confidence - accuracy", "AURC", "disagreement")
    for one in sizes(members, labels):
        gap, numbers = f"{one.gap:+.4f}", (one.accuracy, one.log_loss, one.calibration_error)
        first = " | ".join(f"{number:.4f}" for number in numbers)
        print(f"| {one.members} | {first} | {gap} | {one.risk_coverage:.4f} | {one.disagreement:.4f} |")
    together = averaged(members)
    cooled = cross_fitted(together, labels, folds_of(len(labels)))
    changes = [(log_losses(cooled, aim) - log_losses(together, aim)).mean() for aim in (labels, shares)]
    print(f"\nlog-loss by a temperature after averaging: labels {changes[0]:+.4f}, humans {changes[1]:+.4f}")


def headed(*columns: str) -> None:
    """The head of a table."""
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")


if __name__ == "__main__":
    main()
