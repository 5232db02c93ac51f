"""Two-sample tests: alarms as rare and shifts found as often as they promise; units are permuted whole."""

import numpy as np
import pytest

from pfungst.errors import InputError
from pfungst.methods.label_shift import confusion_inverse, label_shift, thinned
from pfungst.methods.two_sample import two_sample_tests
from pfungst.outputs import Outputs
from pfungst.statistics.auroc import auroc

NULLS = 200


def drawn(name, seed, rows=(90, 70), width=6, away=0.0):
    """Two samples; of probabilities for the test that looks at them."""
    rng = np.random.default_rng(10_000 + seed)
    both = [rng.normal(size=(count, width)) for count in rows]
    both[1] = both[1] + away * np.array([1] + [int(name != "black-box-shift-detection")] * (width - 1))
    if name == "black-box-shift-detection":
        return [np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) for x in both]
    return both


@pytest.mark.parametrize("name", two_sample_tests)
def test_equal_samples_are_called_different_about_once_in_twenty(name):
    p = np.array([two_sample_tests[name](*drawn(name, seed), draws=99).p_value for seed in range(NULLS)])
    assert 0.02 <= (p <= 0.05).mean() <= 0.08
    assert 0.4 <= (p <= 0.5).mean() <= 0.6


@pytest.mark.parametrize("name", two_sample_tests)
def test_units_with_rows_alike_are_no_shift(name):
    """Ten rows a patient: rows permuted one by one would find a shift nearly always."""

    def p_value(seed, *, grouped):
        rng = np.random.default_rng(20_000 + seed)
        units = [np.repeat(np.arange(12), 6) + 100 * side for side in range(2)]
        rows = [2 * rng.normal(size=(12, 4))[np.arange(72) // 6] + rng.normal(size=(72, 4)) for _ in units]
        return two_sample_tests[name](*rows, *(units if grouped else ()), draws=99).p_value

    grouped = np.array([p_value(seed, grouped=True) for seed in range(NULLS)])
    assert 0.02 <= (grouped <= 0.05).mean() <= 0.08
    assert np.mean([p_value(seed, grouped=False) <= 0.05 for seed in range(20)]) > 0.5


@pytest.mark.parametrize("name", two_sample_tests)
def test_what_is_said_to_be_detectable_is_found_four_times_in_five(name):
    away = {"maximum-mean-discrepancy": 0.19, "classifier-two-sample-test": 0.2, "black-box-shift-detection": 0.57}
    found = [two_sample_tests[name](*drawn(name, seed, (150, 150), away=away[name]), draws=99) for seed in range(100)]
    power = np.mean([one.p_value <= 0.05 for one in found])
    effects, bounds = (np.array([getattr(one, what) for one in found]) for what in ("effect", "detectable"))
    assert np.mean(effects) == pytest.approx(np.mean(bounds), rel=0.1)
    assert 0.68 < power < 0.92
    assert all(two_sample_tests[name](*drawn(name, seed, away=1.5)).p_value <= 0.01 for seed in range(5))


def test_power_is_that_of_the_notes():
    rng = np.random.default_rng(1)
    pairs = [(rng.normal(size=(300, 32)), rng.normal(size=(300, 32)) + 0.08) for _ in range(60)]
    power = {
        name: np.mean([two_sample_tests[name](*pair, draws=99).p_value <= 0.05 for pair in pairs])
        for name in ("maximum-mean-discrepancy", "classifier-two-sample-test")
    }
    assert power["maximum-mean-discrepancy"] > 0.75
    assert power["classifier-two-sample-test"] > 0.6


def test_the_least_auc_is_near_its_formula():
    """0.5 + 2.49 sqrt((m + n + 1) / (12 m n)) of one score; one fitted anew in each fold spreads a little more."""
    rng = np.random.default_rng(2)
    found = two_sample_tests["classifier-two-sample-test"](rng.normal(size=(300, 1)), rng.normal(size=(300, 1)))
    assert found.detectable == pytest.approx(0.559, abs=0.03)


def test_effects_are_what_they_are_called():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(80, 1)), rng.normal(size=(60, 1)) + 2
    area = two_sample_tests["classifier-two-sample-test"](x, y)
    assert area.effect == pytest.approx(auroc(x[:, 0], y[:, 0]).value, abs=0.02)
    assert np.corrcoef(area.newness, y[:, 0])[0, 1] > 0.98
    distance = two_sample_tests["black-box-shift-detection"](x, y).effect
    at = np.concatenate([x, y])[:, 0]
    assert distance == pytest.approx(max(abs((x[:, 0] <= t).mean() - (y[:, 0] <= t).mean()) for t in at), abs=1e-6)
    both = np.concatenate([x, y])
    squared = (both - both.T) ** 2
    kernel = np.exp(-squared / (2 * np.median(squared[np.triu_indices(140, 1)])))
    np.fill_diagonal(kernel, 0)
    mmd = kernel[:80, :80].sum() / (80 * 79) + kernel[80:, 80:].sum() / (60 * 59) - 2 * kernel[:80, 80:].mean()
    assert two_sample_tests["maximum-mean-discrepancy"](x, y).effect == pytest.approx(mmd**0.5, rel=1e-3)


@pytest.mark.parametrize("name", two_sample_tests)
def test_constant_tied_and_wide_rows_are_compared_too(name):
    test = two_sample_tests[name]
    assert test(np.ones((20, 3)), np.ones((30, 3))).p_value == 1
    tied = test(np.repeat([[0.0], [1.0]], 40, axis=0), np.repeat([[0.0], [1.0]], 30, axis=0))
    assert tied.p_value > 0.3
    wide = np.random.default_rng(4).normal(size=(40, 700))
    assert 0 < test(wide[:20], wide[20:], draws=19).p_value <= 1


@pytest.mark.parametrize("name", two_sample_tests)
@pytest.mark.parametrize(
    ("reference", "new", "more", "words"),
    [
        (np.zeros((20, 2)), np.zeros((20, 3)), {}, "must have the same"),
        (np.zeros((4, 2)), np.zeros((20, 2)), {}, "each needs 5"),
        (np.full((20, 2), np.nan), np.zeros((20, 2)), {}, "reference row 0 is not finite"),
        (np.zeros((20, 2)), np.zeros((0, 2)), {}, "numbers are needed"),
        (np.zeros((20, 2)), np.zeros((20, 2)), {"new_units": np.zeros(20)}, "each needs 5"),
        (np.zeros((20, 2)), np.zeros((20, 2)), {"draws": 0}, "at least one is needed"),
    ],
)
def test_samples_that_cannot_be_compared_are_refused(name, reference, new, more, words):
    with pytest.raises(InputError, match=words):
        two_sample_tests[name](reference, new, **more)


SHARES = np.array([0.55, 0.25, 0.15, 0.05])


def answered(rng, rows, shares, away=0.0):
    """Answers about four classes that come in these shares, moved within classes by ``away``."""
    labels = rng.choice(4, rows, p=shares)
    x = 2 * np.eye(4)[labels] + rng.normal(size=(rows, 4)) + away * np.array([1, 0, 0, -1])
    return Outputs((2 * x - 2).astype(np.float32)), labels


def test_shares_of_classes_are_covered_and_their_assumption_is_rejected_where_it_fails():
    covered, rejected, seen = [], [], []
    for seed in range(60):
        rng = np.random.default_rng(30_000 + seed)
        known, labels = answered(rng, 500, np.full(4, 0.25))
        found = label_shift(known, labels, answered(rng, 400, SHARES)[0], "abcd")
        rejected.append(found.assumption <= 0.05)
        for estimates in (found.inverted, found.likeliest):
            covered += [one.low <= share <= one.high for one, share in zip(estimates, SHARES, strict=True)]
        moved = label_shift(known, labels, answered(rng, 400, SHARES, away=0.9)[0], "abcd")
        seen.append(moved.assumption <= 0.05)
    assert np.mean(covered) > 0.88
    assert np.mean(rejected) < 0.12
    assert np.mean(seen) > 0.8


def test_shares_of_classes_are_estimated_over_units():
    rng = np.random.default_rng(5)
    known, labels = answered(rng, 400, np.full(4, 0.25))
    new, _ = answered(rng, 300, SHARES)
    units = (np.arange(400) // 4, np.arange(300) // 10)
    alone, grouped = (label_shift(known, labels, new, "abcd", some) for some in ((None, None), units))
    assert [one.value for one in alone.inverted] == [one.value for one in grouped.inverted]
    assert grouped.inverted[0].rows == 30
    assert 0.005 <= grouped.assumption <= 1


def test_thinned_rows_come_in_the_new_shares():
    labels = np.random.default_rng(6).integers(0, 4, 4000)
    kept = labels[thinned(labels, SHARES / 0.25)]
    np.testing.assert_allclose(np.bincount(kept) / len(kept), SHARES, atol=0.03)


@pytest.mark.parametrize(
    ("labels", "logits", "words"),
    [
        (np.zeros(100, int), np.eye(2)[np.zeros(100, int)], "class 1 has 0 labelled rows"),
        (np.arange(100) % 2, np.zeros((100, 2)), "do not tell the classes apart"),
    ],
)
def test_shares_that_cannot_be_estimated_are_refused(labels, logits, words):
    outputs = Outputs(logits.astype(np.float32))
    with pytest.raises(InputError, match=words):
        confusion_inverse(outputs, labels, outputs)
