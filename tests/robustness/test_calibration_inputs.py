"""What arrays of scores and labels may hold: the right number, or one sentence that names the rows.

5000 rows of ten classes are stated exactly 0.12 too surely, so that the true error is known.
"""

from pathlib import Path

import numpy as np
import pytest

from pfungst import InputError, measure_calibration
from pfungst.methods.calibration_errors import calibration_errors, expected_calibration_error
from pfungst.methods.recalibration import COLDEST, HOTTEST, temperature
from pfungst.outputs import (
    NotFinite,
    from_binary,
    from_log_probabilities,
    from_logits,
    from_probabilities,
    from_top,
)
from pfungst.stated import stated
from pfungst.statistics.binning import grid_of, merged
from pfungst.targets import targets

ROWS, CLASSES, BAD = 5000, 10, 1234


def made(rows: int = ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and labels of which exactly 12 points fewer than stated are the answer, at four confidences."""
    answers = np.random.default_rng(0).integers(0, CLASSES, rows)
    top = np.repeat([0.62, 0.72, 0.82, 0.92], rows // 4)
    p = np.repeat(((1 - top) / (CLASSES - 1))[:, None], CLASSES, axis=1)
    p[np.arange(rows), answers] = top
    right = np.arange(rows) % 50 < np.rint(50 * (top - 0.12))
    return p, np.where(right, answers, (answers + 1) % CLASSES)


P, Y = made()


def error(p: np.ndarray, y: np.ndarray, means: str = "probabilities", **more: object) -> float:
    return measure_calibration(p, y, means, draws=20, **more).error.value


def by_hand(p: np.ndarray, y: np.ndarray) -> float:
    """Fifteen bins, right-closed, in plain Python."""
    sums = dict.fromkeys(range(15), 0.0)
    for row, label in zip(p.tolist(), np.ravel(y).tolist(), strict=True):
        top = max(row)
        sums[min(int(np.ceil(top * 15)) - 1, 14)] += top - (row.index(top) == label)
    return sum(map(abs, sums.values())) / len(p)


def with_one(value: float) -> np.ndarray:
    bad = P.copy()
    bad[BAD, 3] = value
    return bad


def test_the_numbers_are_known() -> None:
    assert by_hand(P, Y) == pytest.approx(0.12, abs=1e-9)
    assert error(P, Y) == pytest.approx(0.12, abs=1e-9)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("means", ["probabilities", "logits"])
def test_one_value_that_is_not_finite_is_named(value: float, means: str) -> None:
    with pytest.raises(NotFinite, match=f"row {BAD}"):
        error(with_one(value), Y, means)
    constructor = from_probabilities if means == "probabilities" else from_logits
    with pytest.raises(NotFinite, match=f"row {BAD}"):
        constructor(with_one(value))


def test_log_probabilities_may_be_minus_infinity_and_nothing_else() -> None:
    with np.errstate(divide="ignore"):
        logs = np.log(np.array([[1.0, 0.0], [0.3, 0.7]]))
    assert from_log_probabilities(logs).confidence == pytest.approx([1.0, 0.7])
    found = measure_calibration(logs, np.array([0, 1]), "log-probabilities", draws=20)
    assert found.log_loss == pytest.approx(-np.log(0.7) / 2)
    for value in (np.nan, np.inf):
        bad = logs.copy()
        bad[1, 0] = value
        with pytest.raises(NotFinite, match="row 1"):
            from_log_probabilities(bad)
    with pytest.raises(InputError, match=r"row 1 .* no probabilities"):
        from_log_probabilities(np.array([[np.log(0.5)] * 2, [0.5, 0.2]]))


def test_a_hair_above_one_is_clipped_and_counted() -> None:
    p, y = P.copy(), Y
    p[BAD] = 0.0
    p[BAD, y[BAD]] = 1.0
    hair = p.copy()
    hair[BAD, y[BAD]] = 1.0000001
    found = measure_calibration(hair, y, "probabilities", draws=20)
    assert found.error.value == error(p, y)
    assert any(note.startswith("1 probabilities lay outside") for note in found.notes)
    assert from_probabilities(hair).clipped == 1
    assert from_probabilities(p).clipped == 0
    for size in (1, 100):
        parts = [stated(hair[start : start + size], "probabilities") for start in range(0, ROWS, size)]
        confidence = np.concatenate([part.confidence for part in parts])
        right = np.concatenate([part.predictions for part in parts]) == y
        assert expected_calibration_error(confidence, right) == pytest.approx(error(p, y), abs=1e-12)


def test_a_row_of_zeros_is_named() -> None:
    bad = P.copy()
    bad[BAD] = 0
    with pytest.raises(InputError, match=f"row {BAD} .* sums to 0"):
        error(bad, Y)


def test_sigmoids_of_single_classes_are_called_multilabel() -> None:
    rows = 1 / (1 + np.exp(-np.random.default_rng(0).normal(size=(ROWS, CLASSES))))
    with pytest.raises(InputError, match=r"multilabel.*from_binary"):
        error(rows, Y)


@pytest.mark.parametrize("scale", [10.0, 1.0])
def test_logits_are_no_probabilities(scale: float) -> None:
    logits = np.random.default_rng(0).normal(size=(ROWS, CLASSES)) * scale
    with pytest.raises(InputError, match=r"rows 0, 1, .*from_logits"):
        error(logits, Y)
    inside = np.random.default_rng(0).uniform(size=(ROWS, CLASSES))
    with pytest.raises(InputError, match=r"rows 0, 1, .* sums to .*from_logits"):
        error(inside, Y)


def test_logits_and_logarithms_give_what_probabilities_give() -> None:
    assert error(np.log(P) + 3, Y, "logits") == pytest.approx(error(P, Y), abs=1e-12)
    assert error(np.log(P), Y, "log-probabilities") == pytest.approx(error(P, Y), abs=1e-12)
    for outputs in (from_logits(np.log(P)), from_probabilities(P), from_log_probabilities(np.log(P))):
        assert measure_calibration(outputs, Y, draws=20).error.value == pytest.approx(error(P, Y), abs=1e-6)


def test_what_scores_are_is_never_guessed() -> None:
    with pytest.raises(InputError, match="never guessed"):
        measure_calibration(P, Y)
    with pytest.raises(InputError, match="'scores'"):
        error(P, Y, "scores")


@pytest.mark.parametrize("label", [-1, CLASSES, np.nan, 2.5])
def test_a_label_that_is_no_class_is_named(label: float) -> None:
    bad = Y.astype(float)
    bad[BAD] = label
    with pytest.raises(InputError, match=rf"row {BAD} .* from 0 to 9"):
        error(P, bad)
    if label == int(label if label == label else 0):  # noqa: PLR0124 - NaN is not itself
        with pytest.raises(InputError, match=rf"row {BAD} .* from 0 to 9"):
            error(P, bad.astype(int))


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int8, np.uint8, np.int64])
def test_whole_numbers_of_any_type_are_labels(kind: type) -> None:
    assert error(P, Y.astype(kind)) == error(P, Y)


def test_a_column_of_labels_is_squeezed() -> None:
    assert error(P, Y[:, None]) == error(P, Y)


def test_one_hot_labels_are_read_and_said() -> None:
    for one_hot in (np.eye(CLASSES)[Y], np.eye(CLASSES, dtype=int)[Y]):
        found = measure_calibration(P, one_hot, "probabilities", draws=20)
        assert found.error.value == error(P, Y)
        assert "the targets were read as one-hot rows" in found.notes


def test_labels_as_text_are_refused() -> None:
    with pytest.raises(InputError, match="by its number"):
        error(P, Y.astype(str))


def test_classes_come_from_the_model_and_not_from_the_labels_of_a_slice() -> None:
    for kept in ((3, 5), (0, 1), (7,)):
        here = np.isin(Y, kept)
        assert error(P[here], Y[here]) == pytest.approx(by_hand(P[here], Y[here]), abs=1e-12)


def test_one_row_has_a_value_and_a_warning() -> None:
    found = measure_calibration(np.array([[0.9, 0.1]]), np.array([0]), "probabilities", draws=20)
    assert found.error.value == pytest.approx(0.1)
    assert (found.error.low, found.error.high) == (0.0, 1.0)
    assert any("too small" in note for note in found.notes)
    assert not any("too small" in note for note in measure_calibration(P, Y, "probabilities", draws=20).notes)


def test_no_rows_are_refused() -> None:
    with pytest.raises(InputError, match="0 answers"):
        error(P[:0], Y[:0])
    with pytest.raises(InputError, match="5000 answers and 4999"):
        error(P, Y[:-1])


def test_two_classes_have_an_error_of_the_answer_and_one_of_each_class_and_both_are_named() -> None:
    # Stated 0.9 for class 1, of which 80 of 100 are true, and 0.9 for class 0, of which all are: the answers are right
    # as often as they say, and the probability of class 1 is off by a tenth everywhere.
    positive = np.repeat([0.9, 0.1], 100)
    p, y = np.stack([1 - positive, positive], axis=1), np.repeat([1, 0, 0], [80, 20, 100])
    found = measure_calibration(p, y, "probabilities", draws=20)
    assert found.error.value == pytest.approx(0, abs=1e-12)
    assert found.classwise.by_class == pytest.approx((0.1, 0.1))
    for one, at in ((p[:, 1], 1), (p[:, :1], 0)):
        again = measure_calibration(one, y, "probabilities", positive=at, draws=20)
        assert again.error.value == pytest.approx(0, abs=1e-12)
        assert again.classwise.by_class == pytest.approx((0.1, 0.1))
        assert from_binary(one, positive=at).predictions.tolist() == p.argmax(axis=1).tolist()
    logit = np.log(p[:, 1] / p[:, 0])
    assert error(logit, y, "logits", positive=1) == pytest.approx(0, abs=1e-9)


def test_one_probability_a_row_must_say_of_which_class() -> None:
    for ask in (
        lambda: error(P[:, 0], Y > 5),
        lambda: from_probabilities(P[:, 0]),
        lambda: from_probabilities(P[:, :1]),
        lambda: from_binary(P[:, 0], positive=2),
    ):
        with pytest.raises(InputError, match=r"of which|positive class"):
            ask()
    with pytest.raises(InputError, match="state every class"):
        error(P, Y, positive=1)


def test_fifty_million_rows_in_single_precision_are_the_answer_of_double() -> None:
    rng = np.random.default_rng(0)
    single, double = grid_of(np.empty(0), np.empty(0)), grid_of(np.empty(0), np.empty(0))
    for _ in range(48):
        confidence = rng.random(1 << 20, dtype=np.float32)
        right = rng.random(1 << 20, dtype=np.float32) < confidence - 0.04
        single = merged(single, grid_of(confidence, right))
        double = merged(double, grid_of(confidence.astype(np.float64), right))
    assert single.total > 50_000_000
    assert single.error(15) == pytest.approx(double.error(15), abs=1e-6)
    # 0.04 where there are 0.04 to lose, and what is left below: 0.04 - 0.04^2 / 2.
    assert single.error(15) == pytest.approx(0.0392, abs=2e-4)


def test_equal_confidences_beyond_two_to_the_24th_do_not_drift() -> None:
    part = grid_of(np.full(2_100_000, 0.9, np.float32), np.arange(2_100_000) % 10 < 8)
    whole = part
    for _ in range(9):
        whole = merged(whole, part)
    assert whole.total == 21_000_000
    assert whole.error(15) == pytest.approx(0.1, abs=1e-7)
    right = grid_of(np.full(1 << 20, 0.5, np.float32), np.arange(1 << 20) % 2)
    for _ in range(4):
        right = merged(right, right)
    assert right.total == 1 << 24
    assert right.error(15) == 0


def test_half_precision_is_right() -> None:
    p, y = made(100_000)
    half = p.astype(np.float16)
    assert error(half, y) == pytest.approx(error(half.astype(np.float64), y), abs=1e-6)
    assert error(half, y) == pytest.approx(0.12, abs=5e-4)


def test_confidences_of_one_with_a_tenth_wrong() -> None:
    right = np.arange(1000) % 10 > 0
    p, y = np.tile([1.0, 0.0], (1000, 1)), np.where(right, 0, 1)
    found = measure_calibration(p, y, "probabilities", draws=20)
    assert found.error.value == pytest.approx(0.1)
    for name in set(calibration_errors) - {"debiased-calibration-error"}:
        assert calibration_errors[name](np.ones(1000), right, 15) == pytest.approx(0.1), name
    assert calibration_errors["debiased-calibration-error"](np.ones(1000), right, 15) == pytest.approx(
        np.sqrt(0.01 - 0.09 / 999)
    )
    assert "1 of 15 equal-mass bins are left, because ties stay together" in found.notes


def test_labels_of_other_rows_are_noticed() -> None:
    mixed = np.random.default_rng(1).permutation(Y)
    assert any("not above chance" in note for note in measure_calibration(P, mixed, "probabilities", draws=20).notes)
    assert not any("chance" in note for note in measure_calibration(P, Y, "probabilities", draws=20).notes)


def test_votes_are_targets_and_say_so() -> None:
    votes = np.random.default_rng(2).multinomial(20, P)
    found = measure_calibration(P, votes, "probabilities", draws=200)
    assert "the targets were read as labellers' votes" in found.notes
    assert found.error.value < 0.02
    (ece,) = (one for one in found.errors if one.name == "expected-calibration-error")
    assert ece.p_value > 0.01
    # Twenty votes a row leave less to chance than one label.
    labels = measure_calibration(P, votes.argmax(axis=1), "probabilities", draws=200)
    (rough,) = (one for one in labels.errors if one.name == "expected-calibration-error")
    assert ece.null_mean < 0.35 * rough.null_mean
    shares = measure_calibration(P, votes / 20, "probabilities", raters=20, draws=200)
    assert shares.error.value == pytest.approx(found.error.value)
    with pytest.raises(InputError, match="raters"):
        error(P, votes / 20)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros((4, 3)), "row.* 0, 1, 2, 3 .* without a vote"),
        (np.full((4, 3), -1), "negative"),
        (np.full((4, 3), np.nan), "NaN"),
        (np.full((4, 3), 0.4), "sums to 1.2"),
        (np.ones((4, 2)), r"\(rows, 3\)"),
        (np.ones((4, 3, 1)), r"\(rows, 3\)"),
        (np.array([0, 1, 3, 0]), "row 2 .* 0 to 2"),
    ],
)
def test_targets_that_are_none_are_refused(given: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        targets(given, 3)


@pytest.mark.parametrize("raters", [0, np.array([1, 2]), np.array([1, 0, 1, 1]), np.nan])
def test_raters_must_be_counts(raters: object) -> None:
    with pytest.raises(InputError, match="raters"):
        targets(np.full((4, 2), 0.5), 2, raters)


def test_only_tops_are_refused_where_all_classes_are_needed() -> None:
    with pytest.raises(InputError, match="all classes"):
        measure_calibration(from_top(np.array([0, 1]), np.array([0.9, 0.8]), 2), np.array([0, 1]))


def test_temperature_of_diverging_data_is_bound_and_not_a_number_to_use() -> None:
    separable = from_logits(np.eye(3)[np.arange(30) % 3] * 4)
    for shifted in (0, 1):
        fitted = temperature(separable, (np.arange(30) + shifted) % 3)
        assert fitted.bound
        assert COLDEST <= fitted.value <= HOTTEST


def test_temperature_of_densenet_is_the_optimum(shared_data: Path) -> None:
    with np.load(shared_data / "answers" / "densenet-bc-100-cifar-100.npz") as held:
        outputs, labels = from_probabilities(held["probs"]), held["labels"].astype(int)
    assert temperature(outputs, labels).value == pytest.approx(2.1176, abs=2e-4)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, ">f4", "longdouble"])
def test_answers_are_the_largest_whatever_the_type_and_the_sign_of_zero(kind: str | type) -> None:
    p = np.array([[-0.0, 0.25, 0.75], [0.5, 0.5, -0.0], [-0.0, 1.0, 0.0], [0.25, 0.5, 0.25]]).astype(kind)
    for given in (p, np.asfortranarray(p), np.repeat(p, 2, axis=1)[:, ::2]):
        found = stated(given, "probabilities")
        assert found.predictions.tolist() == [2, 0, 1, 1]
        assert found.confidence.tolist() == [0.75, 0.5, 1.0, 0.5]
        assert found.clipped == 0
