"""The smallest change that makes an answer wrong: how far each row lies from the boundary, from above."""

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from pfungst.arrays import FloatArray, IntArray
from pfungst.attacked import Proposed
from pfungst.datasets.dataset import Batch
from pfungst.methods.attack_losses import AttackLoss, towards
from pfungst.methods.balls import Ball, balls
from pfungst.methods.decision_attack import decide, donors_of
from pfungst.methods.gradient_attack import Search
from pfungst.methods.threats import CLOSEST, RIVALS, Begun, Norm, begin, has_gradients, threats

FIRST, LAST = 0.05, 0.001
"""By which share the distance is changed at a step: at first and at last."""


@threats
@dataclass(frozen=True)
class Closest:
    """The nearest wrong input in a norm: by gradients (Pintor et al. 2021, arXiv:2102.12827), else by answers alone.

    Towards each of the first runner-up classes, ``steps`` each: nearest is not always the class that comes second.
    Every row takes all steps (or ``queries``), for nearer is better. What is found bounds the distance from above.
    """

    name: ClassVar[str] = "smallest change"
    norm: str
    steps: int = 25
    queries: int = 1000

    def __call__(self, model: Any, batch: Batch) -> Proposed:
        """Rows that are right, each as near as it goes."""
        begun = begin(model, batch)
        ball = balls[self.norm](self.whole(batch.inputs.shape[1:]))
        search = self._climbed if has_gradients(model, begun.search.originals) else self._decided
        begun.run(ball.size, CLOSEST, partial(search, begun, ball, batch))
        return begun.proposed()

    def _climbed(self, begun: Begun, ball: Ball, batch: Batch) -> None:
        del batch
        rows, known = begun.search.standing, None
        order = np.argsort(-begun.scores, axis=1, kind="stable")
        for rank in range(1, min(RIVALS + 1, order.shape[1])):
            known = nearest(begun.search, ball, self.steps, rows, loss=towards(order[:, rank]), known=known)

    def _decided(self, begun: Begun, ball: Ball, batch: Batch) -> None:
        generators = list(batch.generators(self))
        donors = donors_of(batch.donors, batch.ids, begun.search.labels)
        decide(begun.search, ball, self.queries, generators, donors, rows=begun.search.standing, stop=False)

    def whole(self, shape: tuple[int, ...]) -> float:
        """The budget that holds every input."""
        numbers = float(np.prod(shape))
        return {"linf": 1.0, "l2": float(numbers**0.5)}.get(self.norm, numbers)

    def kept_to(self, originals: FloatArray, inputs: FloatArray, budget: FloatArray) -> FloatArray:
        """Drawn into the ball of each row's budget."""
        return Norm(self.norm, ()).kept_to(originals, inputs, budget)

    def distance(self, originals: FloatArray, inputs: FloatArray) -> FloatArray:
        """In the norm."""
        return Norm(self.norm, ()).distance(originals, inputs)


def nearest(
    search: Search, whole: Ball, steps: int, rows: IntArray, *, loss: AttackLoss, known: FloatArray | None = None
) -> FloatArray:
    """Steps along the loss inside a ball that shrinks while the answer is wrong and grows while it is not.

    Its first size is where a linear model would turn. ``whole`` holds every input; ``known`` are distances at which
    the rows were wrong before. The distances, infinite where no wrong answer was seen.
    """
    here, unit = search.originals[rows], balls[whole.name](1.0)
    best = np.full(len(rows), np.inf) if known is None else known.copy()
    at, size, turned = here.copy(), np.full(len(rows), np.inf), np.zeros(len(rows), bool)
    for number in range(steps):
        done = (1 + np.cos(np.pi * number / steps)) / 2
        share, wide = LAST + (FIRST - LAST) * done, 0.01 + 0.99 * done
        found = search.model.linearised(at)
        value = loss(found.scores, search.labels[rows], rows)
        length, wrong = unit.length(at - here), found.scores.argmax(axis=1) != search.labels[rows]
        turned |= wrong
        now = wrong & (length < best)
        best[now], search.found[rows[now]] = length[now], at[now]
        slope = found.pulled_back(value.slope)
        search.forwards[rows] += 1
        search.backwards[rows] += 1
        search.flat[rows] |= (slope.reshape(len(slope), -1) == 0).all(axis=1)
        slope = _free(at, slope)
        grown = np.where(turned, size * (1 + share), length + _line(unit, value.values, slope))
        size = np.minimum(np.where(wrong, np.minimum(size * (1 - share), best), grown), whole.size)
        moved = at - here + _each(wide * size, at) * unit.steepest(slope)
        kept = _each(size, at) * unit.projected(moved / _each(np.maximum(size, 1e-12), at))
        at = np.clip(here + kept, 0.0, 1.0).astype(np.float32)
    search.fell[rows[np.isfinite(best)]] = True
    return best


def _line(unit: Ball, values: FloatArray, slope: FloatArray) -> FloatArray:
    """How much farther a linear model would turn."""
    rise = (slope * unit.steepest(slope)).reshape(len(slope), -1).sum(axis=1).astype(np.float64)
    return np.asarray(np.abs(values) / np.maximum(rise, 1e-30))


def _free(at: FloatArray, slope: FloatArray) -> FloatArray:
    """The derivative where it does not lead out of the range: the rest of a step would be cut off."""
    return np.where((at <= 0) & (slope < 0) | (at >= 1) & (slope > 0), np.float32(0), slope)


def _each(values: FloatArray, like: FloatArray) -> FloatArray:
    return values.reshape(-1, *[1] * (like.ndim - 1)).astype(like.dtype)
