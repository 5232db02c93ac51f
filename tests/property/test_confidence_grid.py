"""The grid of sums: batches and their order do not count, and every usual number of bins is exact on it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pfungst.errors import InputError
from pfungst.methods.calibration_errors import expected_calibration_error
from pfungst.statistics.binning import CELLS, ConfidenceGrid, bin_index, grid_of, merged

SUMS = ("confidence", "correct", "squares")
confidences = st.integers(1, 60).flatmap(
    lambda rows: hnp.arrays(np.float64, rows, elements=st.floats(0, 1) | st.integers(0, 3600).map(lambda k: k / 3600))
)


def _joined(confidence: np.ndarray, correct: np.ndarray, size: int) -> ConfidenceGrid:
    grid = grid_of(confidence[:0], correct[:0])
    for start in range(0, len(confidence), size):
        grid = merged(grid, grid_of(confidence[start : start + size], correct[start : start + size]))
    return grid


def _same(one: ConfidenceGrid, other: ConfidenceGrid) -> None:
    assert one.rows.dtype == np.int64
    assert np.array_equal(one.rows, other.rows)
    for name in SUMS:
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 100, 3000])
def test_batches_and_order_do_not_count(size: int, kind: type) -> None:
    rng = np.random.default_rng(0)
    confidence, correct = rng.uniform(size=3000).astype(kind), rng.integers(0, 2, 3000)
    whole, order = grid_of(confidence, correct), rng.permutation(3000)
    _same(_joined(confidence, correct, size), whole)
    _same(_joined(confidence[order], correct[order], size), whole)


@given(confidence=confidences, data=st.data())
def test_every_usual_number_of_bins_is_exact_also_at_the_edges(confidence: np.ndarray, data: st.DataObject) -> None:
    correct = data.draw(hnp.arrays(bool, len(confidence)))
    grid = grid_of(confidence, correct)
    for bins in (1, 10, 12, 15, 20, 25, 30, 50, 100):
        assert grid.error(bins) == pytest.approx(expected_calibration_error(confidence, correct, bins), abs=1e-12)
        assert sum(grid.signed_parts(bins)) == pytest.approx(grid.error(bins), abs=1e-12)


@given(*(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=20) for _ in range(3)))
def test_grids_add_up_in_any_order(a: list, b: list, c: list) -> None:
    one, two, three = (grid_of(np.array([x for x, _ in some]), np.array([y for _, y in some])) for some in (a, b, c))
    _same((one + two) + three, one + (two + three))
    _same(one + two, two + one)


@given(confidence=confidences, bins=st.sampled_from((10, 12, 15, 20, 25, 30, 50, 100)))
def test_a_cell_lies_in_one_bin(confidence: np.ndarray, bins: int) -> None:
    assert np.array_equal(bin_index(confidence, CELLS) // (CELLS // bins), bin_index(confidence, bins))


def test_what_cannot_be_added_or_divided_is_refused() -> None:
    grid = grid_of(np.array([0.5]), np.array([1]))
    with pytest.raises(InputError, match="7 bins do not divide 3600"):
        grid.error(7)
    with pytest.raises(InputError, match="cannot be merged"):
        merged(grid, grid_of(np.array([0.5]), np.array([1]), cells=70))
    with pytest.raises(InputError, match="no rows"):
        grid_of(np.empty(0), np.empty(0)).error(15)
    with pytest.raises(InputError, match="row 20000 is nan"):
        grid_of(np.append(np.full(20_000, 0.5), np.nan), np.ones(20_001))
    with pytest.raises(InputError, match="one value a row"):
        grid_of(np.ones(3), np.ones(2))
