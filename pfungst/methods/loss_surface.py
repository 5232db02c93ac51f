"""Whether derivatives lead a search anywhere: the loss around rows, and searches that ought to agree."""

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from pfungst.arrays import BoolArray, FloatArray
from pfungst.attacked import Proposed
from pfungst.datasets.dataset import Batch
from pfungst.methods.attack_losses import margin
from pfungst.methods.balls import Ball, balls
from pfungst.methods.decision_attack import decide, donors_of
from pfungst.methods.gradient_attack import Search, climb, inside
from pfungst.methods.threats import DECIDED, Begun, Norm, begin, drawn_in, has_gradients, threats

ROUGH, RESTARTS, STEPS = 8, 16, 32
"""Signs: the loss does not rise where its derivative says; a row falls from some starts, or by some steps, only."""

NEAR = (1 / 16, 1 / 4)
"""Lengths of the steps, in sizes of the ball, along which the loss must rise."""

RISE = 0.25
"""Share of the promised rise that is enough; kinks cost some."""


@threats
@dataclass(frozen=True)
class LossSurface:
    """A few rows at one budget, searched in ways that agree where derivatives are honest (Carlini et al. 2019).

    The loss along its derivative, against the rise that is promised; ascents from the row and from a point drawn in the
    ball, of long steps and of short ones; and answers alone on rows that withstood those (arXiv:1902.06705).
    """

    name: ClassVar[str] = "loss surface"
    norm: str
    size: float
    steps: int = 20
    queries: int = 300

    @property
    def budgets(self) -> tuple[float, ...]:
        """One."""
        return (self.size,)

    def __call__(self, model: Any, batch: Batch) -> Proposed:
        """Signs, and what the ascents or answers alone broke."""
        begun = begin(model, batch)
        search, ball = begun.search, balls[self.norm](self.size)
        if has_gradients(model, search.originals):
            begun.signs |= np.where(_rough(search, ball), ROUGH, 0)
            start = drawn_in(ball, search, list(batch.generators(self)))
            plain, drawn, short = (self._apart(begun, ball, *how) for how in ((None,), (start,), (None, True)))
            begun.signs |= np.where(plain.fell != drawn.fell, RESTARTS, 0)
            begun.signs |= np.where(plain.fell != short.fell, STEPS, 0)
            for part in (plain, drawn, short):
                begun.run(self.size, 3, partial(_taken, search, part))
        if self.norm != "l0":
            donors = donors_of(batch.donors, batch.ids, search.labels)
            generators = list(batch.generators((self, "answers")))
            asked = partial(decide, search, ball, self.queries, generators, donors, rows=search.standing)
            begun.run(self.size, DECIDED, asked)
        return begun.proposed()

    def _apart(self, begun: Begun, ball: Ball, start: FloatArray | None, short: bool = False) -> Search:
        """An ascent that knows nothing of the others."""
        search = Search.of(begun.search.model, begun.search.originals, begun.search.labels)
        search.fell = begun.search.fell.copy()
        if short:
            _short_steps(search, ball, 2 * self.steps)
        else:
            climb(search, ball, margin, self.steps, start)
        begun.search.forwards += search.forwards
        begun.search.backwards += search.backwards
        return search

    def kept_to(self, originals: FloatArray, inputs: FloatArray, budget: FloatArray) -> FloatArray:
        """Drawn into the ball of each row's budget."""
        return Norm(self.norm, self.budgets).kept_to(originals, inputs, budget)

    def distance(self, originals: FloatArray, inputs: FloatArray) -> FloatArray:
        """In the norm."""
        return Norm(self.norm, self.budgets).distance(originals, inputs)


def _taken(search: Search, part: Search) -> None:
    """What an ascent of its own found."""
    now = part.fell & ~search.fell
    search.found[now], search.fell[now] = part.found[now], True


def _rough(search: Search, ball: Ball) -> BoolArray:
    """Rows that stand and whose loss rises nowhere near as its derivative says, at both lengths."""
    rows, rough = search.standing, np.zeros(len(search.labels), bool)
    if not len(rows):
        return rough
    here, labels = search.originals[rows], search.labels[rows]
    found = search.model.linearised(here)
    before = margin(found.scores, labels)
    slope = found.pulled_back(before.slope)
    search.forwards[rows] += 1 + len(NEAR)
    search.backwards[rows] += 1
    rough[rows] = True
    for near in NEAR:
        moved = inside(ball, here, here + near * ball.size * ball.steepest(slope))
        promised = ((moved - here) * slope).reshape(len(rows), -1).sum(axis=1).astype(np.float64)
        risen = margin(search.model.predict(moved).logits, labels).values - before.values
        rough[rows] &= risen < RISE * promised
    return rough


def _short_steps(search: Search, ball: Ball, steps: int) -> None:
    """Plain ascent of steps of one length, for rows that stand."""
    rows = search.standing
    at = search.originals[rows]
    for _ in range(steps):
        if not len(rows):
            return
        found = search.model.linearised(at)
        standing = ~search.keep(rows, at, found.scores)
        slope = found.pulled_back(margin(found.scores, search.labels[rows]).slope)
        search.backwards[rows] += 1
        moved = inside(ball, search.originals[rows], at + 2.5 * ball.size / steps * ball.steepest(slope))
        rows, at = rows[standing], moved[standing]
