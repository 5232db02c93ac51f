"""Verdicts and severities: every boundary of the scale, and how many rows would settle a verdict."""

import pytest

from pfungst.statistics.estimate import SCALES, Estimate, nearer, severity, threshold


def _of(value: float, low: float, high: float, rows: int = 100) -> Estimate:
    return Estimate(name="loss", value=value, low=low, high=high, rows=rows)


def test_an_estimate_is_of_95_percent_and_of_rows_unless_said() -> None:
    estimate = _of(0.1, 0.0, 0.2)
    assert (estimate.level, estimate.unit) == (0.95, "row")


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((float("nan"), 0, 1), "not finite"),
        ((0.5, float("-inf"), 1), "not finite"),
        ((0.5, 0, float("inf")), "not finite"),
        ((0.5, 0.6, 0.4), "upside down"),
    ],
)
def test_what_is_no_interval_is_refused(numbers: tuple[float, float, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        _of(*numbers)


def test_an_interval_may_be_a_point() -> None:
    assert _of(0.5, 0.5, 0.5).low == 0.5


@pytest.mark.parametrize(
    ("low", "high", "status"),
    [
        (0.051, 0.2, "found"),
        (0.05, 0.2, "inconclusive"),
        (0.0, 0.05, "absent"),
        (0.0, 0.051, "inconclusive"),
        (-0.9, -0.8, "absent"),
    ],
)
def test_verdict_by_the_interval(low: float, high: float, status: str) -> None:
    assert _of((low + high) / 2, low, high).against(0.05) == status


def test_rows_needed_by_hand() -> None:
    # Half width 1/4, distance 1/8: 1.1 x 80 x 4 rows.
    assert _of(0.375, 0.125, 0.625, 80).rows_needed(0.25) == 352
    assert _of(0.125, -0.125, 0.375, 80).rows_needed(0.25) == 352
    # Half width 1/2: sixteen times as many; a part of a row is a row.
    assert _of(0.375, -0.125, 0.625, 80).rows_needed(0.25) == 1408
    assert _of(0.375, 0.125, 0.625, 81).rows_needed(0.25) == 357
    # The longer side counts, whichever it is.
    assert _of(0.375, 0.25, 0.625, 80).rows_needed(0.25) == _of(0.375, 0.125, 0.5, 80).rows_needed(0.25) == 352
    # What is settled already, or nearly, takes at least one more.
    assert _of(0.5, 0.4, 0.6).rows_needed(0.05) == 101
    assert _of(0.05, 0.0, 0.1).rows_needed(0.05) == 10_000_000
    assert _of(0.0500001, 0.0, 0.1).rows_needed(0.05) == 10_000_000
    for distance in (1e-200, 5e-324):
        assert _of(distance, -0.1, 0.1, 1).rows_needed(0.0) == 10_000_000


def test_rows_needed_in_words() -> None:
    assert _of(0.375, 0.125, 0.625, 80).settled_by(0.25) == "about 352 rows would settle it"
    assert _of(0.375, 0.125, 0.625, 640).settled_by(0.25, "patients") == "about 2,816 patients would settle it"
    assert "no number of patients" in _of(0.05, 0.0, 0.1).settled_by(0.05, "patients")
    assert "no number of rows" in _of(0.0500001, 0.0, 0.1).settled_by(0.05)


def test_the_scale_is_that_of_the_contract() -> None:
    assert SCALES == {
        "loss": (0.30, 0.15, 0.05),
        "calibration": (0.20, 0.10, 0.05),
        "strangers": (0.60, 0.30, 0.10),
    }


@pytest.mark.parametrize("scale", SCALES)
def test_each_severity_begins_at_its_threshold(scale: str) -> None:
    for level in ("critical", "high", "medium"):
        begins = threshold(scale, level)
        assert severity(_of(1.0, begins, 1.0), scale) == level
        assert severity(_of(1.0, begins - 1e-9, 1.0), scale) != level
        assert severity(_of(-1.0, -1.0, -begins), scale) == level
    assert threshold(scale, "critical") > threshold(scale, "high") > threshold(scale, "medium")


@pytest.mark.parametrize(("scale", "low"), [("loss", 0.05), ("calibration", 0.01), ("strangers", 0.02)])
def test_low_lies_beyond_its_threshold(scale: str, low: float) -> None:
    assert threshold(scale, "low") == low
    assert severity(_of(0.5, low, 0.6), scale, 0.05) == ("none" if low < 0.05 else "medium")
    assert threshold(scale, "low", 0.005) == 0.005
    assert severity(_of(0.5, 0.0051, 0.6), scale, 0.005) == "low"
    assert severity(_of(0.5, 0.005, 0.6), scale, 0.005) == "none"


def test_the_tolerance_is_five_percent_unless_said() -> None:
    assert severity(_of(0.1, 0.04, 0.2), "loss") == "none"
    assert threshold("loss", "low") == 0.05


def test_a_wider_tolerance_never_makes_low_begin_later_than_the_scale() -> None:
    assert threshold("calibration", "low", 0.2) == 0.01
    assert threshold("loss", "low", 0.2) == 0.2


def test_the_bound_nearer_to_harmless() -> None:
    assert nearer(_of(0.2, 0.1, 0.3)) == 0.1
    assert nearer(_of(-0.2, -0.3, -0.1)) == 0.1
    assert nearer(_of(0.0, -0.1, 0.2)) == 0.0


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (".3f", "0.000 [-0.012, 0.011]"),
        ("+.3f", "+0.000 [-0.012, +0.011]"),
        (".1%", "0.0% [-1.2%, 1.1%]"),
        (" .2g", "-4e-05 [-0.012,  0.011]"),
        ("8.2f", "    0.00 [   -0.01,     0.01]"),
        ("<7.2f", "0.00    [-0.01  , 0.01   ]"),
        ("*>+7.2f", "**+0.00 [**-0.01, **+0.01]"),
        ("z.3f", "0.000 [-0.012, 0.011]"),
    ],
)
def test_an_estimate_is_written_with_its_interval_in_the_format_of_a_float(spec: str, said: str) -> None:
    assert format(_of(-0.00004, -0.012, 0.011), spec) == said


def test_without_a_format_an_estimate_is_written_as_python_would() -> None:
    estimate = _of(0.1, 0.0, 0.2)
    assert f"{estimate}" == repr(estimate)


def test_a_format_that_no_float_has_is_refused() -> None:
    with pytest.raises(ValueError, match="format"):
        format(_of(0.1, 0.0, 0.2), ".3d")


def test_an_estimate_turned_round_keeps_all_but_its_sign() -> None:
    turned = -Estimate(name="gap", value=-0.2, low=-0.4, high=-0.1, rows=30, unit="patient", level=0.9)
    assert turned == Estimate(name="gap", value=0.2, low=0.1, high=0.4, rows=30, unit="patient", level=0.9)
