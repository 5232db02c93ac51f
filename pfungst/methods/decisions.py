"""What a search by answers alone knows of its rows: what was asked, and the nearest input with a wrong answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pfungst.arrays import BoolArray, FloatArray, IntArray
from pfungst.methods.balls import Ball
from pfungst.methods.gradient_attack import Search, inside


@dataclass(eq=False)
class Decisions:
    """What a search by answers knows of its rows, aligned: those still searched, what was found, and how far it lies.

    ``nearest`` is infinite where no wrong answer was seen. A row leaves once it asked ``queries`` times or, with
    ``stop``, once its wrong input lies inside the ball.
    """

    search: Search
    ball: Ball
    queries: int
    generators: Sequence[np.random.Generator]
    rows: IntArray
    points: FloatArray
    nearest: FloatArray
    spent: IntArray
    stop: bool = True

    @classmethod
    def of(
        cls,
        search: Search,
        ball: Ball,
        queries: int,
        generators: Sequence[np.random.Generator],
        rows: IntArray,
        *,
        stop: bool = True,
    ) -> "Decisions":
        """Nothing asked yet of these rows."""
        count = len(rows)
        some = [generators[row] for row in rows]
        points = search.originals[rows].copy()
        return cls(search, ball, queries, some, rows, points, np.full(count, np.inf), np.zeros(count, np.int64), stop)

    @cached_property
    def originals(self) -> FloatArray:
        """The rows as they are."""
        return self.search.originals[self.rows]

    @property
    def active(self) -> IntArray:
        """Those that go on."""
        done = self.nearest <= self.ball.size if self.stop else np.zeros(len(self.rows), bool)
        return np.flatnonzero((self.spent < self.queries) & ~done)

    def wrong(self, some: IntArray, inputs: FloatArray) -> BoolArray:
        """Whether the answers to one input for each of some rows are wrong; wrong ones that are nearer are kept."""
        if not len(some):
            return np.zeros(0, bool)
        answers = self.search.model.predict(inputs).logits.argmax(axis=1)
        found = answers != self.search.labels[self.rows[some]]
        self.search.forwards[self.rows[some]] += 1
        self.spent[some] += 1
        hit = np.flatnonzero(found)
        if not len(hit):
            return np.asarray(found)
        length = self.ball.length(inputs[hit] - self.originals[some[hit]])
        nearer = length < self.nearest[some[hit]]
        self.points[some[hit[nearer]]], self.nearest[some[hit[nearer]]] = inputs[hit[nearer]], length[nearer]
        return np.asarray(found)

    def end(self) -> None:
        """Tell the search what fell inside the ball."""
        fell = np.flatnonzero(self.nearest <= self.ball.size)
        rows = self.rows[fell]
        if not len(rows):
            return
        self.search.found[rows] = inside(self.ball, self.search.originals[rows], self.points[fell])
        self.search.fell[rows] = True
