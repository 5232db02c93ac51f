"""Auto-step projected gradient ascent, row by row: a row that fell is asked no more."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pfungst.arrays import BoolArray, FloatArray, IntArray
from pfungst.methods.attack_losses import AttackLoss
from pfungst.methods.balls import Ball, first_step

PULL = 0.75
"""How much of a move is the new step; the rest is the last move."""

FIRST, SHRINK, LEAST = 0.22, 0.03, 0.06
"""Checkpoints, as shares of the steps: the first, by how much intervals shrink, and the shortest."""

RISING = 0.75
"""A share of moves that raised the loss below which the step is halved."""


@dataclass(eq=False)
class Search:
    """A model and rows under attack: originals in [0, 1], labels, what was found, and what it cost.

    ``fell`` are the rows with a wrong answer, ``found`` what was found for them (else the best so far). ``flat`` are
    rows whose derivative was zero everywhere at some step, ``still`` those whose scores never moved.
    """

    model: Any
    originals: FloatArray
    labels: IntArray
    found: FloatArray
    fell: BoolArray
    forwards: FloatArray
    backwards: FloatArray
    flat: BoolArray = field(init=False)
    still: BoolArray = field(init=False)

    def __post_init__(self) -> None:
        self.flat, self.still = (np.zeros(len(self.labels), bool) for _ in range(2))

    @classmethod
    def of(cls, model: Any, originals: FloatArray, labels: IntArray) -> "Search":
        """Nothing found yet."""
        zero = np.zeros(len(labels))
        return cls(model, originals, labels, originals.copy(), zero.astype(bool), zero.copy(), zero.copy())

    @property
    def standing(self) -> IntArray:
        """The rows that have not fallen."""
        return np.flatnonzero(~self.fell)

    def show(self, rows: IntArray, inputs: FloatArray) -> FloatArray:
        """Ask about these inputs for these rows; the scores."""
        scores: FloatArray = self.model.predict(inputs).logits
        self.keep(rows, inputs, scores)
        return scores

    def keep(self, rows: IntArray, inputs: FloatArray, scores: FloatArray) -> BoolArray:
        """Note which of these rows fell to these inputs; whether each did."""
        self.forwards[rows] += 1
        down = scores.argmax(axis=1) != self.labels[rows]
        self.found[rows[down]] = inputs[down]
        self.fell[rows[down]] = True
        return np.asarray(down)


@dataclass(eq=False)
class _Climb:
    """The state of the rows still climbing, aligned."""

    rows: IntArray
    at: FloatArray
    before: FloatArray
    value: FloatArray
    best: FloatArray
    best_loss: FloatArray
    slope: FloatArray
    best_slope: FloatArray
    step: FloatArray
    risen: IntArray
    last_best: FloatArray
    halved: BoolArray

    def take(self, mask: BoolArray) -> "_Climb":
        return _Climb(*(value[mask] for value in vars(self).values()))


def climb(search: Search, ball: Ball, loss: AttackLoss, steps: int, start: FloatArray | None = None) -> None:
    """Ascend the loss inside the ball from ``start`` (the originals), for rows that stand (Croce & Hein 2020).

    The step begins at twice the ball's size and is halved at checkpoints where fewer than three quarters of the moves
    raised the loss, or nothing improved since the last checkpoint (arXiv:2003.01690). Rows leave as soon as they fall.
    """
    rows = search.standing
    if not len(rows):
        return
    here = search.originals[rows] if start is None else _inside(search, ball, rows, start[rows])
    state = _begun(search, ball, loss, rows, here)
    checkpoints = _checkpoints(steps)
    for number in range(1, steps):
        if not len(state.rows):
            return
        state = _moved(search, ball, loss, state, first=number == 1)
        if number in checkpoints:
            _halve(state, checkpoints[number])
    _leave(search, state)


def _begun(search: Search, ball: Ball, loss: AttackLoss, rows: IntArray, here: FloatArray) -> _Climb:
    values, slope, standing = _asked(search, loss, rows, here)
    count = len(rows)
    state = _Climb(
        rows, here, here.copy(), values, here.copy(), values.copy(), slope, slope.copy(),
        np.full(count, first_step(ball)), np.zeros(count, np.int64), values.copy(), np.zeros(count, bool),
    )  # fmt: skip
    return state.take(standing)


def _asked(
    search: Search, loss: AttackLoss, rows: IntArray, inputs: FloatArray
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Loss, its derivative by the inputs, and which rows still stand."""
    found = search.model.linearised(inputs)
    value = loss(found.scores, search.labels[rows], rows)
    standing = ~search.keep(rows, inputs, found.scores)
    if not standing.any():
        return value.values, np.zeros_like(inputs), standing
    search.backwards[rows] += 1
    slope = found.pulled_back(value.slope)
    search.flat[rows] |= (slope.reshape(len(slope), -1) == 0).all(axis=1)
    return value.values, slope, standing


def _moved(search: Search, ball: Ball, loss: AttackLoss, state: _Climb, *, first: bool) -> _Climb:
    wide = state.step.reshape(-1, 1, 1, 1).astype(np.float32)
    stepped = _inside(search, ball, state.rows, state.at + wide * ball.steepest(state.slope))
    new = (
        stepped
        if first
        else _inside(
            search, ball, state.rows, state.at + PULL * (stepped - state.at) + (1 - PULL) * (state.at - state.before)
        )
    )
    values, slope, standing = _asked(search, loss, state.rows, new)
    state.before, state.at, state.slope = state.at, new, slope
    state.risen += values > state.value
    state.value = values
    better = values > state.best_loss
    state.best[better], state.best_loss[better], state.best_slope[better] = new[better], values[better], slope[better]
    return state if standing.all() else state.take(standing)


def _halve(state: _Climb, moves: int) -> None:
    few = state.risen < RISING * moves
    still = ~state.halved & (state.best_loss <= state.last_best)
    now = few | still
    state.step[now] /= 2
    state.at[now], state.before[now], state.value[now] = state.best[now], state.best[now], state.best_loss[now]
    state.slope[now] = state.best_slope[now]
    state.halved, state.last_best = now, state.best_loss.copy()
    state.risen[:] = 0


def _leave(search: Search, state: _Climb) -> None:
    """Rows that stand keep their best point: another search may begin there."""
    search.found[state.rows] = state.best


def _inside(search: Search, ball: Ball, rows: IntArray, inputs: FloatArray) -> FloatArray:
    return inside(ball, search.originals[rows], inputs)


def inside(ball: Ball, originals: FloatArray, inputs: FloatArray) -> FloatArray:
    """Inputs drawn into the ball around the originals and into [0, 1]; both at once, for [0, 1] holds the originals."""
    found = originals + ball.projected(inputs - originals)
    return np.clip(found, 0.0, 1.0, out=found).astype(np.float32, copy=False)


def _checkpoints(steps: int) -> dict[int, int]:
    """Step numbers at which the step is judged, with the number of moves since the last one."""
    found, length, at = {}, max(1, round(FIRST * steps)), 0
    while at + length < steps:
        at += length
        found[at] = length
        length = max(round(LEAST * steps), length - round(SHRINK * steps), 1)
    return found
