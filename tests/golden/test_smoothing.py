"""The smooth calibration error against sums over reflected Gaussians, and where it is known exactly."""

from typing import Any

import numpy as np
import pytest
from scipy.fft import dct, idct
from scipy.optimize import brentq

from pfungst.statistics.smoothing import _joined, smooth_error


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


def test_wide_errors_are_found_among_joined_cells_and_narrow_ones_among_all(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[tuple[int, ...]] = []

    def seen(waves: np.ndarray, **options: Any) -> np.ndarray:
        looked.append(waves.shape)
        return dct(waves, **options)

    monkeypatch.setattr("pfungst.statistics.smoothing.dct", seen)
    # Residuals of one sign: the width is their sum, here in cells of 300 joined ones, then of 1200.
    widths = np.array([6.5 / 300, 6 / 300 * (1 + 1e-4), 5.5 / 300, 6.5 / 1200, 5.5 / 1200])
    assert smooth_error(np.full((5, 3600), widths[:, None] / 3600)) == pytest.approx(widths, rel=1e-5)
    assert looked == [(5, 300), (3, 1200), (1, 3600)]
    looked.clear()
    smooth_error(np.full((2, 2400), 0.1 / 2400))
    smooth_error(np.full((2, 300), 0.01 / 300))
    smooth_error(np.full((2, 100), 0.01 / 100))
    assert looked == [(2, 200), (2, 100), (2, 300), (2, 100)]


@pytest.mark.parametrize("many", [2, 3, 12])
def test_joining_keeps_the_sum_and_moves_the_middle_of_none(many: int) -> None:
    at, inside = (np.arange(240) + 0.5) / 240, slice(many, -many)
    single = np.zeros((240, 240))
    np.fill_diagonal(single, np.linspace(-1, 2, 240))
    joined = _joined(single, many)
    assert joined.shape == (240, 240 // many)
    assert joined.sum(axis=1) == pytest.approx(single.sum(axis=1))
    moments = joined @ ((np.arange(240 // many) + 0.5) * many / 240)
    assert moments[inside] == pytest.approx((single @ at)[inside])


def test_widths_are_exact_to_a_millionth() -> None:
    rng = np.random.default_rng(3)
    draws = rng.normal(size=(40, 300)) / 3000
    found = smooth_error(draws)
    waves = dct(draws, axis=1, norm="ortho")
    for width, up in ((found * (1 - 2e-6), True), (found * (1 + 2e-6), False)):
        damped = waves * np.exp(-0.5 * (np.pi * np.arange(300) * width[:, None]) ** 2)
        left = np.abs(idct(damped, axis=1, norm="ortho")).sum(axis=1) - width
        assert ((left > 0) == up).all()
