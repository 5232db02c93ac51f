"""Smooth, cumulative, classwise, kernel and canonical errors against other programs, papers, and sums written out."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from pfungst import InputError, measure_calibration
from pfungst.methods.calibration_chance import by_chance, errors_by_chance
from pfungst.methods.calibration_errors import (
    calibration_errors,
    kolmogorov_smirnov_calibration_error,
    kuiper_calibration_error,
    root_mean_square_calibration_error,
    smooth_calibration_error,
)
from pfungst.methods.classwise_errors import classwise_calibration_error
from pfungst.methods.kernel_errors import (
    canonical_calibration_error,
    kernel_calibration_error,
    kernel_calibration_test,
)
from pfungst.statistics.binning import grid_of
from pfungst.statistics.cell_errors import CELL_ERRORS
from pfungst.statistics.consistency import cells_of
from pfungst.statistics.smoothing import smooth_error
from pfungst.targets import targets


def _made(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Gaps that change their sign: were they all of one sign, every error would be the mean."""
    rng = np.random.default_rng(seed)
    stated = 0.5 + 0.5 * rng.beta(2, 1, rows)
    return stated, rng.uniform(size=rows) < np.clip(stated - 0.08 * np.sin(14 * stated), 0, 1)


def _distributions(rows: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(classes, 0.6), rows)
    return p, (p.cumsum(axis=1) < rng.uniform(size=(rows, 1))).sum(axis=1).clip(0, classes - 1)


@pytest.mark.parametrize(
    ("rows", "seed", "relplot"),
    [(300, 1, 0.0496733), (1000, 2, 0.0404281), (3000, 3, 0.0451559), (10_000, 4, 0.0414784), (100_000, 5, 0.0417522)],
)
def test_smooth_error_is_within_a_hundredth_of_relplot_1_0_3(rows: int, seed: int, relplot: float) -> None:
    confidence, correct = _made(rows, seed)
    assert smooth_calibration_error(confidence, correct) == pytest.approx(relplot, rel=0.01)
    assert smooth_calibration_error(confidence, correct) > 1.8 * abs((confidence - correct).mean())


def test_smooth_error_is_the_fixed_point_of_sums_of_reflected_gaussians() -> None:
    confidence, correct = _made(400, 7)
    value = smooth_calibration_error(confidence, correct)
    at = (np.arange(3600) + 0.5) / 3600
    residuals = grid_of(confidence, correct).residuals / 400
    kernel = sum(
        np.exp(-0.5 * ((at[:, None] - sign * at - shift) / value) ** 2) for shift in (-2, 0, 2) for sign in (1, -1)
    )
    smoothed = kernel @ residuals / (value * np.sqrt(2 * np.pi))
    assert np.abs(smoothed).mean() == pytest.approx(value, rel=0.003)


def test_draws_are_smoothed_one_by_one_whatever_stands_beside_them() -> None:
    rng = np.random.default_rng(0)
    residuals = rng.normal(size=(5, 3600)) * np.array([[1e-5], [1e-4], [3e-4], [1e-3], [0.0]])
    together = smooth_error(residuals)
    assert together.tolist() == [float(smooth_error(one)[0]) for one in residuals]
    assert together[4] == 0
    assert (np.diff(together[:4]) > 0).all()


def test_cumulative_errors_are_sums_over_runs_written_out() -> None:
    confidence, correct = np.round(_made(60, 3)[0], 2), _made(60, 3)[1]
    values = sorted(set(confidence.tolist()))
    sums = [0.0, *np.cumsum([(confidence - correct)[confidence == v].sum() / 60 for v in values])]
    assert kolmogorov_smirnov_calibration_error(confidence, correct) == pytest.approx(max(map(abs, sums)))
    runs = max(abs(one - other) for one, other in combinations(sums, 2))
    assert kuiper_calibration_error(confidence, correct) == pytest.approx(runs)


def test_root_mean_square_by_hand() -> None:
    confidence = np.repeat([0.65, 0.95], [40, 60])
    correct = np.concatenate([np.arange(40) < 30, np.arange(60) < 48])
    expected = np.sqrt(0.4 * 0.10**2 + 0.6 * 0.15**2)
    assert root_mean_square_calibration_error(confidence, correct, 10) == pytest.approx(expected)


@pytest.mark.parametrize("bins", [10, 15, 7])
def test_cells_know_every_registered_error_of_rows(bins: int) -> None:
    confidence, correct = _made(3000, 11)
    confidence = np.where(confidence > 0.9, np.round(confidence, 2), confidence)
    cells = cells_of(confidence, correct.astype(float), bins)
    assert set(CELL_ERRORS) <= set(calibration_errors)
    for name, error in CELL_ERRORS.items():
        found = float(error(cells, cells.observed)[0])
        rough = {"kolmogorov-smirnov-calibration-error": 0.02, "kuiper-calibration-error": 0.02}.get(name, 2e-3)
        assert found == pytest.approx(calibration_errors[name](confidence, correct, bins), rel=rough), name


