"""Sureness of many rows: sums in any order and of any parts are the same, and say what single rows say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pfungst.errors import InputError
from pfungst.methods import calibration_errors, selective
from pfungst.methods.selective import answering, promise, promised
from pfungst.probes.confusions import confusion_counts
from pfungst.statistics import binning, sureness
from pfungst.statistics.binning import equal_mass_index
from pfungst.statistics.sureness import LEVELS, level_of, runs_of, sureness_of

confidences = st.floats(0, 1) | st.integers(0, 40).map(lambda k: 1 - k / 4096) | st.sampled_from((0.0, 0.5, 1.0))
rows = st.lists(st.tuples(confidences, st.booleans()), max_size=40)


def counted(some):
    return sureness_of(np.array([c for c, _ in some], float), np.array([w for _, w in some], bool))


def same(one, other):
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("rows", "wrong", "least"))


@settings(max_examples=30)
@given(rows, rows, rows)
def test_sums_do_not_depend_on_their_order_and_no_rows_change_nothing(a, b, c):
    one, two, three = counted(a), counted(b), counted(c)
    assert same((one + two) + three, one + (two + three))
    assert same(one + two, two + one)
    assert same(one + counted([]), one)
    assert same(one + two, counted(a + b))


@given(st.lists(confidences, min_size=1, max_size=60))
def test_levels_keep_the_order_and_are_narrow(values):
    c = np.sort(np.array(values))
    levels = level_of(c)
    assert (np.diff(levels) <= 0).all()
    assert levels.min() >= 0
    assert levels.max() < LEVELS
    same_level = np.diff(levels) == 0
    assert (np.diff(c)[same_level] <= (1 - c[:-1][same_level]) * 2.0**-11 * 1.001 + 1e-38).all()


@given(hnp.arrays(np.int64, st.integers(0, 30), elements=st.integers(0, 11)), st.integers(0, 30))
def test_confusion_counts_of_parts_add_up(pairs, cut):
    labels, answers = pairs // 3, pairs % 3
    parts = (confusion_counts(labels[part], answers[part], 4) for part in (slice(cut), slice(cut, None)))
    assert np.array_equal(sum(parts), confusion_counts(labels, answers, 4))


def world(n=20_000, seed=0):
    rng = np.random.default_rng(seed)
    confidence = rng.beta(6, 0.5, n)
    return confidence, rng.random(n) > confidence


@pytest.fixture
def as_if_many(monkeypatch):
    """Count every set of rows by level, however few they are."""
    for module in (sureness, binning, calibration_errors):
        monkeypatch.setattr(module, "MANY", 0)


@pytest.mark.usefixtures("as_if_many")
def test_areas_of_levels_are_those_of_rows_to_a_ten_thousandth():
    confidence, wrong = world()
    assert len(runs_of(confidence, wrong)[0]) < 15_000
    exact = (np.sort(confidence)[::-1], np.ones(len(wrong), int), wrong[np.argsort(-confidence)].astype(float))
    one, other = answering(confidence, wrong), selective.Answering(exact)
    assert one.area == pytest.approx(other.area, abs=1e-4)
    assert one.excess == pytest.approx(other.excess, abs=1e-4)
    assert one.generalised == pytest.approx(other.generalised, abs=1e-4)


@pytest.mark.usefixtures("as_if_many")
@pytest.mark.parametrize("risk", [0.01, 0.05])
def test_a_promise_of_levels_counts_exactly_the_rows_above_its_threshold(risk):
    confidence, wrong = world()
    given_ = promise(confidence, wrong, risk)
    above = confidence >= given_.threshold
    assert given_.rows == above.sum() > 0
    assert given_.errors == wrong[above].sum()
    exact = promised((np.sort(confidence)[::-1], np.ones(len(wrong), int), wrong[np.argsort(-confidence)]), risk)
    assert given_.rows == pytest.approx(exact.rows, rel=0.01)


def test_bins_of_equal_mass_and_cumulated_errors_of_levels_are_near_those_of_rows(request):
    confidence, wrong = world()
    exact = {name: error(confidence, ~wrong, 15) for name, error in calibration_errors.calibration_errors.items()}
    request.getfixturevalue("as_if_many")
    for name, error in calibration_errors.calibration_errors.items():
        assert error(confidence, ~wrong, 15) == pytest.approx(exact[name], abs=2e-4), name
    sizes = np.bincount(equal_mass_index(confidence, 15))
    assert len(sizes) == 15
    assert sizes == pytest.approx(len(confidence) / 15, rel=0.02)


def test_unequal_lengths_are_refused():
    with pytest.raises(InputError, match="2 confidences and 1 answers"):
        sureness_of(np.zeros(2), np.zeros(1, bool))
