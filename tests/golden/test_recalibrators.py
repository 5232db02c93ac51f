"""Recalibrators against other programs: scikit-learn, a general minimiser, sums written out, published networks."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.calibration import _SigmoidCalibration
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from pfungst.methods.affine_recalibration import dirichlet, matrix, vector
from pfungst.methods.calibration_errors import expected_calibration_error
from pfungst.methods.classwise_recalibration import beta, histogram_binning, isotonic, platt
from pfungst.methods.mixed_temperature import temperature_mix
from pfungst.methods.recalibration import cross_fitted, log_losses
from pfungst.methods.recalibrators import temperature
from pfungst.outputs import from_log_probabilities, from_logits, from_probabilities

ANSWERS = Path(os.environ.get("PFUNGST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "answers"


def world(rows, classes, seed=0, bend=lambda z: 2 * z):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (rows, classes))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (shares.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1).clip(0, classes - 1)
    return from_logits(bend(logits)), labels


def softmax_loss(scores, labels):
    top = scores.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(scores - top).sum(axis=1)) + top[:, 0] - scores[np.arange(len(labels)), labels]))


def lowest(loss, start):
    return minimize(loss, start, method="BFGS", options={"gtol": 1e-7, "maxiter": 3000}).fun


def test_a_published_network_cross_fitted():
    file = ANSWERS / "densenet-bc-100-cifar-100.npz"
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    held = np.load(file)
    outputs, labels = from_probabilities(held["probs"]), held["labels"].reshape(-1).astype(int)
    found = temperature(outputs, labels)
    assert found.value == pytest.approx(2.1176, abs=5e-5)
    assert log_losses(found(outputs), labels).mean() == pytest.approx(0.876614, abs=1e-6)
    other = cross_fitted(outputs, labels, np.arange(len(labels)) % 2, temperature)
    error = expected_calibration_error(other.confidence, other.predictions == labels)
    assert error == pytest.approx(0.0123, abs=1e-3)
    mixed = temperature_mix(outputs, labels)
    assert log_losses(mixed(outputs), labels).mean() <= log_losses(found(outputs), labels).mean() + 1e-9


@pytest.mark.parametrize(
    ("name", "errors", "entropies"),
    [("wrn_28_10", (0.0250, 0.0110, 0.0304), (0.4667, 0.3597, 0.3340)),
     ("resnet_basic_110", (0.0399, 0.0094, 0.0430), (0.8545, 0.4013, 0.3686))],
)  # fmt: skip
def test_what_serves_labels_best_does_not_serve_labellers_best(name, errors, entropies):
    file = ANSWERS / f"cifar10h_base_{name}.npz"
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    held = np.load(file)
    outputs, labels = from_logits(held["logits"]), held["labels"].astype(int)
    shares = held["label_counts"] / held["label_counts"].sum(axis=1, keepdims=True)
    every = (outputs, *(cross_fitted(outputs, aim, np.arange(len(labels)) % 5) for aim in (labels, shares)))
    found = [expected_calibration_error(one.confidence, one.predictions == labels) for one in every]
    assert found == pytest.approx(errors, abs=1e-4)
    assert [log_losses(one, shares).mean() for one in every] == pytest.approx(entropies, abs=1e-4)


def test_vector_scaling_is_the_optimum_of_a_general_minimiser():
    outputs, labels = world(400, 3, bend=lambda z: z * [1.0, 2.0, 3.0] + [0.5, 0.0, -0.5])
    z = outputs.logits.astype(float)
    best = lowest(lambda theta: softmax_loss(z * theta[:3] + theta[3:], labels), np.r_[np.ones(3), np.zeros(3)])
    assert log_losses(vector(outputs, labels)(outputs), labels).mean() == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize("strength", [0.1, 10.0])
def test_matrix_scaling_is_the_optimum_of_its_penalised_loss(strength):
    outputs, labels = world(300, 3, bend=lambda z: z @ np.array([[1, 0.5, 0], [0, 2, 0], [-0.4, 0, 1]]))
    z = outputs.logits.astype(float)

    def loss(theta):
        a, c = theta[:9].reshape(3, 3), theta[9:]
        off = (a**2).sum() - (np.diag(a) ** 2).sum()
        return softmax_loss(z @ a.T + c, labels) + strength * (off / 6 + (c**2).sum() / 3000)

    found = matrix(outputs, labels, strength)
    best = lowest(loss, np.r_[np.eye(3).ravel(), np.zeros(3)])
    assert loss(np.r_[found.weight.ravel(), found.intercept]) == pytest.approx(best, abs=1e-6)


def test_matrix_scaling_of_a_single_score_beside_zero_is_its_optimum():
    z = world(800, 2)[0].logits[:, 0].astype(float)
    labels = (np.random.default_rng(1).random(800) < 1 / (1 + np.exp(-z / 3))).astype(int)
    pair = np.stack([np.zeros_like(z), z], axis=1)

    def loss(theta):
        # theta: the score's weights in both rows of the matrix (only one lies off the diagonal), and two intercepts
        scores = np.stack([theta[0] * z + theta[2], theta[1] * z + theta[3]], axis=1)
        return softmax_loss(scores, labels) + 0.1 * (theta[0] ** 2 / 2 + (theta[2] ** 2 + theta[3] ** 2) / 2000)

    found = matrix(from_logits(pair), labels, 0.1)
    reached = loss(np.r_[found.weight[:, 1], found.intercept])
    assert reached == pytest.approx(lowest(loss, np.array([0.0, 1, 0, 0])), abs=1e-6)


def test_dirichlet_calibration_is_matrix_scaling_of_log_probabilities():
    outputs, labels = world(300, 3)
    logs = from_log_probabilities(outputs.log_probabilities)
    np.testing.assert_allclose(dirichlet(outputs, labels).weight, matrix(logs, labels).weight, atol=2e-3)


def test_a_temperature_with_a_uniform_share_is_the_optimum():
    outputs, labels = world(800, 3)
    labels[::12] = (labels[::12] + 1) % 3
    z = outputs.logits.astype(float)

    def loss(theta):
        p = np.exp(z * np.exp(-theta[0]))
        p /= p.sum(axis=1, keepdims=True)
        share = 1 / (1 + np.exp(-theta[1]))
        return -np.log((1 - share) * p[np.arange(800), labels] + share / 3).mean()

    found = temperature_mix(outputs, labels)
    assert log_losses(found(outputs), labels).mean() == pytest.approx(lowest(loss, np.array([0.5, -3.0])), abs=1e-6)


def test_platt_scaling_is_scikit_learns():
    outputs, labels = world(500, 2)
    odds = (outputs.logits[:, 1] - outputs.logits[:, 0]).astype(float)
    theirs = _SigmoidCalibration().fit(odds, labels).predict(odds)
    np.testing.assert_allclose(platt(outputs, labels)(outputs).probabilities[:, 1], theirs, atol=1e-5)


def test_platt_scaling_of_classes_is_one_against_the_rest():
    outputs, labels = world(500, 3)
    logs = outputs.log_probabilities
    odds = logs - np.log1p(-np.exp(logs))
    theirs = np.stack(
        [_SigmoidCalibration().fit(odds[:, k], labels == k).predict(odds[:, k]) for k in range(3)], axis=1
    )
    theirs /= theirs.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(platt(outputs, labels)(outputs).probabilities, theirs, atol=1e-4)


def test_beta_calibration_is_a_logistic_regression_on_two_logarithms():
    outputs, labels = world(800, 2, bend=lambda z: 0.7 * z + [0.0, 0.3])
    p = outputs.probabilities[:, 1]
    features = np.stack([np.log(p), -np.log1p(-p)], axis=1)
    above, below = (labels == 1).sum(), (labels == 0).sum()
    aims = np.where(labels == 1, (above + 1) / (above + 2), 1 / (below + 2))
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=5000)
    oracle.fit(np.concatenate([features] * 2), np.repeat([1, 0], 800), np.r_[aims, 1 - aims])
    assert (oracle.coef_ > 0).all()
    np.testing.assert_allclose(
        beta(outputs, labels)(outputs).probabilities[:, 1], oracle.predict_proba(features)[:, 1], atol=1e-4
    )


def test_isotonic_regression_stays_finite_where_probabilities_are_next_to_nothing():
    outputs, labels = world(700, 12, bend=lambda z: 600 * z)
    made = isotonic(outputs, labels)(world(700, 12, 1, bend=lambda z: 600 * z)[0])
    assert np.isfinite(made.logits).all()
    np.testing.assert_allclose(made.probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_isotonic_regression_is_scikit_learns_but_at_the_certain_ends(seed):
    outputs, labels = world(400, 2, seed)
    outputs = from_probabilities(outputs.probabilities.round(2 if seed % 2 else 6))
    p = outputs.probabilities[:, 1]
    oracle = IsotonicRegression(out_of_bounds="clip").fit(p, labels == 1)
    grid = np.linspace(0.001, 0.999, 500)
    ours = isotonic(outputs, labels)(from_probabilities(np.stack([1 - grid, grid], axis=1))).probabilities[:, 1]
    theirs = oracle.predict(grid)
    inside = (theirs > 0.02) & (theirs < 0.98)
    assert inside.sum() > 200
    np.testing.assert_allclose(ours[inside], theirs[inside], atol=0.02)
    assert np.median(np.abs(ours[inside] - theirs[inside])) < 1e-6
    assert ours.min() > 0
    assert ours.max() < 1


def test_a_bin_gives_its_share_with_one_rows_prior():
    p = np.repeat(np.arange(15) / 30 + 0.51, 20)
    labels = (np.arange(300) % 20 >= 15).astype(int)
    mapped = histogram_binning(from_probabilities(np.stack([p, 1 - p], axis=1)), labels)
    assert mapped.values == pytest.approx(np.full(15, 15.5 / 21))
