"""Smooth calibration error: residuals smoothed by a reflected Gaussian whose width is the error itself."""

import numpy as np
from scipy.fft import dct, idct
from scipy.optimize.elementwise import find_root

from pfungst.arrays import Array, FloatArray

COARSE = (12, 3)
"""Neighbouring cells first looked at as one; what is narrower than ``WIDE`` of them is looked at closer."""

WIDE = 6.0

CLOSE, NONE = 1e-6, 1e-12
"""The error of a width: relative, and what counts as no width."""


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
        found[left] = _fixed_point(part)
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


def _fixed_point(h: FloatArray) -> FloatArray:
    """The width that equals the smoothed error of each row.

    Smoothing multiplies the k-th coefficient of the cosine transform by exp(-(pi k s)^2 / 2).
    """
    waves = dct(h, axis=1, norm="ortho")
    decay = -0.5 * (np.pi * np.arange(h.shape[1])) ** 2

    def excess(width: FloatArray, rows: Array) -> FloatArray:
        damped = waves[rows] * np.exp(decay * width[:, None] ** 2)
        return np.asarray(np.abs(idct(damped, axis=1, norm="ortho")).sum(axis=1) - width)

    # Smoothing keeps the sum and makes absolute values no larger, so S(s) = s lies between these two. Rounding, and
    # ripples of Gaussians narrower than a cell (12 % at most), may put it beyond them: it is looked for in more.
    low, high = np.abs(h.sum(axis=1)), np.abs(h).sum(axis=1)
    ends = np.maximum(low * (1 - CLOSE) - NONE, 0), 1.25 * high + NONE
    found = find_root(excess, ends, args=(np.arange(len(h)),), tolerances={"xrtol": CLOSE, "xatol": NONE})
    return np.asarray(np.clip(found.x, low, high))
