"""Calibration errors of cells against the same errors computed row by row; resampling against its exact moments."""

import numpy as np
import pytest

from pfungst.errors import InputError
from pfungst.statistics.binning import bin_index, equal_mass_index
from pfungst.statistics.cell_errors import BINNED, CELL_ERRORS, by_bin
from pfungst.statistics.consistency import (
    Cells,
    Draws,
    bootstrap_draws,
    cells_of,
    null_draws,
    unit_bootstrap_draws,
    unit_null_draws,
)

BINS = 5
RNG = np.random.default_rng(0)
# A hundredth apart, so that each cell of a 3600th holds one stated value only, some of them many times.
STATED = RNG.integers(30, 101, 300) / 100
# Under-confident below .7, over-confident above.
RIGHT = (RNG.uniform(size=300) < 0.7).astype(float)
CELLS = cells_of(STATED, RIGHT, BINS)


def _gaps(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and mean gap of each occupied bin."""
    held = np.unique(index)
    rows = np.array([(index == b).sum() for b in held])
    return rows, np.array([(STATED - RIGHT)[index == b].mean() for b in held])


def _seen(name: str) -> float:
    return float(CELL_ERRORS[name](CELLS, CELLS.observed)[0])


def test_sums_of_bins() -> None:
    values = np.array([[1.0, 2.0, 4.0, 8.0], [0.0, 1.0, 0.0, 1.0]])
    assert by_bin(values, np.array([0, 0, 3, 4])).tolist() == [[3, 4, 8], [1, 0, 1]]
    assert by_bin(values, np.array([0, 1, 1, 1])).tolist() == [[1, 14], [0, 2]]


def test_binned_errors_are_those_of_rows() -> None:
    rows, gaps = _gaps(bin_index(STATED, BINS))
    assert _seen("expected-calibration-error") == pytest.approx((rows * abs(gaps)).sum() / 300)
    assert _seen("root-mean-square-calibration-error") == pytest.approx(np.sqrt((rows * gaps**2).sum() / 300))
    assert _seen("maximum-calibration-error") == pytest.approx(abs(gaps)[rows >= 30].max())
    masses, mass_gaps = _gaps(equal_mass_index(STATED, BINS))
    assert _seen("equal-mass-calibration-error") == pytest.approx((masses * abs(mass_gaps)).sum() / 300)


def test_debiased_error_takes_each_bins_variance_off() -> None:
    index = bin_index(STATED, BINS)
    square = 0.0
    for b in np.unique(index):
        residuals = (STATED - RIGHT)[index == b]
        square += len(residuals) * (residuals.mean() ** 2 - residuals.var(ddof=1) / len(residuals))
    assert _seen("debiased-calibration-error") == pytest.approx(np.sign(square) * np.sqrt(abs(square) / 300))


def test_debiased_error_is_signed_and_leaves_single_rows_out() -> None:
    # The mean of the ten rows at .5 is exact: less than chance would give. The row at .9 has no variance.
    cells = cells_of(np.append(np.full(10, 0.5), 0.9), np.append(np.tile([0.0, 1.0], 5), 0.0), BINS)
    found = CELL_ERRORS["debiased-calibration-error"](cells, cells.observed)
    assert found == pytest.approx([-np.sqrt(2.5 / 9 / 11)])


def test_cumulative_errors_are_those_of_sorted_rows() -> None:
    ends = np.append(0, [np.sum((STATED - RIGHT)[at >= STATED]) for at in np.unique(STATED)]) / 300
    assert _seen("kolmogorov-smirnov-calibration-error") == pytest.approx(abs(ends).max())
    assert _seen("kuiper-calibration-error") == pytest.approx(ends.max() - ends.min())


def test_kuiper_counts_from_zero_on() -> None:
    for right, stated in ((1.0, 0.25), (0.0, 0.75)):
        cells = cells_of(np.array([stated]), np.array([right]), BINS)
        assert CELL_ERRORS["kuiper-calibration-error"](cells, cells.observed)[0] == pytest.approx(0.75)


def test_maximum_needs_thirty_rows_in_a_bin() -> None:
    for rows, known in ((29, False), (30, True)):
        cells = cells_of(np.full(rows, 0.7), np.zeros(rows), BINS)
        found = CELL_ERRORS["maximum-calibration-error"](cells, cells.observed)
        assert found.shape == (1,)
        assert found[0] == pytest.approx(0.7) if known else np.isnan(found[0])


def test_smooth_error_of_one_place_is_its_gap() -> None:
    # One residual of 0.3 far from both ends, smoothed with any width, sums to 0.3; so do rows nearby.
    cells = cells_of(np.array([0.5, 0.505]), np.array([0.2, 0.205]), BINS)
    assert CELL_ERRORS["smooth-calibration-error"](cells, cells.observed)[0] == pytest.approx(0.3, abs=1e-4)


def test_cells_hold_the_rows_of_one_place() -> None:
    confidence, correct = np.array([0.9, 0.6, 0.6, 0.90001]), np.array([1.0, 0.0, 1.0, 0.5])
    cells = cells_of(confidence, correct, 2)
    assert cells.rows.tolist() == [2, 1, 1]
    assert cells.width == 3600
    # .6 is the last cell of those up to .6 (2160 of 3600): number 2159; .9 is 3239.
    assert cells.places.tolist() == [2159, 3239, 3240]
    assert cells.bins.tolist() == [1, 1, 1]
    assert cells.masses.tolist() == [0, 1, 1]
    assert cells.confidence == pytest.approx([0.6, 0.9, 0.90001])
    assert cells.correct.tolist() == [1.0, 1.0, 0.5]
    assert cells.squared == pytest.approx([0.72, 0.81, 0.90001**2])
    assert cells.of_row.tolist() == [1, 0, 0, 2]
    assert cells.votes.tolist() == cells.rows.tolist()
    assert cells.total == 4
    assert cells_of(confidence, correct, 7).width == 7 * (3600 // 7)
    assert cells_of(confidence, correct, 5000).width == 5000


def test_observed_sums_are_those_of_rows() -> None:
    seen = CELLS.observed
    assert seen.residuals[0] == pytest.approx(np.bincount(CELLS.of_row, STATED - RIGHT))
    assert seen.squares[0] == pytest.approx(np.bincount(CELLS.of_row, (STATED - RIGHT) ** 2))
    assert seen.total.tolist() == [300]


def test_labellers_stand_for_as_many_votes_as_are_as_noisy() -> None:
    confidence = np.array([0.6, 0.6, 0.6, 0.9])
    assert cells_of(confidence, confidence, 5, np.array([10.0, 10, 10, 4])).votes.tolist() == [30, 4]
    # 9 / (1/2 + 1/4 + 1/4) = 9 votes behind three rows.
    assert cells_of(confidence, confidence, 5, np.array([2.0, 4, 4, 1])).votes.tolist() == [9, 1]


def _all(draws: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    parts: list[Draws] = list(draws)
    return tuple(np.concatenate([getattr(part, name) for part in parts]) for name in ("residuals", "squares", "total"))


FEW = cells_of(np.repeat([0.3, 0.8], [40, 60]), np.concatenate([np.tile([0.0, 1.0], 20), np.ones(60)]), BINS)


def test_null_draws_have_the_moments_of_binomials() -> None:
    residuals, squares, total = _all(null_draws(FEW, 3001, 1))
    assert residuals.shape == squares.shape == (3001, 2)
    assert (total == 100).all()
    assert residuals.mean(axis=0) == pytest.approx([0, 0], abs=0.25)
    assert residuals.var(axis=0) == pytest.approx([40 * 0.21, 60 * 0.16], rel=0.1)
    assert squares.mean(axis=0) == pytest.approx([40 * 0.21, 60 * 0.16], rel=0.05)
    assert (np.round(FEW.rows * FEW.confidence - residuals, 9) % 1 == 0).all()


def test_null_draws_of_votes_are_less_noisy_than_of_rows() -> None:
    cells = cells_of(np.full(40, 0.3), np.full(40, 0.3), BINS, np.full(40, 4.0))
    residuals, _, _ = _all(null_draws(cells, 2000, 1))
    assert residuals.var() == pytest.approx(40 * 0.21 / 4, rel=0.15)


def test_bootstrap_draws_have_the_moments_of_the_rows() -> None:
    residuals, squares, total = _all(bootstrap_draws(FEW, 3001, 2))
    assert residuals.shape == (3001, 2)
    assert (total == 100).all()
    assert residuals.mean(axis=0) == pytest.approx([-8, -12], abs=0.25)
    # Multinomial: n E[x^2] - n E[x]^2 of one drawn row's part in a cell.
    assert residuals.var(axis=0) == pytest.approx([20 * (0.3**2 + 0.7**2) - 0.64, 60 * 0.04 - 1.44], rel=0.1)
    assert squares.mean(axis=0) == pytest.approx([20 * (0.3**2 + 0.7**2), 60 * 0.04], rel=0.05)


def test_draws_are_repeated_by_their_seed_and_portions_are_not_alike() -> None:
    one, again, other = (_all(null_draws(FEW, 600, seed))[0] for seed in (3, 3, 4))
    assert (one == again).all()
    assert not (one == other).all()
    assert not (one[:250] == one[250:500]).all()
    assert [len(part.total) for part in null_draws(FEW, 600, 0)] == [250, 250, 100]
    assert [len(part.total) for part in null_draws(FEW, 250, 0)] == [250]


def _units_of(cells: Cells) -> np.ndarray:
    return np.arange(len(cells.of_row)) % 10


def test_unit_null_draws_flip_whole_units_centred_in_their_bin() -> None:
    residuals, units = np.repeat([0.3, -0.2], [40, 60]) + RNG.normal(scale=0.1, size=100), _units_of(FEW)
    found, squares, total = _all(unit_null_draws(FEW, residuals, units, 2000, 5))
    expected = []
    for cell, rows in ((0, 4), (1, 6)):
        held = FEW.of_row == cell
        sums = np.array([residuals[held & (units == unit)].sum() for unit in range(10)])
        # A unit's share of the bin is a tenth: what is left is nine tenths.
        centred = (sums - rows * residuals[held].mean()) / 0.9
        expected.append((centred**2).sum())
    assert found.mean(axis=0) == pytest.approx([0, 0], abs=0.1)
    assert found.var(axis=0) == pytest.approx(expected, rel=0.1)
    assert squares == pytest.approx(np.broadcast_to(FEW.observed.squares, (2000, 2)))
    assert (total == 100).all()


def test_a_unit_alone_in_its_bin_is_flipped_as_it_is() -> None:
    cells = cells_of(np.repeat([0.3, 0.8], [4, 6]), np.zeros(10), BINS)
    residuals = np.repeat([0.3, 0.8], [4, 6])
    found, _, _ = _all(unit_null_draws(cells, residuals, np.repeat([0, 1], [4, 6]), 300, 5))
    assert sorted({round(v, 9) for v in found[:, 0]}) == [-1.2, 1.2]
    assert sorted({round(v, 9) for v in found[:, 1]}) == [-4.8, 4.8]
    assert len(np.unique(np.sign(found), axis=0)) == 4


def test_unit_bootstrap_draws_whole_units() -> None:
    residuals, units = np.repeat([0.3, -0.2], [40, 60]), np.repeat(np.arange(4), [10, 20, 30, 40])
    found, squares, total = _all(unit_bootstrap_draws(FEW, residuals, units, 2000, 6))
    assert total.mean() == pytest.approx(100, abs=1.5)
    assert total.var() == pytest.approx(4 * np.var([10, 20, 30, 40]), rel=0.1)
    assert set(total) <= set(range(40, 161, 10))
    assert found.mean(axis=0) == pytest.approx([12, -12], abs=0.35)
    assert found[:, 0].var() == pytest.approx(4 * np.var([3, 6, 3, 0]), rel=0.1)
    assert squares == pytest.approx(np.broadcast_to(FEW.observed.squares, (2000, 2)))


def test_many_units_are_joined_into_blocks() -> None:
    residuals = np.ones(1500)
    cells = cells_of(np.full(1500, 0.5), np.zeros(1500), BINS)
    found, _, total = _all(unit_bootstrap_draws(cells, residuals, np.arange(1500), 50, 7))
    # 500 blocks of three rows each.
    assert set(total % 3) == {0}
    assert (total == 1500).all()
    assert found == pytest.approx(np.full((50, 1), 1500))


def test_units_of_another_length_are_refused() -> None:
    for draws in (unit_null_draws, unit_bootstrap_draws):
        with pytest.raises(InputError, match="name one unit for each row"):
            list(draws(FEW, np.zeros(100), np.zeros(99), 10, 0))


def test_wider_cells_have_the_bins_of_narrow_ones() -> None:
    confidence = RNG.uniform(0.3, 1, 2000)
    cells = cells_of(confidence, (RNG.uniform(size=2000) < confidence).astype(float), BINS)
    wide = cells.joined(60)
    assert len(wide.rows) < 80
    assert len(cells.rows) > 800
    assert wide.total == cells.total == wide.votes.sum()
    for name in BINNED:
        expected = CELL_ERRORS[name](cells, cells.observed)[0]
        assert CELL_ERRORS[name](wide, wide.observed)[0] == pytest.approx(expected, abs=1e-3), name
    assert np.bincount(wide.of_row).tolist() == wide.rows.tolist()
    assert np.bincount(wide.of_row, confidence) / wide.rows == pytest.approx(wide.confidence)
    once, again = cells.joined(1), cells
    assert all(
        np.array_equal(getattr(once, name), getattr(again, name)) for name in ("rows", "bins", "places", "of_row")
    )
