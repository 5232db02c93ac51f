"""What the statistics without a file of their own must keep, whatever the data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pfungst.arrays import by_group, grouped
from pfungst.statistics.bootstrap import multinomial_bootstrap
from pfungst.statistics.cell_errors import CELL_ERRORS
from pfungst.statistics.consistency import bootstrap_draws, cells_of, null_draws
from pfungst.statistics.estimate import Estimate, nearer, severity
from pfungst.statistics.medians import median
from pfungst.statistics.paired import Answered, accuracy_change, confidence_change, gap_change
from pfungst.statistics.proportions import apart, difference_of_shares, wilson
from pfungst.statistics.regression import least_squares, poisson, with_error
from pfungst.statistics.smoothing import smooth_error
from pfungst.statistics.streams import log_evidence, risen, upper_rate
from pfungst.statistics.thresholds import average_precision, precision, realised, threshold
from pfungst.statistics.units import effective_rows, kish, numbered, robust_variance

few = settings(max_examples=25)
probability = st.floats(0, 1)
scores = hnp.arrays(np.float64, st.integers(1, 30), elements=st.floats(-100, 100))
ordered = ("none", "low", "medium", "high", "critical")


@st.composite
def stated(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Confidences and hits."""
    rows = draw(st.integers(1, 40))
    return draw(hnp.arrays(np.float64, rows, elements=probability)), draw(
        hnp.arrays(np.float64, rows, elements=st.sampled_from([0.0, 1.0]))
    )


@given(
    numbers=st.lists(st.floats(-1, 1), min_size=3, max_size=3), tolerance=st.floats(-1, 1), rows=st.integers(1, 10**6)
)
def test_verdict_and_severity_go_by_the_interval(numbers: list[float], tolerance: float, rows: int) -> None:
    low, value, high = sorted(numbers)
    estimate = Estimate(name="loss", value=value, low=low, high=high, rows=rows)
    turned = Estimate(name="loss", value=-value, low=-high, high=-low, rows=rows)
    assert nearer(estimate) == nearer(turned) <= abs(value)
    assert severity(estimate, "loss") == severity(turned, "loss")
    assert (estimate.against(tolerance) == "found") == (low > tolerance)
    assert (estimate.against(tolerance) == "absent") == (high <= tolerance)
    assert rows < estimate.rows_needed(tolerance) <= 10_000_000
    wider = Estimate(name="loss", value=value, low=low - 0.1, high=high + 0.1, rows=rows)
    assert wider.rows_needed(tolerance) >= estimate.rows_needed(tolerance)
    assert ordered.index(severity(wider, "loss")) <= ordered.index(severity(estimate, "loss"))


@given(values=scores, data=st.data())
def test_median_lies_in_its_interval_of_values_in_any_order(values: np.ndarray, data: st.DataObject) -> None:
    found, shuffled = median(values), median(values[data.draw(st.permutations(range(len(values))))])
    assert found == shuffled
    assert found.low <= found.value <= found.high
    assert {found.low, found.value, found.high} <= set(values)
    twice = median(2 * values)
    assert (twice.low, twice.value, twice.high) == (2 * found.low, 2 * found.value, 2 * found.high)
    wide = median(values, level=0.999)
    assert wide.low <= found.low <= found.high <= wide.high


@given(values=scores, data=st.data())
def test_units_are_named_at_will_and_leave_no_more_than_there_are_rows(values: np.ndarray, data: st.DataObject) -> None:
    units = data.draw(hnp.arrays(np.int64, len(values), elements=st.integers(0, 5)))
    codes, groups = numbered(units, len(values))
    assert set(codes) == set(range(groups))
    assert 1 <= kish(codes) <= groups + 1e-9
    rows, counted = effective_rows(values > 0, units)
    assert counted == groups
    assert 0 <= rows <= len(values) + 1e-9
    assert effective_rows(values > 0, 7 - units)[0] == pytest.approx(rows)
    if groups > 1:
        variance = robust_variance(values, codes, groups)
        assert variance >= values.var() / len(values) * (1 - 1e-9)
        assert robust_variance(3 * values + 5, codes, groups) == pytest.approx(9 * variance, abs=1e-9)


@given(share=probability, rows=st.floats(0.1, 1e5), more=st.floats(1, 10))
def test_more_rows_never_widen_wilsons_interval(share: float, rows: float, more: float) -> None:
    low, high = wilson(share, rows)
    closer = wilson(share, rows * more)
    assert 0 <= low <= share <= high <= 1
    assert closer[1] - closer[0] <= high - low + 1e-9


@given(one=hnp.arrays(bool, st.integers(1, 30)), two=hnp.arrays(bool, st.integers(1, 30)))
def test_difference_of_shares_turns_with_its_samples(one: np.ndarray, two: np.ndarray) -> None:
    this, that = difference_of_shares(one, two), difference_of_shares(two, one)
    assert -1 <= this.low <= this.value <= this.high <= 1
    assert (this.low, this.high) == pytest.approx((-that.high, -that.low))
    other = difference_of_shares(~two, ~one)
    assert (other.low, other.high) == pytest.approx((this.low, this.high))
    assert this.rows == len(one) + len(two)


