"""Transfer: changes that are found on another network and shown to the model, as who cannot look inside would do."""

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from pfungst.arrays import FloatArray, IntArray
from pfungst.attacked import Proposed
from pfungst.datasets.dataset import Batch
from pfungst.errors import InputError
from pfungst.methods.attack_losses import scale_free_cross_entropy
from pfungst.methods.balls import Ball, balls, first_step
from pfungst.methods.gradient_attack import Search, inside
from pfungst.methods.threats import TRANSFERRED, Norm, begin, has_gradients, threats


@threats
@dataclass(frozen=True)
class Transfer:
    """Ascent with momentum on a member (Dong et al. 2018, arXiv:1710.06081), shown to the model on the way.

    On the member the loss goes on rising after its own answer is wrong: what barely fools one network fools no other.
    The model is asked ``looks`` times for each budget.
    """

    name: ClassVar[str] = "transfer"
    norm: str
    budgets: tuple[float, ...]
    steps: int = 40
    looks: int = 4

    def __call__(self, model: Any, batch: Batch, member: Any) -> Proposed:
        """All budgets, smallest first.

        Raises:
            InputError: if the member offers no gradients to climb.
        """
        begun = begin(model, batch)
        if not has_gradients(member, begun.search.originals):
            raise InputError("that member offers no gradients, so nothing was made on it to be shown to the model")
        for size in sorted(self.budgets):
            ball = balls[self.norm](size)
            begun.run(size, TRANSFERRED, partial(self._shown, begun.search, member, ball))
        return begun.proposed()

    def _shown(self, search: Search, member: Any, ball: Ball) -> None:
        rows = search.standing
        at = search.originals[rows]
        along, every = np.zeros_like(at), max(1, self.steps // self.looks)
        step = 1.5 * first_step(ball) / self.steps
        for number in range(1, self.steps + 1):
            left = ~search.fell[rows]
            rows, at, along = rows[left], at[left], along[left]
            if not len(rows):
                return
            along = along + _levelled(self._slope(search, member, rows, at))
            at = inside(ball, search.originals[rows], at + step * ball.steepest(along))
            if number % every == 0:
                search.show(rows, at)

    def _slope(self, search: Search, member: Any, rows: IntArray, at: FloatArray) -> FloatArray:
        """The member's derivative; its passes count as the row's."""
        found = member.linearised(at)
        search.forwards[rows] += 1
        search.backwards[rows] += 1
        return np.asarray(found.pulled_back(scale_free_cross_entropy(found.scores, search.labels[rows]).slope))

    def kept_to(self, originals: FloatArray, inputs: FloatArray, budget: FloatArray) -> FloatArray:
        """Drawn into the ball of each row's budget."""
        return Norm(self.norm, self.budgets).kept_to(originals, inputs, budget)

    def distance(self, originals: FloatArray, inputs: FloatArray) -> FloatArray:
        """In the norm."""
        return Norm(self.norm, self.budgets).distance(originals, inputs)


def _levelled(slope: FloatArray) -> FloatArray:
    """With mean absolute value one, so that steps of any size add up alike."""
    mean = np.abs(slope).mean(axis=(1, 2, 3), keepdims=True)
    return np.asarray(slope / np.maximum(mean, 1e-30))
