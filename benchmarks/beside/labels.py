"""Wrong labels beside cleanlab: planted, from the same probabilities; what is right is known."""

from collections.abc import Iterator

import numpy as np

from beside.measured import Plan, Row, Task, compared, running
from beside.peer import Package
from pfungst.arrays import Array, BoolArray
from pfungst.methods.label_errors import label_errors
from pfungst.outputs import from_probabilities

CLEANLAB = Package("cleanlab", "cleanlab", "cleanlab", licence="AGPL-3.0")
WRONG, CLASSES = 0.05, 10
WHY = (
    "ours fits 61 curves for the share of wrong labels and its interval, whatever the number of rows; theirs counts "
    "labels above thresholds, and gives no interval"
)


def rows(plan: Plan) -> Iterator[Row]:
    """One size."""
    with running(CLEANLAB) as peer:
        yield from compared("labels", CLEANLAB, peer, tasks(plan), plan)


def tasks(plan: Plan) -> Iterator[Task]:
    """Rows of ten classes, one label in twenty drawn anew."""
    count, rng = plan.rows(200_000, 10_000), np.random.default_rng(0)
    truth = rng.integers(0, CLASSES, count)
    z = rng.normal(size=(count, CLASSES)) + 4.5 * np.eye(CLASSES)[truth]
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    planted = rng.random(count) < WRONG
    y = np.where(planted, (truth + rng.integers(1, CLASSES, count)) % CLASSES, truth)

    def ours() -> BoolArray:
        called = np.zeros(count, bool)
        called[label_errors(from_probabilities(p), y).suspects] = True
        return called

    def same(mine: Array, theirs: dict[str, Array]) -> tuple[bool, str]:
        told = [quality(one, planted) for one in (mine, theirs["answer"])]
        said = "; ".join(
            f"{who}: {precision:.3f} of those called are wrong, {found:.3f} of the wrong are called"
            for who, (precision, found) in zip(("ours", "theirs"), told, strict=True)
        )
        means = [2 * precision * found / max(precision + found, 1e-12) for precision, found in told]
        return means[0] >= means[1] - 0.01, said

    on = f"{count:,} rows, {CLASSES} classes, {WRONG:.0%} wrong"
    yield Task("which labels are wrong", on, ours, "issues", {"p": p, "y": y}, same, why=WHY)


def quality(called: Array, planted: BoolArray) -> tuple[float, float]:
    """Share of those called that are wrong, and of the wrong that are called."""
    both = float((called & planted).sum())
    return both / max(float(called.sum()), 1), both / float(planted.sum())
