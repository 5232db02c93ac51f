"""Coverage of the ECE's interval and size of its test, on models whose miscalibration is known."""

import numpy as np
import pytest

from pfungst.methods.calibration_chance import error_estimate
from pfungst.methods.calibration_errors import signed_gap
from pfungst.statistics.binning import bin_index


def _stated(rng: np.random.Generator, rows: int) -> np.ndarray:
    return 0.5 + 0.5 * rng.beta(2, 1, rows)


def _shifted(stated: np.ndarray, gap: float, alternating: bool) -> np.ndarray:
    sign = np.where(bin_index(stated, 15) % 2 == 0, 1, -1) if alternating else 1
    return np.clip(stated - sign * gap, 0, 1)


def _true_error(gap: float, alternating: bool) -> float:
    stated = _stated(np.random.default_rng(99), 400_000)
    residuals = stated - _shifted(stated, gap, alternating)
    return float(np.abs(np.bincount(bin_index(stated, 15), residuals)).sum() / len(stated))


@pytest.mark.parametrize(
    ("rows", "runs", "alternating"),
    [(100, 200, False), (100, 200, True), (300, 100, False), (1000, 60, True), (10_000, 25, True)],
)
@pytest.mark.parametrize("gap", [0.0, 0.01, 0.03, 0.07])
def test_interval_covers(rows: int, runs: int, alternating: bool, gap: float) -> None:
    rng = np.random.default_rng(8)
    truth, held = _true_error(gap, alternating), 0
    for run in range(runs):
        stated = _stated(rng, rows)
        correct = rng.uniform(size=rows) < _shifted(stated, gap, alternating)
        estimate = error_estimate(stated, correct, draws=150, seed=run).estimate
        held += estimate.low <= truth <= estimate.high
    assert held / runs >= 0.92


@pytest.mark.parametrize(("rows", "runs"), [(100, 600), (300, 400)])
def test_consistency_test_has_its_size(rows: int, runs: int) -> None:
    rng = np.random.default_rng(9)
    rejected = 0
    for run in range(runs):
        stated = _stated(rng, rows)
        rejected += error_estimate(stated, rng.uniform(size=rows) < stated, draws=199, seed=run).p_value <= 0.05
    assert 0.03 <= rejected / runs <= 0.07


@pytest.mark.parametrize(("units", "likeness"), [(20, 0.0), (20, 0.1), (40, 0.1)])
def test_consistency_test_of_units_has_its_size(units: int, likeness: float) -> None:
    rng = np.random.default_rng(10)
    unit = np.repeat(np.arange(units), 15)
    rejected = 0
    for run in range(400):
        stated = 0.6 + 0.3 * rng.beta(2, 1, len(unit))
        true = np.clip(stated + rng.choice([-likeness, likeness], units)[unit], 0, 1)
        judged = error_estimate(stated, rng.uniform(size=len(unit)) < true, units=unit, draws=199, seed=run)
        rejected += judged.p_value <= 0.05
    assert 0.02 <= rejected / 400 <= 0.085


def test_consistency_test_finds_three_points_on_three_thousand_rows() -> None:
    rng = np.random.default_rng(11)
    found = 0
    for run in range(30):
        stated = _stated(rng, 3000)
        found += error_estimate(stated, rng.uniform(size=3000) < stated - 0.03, draws=199, seed=run).p_value <= 0.05
    assert found >= 25


@pytest.mark.parametrize("rows", [20, 100, 300])
@pytest.mark.parametrize("sure", [0.8, 0.98])
def test_signed_gap_covers(rows: int, sure: float) -> None:
    rng = np.random.default_rng(12)
    held = 0
    for _ in range(400):
        stated = rng.uniform(sure - 0.1, sure + 0.02, rows)
        gap = signed_gap(stated, rng.uniform(size=rows) < stated)
        held += gap.low <= 0 <= gap.high
    assert held / 400 >= 0.92
