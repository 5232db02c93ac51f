"""Coverage of nominal 95 % intervals on data whose truth is known."""

from collections.abc import Callable

import numpy as np
import pytest

from pfungst.statistics.estimate import Estimate
from pfungst.statistics.intervals import mean, paired_accuracy_loss, paired_mean, proportion_of

RUNS = 400


def _covered(draw: Callable[[np.random.Generator], Estimate], truth: float) -> float:
    rng = np.random.default_rng(11)
    estimates = [draw(rng) for _ in range(RUNS)]
    return float(np.mean([e.low <= truth <= e.high for e in estimates]))


def _in_units(rng: np.random.Generator, units: int, share: float, likeness: float) -> tuple[np.ndarray, np.ndarray]:
    """Hits of units of 1 to 15 rows whose own share is Beta-distributed with this correlation within units."""
    strength = (1 - likeness) / likeness
    own = rng.beta(share * strength, (1 - share) * strength, units)
    unit = np.repeat(np.arange(units), rng.integers(1, 16, units))
    return rng.uniform(size=len(unit)) < own[unit], unit


@pytest.mark.parametrize("units", [10, 30, 100])
@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize("likeness", [0.05, 0.3])
def test_clustered_wilson_covers(units: int, share: float, likeness: float) -> None:
    assert _covered(lambda rng: proportion_of(*_in_units(rng, units, share, likeness)), share) >= 0.9


def test_wilson_that_ignores_units_does_not_cover() -> None:
    assert _covered(lambda rng: proportion_of(_in_units(rng, 30, 0.5, 0.3)[0]), 0.5) < 0.8


@pytest.mark.parametrize("rows", [20, 200])
@pytest.mark.parametrize(("both", "lost", "won"), [(0.85, 0.05, 0.02), (0.6, 0.3, 0.0), (0.5, 0.1, 0.1)])
def test_paired_loss_covers(rows: int, both: float, lost: float, won: float) -> None:
    def draw(rng: np.random.Generator) -> Estimate:
        cell = rng.choice(4, size=rows, p=[both, lost, won, 1 - both - lost - won])
        return paired_accuracy_loss(cell <= 1, (cell == 0) | (cell == 2))

    assert _covered(draw, lost - won) >= 0.92


@pytest.mark.parametrize("units", [10, 30])
@pytest.mark.parametrize("lost", [0.1, 0.4])
def test_clustered_paired_loss_covers(units: int, lost: float) -> None:
    def draw(rng: np.random.Generator) -> Estimate:
        broken, unit = _in_units(rng, units, lost, 0.2)
        before = rng.uniform(size=len(unit)) < 0.95
        return paired_accuracy_loss(before, before & ~broken, unit)

    assert _covered(draw, 0.95 * lost) >= 0.92


@pytest.mark.parametrize("rows", [30, 100, 300])
@pytest.mark.parametrize("share", [0.005, 0.02, 0.05])
def test_paired_mean_covers_where_few_rows_carry_the_effect(rows: int, share: float) -> None:
    def draw(rng: np.random.Generator) -> Estimate:
        return paired_mean((rng.uniform(size=rows) < share) * rng.uniform(0.3, 1, rows))

    assert _covered(draw, 0.65 * share) >= 0.92


@pytest.mark.parametrize("units", [5, 10, 30])
def test_clustered_mean_covers(units: int) -> None:
    def draw(rng: np.random.Generator) -> Estimate:
        unit = np.repeat(np.arange(units), rng.integers(1, 16, units))
        return mean(rng.normal(size=units)[unit] + rng.normal(size=len(unit)), unit)

    assert _covered(draw, 0.0) >= 0.91
