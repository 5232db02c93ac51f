"""Walking along the boundary by answers alone: HopSkipJump (Chen et al. 2020, arXiv:1904.02144)."""

import numpy as np

from pfungst.arrays import FloatArray, IntArray
from pfungst.methods.decisions import Decisions

LOOKS = 25
"""Answers that the first direction is estimated from; later ones from more, by the root of their number."""

CLOSE = 1e-3
"""Share of a distance to which the boundary is found."""

HALVINGS = 8


def walk(known: Decisions) -> None:
    """From wrong inputs to the nearest wrong ones, by Euclid's distance, for rows whose beginning is wrong.

    Each round draws the input to the boundary, estimates by answers around it where wrong answers lie, steps there and
    draws it back. The ball's own length decides what is kept as nearest.
    """
    at = known.points.copy()
    able = np.isfinite(known.nearest)
    at = _drawn(known, known.active[able[known.active]], at)
    number = 0
    while len(some := known.active[able[known.active]]):
        number += 1
        far = _length(at[some] - known.originals[some])
        normal = _normal(known, some, at, round(LOOKS * number**0.5), far)
        at[some] = _stepped(known, some, at[some], normal, far / number**0.5)
        at = _drawn(known, some, at)


def _drawn(known: Decisions, rows: IntArray, at: FloatArray) -> FloatArray:
    """Wrong inputs drawn towards the originals as far as they stay wrong."""
    low, high = np.zeros(len(rows)), np.ones(len(rows))
    here, there = known.originals[rows], at[rows]
    while len(left := np.flatnonzero((high - low > CLOSE) & np.isin(rows, known.active))):
        middle = (low[left] + high[left]) / 2
        tried = here[left] + _each(middle, here) * (there[left] - here[left])
        hit = known.wrong(rows[left], tried)
        high[left[hit]], low[left[~hit]] = middle[hit], middle[~hit]
    drawn = at.copy()
    drawn[rows] = here + _each(high, here) * (there - here)
    return drawn


def _normal(known: Decisions, rows: IntArray, at: FloatArray, looks: int, far: FloatArray) -> FloatArray:
    """Estimated direction in which answers are wrong, of length one; rows whose queries are spent stay out."""
    shape = known.originals.shape[1:]
    size = int(np.prod(shape))
    reach = np.maximum(far * max(size**0.5 * CLOSE, 1e-2), 1e-6)
    plain, signed = (np.zeros((len(rows), *shape)) for _ in range(2))
    total, count = np.zeros(len(rows)), np.zeros(len(rows))
    for _ in range(looks):
        left = np.flatnonzero(np.isin(rows, known.active))
        if not len(left):
            break
        drawn = np.stack([known.generators[row].standard_normal(shape, np.float32) for row in rows[left]])
        drawn /= _each(_length(drawn), drawn)
        tried = np.clip(at[rows[left]] + _each(reach[left], drawn) * drawn, 0.0, 1.0)
        moved = (tried - at[rows[left]]) / _each(reach[left], drawn)
        sign = np.where(known.wrong(rows[left], tried), 1.0, -1.0)
        plain[left] += moved
        signed[left] += sign.reshape(-1, 1, 1, 1) * moved
        total[left] += sign
        count[left] += 1
    mean = total / np.maximum(count, 1)
    # Where all answers were alike their mean says all; else it is taken off, which lowers the variance.
    along = np.where(_each(np.abs(mean) == 1, plain).astype(bool), signed, signed - _each(mean, plain) * plain)
    return np.asarray(along / _each(np.maximum(_length(along), 1e-30), along), np.float32)


def _stepped(known: Decisions, rows: IntArray, at: FloatArray, normal: FloatArray, step: FloatArray) -> FloatArray:
    """A step along the direction, halved until its end is wrong; where it never is, none."""
    done, wide = at.copy(), step.copy()
    left = np.arange(len(rows))
    for _ in range(HALVINGS):
        left = left[np.isin(rows[left], known.active)]
        if not len(left):
            break
        tried = np.clip(at[left] + _each(wide[left], normal) * normal[left], 0.0, 1.0)
        hit = known.wrong(rows[left], tried)
        done[left[hit]] = tried[hit]
        left = left[~hit]
        wide[left] /= 2
    return done


def _length(change: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt((change.reshape(len(change), -1).astype(np.float64) ** 2).sum(axis=1)))


def _each(values: FloatArray, like: FloatArray) -> FloatArray:
    return values.reshape(-1, *[1] * (like.ndim - 1)).astype(like.dtype)
