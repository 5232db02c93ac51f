"""Similarity: how alike two pictures are, and how strong a corruption must be to leave them that alike."""

from collections.abc import Callable

import cv2
import numpy as np

from pfungst.arrays import Array, FloatArray

WINDOW = 7
TARGETS = (0.05, 0.10, 0.20, 0.35, 0.50)
"""1 - SSIM of severities 1 to 5 on the scale ``similarity``."""

STRONGEST = 12.0
"""Strength, on the scale of the published severities, beyond which nothing is tried."""

HALVINGS = 12


def dissimilarity(first: Array, second: Array) -> FloatArray:
    """1 - SSIM of pictures (rows, height, width, channels) uint8, (rows,) (Wang et al. 2004).

    Uniform windows of 7 x 7, sample covariance, K = .01 and .03 of 255; the rim of 3 pixels is left out.

    >>> same = np.arange(64, dtype=np.uint8).reshape(1, 8, 8, 1)
    >>> dissimilarity(same, same).round(6).tolist()
    [0.0]
    """
    return np.array([1 - _ssim(a.astype(np.float32), b.astype(np.float32)) for a, b in zip(first, second, strict=True)])


def _ssim(a: FloatArray, b: FloatArray) -> float:
    near, far = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    unbiased = WINDOW**2 / (WINDOW**2 - 1)
    mean_a, mean_b = _mean(a), _mean(b)
    spread_a, spread_b = (unbiased * (_mean(x * x) - m * m) for x, m in ((a, mean_a), (b, mean_b)))
    both = unbiased * (_mean(a * b) - mean_a * mean_b)
    like = (2 * mean_a * mean_b + near) * (2 * both + far)
    of = (mean_a**2 + mean_b**2 + near) * (spread_a + spread_b + far)
    whole = like / of
    rim = min(WINDOW // 2, (min(a.shape[:2]) - 1) // 2)
    inner = whole[rim : whole.shape[0] - rim or None, rim : whole.shape[1] - rim or None]
    return float(inner.mean(dtype=np.float64))


def _mean(values: FloatArray) -> FloatArray:
    return np.asarray(cv2.blur(values, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT)).reshape(values.shape)


def solved(corrupt: Callable[[float], Array], pictures: Array) -> tuple[float, ...]:
    """Strengths at which the pictures' mean dissimilarity meets each target, by bisection, in ascending order.

    ``corrupt`` gives the pictures at a strength. What is found is never less unlike than what was found before: where
    the last one meets the next target too, or nothing up to the strongest is more unlike, it is found again.
    """
    found: list[float] = []
    low, reached = 0.0, 0.0

    def unlike(strength: float) -> float:
        return float(dissimilarity(pictures, corrupt(strength)).mean())

    for target in TARGETS:
        if reached < target:
            weak, strong, met = low, STRONGEST, None
            for _ in range(HALVINGS):
                middle = round((weak + strong) / 2, 4)
                here = unlike(middle)
                if here < target:
                    weak = middle
                else:
                    strong, met = middle, here
            met = unlike(STRONGEST) if met is None else met
            if met > reached or not found:
                low, reached = strong, met
        found.append(low)
    return tuple(found)
