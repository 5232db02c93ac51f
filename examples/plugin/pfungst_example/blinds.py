"""Blinds: dark stripes across the picture, as from window blinds."""

import numpy as np

from pfungst.methods.shift_kind import Kind, each


def blinds(picture: np.ndarray, rng: np.random.Generator, share: float) -> np.ndarray:
    """Dark stripes, as from window blinds, over a share of the picture.

    The picture is (height, width, channels) float32 in [0, 1]; the stripes start at a random row.
    """
    period = max(2, round(picture.shape[0] / 6))
    rows = (np.arange(picture.shape[0]) + rng.integers(period)) % period
    done = picture.copy()
    done[rows < share * period] *= 0.2
    return done


BLINDS = Kind(
    "blinds", blinds, (0.0,), each(0.15, 0.25, 0.35, 0.5, 0.65), family="usual", words="blinds over {0:.0%}",
    parameter="{0:.0%} dark",
)  # fmt: skip
