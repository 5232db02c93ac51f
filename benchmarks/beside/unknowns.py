"""Scores of features beside pytorch-ood: planted Gaussians, fitted before, 4,000 rows scored; areas must agree."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from beside.measured import Plan, Row, Task, compared, running
from beside.peer import Package
from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.methods.known_features import Head, class_gaussians, neighbours, virtual_logit
from pfungst.statistics.auroc import auroc

PACKAGE = Package("pytorch-ood", "pytorch_ood", "measures")
SIZES, SCORED = ((10_000, 200, 10), (20_000, 512, 100)), 4000
WHY = {
    "ViM": "both are two products of matrices",
    "KNN": "both are one product of matrices and a partition of its rows",
}


@dataclass(frozen=True)
class Planted:
    """Known rows with classes, rows to score (known, then strangers), and a last layer."""

    known: FloatArray
    labels: IntArray
    scored: FloatArray
    head: Head


def rows(plan: Plan) -> Iterator[Row]:
    """Four scores in two sizes."""
    with running(PACKAGE) as peer:
        yield from compared("unknowns", PACKAGE, peer, tasks(plan), plan)


def tasks(plan: Plan) -> Iterator[Task]:
    """Ours and theirs fitted to the same rows."""
    for size in SIZES[: plan.rows(2, 1)]:
        data = planted(*size)
        near, ours = scores(data)
        given: dict[str, Array] = {
            "known": data.known, "labels": data.labels, "scored": data.scored,
            "w": data.head.weights.astype(np.float32), "b": data.head.bias.astype(np.float32),
        }  # fmt: skip
        on = f"{size[0]:,} known rows of width {size[1]}, {size[2]} classes"
        for name, work in ours.items():
            settings: dict[str, object] = {"name": name, "k": near, "d": size[1] // 2}
            yield Task(name, on, work, "score", given, same_area, settings, WHY.get(name, ""))


def same_area(mine: Array, theirs: dict[str, Array]) -> tuple[bool, str]:
    """Both tell strangers from known rows as well."""
    areas = [auroc(one[: SCORED // 2], one[SCORED // 2 :]).value for one in (mine, theirs["answer"])]
    return abs(areas[0] - areas[1]) < 1e-3, f"AUROC: {areas[0]:.4f}, {areas[1]:.4f}"


def scores(data: Planted) -> tuple[int, dict[str, Callable[[], FloatArray]]]:
    """The number of neighbours, and ours by name, fitted."""
    gaussians, near = class_gaussians(data.known, data.labels, int(data.labels.max()) + 1), neighbours(data.known)
    steep, bias = data.head.weights.astype(np.float32), data.head.bias.astype(np.float32)
    logit = virtual_logit(data.known, data.head.logits(data.known), data.head)

    def vim() -> FloatArray:
        z = data.scored @ steep.T + bias
        top = z.max(axis=1)
        return logit.score(data.scored, top + np.log(np.exp(z - top[:, None]).sum(axis=1)))

    return near.k, {
        "Mahalanobis": lambda: gaussians.squared_distances(data.scored).min(axis=1),
        "RMD": lambda: gaussians.squared_distances(data.scored).min(axis=1) - gaussians.overall_distances(data.scored),
        "KNN": lambda: near.distance(data.scored),
        "ViM": vim,
    }


def planted(count: int, width: int, classes: int, seed: int = 0) -> Planted:
    """Gaussians of one covariance; strangers come from other means."""
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(width, width)) / np.sqrt(width)
    means, others = 0.12 * rng.normal(size=(2, classes, width))

    def drawn(centres: FloatArray, many: int) -> tuple[FloatArray, IntArray]:
        kinds = np.asarray(rng.integers(0, classes, many))
        return centres[kinds] + rng.normal(size=(many, width)) @ half.T, kinds

    (known, labels), (same, _), (strange, _) = (
        drawn(means, count),
        drawn(means, SCORED // 2),
        drawn(others, SCORED // 2),
    )
    scored = np.concatenate([same, strange]).astype(np.float32)
    return Planted(known.astype(np.float32), labels, scored, Head(rng.normal(size=(classes, width)), np.ones(classes)))
