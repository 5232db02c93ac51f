"""Perdomo's credit applicants as published: gradient descent stopped early is not a world that diverges."""

import io
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from pfungst.feedback import LinearGaming
from pfungst.methods.contraction import contraction
from pfungst.methods.feedback_rounds import Policy, fitter, play, refit_floor

STRATEGIC = (0, 5, 7)


@pytest.fixture(scope="module")
def credit(shared_data):
    path = shared_data / "tables" / "credit_givemesomecredit.zip"
    if not path.is_file():
        pytest.skip(f"no credit data at {path}")
    with zipfile.ZipFile(path) as folder:
        text = io.StringIO(folder.read("credit_data.csv").decode())
    rows = np.genfromtxt(text, delimiter=",", skip_header=1, missing_values="NA")[:, 1:]
    rows = rows[np.isfinite(rows).all(axis=1)]
    x = (rows[:, 1:] - rows[:, 1:].mean(axis=0)) / rows[:, 1:].std(axis=0)
    kept = np.concatenate([np.flatnonzero(rows[:, 0] == 1), np.flatnonzero(rows[:, 0] == 0)[:10_000]])
    return x[kept], rows[kept, 0].astype(int)


class Descent:
    """Steps of 1 / smoothness from the last fit until the loss gains less than 1e-7.

    As published: the penalty in the stopping rule is the norm, unsquared, and a fit starts where the last one ended.
    """

    def __init__(self):
        self.theta = None

    def __call__(self, inputs, labels):
        design = np.append(inputs, np.ones((len(inputs), 1)), axis=1)
        n, penalty = len(design), 1 / len(design)
        theta = np.zeros(design.shape[1]) if self.theta is None else self.theta
        first = 1 / ((design**2).sum() / (4 * n) + penalty)
        score, step, gain = design @ theta, first, np.inf
        before = (np.logaddexp(0, score) - labels * score).mean() + penalty / 2 * (theta[:-1] ** 2).sum()
        while gain > 1e-7:
            slope = (1 / (1 + np.exp(-score)) - labels) @ design / n + penalty * np.append(theta[:-1], 0)
            tried = theta - step * slope
            said = design @ tried
            loss = (np.logaddexp(0, said) - labels * said).mean() + penalty / 2 * np.linalg.norm(tried[:-1])
            if loss > before:
                step, gain = step * 0.1, np.inf
                continue
            theta, score, step, gain, before = tried, said, first, before - loss, loss
        self.theta = theta

        def probabilities(rows):
            one = 1 / (1 + np.exp(-(rows @ theta[:-1] + theta[-1])))
            return np.stack([1 - one, one], axis=1)

        return SimpleNamespace(coef_=theta[:-1], intercept_=theta[-1], predict_proba=probabilities, loss=before)


@pytest.fixture(scope="module")
def floor(credit):
    newton = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-10)
    return refit_floor(fitter(newton, 0), credit, 10, 0)


def test_the_first_fit_is_the_published_one_to_the_digit(credit):
    x, y = credit
    model = Descent()(x, y)
    assert ((model.predict_proba(x)[:, 1] > 0.5) == y).mean() == 0.7207059977120445
    assert model.loss == pytest.approx(0.609949, abs=5e-7)
    assert np.linalg.norm(np.append(model.coef_, model.intercept_)) == pytest.approx(2.4515844, abs=5e-8)


@pytest.mark.parametrize(
    ("eps", "published"),
    [
        (0.01, [2.9e-3, 2.9e-3, 2.8e-3, 2.8e-3]),
        (1, [1.1e-1, 2.8e-3, 2.8e-3, 2.8e-3]),
        (100, [2.2, 0.88, 1.0, 0.76]),
        (1000, [1.0, 1.0, 0.98, 0.99]),
    ],
)
def test_gaps_that_stay_where_the_optimiser_stops_are_not_divergence(credit, floor, eps, published):
    """The published gaps, which neither shrink nor are moves of the world: refits on other rows differ by more."""
    done = play(Descent(), [credit], LinearGaming(STRATEGIC, eps), Policy(), 4)
    theta = np.array([np.append(model.coef_, model.intercept_) for model in done.models])
    gaps = np.linalg.norm(np.diff(theta, axis=0), axis=1) / np.linalg.norm(theta[0, list(STRATEGIC)])
    assert gaps == pytest.approx(published, rel=0.05)
    found = contraction(done.gaps, done.turns, floor)
    assert found.verdict == "contracting", found.because
    assert "noise of a refit" in found.because
