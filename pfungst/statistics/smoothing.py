"""Smooth calibration error: residuals smoothed by a reflected Gaussian whose width is the error itself."""

import numpy as np
from scipy.fft import dct, idct

from pfungst.arrays import Array, FloatArray

STEPS = 40
COARSE = (12, 3)
"""Neighbouring cells first looked at as one; what is narrower than ``WIDE`` of them is looked at closer."""

WIDE, NEAR = 6.0, 0.15
"""Joined cells change a width by less than this share, nearly always; where they do, the search is as wide as ever."""


def smooth_error(residuals: Array) -> FloatArray:
    """Smooth calibration error of residuals summed by cell, over N: (cells,) or (draws, cells) gives (draws,).

    S(s) = sum of abs(residuals smoothed with a reflected Gaussian of width s) falls in s; the value is S(s) = s
    (Blasiok & Nakkiran 2023, arXiv:2309.12236). Where s is at least six joined cells wide, joining them changes it by
    about 0.1 % at most.

    >>> round(float(smooth_error(np.array([0.1, 0.0, 0.1, 0.0]))[0]), 3)
    0.2
    """
    h = np.atleast_2d(np.asarray(residuals, np.float64))
    found = np.zeros(len(h))
    left = np.arange(len(h))
    for joined in (*(many for many in COARSE if h.shape[1] % (many * 100) == 0), 1):
        part = _joined(h[left], joined)
        found[left] = _fixed_point(part, found[left])
        left = left[found[left] < WIDE / part.shape[1]]
        if not len(left):
            break
    return found


def _joined(h: FloatArray, many: int) -> FloatArray:
    """Cells joined by as many; each goes to the two nearest of the joined ones by distance, so that none moves."""
    if many == 1:
        return h
    parts = h.reshape(len(h), -1, many)
    away = (np.arange(many) + 0.5) / many - 0.5
    found = np.asarray(parts @ (1 - np.abs(away)))
    before, after = parts @ np.maximum(-away, 0), parts @ np.maximum(away, 0)
    found[:, :-1] += before[:, 1:]
    found[:, 1:] += after[:, :-1]
    # What would leave the axis is reflected, as the smoothing reflects it.
    found[:, 0] += before[:, 0]
    found[:, -1] += after[:, -1]
    return found


def _fixed_point(h: FloatArray, near: FloatArray) -> FloatArray:
    """The width that equals the smoothed error, by bracketed secant steps on each row; ``near`` is a guess (0: none).

    Smoothing multiplies the k-th coefficient of the cosine transform by exp(-(pi k s)^2 / 2).
    """
    waves = dct(h, axis=1, norm="ortho")
    decay = -0.5 * (np.pi * np.arange(h.shape[1])) ** 2

    def excess(width: FloatArray, rows: Array) -> FloatArray:
        damped = waves[rows] * np.exp(decay * width[:, None] ** 2)
        return np.asarray(np.abs(idct(damped, axis=1, norm="ortho")).sum(axis=1) - width)

    # Smoothing keeps the sum and never makes absolute values larger, so S(s) = s lies between these two.
    low, high = np.abs(h.sum(axis=1)), np.minimum(np.abs(h).sum(axis=1), 1.0)
    every, last = np.arange(len(h)), np.zeros(len(h))
    above, below = np.full((2, len(h)), -1.0)
    if near.any():
        first, second = np.clip((1 - NEAR) * near, low, high), np.clip((1 + NEAR) * near, low, high)
        above, below = excess(first, every), excess(second, every)
        held = (above >= 0) & (below < 0)
        low, high = np.where(held, first, low), np.where(held, second, high)
    wide = every[(above < 0) | (below >= 0)]
    above[wide], below[wide] = excess(low[wide], wide), excess(high[wide], wide)
    for _ in range(STEPS):
        rows = np.flatnonzero(high - low > 1e-6 * high + 1e-12)
        if not len(rows):
            break
        share = np.clip(above[rows] / np.maximum(above[rows] - below[rows], 1e-300), 1e-3, 1 - 1e-3)
        middle = low[rows] + (high[rows] - low[rows]) * share
        value = excess(middle, rows)
        up, down = rows[value >= 0], rows[value < 0]
        # The end that stays twice counts half, or the secant would creep up on the root from one side (Illinois).
        below[up] /= np.where(last[up] > 0, 2, 1)
        above[down] /= np.where(last[down] < 0, 2, 1)
        low[up], above[up], last[up] = middle[value >= 0], value[value >= 0], 1
        high[down], below[down], last[down] = middle[value < 0], value[value < 0], -1
    return np.asarray((low + high) / 2)
