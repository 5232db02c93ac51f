"""Calibration errors against published networks and by hand."""

from pathlib import Path

import numpy as np
import pytest

from pfungst.errors import InputError
from pfungst.methods.calibration_chance import ECE as NAME
from pfungst.methods.calibration_chance import by_chance, error_estimate, reliability
from pfungst.methods.calibration_errors import (
    calibration_errors,
    debiased_calibration_error,
    equal_mass_calibration_error,
    expected_calibration_error,
    maximum_calibration_error,
    signed_gap,
)
from pfungst.statistics.binning import bin_index, equal_mass_index
from pfungst.statistics.cell_errors import CELL_ERRORS
from pfungst.statistics.consistency import bootstrap_draws, cells_of

ECE = expected_calibration_error


def _kull(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    rows = np.loadtxt(folder / "answers" / f"kull2019_{name}.csv.gz", delimiter=",", skiprows=1)
    return rows[:, 2], rows[:, 0] == rows[:, 1]


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("densenet40_c10", 0.055003),
        ("resnet110_c10", 0.047503),
        ("densenet40_c100", 0.211563),
        ("resnet110_c100", 0.184805),
    ],
)
def test_ece_matches_kull_2019(shared_data: Path, name: str, published: float) -> None:
    assert ECE(*_kull(shared_data, name)) == pytest.approx(published, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "ece", "confidence", "accuracy"),
    [
        ("densenet-bc-100-cifar-100", 0.1422, 0.8963, 0.7541),
        ("wideresnet-16-4-cifar-10", 0.0537, 0.9646, 0.9109),
        ("wideresnet-16-4-cifar-100", 0.0581, 0.8022, 0.7543),
        ("lenet-5-cifar-10", 0.1079, 0.6387, 0.5308),
    ],
)
def test_ece_of_full_softmax_files(
    shared_data: Path, name: str, ece: float, confidence: float, accuracy: float
) -> None:
    with np.load(shared_data / "answers" / f"{name}.npz") as stored:
        probabilities, labels = stored["probs"].astype(np.float64), stored["labels"]
    stated, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    assert ECE(stated, right) == pytest.approx(ece, abs=5e-5)
    assert signed_gap(stated, right).value == pytest.approx(confidence - accuracy, abs=1e-4)
    judged = error_estimate(stated, right, draws=200)
    assert judged.p_value == pytest.approx(1 / 201)
    assert judged.estimate.low > 0.75 * ece


def null_distribution(confidence: np.ndarray, bins: int = 15, draws: int = 1000) -> np.ndarray:
    return by_chance(confidence, np.zeros(len(confidence)), bins, draws=draws, names=(NAME,)).nulls[NAME]


def test_null_of_perfect_calibration_has_the_known_size() -> None:
    """Means and quantiles of ECE under perfect calibration, as printed for networks sure of .5 to 1."""
    rng = np.random.default_rng(0)
    for rows, fifteen, hundred, high in ((100, 0.076, 0.173, 0.114), (1000, 0.0235, 0.061, 0.037)):
        stated = 0.5 + 0.5 * rng.beta(2, 1, rows)
        null = null_distribution(stated, draws=2000)
        assert null.mean() == pytest.approx(fifteen, rel=0.1)
        assert np.quantile(null, 0.95) == pytest.approx(high, rel=0.1)
        assert null_distribution(stated, bins=100, draws=300).mean() == pytest.approx(hundred, rel=0.1)


def test_null_by_hand_for_one_bin() -> None:
    # 100 rows at .5: the error is |50 - Binomial(100, .5)| / 100, whose mean is 50 C(100, 50) / 2^100 / 100.
    null = null_distribution(np.full(100, 0.5), draws=20_000)
    assert null.mean() == pytest.approx(0.0398, abs=6e-4)


def test_bins_are_right_closed() -> None:
    edges = np.array([0.0, 1 / 15, 2 / 15, 0.2, 0.2 + 1e-9, 1.0])
    assert bin_index(edges, 15).tolist() == [0, 0, 1, 2, 3, 14]


def test_errors_by_hand() -> None:
    confidence = np.repeat([0.65, 0.95], [40, 60])
    correct = np.concatenate([np.arange(40) < 30, np.arange(60) < 48])
    # Gaps .65 - .75 = -.10 and .95 - .80 = .15.
    assert ECE(confidence, correct, 10) == pytest.approx(0.4 * 0.10 + 0.6 * 0.15)
    assert maximum_calibration_error(confidence, correct, 10) == pytest.approx(0.15)
    assert equal_mass_calibration_error(confidence, correct, 2) == pytest.approx(0.4 * 0.10 + 0.6 * 0.15)
    noise = 0.4 * 0.75 * 0.25 / 39 + 0.6 * 0.8 * 0.2 / 59
    expected = np.sqrt(0.4 * 0.01 + 0.6 * 0.0225 - noise)
    assert debiased_calibration_error(confidence, correct, 10) == pytest.approx(expected)
    assert signed_gap(confidence, correct).value == pytest.approx(0.83 - 0.78)


def test_ties_stay_together_in_equal_mass_bins() -> None:
    confidence = np.concatenate([np.full(900, 1.0), np.linspace(0.3, 0.9, 100)])
    index = equal_mass_index(confidence, 10)
    assert len(set(index[:900].tolist())) == 1
    assert equal_mass_calibration_error(np.full(50, 1.0), np.arange(50) < 45) == pytest.approx(0.1)
    even = equal_mass_index(np.random.default_rng(0).uniform(size=1000), 10)
    assert np.bincount(even).tolist() == [100] * 10


