"""What scores of features cost beside those of pytorch-ood: python benchmarks/unknownness.py [--write].

Planted Gaussians in two sizes, one thread, features given; each pair is timed in turn in one process and the middle
ratio of processor times is quoted, which other programs on the machine hardly change. The AUROC of both is printed:
it must be the same. pytorch-ood's data sets need torchvision, its detectors do not: where that is missing a stand-in
serves. With ``--write`` the table goes into docs/unknowns.md.
"""

import argparse
import importlib.util
import re
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from pfungst.arrays import FloatArray, IntArray
from pfungst.methods.known_features import Head, class_gaussians, neighbours, virtual_logit
from pfungst.statistics.auroc import auroc

PAGE = Path(__file__).parents[1] / "docs" / "unknowns.md"
SIZES = ((10_000, 200, 10), (20_000, 512, 100))
SCORED, REPEATS = 4000, 5


class StandIn(MetaPathFinder, Loader):
    """Lets torchvision be imported where there is none."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        """A specification for torchvision alone."""
        del path, target
        return ModuleSpec(fullname, self, is_package=True) if f"{fullname}.".startswith("torchvision.") else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Something that has every attribute."""
        module = MagicMock(name=spec.name)
        module.__path__, module.__spec__ = [], spec
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is run."""


@dataclass(frozen=True)
class Planted:
    """Known rows with classes, rows to score (known, then strangers), and a last layer."""

    known: FloatArray
    labels: IntArray
    scored: FloatArray
    head: Head


def planted(rows: int, width: int, classes: int, seed: int = 0) -> Planted:
    """Gaussians of one covariance; strangers come from other means."""
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(width, width)) / np.sqrt(width)
    means, others = 0.12 * rng.normal(size=(2, classes, width))

    def drawn(centres: FloatArray, count: int) -> tuple[FloatArray, IntArray]:
        kinds = np.asarray(rng.integers(0, classes, count))
        return centres[kinds] + rng.normal(size=(count, width)) @ half.T, kinds

    (known, labels), (same, _), (strange, _) = drawn(means, rows), drawn(means, SCORED // 2), drawn(others, SCORED // 2)
    scored = np.concatenate([same, strange]).astype(np.float32)
    return Planted(known.astype(np.float32), labels, scored, Head(rng.normal(size=(classes, width)), np.ones(classes)))


Scores = dict[str, tuple[Callable[[], FloatArray], Callable[[], FloatArray]]]


def pairs(data: Planted, detector: Any) -> Scores:
    """Ours and theirs of each score, fitted; called they score."""
    gaussians, near = class_gaussians(data.known, data.labels, int(data.labels.max()) + 1), neighbours(data.known)
    steep = data.head.weights.astype(np.float32)
    known_logits = data.head.logits(data.known)
    logit = virtual_logit(data.known, known_logits, data.head)
    f, y, asked = (torch.from_numpy(np.ascontiguousarray(one)) for one in (data.known, data.labels, data.scored))
    weights, bias = (torch.from_numpy(one.astype(np.float32)) for one in (data.head.weights, data.head.bias))
    theirs = {
        "Mahalanobis": detector.Mahalanobis(None),
        "RMD": detector.RMD(None),
        "KNN": detector.KNN(None, k=near.k),
        "ViM": detector.ViM(None, d=data.known.shape[1] // 2, w=weights, b=bias),
    }
    for one in theirs.values():
        one.fit_features(f, y)

    def vim() -> FloatArray:
        z = data.scored @ steep.T + data.head.bias.astype(np.float32)
        top = z.max(axis=1)
        return logit.score(data.scored, top + np.log(np.exp(z - top[:, None]).sum(axis=1)))

    ours: dict[str, Callable[[], FloatArray]] = {
        "Mahalanobis": lambda: gaussians.squared_distances(data.scored).min(axis=1),
        "RMD": lambda: gaussians.squared_distances(data.scored).min(axis=1) - gaussians.overall_distances(data.scored),
        "KNN": lambda: near.distance(data.scored),
        "ViM": vim,
    }

    def asking(one: Any) -> Callable[[], FloatArray]:
        return lambda: one.predict_features(asked).numpy()

    return {name: (ours[name], asking(one)) for name, one in theirs.items()}


def ratio(ours: Callable[[], object], theirs: Callable[[], object]) -> tuple[float, float]:
    """Median over repeats of the processor time of theirs over ours, in turn; and the median of ours."""
    found, spent = [], []
    for _ in range(REPEATS):
        times = []
        for each in (ours, theirs):
            began = time.process_time()
            each()
            times.append(time.process_time() - began)
        found.append(times[1] / times[0])
        spent.append(times[0])
    return statistics.median(found), statistics.median(spent)


def table(detector: Any, version: str) -> str:
    """The table in markdown."""
    columns = (f"{SCORED:,} rows scored", "known rows x width, classes", "ours", f"pytorch-ood {version} / ours")
    lines = [f"| {' | '.join(columns)} | AUROC of ours, theirs |", "|---|---|---|---|---|"]
    for rows, width, classes in SIZES:
        for name, (ours, theirs) in pairs(planted(rows, width, classes), detector).items():
            areas = [auroc(one[: SCORED // 2], one[SCORED // 2 :]).value for one in (ours(), theirs())]
            times, seconds = ratio(ours, theirs)
            size = f"{rows:,} x {width}, {classes}"
            lines.append(f"| {name} | {size} | {seconds:.3f} s | {times:.1f} | {areas[0]:.4f}, {areas[1]:.4f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the table, and write it if asked to."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--write", action="store_true", help="put the table into docs/unknowns.md")
    given = asked.parse_args()
    if importlib.util.find_spec("torchvision") is None:
        sys.meta_path.append(StandIn())
    import pytorch_ood  # noqa: PLC0415 - after the stand-in is there

    torch.set_num_threads(1)
    with threadpool_limits(1):
        text = table(pytorch_ood.detector, pytorch_ood.__version__)
    print(text)
    if given.write:
        marked = re.compile(r"(<!-- speed: begin -->\n).*?(<!-- speed: end -->)", re.DOTALL)
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(marked.sub(lambda found: found[1] + text + found[2], page), encoding="utf-8")


if __name__ == "__main__":
    main()
