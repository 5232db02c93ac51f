"""The smooth calibration error against sums over reflected Gaussians, and where it is known exactly."""

import numpy as np
import pytest
from scipy.optimize import brentq

from pfungst.statistics.smoothing import _fixed_point, smooth_error


def _by_hand(residuals: np.ndarray) -> float:
    """The width that equals the sum of absolute values smoothed by a Gaussian and its mirror images."""
    at = (np.arange(len(residuals)) + 0.5) / len(residuals)

    def excess(width: float) -> float:
        kernel = np.zeros((len(at), len(at)))
        for turn in range(-6, 7):
            for image in (2 * turn + at, 2 * turn - at):
                kernel += np.exp(-((at[:, None] - image) ** 2) / (2 * width**2))
        kernel /= width * np.sqrt(2 * np.pi) * len(at)
        return float(np.abs(kernel @ residuals).sum() - width)

    return float(brentq(excess, 0.02, 1, xtol=1e-9))


@pytest.mark.parametrize("seed", range(4))
def test_smooth_error_is_the_fixed_point(seed: int) -> None:
    rng = np.random.default_rng(seed)
    residuals = rng.normal(0.3 - 0.2 * seed, 1, 200)
    residuals *= (0.3, 0.2, 0.6, 0.9)[seed] / np.abs(residuals).sum()
    assert smooth_error(residuals)[0] == pytest.approx(_by_hand(residuals), abs=2e-4)


def test_joined_cells_change_little() -> None:
    rng = np.random.default_rng(1)
    many = rng.normal(size=(5, 3600)) * np.linspace(0.2, 3, 5)[:, None] / 3600
    many += 0.2 * np.sin(np.linspace(0, 5, 3600)) / 3600
    # 3599 cells cannot be joined: the same residuals, all but the last, looked at singly.
    assert smooth_error(many) == pytest.approx(smooth_error(np.delete(many, 1799, axis=1)), rel=5e-3)


def test_all_on_one_side_is_the_sum() -> None:
    for cells in (1, 7, 1200, 3600):
        residuals = np.full((2, cells), [[0.1 / cells], [-0.4 / cells]])
        assert smooth_error(residuals) == pytest.approx([0.1, 0.4], rel=1e-5)


def test_nothing_stays_nothing_and_alternating_signs_nearly_cancel() -> None:
    assert smooth_error(np.zeros((3, 3600))).tolist() == [0, 0, 0]
    signs = np.tile([1.0, -1.0], 1800) / 3600
    assert smooth_error(signs)[0] < 0.002


def test_each_draw_is_for_itself() -> None:
    rng = np.random.default_rng(2)
    draws = rng.normal(size=(6, 1200)) * 10.0 ** np.arange(-6, 0)[:, None] / 100
    assert smooth_error(draws) == pytest.approx([smooth_error(draw)[0] for draw in draws], rel=1e-9)
    assert smooth_error(-draws[:, ::-1]) == pytest.approx(smooth_error(draws), rel=1e-5)


def test_mass_at_the_ends_is_reflected() -> None:
    for end in (0, -1):
        residuals = np.zeros(3600)
        residuals[end] = 0.25
        assert smooth_error(residuals)[0] == pytest.approx(0.25, rel=1e-5)


def test_a_guess_changes_nothing_but_the_time() -> None:
    rng = np.random.default_rng(3)
    draws = rng.normal(size=(4, 300)) / 300
    alone = _fixed_point(draws, np.zeros(4))
    for guess in (alone, 1.1 * alone, 3 * alone, alone / 3, alone * [1, 9, 0.1, 1]):
        assert _fixed_point(draws, guess) == pytest.approx(alone, rel=1e-5)
