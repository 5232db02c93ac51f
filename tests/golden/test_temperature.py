"""Temperatures: the optimum of published networks, of known worlds, and a bound where there is none."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from pfungst.errors import InputError
from pfungst.methods.calibration_errors import expected_calibration_error
from pfungst.methods.opportunity import folds_of
from pfungst.methods.recalibration import cross_fitted, log_losses, temperature
from pfungst.outputs import from_logits, from_probabilities

ANSWERS = Path(os.environ.get("PFUNGST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "answers"
PUBLISHED = {
    "densenet-bc-100-cifar-100": (2.1176, 1.2256, 0.876614, 0.01204),
    "wideresnet-16-4-cifar-100": (1.11115, None, 0.947455, None),
    "wideresnet-16-4-cifar-10": (2.05, None, None, 0.0066),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_temperature_of_a_published_network(name):
    file = ANSWERS / f"{name}.npz"
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    held = np.load(file)
    outputs, labels = from_probabilities(held["probs"]), held["labels"].reshape(-1).astype(int)
    found = temperature(outputs, labels)
    value, before, after, error = PUBLISHED[name]
    assert found.value == pytest.approx(value, abs=0.005 if value == 2.05 else 5e-5)
    assert before is None or log_losses(outputs, labels).mean() == pytest.approx(before, abs=5e-5)
    assert after is None or log_losses(found(outputs), labels).mean() == pytest.approx(after, abs=1e-6)
    cooled = found(outputs)
    calibration = expected_calibration_error(cooled.confidence, cooled.predictions == labels)
    assert error is None or calibration == pytest.approx(error, abs=6e-4)


def world(rows, classes, sureness, seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (rows, classes))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (shares.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1).clip(0, classes - 1)
    return from_logits(sureness * logits), labels, shares


@pytest.mark.parametrize("sureness", [0.4, 1.0, 5.0])
def test_a_sureness_that_was_put_in_is_taken_out(sureness):
    outputs, labels, shares = world(8000, 6, sureness, 0)
    assert temperature(outputs, labels).value == pytest.approx(sureness, rel=0.05)
    assert temperature(outputs, shares).value == pytest.approx(sureness, rel=1e-5)


def test_it_is_the_optimum_that_a_line_search_finds():
    outputs, labels, _ = world(500, 4, 2.0, 3)

    def loss(inverse):
        return log_losses(from_logits(outputs.logits * np.float32(inverse)), labels).mean()

    best = minimize_scalar(loss, bounds=(0.1, 2), method="bounded", options={"xatol": 1e-9})
    assert 1 / temperature(outputs, labels).value == pytest.approx(best.x, rel=1e-4)


def test_separable_rows_hit_the_bound():
    assert temperature(from_logits(np.eye(3)[np.arange(30) % 3] * 4), np.arange(30) % 3).bound
    assert temperature(from_logits(np.eye(3)[np.arange(30) % 3] * 4), (np.arange(30) + 1) % 3).bound


def test_each_row_is_judged_by_the_temperature_of_the_others():
    outputs, labels, _ = world(200, 3, 3.0, 1)
    folds = folds_of(200)
    found = cross_fitted(outputs, labels, folds)
    away = folds != 2
    np.testing.assert_array_equal(
        found.take(~away).logits, temperature(outputs.take(away), labels[away])(outputs.take(~away)).logits
    )


@pytest.mark.parametrize(
    ("labels", "words"),
    [(np.array([0, 3]), "row 1 has label 3; labels are 0 to 1"), (np.array([0]), "2 answers and 1 targets")],
)
def test_bad_targets_are_named(labels, words):
    with pytest.raises(InputError, match=words):
        temperature(from_logits(np.eye(2)), labels)


def test_no_rows_have_no_temperature():
    with pytest.raises(InputError, match="no rows"):
        temperature(from_logits(np.zeros((0, 2))), np.zeros(0, int))