def test_largest_gap_ignores_thin_bins() -> None:
    confidence, correct = np.repeat([0.15, 0.95], [5, 100]), np.repeat([True, True], [5, 100])
    assert maximum_calibration_error(confidence, correct) == pytest.approx(0.05)
    with pytest.raises(InputError, match="30 rows"):
        maximum_calibration_error(confidence[:5], correct[:5])


def test_fifty_million_equal_single_precision_confidences_do_not_drift() -> None:
    rows = 2**24 + 100_000
    confidence, correct = np.full(rows, 0.9, np.float32), np.zeros(rows, bool)
    correct[: int(0.8 * rows)] = True
    assert ECE(confidence, correct) == pytest.approx(0.1, abs=1e-6)


def test_half_precision_is_widened() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.5, 1, 50_000).astype(np.float16)
    correct = rng.uniform(size=50_000) < 0.7
    assert ECE(confidence, correct) == ECE(confidence.astype(np.float64), correct)


def test_a_hair_above_one_is_clipped() -> None:
    assert ECE(np.array([1.0000001, 0.8]), np.array([1, 1])) == ECE(np.array([1.0, 0.8]), np.array([1, 1]))


@pytest.mark.parametrize(
    ("confidence", "correct"),
    [
        ([], []),
        ([0.5, np.nan], [1, 0]),
        ([0.5, np.inf], [1, 0]),
        ([0.5, -0.1], [1, 0]),
        ([0.5, 1.01], [1, 0]),
        ([0.5, 0.6], [1]),
        ([[0.5, 0.5]], [[1, 0]]),
        ([0.5, 0.6], [1, -1]),
    ],
)
def test_bad_input_never_yields_a_number(confidence: list[float], correct: list[float]) -> None:
    c, a = np.array(confidence), np.array(correct)
    asks = [*calibration_errors.values(), signed_gap, reliability, error_estimate]
    for ask in asks:
        with pytest.raises(InputError, match=r"\w+ .+"):
            ask(c, a)


def test_bad_rows_are_named() -> None:
    with pytest.raises(InputError, match=r"row 1 is 1\.01"):
        ECE(np.array([0.5, 1.01]), np.array([1, 0]))


def test_reliability_adds_up_to_the_error() -> None:
    rng = np.random.default_rng(2)
    confidence = rng.uniform(size=700)
    correct = rng.uniform(size=700) < confidence**2
    bins = reliability(confidence, correct)
    gaps = [abs(b.confidence - b.accuracy.value) * b.accuracy.rows for b in bins]
    assert sum(gaps) / 700 == pytest.approx(ECE(confidence, correct))
    assert sum(b.accuracy.rows for b in bins) == 700
    units = np.repeat(np.arange(70), 10)
    assert all(b.accuracy.unit == "unit" for b in reliability(confidence, correct, units=units))


def test_cells_reproduce_the_error_at_every_bin_edge() -> None:
    confidence = np.arange(0, 3601) / 3600
    correct = np.arange(3601) % 2
    for bins in (7, 10, 15, 100):
        cells = cells_of(confidence, correct.astype(float), bins)
        sums = np.bincount(cells.bins, cells.rows * cells.confidence - cells.correct)
        assert np.abs(sums).sum() / 3601 == pytest.approx(ECE(confidence, correct, bins), abs=1e-12)


def test_bootstrap_of_cells_matches_a_bootstrap_of_rows() -> None:
    rng = np.random.default_rng(3)
    confidence = rng.uniform(0.5, 1, 400)
    correct = (rng.uniform(size=400) < confidence - 0.1).astype(float)
    grid = cells_of(confidence, correct, 15)
    cells = np.concatenate([CELL_ERRORS[NAME](grid, portion) for portion in bootstrap_draws(grid, 2000, 0)])
    drawn = rng.integers(0, 400, (2000, 400))
    rows = np.array([ECE(confidence[i], correct[i]) for i in drawn])
    assert cells.mean() == pytest.approx(rows.mean(), rel=0.02)
    assert cells.std() == pytest.approx(rows.std(), rel=0.07)


def test_estimate_costs_cells_not_rows() -> None:
    rng = np.random.default_rng(4)
    confidence = rng.uniform(0.5, 1, 300_000)
    cells = cells_of(confidence, np.ones(300_000), 15)
    assert len(cells.rows) <= 1815
    assert cells.total == 300_000


def test_a_few_right_answers_do_not_prove_calibration() -> None:
    judged = error_estimate(np.full(10, 0.99), np.ones(10), draws=300)
    assert judged.estimate.value == pytest.approx(0.01)
    # Ten right of ten is compatible with an accuracy of .72.
    assert judged.estimate.high > 0.25
    assert signed_gap(np.full(10, 0.99), np.ones(10)).high > 0.25
    one = error_estimate(np.array([0.9]), np.array([1]), draws=100).estimate
    assert (one.low, one.high) == (0.0, 1.0)


def test_copies_of_rows_prove_nothing_more() -> None:
    rng = np.random.default_rng(5)
    confidence = rng.uniform(0.5, 1, 60)
    correct = rng.uniform(size=60) < confidence
    units = np.repeat(np.arange(60), 30)
    copied = error_estimate(np.repeat(confidence, 30), np.repeat(correct, 30), units=units, draws=500)
    naive = error_estimate(np.repeat(confidence, 30), np.repeat(correct, 30), draws=500)
    assert naive.p_value < 0.01
    assert copied.p_value > 0.05
    assert (copied.estimate.rows, copied.estimate.unit) == (60, "unit")
