"""On perfectly calibrated models every p-value is uniform and every interval holds zero."""

import numpy as np
import pytest
from scipy.special import kolmogorov

from pfungst.methods.calibration_chance import by_chance, error_estimate, reliability
from pfungst.methods.calibration_errors import signed_gap
from pfungst.methods.kernel_errors import kernel_calibration_test
from pfungst.statistics.cell_errors import CELL_ERRORS
from pfungst.targets import targets

DRAWS = 99
RUNS = {100: 250, 1000: 160, 10_000: 100}


def _calibrated(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    stated = 0.5 + 0.5 * rng.beta(2, 1, rows)
    return stated, rng.uniform(size=rows) < stated


def _uniform(p_values: np.ndarray, rng: np.random.Generator, draws: int) -> float:
    """p-value of Kolmogorov and Smirnov's test that these are uniform, spread over the steps of 1 / (draws + 1)."""
    spread = np.sort(p_values - rng.uniform(size=len(p_values)) / (draws + 1))
    steps = np.arange(len(spread) + 1) / len(spread)
    distance = max(np.abs(spread - steps[1:]).max(), np.abs(spread - steps[:-1]).max())
    return float(kolmogorov(np.sqrt(len(spread)) * distance))


@pytest.mark.parametrize("rows", RUNS)
def test_p_values_are_uniform(rows: int) -> None:
    rng = np.random.default_rng(rows)
    seen: dict[str, list[float]] = {name: [] for name in CELL_ERRORS}
    inside = bins = 0
    for run in range(RUNS[rows]):
        stated, correct = _calibrated(rng, rows)
        chance = by_chance(stated, correct, draws=DRAWS, seed=run)
        for name, values in seen.items():
            values.append(chance.p_value(name))
        for one in reliability(stated, correct, chance=chance) if run < 40 else ():
            assert one.calibrated is not None
            inside += one.calibrated[0] <= one.accuracy.value <= one.calibrated[1]
            bins += 1
    for name, values in seen.items():
        if rows == 100 and name == "maximum-calibration-error":
            # Seldom one bin of 100 rows has the 30 that the largest gap asks for.
            assert np.isnan(values).any()
            continue
        assert _uniform(np.array(values), rng, DRAWS) > 0.003, name
        assert 0.015 <= np.mean(np.array(values) <= 0.05) <= 0.09, name
    assert 0.92 <= inside / bins <= 1


@pytest.mark.parametrize("rows", [100, 1000, 10_000])
@pytest.mark.parametrize("error", ["expected-calibration-error", "smooth-calibration-error"])
def test_intervals_hold_zero(error: str, rows: int) -> None:
    # The lower end is zero up to the 97.5 % quantile of the null, so 97.5 % of intervals hold zero.
    rng, runs = (
        np.random.default_rng(rows + 1),
        {100: 300, 1000: 150, 10_000: 60}[rows] // (2 if error.startswith("smooth") else 1),
    )
    held = 0
    for run in range(runs):
        stated, correct = _calibrated(rng, rows)
        held += error_estimate(stated, correct, error=error, draws=99, seed=run).estimate.low == 0
    assert held / runs >= 0.93


@pytest.mark.parametrize("rows", [100, 1000, 10_000])
def test_signed_gap_holds_zero(rows: int) -> None:
    rng = np.random.default_rng(rows + 2)
    gaps = [signed_gap(*_calibrated(rng, rows)) for _ in range(600)]
    assert 0.93 <= np.mean([gap.low <= 0 <= gap.high for gap in gaps]) <= 0.97


def test_kernel_test_has_its_size_and_its_power() -> None:
    rng = np.random.default_rng(5)
    p_values, found = [], 0
    for run in range(200):
        p = rng.dirichlet(np.full(3, 0.7), 150)
        drawn = targets((p.cumsum(axis=1) < rng.uniform(size=(150, 1))).sum(axis=1).clip(0, 2), 3)
        p_values.append(kernel_calibration_test(p, drawn, bandwidth=0.5, draws=DRAWS, seed=run).p_value)
        surer = p**2 / (p**2).sum(axis=1, keepdims=True)
        found += kernel_calibration_test(surer, drawn, bandwidth=0.5, draws=DRAWS, seed=run).p_value <= 0.05
    assert _uniform(np.array(p_values), rng, DRAWS) > 0.003
    assert 0.015 <= np.mean(np.array(p_values) <= 0.05) <= 0.085
    assert found >= 110


@pytest.mark.parametrize(("units", "likeness"), [(20, 0.0), (40, 0.1)])
def test_every_error_has_its_size_where_rows_come_in_units(units: int, likeness: float) -> None:
    rng, unit = np.random.default_rng(units), np.repeat(np.arange(units), 15)
    seen: dict[str, list[float]] = {name: [] for name in CELL_ERRORS}
    for run in range(150):
        stated = 0.6 + 0.3 * rng.beta(2, 1, len(unit))
        true = np.clip(stated + rng.choice([-likeness, likeness], units)[unit], 0, 1)
        chance = by_chance(stated, rng.uniform(size=len(unit)) < true, units=unit, draws=DRAWS, seed=run)
        for name, values in seen.items():
            values.append(chance.p_value(name))
    for name, values in seen.items():
        assert np.mean(np.array(values) <= 0.05) <= 0.11, name
