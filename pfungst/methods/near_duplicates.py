"""Near-duplicates: rows that show the same thing twice, within a data set or across two."""

import re
from collections import defaultdict

import cv2
import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.methods.cues import by_parts, grey, unit

SIDE = 16
LEAST = 0.995
"""Correlation of two thumbnails from which the pictures are taken to be one."""

CLOSE = 0.02
"""Most that the mean brightness, and the contrast, of such pictures may differ, on a scale of 1."""

FLAT = 0.02
CHUNK = 256


def near_duplicates(inputs: Array, others: Array | None = None) -> IntArray:
    """Pairs (row, other row), (pairs, 2), of each row with its likest; within ``inputs`` of later with earlier ones.

    Pictures are compared as 16 x 16 grey thumbnails, as they are and mirrored: saved anew, scaled or mirrored they
    still correlate above 0.995. Texts are compared by their letters and digits, rows of tables by their values.

    >>> near_duplicates(np.array(["Call now!", "later", "call  NOW"], dtype=object)).tolist()
    [[2, 0]]
    """
    if inputs.ndim != 4:
        return _same(_spelled(inputs), None if others is None else _spelled(others))
    first, second = _thumbnails(inputs), None if others is None else _thumbnails(others)
    return _alike(first, second)


def _spelled(inputs: Array) -> list[str]:
    if inputs.ndim == 1:
        return [" ".join(re.findall(r"\w+", str(text).casefold())) for text in inputs]
    return [repr(row.tolist()) for row in inputs]


def _same(first: list[str], second: list[str] | None) -> IntArray:
    seen: dict[str, list[int]] = defaultdict(list)
    pairs = []
    for at, words in enumerate(second or []):
        seen[words].append(at)
    for at, words in enumerate(first):
        if words and seen[words]:
            pairs.append((at, seen[words][0]))
        if second is None:
            seen[words].append(at)
    return np.array(pairs, np.int64).reshape(-1, 2)


def _thumbnails(inputs: Array) -> FloatArray:
    return np.asarray(by_parts(_smaller, inputs))


def _smaller(inputs: Array) -> FloatArray:
    pictures = grey(unit(inputs))
    return np.stack([cv2.resize(each, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for each in pictures])


def _alike(first: FloatArray, second: FloatArray | None) -> IntArray:
    scaled, means, spreads = _scaled(first)
    others = (scaled, means, spreads) if second is None else _scaled(second)
    mirrored = scaled.reshape(-1, SIDE, SIDE)[:, :, ::-1].reshape(len(scaled), -1)
    # Only what is about as bright can be alike: both sides go by brightness, and each part meets its own stretch alone.
    order, ranked = np.argsort(means, kind="stable"), np.argsort(others[1], kind="stable")
    bright = others[1][ranked]
    pairs = [np.zeros((0, 2), np.int64)]
    for start in range(0, len(order), CHUNK):
        here = order[start : start + CHUNK]
        low = np.searchsorted(bright, means[here[0]] - CLOSE - 1e-6)
        high = np.searchsorted(bright, means[here[-1]] + CLOSE + 1e-6, side="right")
        met = np.sort(ranked[low:high])
        if not len(met):
            continue
        likeness = np.maximum(scaled[here] @ others[0][met].T, mirrored[here] @ others[0][met].T)
        apart = np.abs(means[here, None] - others[1][met]) + np.abs(spreads[here, None] - others[2][met])
        likeness[(apart > CLOSE) | (spreads[here, None] < FLAT)] = -1.0
        if second is None:
            likeness[met[None] >= here[:, None]] = -1.0
        best = likeness.argmax(axis=1)
        good = np.flatnonzero(likeness[np.arange(len(best)), best] >= LEAST)
        pairs.append(np.stack([here[good], met[best[good]]], axis=1))
    found = np.concatenate(pairs)
    return found[np.argsort(found[:, 0], kind="stable")]


def _scaled(thumbnails: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Vectors of length 1 without their mean, the means and the standard deviations."""
    flat = thumbnails.reshape(len(thumbnails), -1)
    means, spreads = flat.mean(axis=1), flat.std(axis=1)
    left = flat - means[:, None]
    return left / np.maximum(np.linalg.norm(left, axis=1, keepdims=True), 1e-6), means, spreads
