"""Size and power of the tests on planted effects."""

import numpy as np
import pytest

from pfungst.statistics.intervals import paired_mean
from pfungst.statistics.significance import mcnemar_midp, p_at_most, sign_flip

RUNS = 400


def _rejected(p_of: object, seed: int = 7) -> float:
    rng = np.random.default_rng(seed)
    return float(np.mean([p_of(rng) <= 0.05 for _ in range(RUNS)]))


@pytest.mark.parametrize("units", [10, 40])
def test_sign_flip_of_units_holds_its_level(units: int) -> None:
    unit = np.repeat(np.arange(units), 5)
    null = _rejected(lambda rng: sign_flip(rng.normal(size=units)[unit] + rng.normal(size=5 * units), unit, draws=399))
    assert 0.02 <= null <= 0.08


def test_sign_flip_that_ignores_units_does_not() -> None:
    unit = np.repeat(np.arange(20), 10)
    assert _rejected(lambda rng: sign_flip(rng.normal(size=20)[unit] + rng.normal(size=200), draws=199)) > 0.2


def test_sign_flip_finds_what_is_there() -> None:
    assert _rejected(lambda rng: sign_flip(rng.normal(0.5, 1, 60), draws=399)) > 0.9


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_mcnemar_holds_its_level(share: float) -> None:
    def draw(rng: np.random.Generator) -> float:
        cell = rng.choice(3, size=120, p=[share, share, 1 - 2 * share])
        return mcnemar_midp(cell == 0, cell == 1)

    assert 0.02 <= _rejected(draw) <= 0.075


def test_p_at_most_holds_its_level_at_the_bar() -> None:
    def draw(rng: np.random.Generator) -> float:
        return p_at_most(paired_mean(np.clip(rng.normal(0.1, 0.2, 80), -1, 1)), 0.1)

    assert 0.02 <= _rejected(draw) <= 0.08
