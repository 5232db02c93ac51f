"""What every calibration error must keep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pfungst.methods.calibration_chance import error_estimate, reliability
from pfungst.methods.calibration_errors import calibration_errors, expected_calibration_error, signed_gap

rows = st.integers(30, 80)
stated = rows.flatmap(lambda n: hnp.arrays(np.float64, n, elements=st.floats(0, 1)))
every = pytest.mark.parametrize("name", list(calibration_errors))


@every
@given(confidence=stated, data=st.data())
def test_order_of_rows_does_not_count(name: str, confidence: np.ndarray, data: st.DataObject) -> None:
    correct = data.draw(hnp.arrays(bool, len(confidence)))
    order = np.array(data.draw(st.permutations(range(len(confidence)))))
    error = calibration_errors[name]
    assert error(confidence[order], correct[order], 1) == pytest.approx(error(confidence, correct, 1), abs=1e-9)


@every
@given(confidence=stated, data=st.data())
def test_errors_lie_between_minus_one_and_one(name: str, confidence: np.ndarray, data: st.DataObject) -> None:
    correct = data.draw(hnp.arrays(bool, len(confidence)))
    assert abs(calibration_errors[name](confidence, correct, 1)) <= 1 + 1e-9


@every
@given(n=rows, right=st.booleans())
def test_stating_what_happens_is_no_error(name: str, n: int, right: bool) -> None:
    assert calibration_errors[name](np.full(n, float(right)), np.full(n, right)) == 0


@given(confidence=stated, data=st.data())
def test_ece_is_at_least_the_absolute_signed_gap(confidence: np.ndarray, data: st.DataObject) -> None:
    correct = data.draw(hnp.arrays(bool, len(confidence)))
    gap = signed_gap(confidence, correct)
    assert -1 <= gap.low <= gap.value <= gap.high <= 1
    assert expected_calibration_error(confidence, correct) >= abs(gap.value) - 1e-9


@given(confidence=stated, data=st.data())
def test_finer_bins_never_hide_a_gap(confidence: np.ndarray, data: st.DataObject) -> None:
    correct = data.draw(hnp.arrays(bool, len(confidence)))
    coarse, fine = (expected_calibration_error(confidence, correct, bins) for bins in (4, 16))
    assert fine >= coarse - 1e-9


@settings(max_examples=40)
@given(confidence=stated, data=st.data())
def test_estimate_holds_its_value(confidence: np.ndarray, data: st.DataObject) -> None:
    correct = data.draw(hnp.arrays(bool, len(confidence)))
    units = data.draw(st.none() | hnp.arrays(np.int64, len(confidence), elements=st.integers(0, 8)))
    judged = error_estimate(confidence, correct, units=units, draws=50)
    assert 0 <= judged.estimate.low <= judged.estimate.value <= judged.estimate.high <= 1
    assert judged.estimate.value == expected_calibration_error(confidence, correct)
    assert 0 < judged.p_value <= 1
    assert 0 <= judged.null_mean <= 1


@given(confidence=stated, data=st.data())
def test_every_row_lies_in_one_bin_of_the_diagram(confidence: np.ndarray, data: st.DataObject) -> None:
    correct = data.draw(hnp.arrays(bool, len(confidence)))
    bins = reliability(confidence, correct)
    assert sum(b.accuracy.rows for b in bins) == len(confidence)
    means = [b.confidence for b in bins]
    assert means == sorted(means)
