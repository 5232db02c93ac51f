"""The largest eigenvalue of retraining is the planted one, in coefficients and in answers, with its sign."""

import io
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pfungst.errors import InputError
from pfungst.feedback import Congestion, LinearGaming, SelfFulfilling
from pfungst.methods.feedback_responses import answers
from pfungst.methods.feedback_rounds import fitter
from pfungst.methods.retraining_map import largest_eigenvalue

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1500, 3))
LOADS = 10 + 0.5 * X[:, 0] + 0.05 * RNG.normal(size=1500)
Y = (X[:, 0] + RNG.normal(size=1500) > 0).astype(int)
PLAIN = fitter(LinearRegression(), 0)
PIPED = fitter(make_pipeline(StandardScaler(), LinearRegression()), 0)


def echo(factors):
    """The forecast comes back, its part along each column by a factor of its own."""

    def response(inputs, labels, model, _):
        said = answers(model, inputs)
        parts = inputs * (np.linalg.pinv(inputs) @ (said - said.mean()))
        return inputs, labels + parts @ np.asarray(factors)

    return response


@pytest.mark.parametrize("fit", [PLAIN, PIPED], ids=["coefficients", "answers"])
@pytest.mark.parametrize("factors", [(0.5, 0.1, 0.2), (-0.9, 0.3, 0.1), (0.2, 1.3, 0.4), (0.2, -1.3, 0.1)])
def test_the_largest_factor_is_found_with_its_sign(fit, factors):
    largest = max(factors, key=abs)
    found = largest_eigenvalue(fit, (X, LOADS), echo(factors), fit(X, LOADS), steps=15)
    assert found.size == pytest.approx(abs(largest), abs=0.02)
    assert found.turns == (largest < 0)


@pytest.mark.parametrize("elasticity", [0.5, 1.0, 1.3])
def test_congestion_turns_round_by_its_elasticity(elasticity):
    found = largest_eigenvalue(PLAIN, (X, LOADS), Congestion(elasticity), PLAIN(X, LOADS))
    assert found.size == pytest.approx(elasticity, abs=0.05)
    assert found.turns


def test_a_world_that_gives_in_to_decisions_alone_hardly_stretches_small_changes():
    fit = fitter(LogisticRegression(), 0)
    still = largest_eigenvalue(fit, (X, Y), SelfFulfilling(0.0), fit(X, Y))
    assert still.size == 0.0
    assert len(still.steps) == 1
    assert largest_eigenvalue(fit, (X, Y), SelfFulfilling(0.9), fit(X, Y), by=0.05).size > 0.2


def test_credit_applicants_who_move_by_one_vector_do_not_stretch_anything(shared_data):
    """A free intercept absorbs the move, at every strength."""
    path = shared_data / "tables" / "credit_givemesomecredit.zip"
    if not path.is_file():
        pytest.skip(f"no credit data at {path}")
    with zipfile.ZipFile(path) as folder:
        text = io.StringIO(folder.read("credit_data.csv").decode())
    rows = np.genfromtxt(text, delimiter=",", skip_header=1, missing_values="NA")[:, 1:]
    rows = rows[np.isfinite(rows).all(axis=1)]
    x = (rows[:, 1:] - rows[:, 1:].mean(axis=0)) / rows[:, 1:].std(axis=0)
    kept = np.concatenate([np.flatnonzero(rows[:, 0] == 1), np.flatnonzero(rows[:, 0] == 0)[:10_000]])
    part = x[kept], rows[kept, 0].astype(int)
    fit = fitter(LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-10), 0)
    for eps in (1.0, 1000.0):
        assert largest_eigenvalue(fit, part, LinearGaming((0, 5, 7), eps), fit(*part)).size < 1e-6


def test_coefficients_that_are_for_show_are_refused():
    def fit(_, labels):
        return SimpleNamespace(
            coef_=np.zeros(3), intercept_=0.0, predict=lambda rows: np.full(len(rows), labels.mean())
        )

    with pytest.raises(InputError, match="answers the same"):
        largest_eigenvalue(fit, (X, LOADS), Congestion(1.0), fit(X, LOADS))
    with pytest.raises(InputError, match="at least 3"):
        largest_eigenvalue(PLAIN, (X, LOADS), Congestion(1.0), PLAIN(X, LOADS), steps=2)
