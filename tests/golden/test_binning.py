"""Bins and the grid of sums, by hand and row by row."""

import numpy as np
import pytest

from pfungst.errors import InputError
from pfungst.statistics.binning import (
    CELLS,
    bin_index,
    checked_pair,
    divisors,
    equal_mass_index,
    grid_of,
    merged,
)


def test_bins_are_closed_on_the_right() -> None:
    at = np.array([0.0, 1e-9, 0.1, 0.1 + 1e-9, 0.2, 0.3, 0.7, 0.9, 0.9 + 1e-9, 1.0])
    assert bin_index(at, 10).tolist() == [0, 0, 0, 1, 1, 2, 6, 8, 9, 9]
    assert bin_index(at, 1).tolist() == [0] * 10


def test_an_edge_that_rounding_moved_is_still_the_edge() -> None:
    # 0.1 + 0.2 is a little above 0.3, 0.7 x 10 a little above 7 in other arithmetic.
    assert bin_index(np.array([0.1 + 0.2, np.nextafter(0.7, 1), np.nextafter(1.0, 0)]), 10).tolist() == [2, 6, 9]


def test_bins_of_equal_count_by_hand() -> None:
    assert equal_mass_index(np.array([0.4, 0.1, 0.3, 0.2]), 2).tolist() == [1, 0, 1, 0]
    assert equal_mass_index(np.arange(10.0), 5).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    # Ties have the middles 1, 2.5, 4 of 5 rows in 5 bins: bins 1, 2, 4, numbered without gaps.
    assert equal_mass_index(np.array([0.1, 0.1, 0.2, 0.3, 0.3]), 5).tolist() == [0, 0, 1, 2, 2]
    assert equal_mass_index(np.array([0.1, 0.1, 0.1, 0.2]), 2).tolist() == [0, 0, 0, 1]
    assert equal_mass_index(np.full(7, 0.5), 3).tolist() == [0] * 7
    assert equal_mass_index(np.array([0.5]), 1).tolist() == [0]


def test_grid_holds_the_sums_of_each_cell() -> None:
    confidence, correct = np.array([0.05, 0.1, 0.55, 1.0]), np.array([1.0, 0.25, 0.0, 1.0])
    grid = grid_of(confidence, correct, cells=10)
    assert grid.rows.tolist() == [2, 0, 0, 0, 0, 1, 0, 0, 0, 1]
    assert grid.confidence[[0, 5, 9]] == pytest.approx([0.15, 0.55, 1.0])
    assert grid.correct[[0, 5, 9]] == pytest.approx([1.25, 0.0, 1.0])
    assert grid.squares[[0, 5, 9]] == pytest.approx([0.95**2 + 0.15**2, 0.55**2, 0.0])
    assert grid.residuals[[0, 5, 9]] == pytest.approx([-1.1, 0.55, 0.0])
    assert grid.total == 4
    assert len(grid_of(confidence, correct).rows) == CELLS == 3600


def test_error_and_its_two_parts_by_hand() -> None:
    grid = grid_of(np.array([0.05, 0.1, 0.55, 1.0]), np.array([1.0, 0.25, 0.0, 1.0]), cells=10)
    assert grid.error(10) == pytest.approx((1.1 + 0.55) / 4)
    assert grid.signed_parts(10) == pytest.approx((0.55 / 4, 1.1 / 4))
    assert grid.error(2) == pytest.approx((1.1 + 0.55) / 4)
    assert grid.error(1) == pytest.approx(0.55 / 4)
    assert grid.signed_parts(1) == pytest.approx((0.0, 0.55 / 4))


def test_rows_beyond_one_part_are_all_counted() -> None:
    rng = np.random.default_rng(0)
    confidence, correct = rng.uniform(size=40_000), rng.integers(0, 2, 40_000)
    grid = grid_of(confidence, correct, cells=4)
    index = np.minimum((confidence * 4).astype(int), 3)
    assert grid.rows.tolist() == np.bincount(index).tolist()
    assert grid.correct == pytest.approx(np.bincount(index, correct))
    assert grid.squares == pytest.approx(np.bincount(index, (confidence - correct) ** 2))


def test_merged_grids_add_up() -> None:
    one, two = grid_of(np.array([0.3, 0.9]), np.array([1, 0]), 4), grid_of(np.array([0.35]), np.array([1]), 4)
    both, whole = merged(one, two), grid_of(np.array([0.3, 0.9, 0.35]), np.array([1, 0, 1]), 4)
    for name in ("rows", "confidence", "correct", "squares"):
        assert getattr(both, name) == pytest.approx(getattr(whole, name))


def test_the_usual_numbers_of_bins_are_listed() -> None:
    assert divisors(3600) == "5, 10, 12, 15, 20, 25, 30, 50, 100"
    assert divisors(60) == "5, 10, 12, 15, 20, 30"
    assert divisors(7) == "1"


def test_rounding_beyond_one_is_clipped_and_no_more() -> None:
    confidence, correct = checked_pair(np.array([1 + 1e-6, 0.5]), np.array([1, 0]))
    assert confidence.tolist() == [1.0, 0.5]
    assert correct.tolist() == [1.0, 0.0]
    assert checked_pair(np.array([0.0, 1.0]), np.array([0, 1]))[0].tolist() == [0.0, 1.0]
    for low in (-1e-12, -0.5):
        with pytest.raises(InputError, match=r"confidence of row 1 is -"):
            checked_pair(np.array([0.5, low]), np.ones(2))
    with pytest.raises(InputError, match=r"correct of row 2 is 1.5; .* \(2 such rows\)"):
        checked_pair(np.full(4, 0.5), np.array([0, 1, 1.5, 2]))
    with pytest.raises(InputError, match="row 0 is nan"):
        checked_pair(np.array([np.nan, 0.5]), np.ones(2))
    with pytest.raises(InputError, match="row 16384 is 3"):
        grid_of(np.append(np.full(16_384, 0.5), 3), np.ones(16_385))
    with pytest.raises(InputError, match="correct of row 16385 is -1"):
        grid_of(np.full(16_386, 0.5), np.append(np.ones(16_385), -1))


@pytest.mark.parametrize(
    ("confidence", "correct", "said"),
    [
        (np.ones(3), np.ones(2), "both need one value a row"),
        (np.ones((2, 2)), np.ones((2, 2)), "both need one value a row"),
        (np.ones(0), np.ones(0), "no rows"),
    ],
)
def test_pairs_that_are_none_are_refused(confidence: np.ndarray, correct: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        checked_pair(confidence, correct)
    if len(confidence):
        with pytest.raises(InputError, match=said):
            grid_of(confidence, correct)


@pytest.mark.parametrize("bins", [0, -1, 3, 11, 20])
def test_bins_that_cells_do_not_make_up_are_refused(bins: int) -> None:
    with pytest.raises(InputError, match=f"{bins} bins do not divide 10 cells; 5, 10 bins do"):
        grid_of(np.array([0.5]), np.array([1]), 10).error(bins)


def test_grids_of_no_rows_or_other_cells_are_refused() -> None:
    one = grid_of(np.array([0.5]), np.array([1]), 10)
    with pytest.raises(InputError, match="no rows"):
        grid_of(np.empty(0), np.empty(0), 10).error(10)
    with pytest.raises(InputError, match="grids of 10 and 20 cells cannot be merged"):
        merged(one, grid_of(np.array([0.5]), np.array([1]), 20))