def test_every_error_stands_beside_its_null() -> None:
    confidence, correct = _made(6000, 12)
    chance = by_chance(confidence, correct, draws=200)
    errors = errors_by_chance(confidence, correct, chance)
    assert [one.name for one in errors] == list(calibration_errors)
    assert all(one.null_high >= one.null_mean for one in errors)
    assert all(one.p_value < 0.05 for one in errors)
    few = errors_by_chance(confidence[:20], correct[:20], by_chance(confidence[:20], correct[:20], draws=50))
    assert "maximum-calibration-error" not in [one.name for one in few]


def test_densenet_on_cifar_100_in_one_call(shared_data: Path) -> None:
    with np.load(shared_data / "answers" / "densenet-bc-100-cifar-100.npz") as held:
        p, labels = held["probs"], held["labels"]
    found = measure_calibration(p, labels, "probabilities", draws=100)
    assert found.error.value == pytest.approx(0.1422, abs=5e-5)
    assert found.log_loss == pytest.approx(1.2256, abs=5e-5)
    assert found.classwise.mean == pytest.approx(found.classwise.sum / 100)
    column = calibration_errors["expected-calibration-error"](p[:, 44], labels == 44, 15)
    assert (found.classwise.worst_class, found.classwise.worst) == (44, pytest.approx(column, abs=1e-9))
    assert "expected calibration error: 0.1422" in str(found)


def test_log_loss_and_brier_score_by_hand() -> None:
    p, labels = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]), np.array([0, 1])
    found = measure_calibration(p, labels, "probabilities", draws=20)
    assert found.log_loss == pytest.approx(-(np.log(0.7) + np.log(0.1)) / 2)
    assert found.brier == pytest.approx((0.09 + 0.04 + 0.01 + 0.01 + 0.81 + 0.64) / 2)
    votes = np.array([[3, 1, 0], [0, 2, 2]])
    said = measure_calibration(p, votes, "probabilities", draws=20)
    shares = votes / 4
    assert said.log_loss == pytest.approx(-(shares * np.log(p)).sum() / 2)
    assert said.brier == pytest.approx(((p - shares) ** 2).sum() / 2)


@pytest.mark.parametrize("estimator", ["biased", "uq", "ul"])
@pytest.mark.parametrize("bandwidth", [None, 0.4])
def test_kernel_error_is_the_sum_written_out(estimator: str, bandwidth: float | None) -> None:
    p, labels = _distributions(41, 4, 5)
    e = np.eye(4)[labels] - p
    apart = [[float(np.abs(a - b).sum() / 2) for b in p] for a in p]
    nu = bandwidth or float(np.median([apart[i][j] for i, j in combinations(range(41), 2)]))
    h = [[float(np.exp(-apart[i][j] / nu) * e[i] @ e[j]) for j in range(41)] for i in range(41)]
    expected = {
        "biased": np.mean(h),
        "uq": sum(h[i][j] for i in range(41) for j in range(41) if i != j) / (41 * 40),
        "ul": np.mean([h[i][i + 1] for i in range(0, 40, 2)]),
    }[estimator]
    found = kernel_calibration_error(p, targets(labels, 4), estimator, bandwidth=bandwidth)
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-9)


def test_kernel_error_draws_rows_beyond_its_cap_by_its_seed() -> None:
    p, labels = _distributions(300, 3, 6)
    y = targets(labels, 3)
    one, again, other = (kernel_calibration_error(p, y, cap=100, seed=seed) for seed in (0, 0, 1))
    assert one == again != other
    assert kernel_calibration_test(p, y, cap=100, draws=50).rows == 100
    assert kernel_calibration_error(p, y, bandwidth=0.5) == kernel_calibration_test(p, y, bandwidth=0.5, draws=9).value


def test_canonical_error_by_hand() -> None:
    p = np.array([[0.95, 0.05]] * 4 + [[0.45, 0.55]] * 6)
    labels = np.array([0, 0, 1, 1, 1, 1, 1, 1, 1, 1])
    expected = 0.4 * 0.45 + 0.6 * 0.45
    assert canonical_calibration_error(p, targets(labels, 2)) == pytest.approx(expected)


def test_errors_of_distributions_refuse_what_they_cannot_judge() -> None:
    p, labels = _distributions(30, 3, 6)
    for ask in (
        kernel_calibration_error,
        kernel_calibration_test,
        canonical_calibration_error,
        classwise_calibration_error,
    ):
        with pytest.raises(InputError, match="30 answers and 29 targets"):
            ask(p, targets(labels[:-1], 3))
        with pytest.raises(InputError, match="rows 0, 1"):
            ask(p * 2, targets(labels, 3))
