"""Units, by hand."""

import numpy as np
import pytest

from pfungst.errors import InputError
from pfungst.statistics.units import bracketed, checked, effective_rows, kish, numbered, robust_variance


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.zeros((2, 2)), r"shape \(2, 2\)"),
        (np.zeros(0), "no rows"),
        (np.array([0, np.nan, np.inf]), r"row 1 is not finite \(2 such rows\)"),
    ],
)
def test_what_is_no_vector_of_numbers_is_refused(values: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        checked(values, "it")
    assert checked([1, 2], "it").dtype == np.float64


def test_an_interval_holds_its_value_whatever_rounding_did() -> None:
    low = bracketed("it", 0.1, (0.2, 0.3), rows=3, units=None, level=0.9)
    high = bracketed("it", 0.4, (0.2, 0.3), rows=3, units=np.zeros(3), level=0.9)
    assert (low.low, low.high, low.unit, low.rows, low.level) == (0.1, 0.3, "row", 3, 0.9)
    assert (high.low, high.high, high.unit) == (0.2, 0.4, "unit")


def test_units_are_numbered_whatever_they_are() -> None:
    codes, groups = numbered(np.array(["b", None, "b", 3.0], dtype=object), 4)
    assert groups == 3
    assert codes[0] == codes[2] != codes[1] != codes[3]
    with pytest.raises(InputError, match="name one unit for each row"):
        numbered(np.zeros((4, 1)), 4)
    with pytest.raises(InputError, match="name one unit for each row"):
        numbered(np.zeros(3), 4)


def test_kish_and_the_robust_variance_by_hand() -> None:
    assert kish(np.array([0, 0, 0, 1, 1, 2])) == pytest.approx(36 / 14)
    # Residuals -2 -1 1 2: sums -3 and 3, 2/1 x 18 / 16.
    values, codes = np.array([1.0, 2.0, 4.0, 5.0]), np.array([0, 0, 1, 1])
    assert robust_variance(values, codes, 2) == pytest.approx(2 * 18 / 16)
    # Sums of 0 are no certainty: the variance of independent rows, 10 / 16.
    assert robust_variance(values, np.array([0, 1, 1, 0]), 2) == pytest.approx(10 / 16)


def test_effective_rows_where_nothing_is_known() -> None:
    assert effective_rows(np.array([1.0, 0.0]), np.zeros(2)) == (0.0, 1)
    assert effective_rows(np.ones(6), np.array([0, 0, 0, 1, 1, 2])) == (pytest.approx(36 / 14), 3)
    # One unit holds all that is unlike: Kish again. Two: the variance over units.
    units = np.repeat([0, 1, 2], 4)
    assert effective_rows(np.repeat([1.0, 0.0], [3, 9]), units)[0] == pytest.approx(3)
    assert effective_rows(np.array([1.0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]), units)[0] != pytest.approx(3)


def test_a_higher_level_leaves_fewer_effective_rows_of_few_units() -> None:
    values, units = np.tile([1.0, 0.0, 1.0], 4), np.repeat(np.arange(4), 3)
    assert effective_rows(values, units, 0.99)[0] < effective_rows(values, units)[0]
    assert effective_rows(values, units)[0] == effective_rows(values, units, 0.95)[0]
    assert effective_rows(values, None) == (12.0, 12)