@given(values=st.lists(st.floats(-1, 1), min_size=6, max_size=6))
def test_what_lies_apart_is_less_certain_than_either(values: list[float]) -> None:
    one, two = (
        Estimate(name="gap", value=value, low=low, high=high, rows=9)
        for low, value, high in (sorted(values[:3]), sorted(values[3:]))
    )
    far = apart(one, two, furthest=9.0)
    assert far.value == one.value - two.value
    assert far.value - far.low >= max(one.value - one.low, two.high - two.value) - 1e-12
    assert far.value - far.low <= one.value - one.low + two.high - two.value + 1e-12
    assert far.high - far.value >= max(one.high - one.value, two.value - two.low) - 1e-12


@given(seed=st.integers(0, 10**6), rows=st.integers(5, 25), data=st.data())
def test_least_squares_moves_with_its_outcome(seed: int, rows: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    design, outcome = np.stack([np.ones(rows), rng.normal(size=rows)], axis=1), rng.normal(size=rows)
    scale, shift = data.draw(st.floats(0.1, 10)), data.draw(st.floats(-10, 10))
    fit, moved = least_squares(design, outcome), least_squares(design, scale * outcome + shift)
    assert moved.coefficients == pytest.approx(scale * fit.coefficients + [shift, 0], abs=1e-8)
    assert moved.covariance == pytest.approx(scale**2 * fit.covariance, abs=1e-8)
    order = rng.permutation(rows)
    assert least_squares(design[order], outcome[order]).covariance == pytest.approx(fit.covariance, abs=1e-8)
    assert least_squares(design, outcome, np.full(rows, 3.0)).covariance == pytest.approx(fit.covariance, abs=1e-8)
    assert np.linalg.eigvalsh(fit.covariance).min() > -1e-12


@few
@given(counts=hnp.arrays(np.int64, st.integers(3, 20), elements=st.integers(1, 200)))
def test_poisson_of_one_column_is_the_mean(counts: np.ndarray) -> None:
    b, covariance = poisson(np.ones((len(counts), 1)), counts.astype(float))
    assert np.exp(b[0]) == pytest.approx(counts.mean())
    assert covariance[0, 0] >= 1 / counts.sum() * (1 - 1e-9)


@given(value=st.floats(-10, 10), error=st.floats(0.01, 10), freedom=st.integers(1, 1000), level=st.floats(0.5, 0.999))
def test_p_value_and_interval_agree(value: float, error: float, freedom: int, level: float) -> None:
    estimate, p = with_error("gap", value, error, freedom, rows=9, level=level)
    assert 0 <= p <= 1
    if abs(p - (1 - level)) > 1e-9:
        assert (p < 1 - level) == (estimate.low > 0 or estimate.high < 0)


@few
@given(rows=stated(), bins=st.integers(1, 12))
def test_cells_keep_every_row_and_errors_their_bounds(rows: tuple[np.ndarray, np.ndarray], bins: int) -> None:
    confidence, correct = rows
    cells = cells_of(confidence, correct, bins)
    assert cells.total == len(confidence)
    assert cells.correct.sum() == correct.sum()
    assert (cells.rows * cells.confidence).sum() == pytest.approx(confidence.sum())
    assert cells.observed.residuals.sum() == pytest.approx((confidence - correct).sum())
    order = np.argsort(-confidence, kind="stable")
    again = cells_of(confidence[order], correct[order], bins)
    for error in CELL_ERRORS.values():
        found = error(cells, cells.observed)
        assert found.shape == (1,)
        assert np.isnan(found[0]) or -1 <= found[0] <= 1 + 1e-9
        assert error(again, again.observed) == pytest.approx(found, abs=1e-5, nan_ok=True)
    for draws in (null_draws(cells, 7, 1), bootstrap_draws(cells, 7, 1)):
        (draw,) = draws
        assert draw.residuals.shape == (7, len(cells.rows))
        assert (np.abs(draw.residuals).sum(axis=1) <= draw.total + 1e-9).all()
        assert (draw.squares >= -1e-9).all()


@few
@given(residuals=hnp.arrays(np.float64, st.sampled_from([1, 5, 48, 1200]), elements=st.floats(-1, 1)))
def test_smooth_error_lies_between_the_sum_and_the_sum_of_absolute_values(residuals: np.ndarray) -> None:
    shares = residuals / len(residuals)
    found = smooth_error(shares)[0]
    assert abs(shares.sum()) - 1e-6 <= found <= np.abs(shares).sum() + 1e-6
    assert smooth_error(-shares)[0] == pytest.approx(found, abs=1e-9)
    assert smooth_error(shares[::-1])[0] == pytest.approx(found, rel=1e-4, abs=1e-6)


@given(steps=st.integers(0, 300), known=st.floats(0.01, 0.99), data=st.data())
def test_evidence_rises_with_every_error(steps: int, known: float, data: st.DataObject) -> None:
    errors = np.arange(steps + 1)
    evidence = log_evidence(errors, np.full(steps + 1, steps), known)
    assert (np.diff(evidence) > 0).all()
    right = data.draw(st.integers(0, steps))
    assert log_evidence(np.array([right]), np.array([steps + 1]), known)[0] < evidence[right]


@given(rows=st.integers(1, 500), level=st.floats(0.5, 0.999), data=st.data())
def test_upper_rate_lies_above_the_rate(rows: int, level: float, data: st.DataObject) -> None:
    errors = data.draw(st.integers(0, rows))
    assert errors / rows < upper_rate(errors, rows, level) + (errors == rows) <= 2
    assert upper_rate(errors, rows, level) <= upper_rate(errors, rows, (1 + level) / 2) <= 1
    evidence, enough, rate = risen(np.array([errors]), np.array([rows]), (errors, rows))
    assert rate >= errors / rows - 1e-9
    assert evidence[0] < enough


@given(known=hnp.arrays(np.float64, st.integers(19, 60), elements=st.floats(-100, 100)), rejected=st.floats(0.05, 0.95))
def test_threshold_rejects_at_most_what_it_says(known: np.ndarray, rejected: float) -> None:
    at = threshold(known, rejected)
    assert at in known
    assert np.sum(known > at) <= rejected * (len(known) + 1)
    assert threshold(known[::-1], rejected) == at
    assert threshold(2 * known, rejected) == 2 * at
    low, high = realised(len(known), rejected)
    assert 0 <= low < high <= 1


@given(strangers=probability, through=probability, rejected=probability)
def test_precision_is_a_share_that_falls_with_false_alarms(strangers: float, through: float, rejected: float) -> None:
    this = precision(strangers, through, rejected)
    assert 0 <= this <= 1
    assert precision(strangers, through, min(1.0, rejected + 0.1)) <= this + 1e-12


@given(known=scores, strangers=scores, data=st.data())
def test_average_precision_depends_on_order_only(known: np.ndarray, strangers: np.ndarray, data: st.DataObject) -> None:
    found = average_precision(known, strangers)
    share = len(strangers) / (len(known) + len(strangers))
    assert 0 < found <= 1 + 1e-12
    assert average_precision(8 * known, 8 * strangers) == found
    assert average_precision(known[data.draw(st.permutations(range(len(known))))], strangers) == pytest.approx(found)
    assert average_precision(np.zeros(len(known)), np.zeros(len(strangers))) == pytest.approx(share)
    assert average_precision(np.full(len(known), -101.0), strangers) == pytest.approx(1)


@given(rows=stated(), data=st.data())
def test_changes_turn_with_their_models(rows: tuple[np.ndarray, np.ndarray], data: st.DataObject) -> None:
    confidence, right = rows
    a = Answered(right > 0, confidence)
    b = Answered(
        data.draw(hnp.arrays(bool, len(right))), data.draw(hnp.arrays(np.float64, len(right), elements=probability))
    )
    pairs = (
        (accuracy_change(a, b), accuracy_change(b, a), 1),
        (confidence_change(a.confidence, b.confidence), confidence_change(b.confidence, a.confidence), 1),
        (gap_change(a, b), gap_change(b, a), 2),
    )
    for this, that, furthest in pairs:
        assert this.difference.value == pytest.approx(this.b.value - this.a.value)
        assert this.difference.value == pytest.approx(-that.difference.value)
        assert (this.difference.low, this.difference.high) == pytest.approx(
            (-that.difference.high, -that.difference.low), abs=1e-6
        )
        assert -furthest <= this.difference.low <= this.difference.value <= this.difference.high <= furthest
        assert this.p_value == (None if that.p_value is None else pytest.approx(that.p_value))


@few
@given(counts=hnp.arrays(np.int64, st.integers(1, 8), elements=st.integers(0, 20)).filter(lambda c: c.sum() > 0))
def test_multinomial_draws_hold_as_many_rows_and_no_empty_cell(counts: np.ndarray) -> None:
    def inside(drawn: np.ndarray) -> np.ndarray:
        assert (drawn.sum(axis=1) == counts.sum()).all()
        assert (drawn[:, counts == 0] == 0).all()
        return drawn[:, 0] / counts.sum()

    found = multinomial_bootstrap(counts, inside, draws=20, seed=1)
    assert len(found) == 20
    assert (found == multinomial_bootstrap(counts, inside, draws=20, seed=1)).all()


@few
@given(hnp.arrays(np.int64, st.integers(0, 60), elements=st.integers(-1, 70_000) | st.integers(-1, 5)))
def test_rows_of_a_class_stand_together_in_their_order(classes: np.ndarray) -> None:
    assert np.array_equal(grouped(classes), np.argsort(classes, kind="stable"))
    kept = classes[classes >= 0]
    for one, rows in by_group(kept):
        assert np.array_equal(rows, np.flatnonzero(kept == one))
    assert sum(len(rows) for _, rows in by_group(kept)) == len(kept)
