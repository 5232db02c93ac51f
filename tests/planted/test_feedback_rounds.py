"""Worlds with a known answer: what contracts, cycles, diverges or was not watched long enough is called so."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import MultinomialNB

from pfungst.errors import InputError
from pfungst.feedback import Congestion, GoodWords, LinearGaming, SelfFulfilling, ThresholdGaming, simulate
from pfungst.methods.contraction import contraction
from pfungst.methods.feedback_responses import answers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2000, 3))
LOADS = 1 + 0.1 * RNG.normal(size=2000)
Y = (X[:, 0] + 0.5 * X[:, 1] + RNG.normal(size=2000) > 0).astype(int)


class Level:
    """The mean of the labels, whatever the inputs."""

    def __init__(self, inputs, labels):
        self.coef_, self.intercept_ = np.zeros(inputs.shape[1]), float(labels.mean())

    def predict(self, inputs):
        return np.full(inputs.shape[0], self.intercept_)


def echo(factor):
    """The next mean is factor x the stated one + what it would be: retraining contracts by exactly that factor."""

    def response(inputs, labels, model, _):
        return inputs, labels + factor * (answers(model, inputs) - 1)

    return response


@pytest.mark.parametrize(
    ("factor", "rounds", "verdict"),
    [
        (0.5, 8, "contracting"),
        (-0.5, 8, "contracting"),
        (-1.0, 8, "oscillating"),
        (1.3, 8, "diverging"),
        (-1.3, 8, "diverging"),
        (0.5, 2, "undetermined"),
    ],
)
def test_known_factor_is_found(factor, rounds, verdict):
    found = simulate(Level, X, LOADS + 1, echo(factor), rounds=rounds)
    assert found.verdict == verdict, found.sentence
    if found.rho is not None:
        assert found.rho.value == pytest.approx(abs(factor), abs=0.01)
        assert found.rho.low <= abs(factor) <= found.rho.high
    assert len(found.gaps) == len(found.moved) == len(found.retrained) == rounds == len(found.models) - 1
    assert found.moved[0].value > found.retrained[0].value


def test_growth_beyond_all_numbers_is_divergence():
    found = simulate(Level, X, LOADS + 1, echo(1e9), rounds=20)
    assert found.verdict == "diverging"
    assert 3 <= len(found.gaps) < 20


def test_damping_settles_what_cycles():
    assert simulate(Level, X, LOADS + 1, echo(-1.0), "every").verdict == "oscillating"
    assert simulate(Level, X, LOADS + 1, echo(-1.0), "damped 0.5").verdict == "contracting"
    assert simulate(Level, X, LOADS + 1, echo(-0.9), "pooled").gaps[-1] < 0.05


def test_policy_says_when_the_model_changes():
    changed = {policy: simulate(Level, X, LOADS + 1, echo(0.5), policy, 6).gaps > 0 for policy in ("never", "every 3")}
    assert not changed["never"].any()
    assert changed["every 3"].tolist() == [False, False, True] * 2


@pytest.mark.parametrize(("elasticity", "verdict"), [(0.5, "contracting"), (1.0, "oscillating"), (1.3, "diverging")])
def test_people_who_avoid_what_is_forecast_full(elasticity, verdict):
    base = 10 + 0.5 * X[:, 0] + 0.05 * RNG.normal(size=2000)
    found = simulate(LinearRegression(), X, base, Congestion(elasticity), rounds=7)
    assert found.verdict == verdict, found.sentence
    assert found.rho.value == pytest.approx(elasticity, abs=0.05)


def test_growth_within_the_noise_is_no_rest():
    assert contraction(1e-5 * 1.3 ** np.arange(8.0), np.ones(7), 0.01).verdict == "undetermined"
    assert contraction(1e-16 * 1.3 ** np.arange(8.0), np.ones(7), 0.01).verdict == "contracting"


@pytest.mark.parametrize("gap", [1e-3, 1e-9])
def test_noise_of_an_optimiser_is_never_called_divergence(gap):
    for seed in range(50):
        rng = np.random.default_rng(seed)
        gaps = gap * rng.uniform(0.5, 2, size=10)
        assert contraction(gaps, rng.uniform(-1, 1, 9), 0.01).verdict in {"contracting", "undetermined"}


def unmoved(inputs, labels, *_):
    return inputs, labels


def test_fresh_rows_each_round_that_nothing_moves_are_at_rest():
    still = simulate(LogisticRegression(), X, Y, unmoved, rounds=8, parts=4)
    assert still.verdict == "contracting"
    assert still.rho is None
    assert 0.3 < np.median(still.gaps) / still.floor < 2


def test_a_sloppy_fit_does_not_diverge():
    sloppy = LogisticRegression(solver="saga", tol=0.1, max_iter=50)
    assert simulate(sloppy, X, Y, LinearGaming((0, 1), 3.0), rounds=8).verdict != "diverging"


def test_who_can_cross_does_and_nobody_pays_more_than_the_budget():
    model = LogisticRegression().fit(X, Y)
    rng = np.random.default_rng(0)
    for cost, norm in (("l1", 1), ("l2", 2)):
        moves = ThresholdGaming(0.4, wanted="above", immutable=(2,), cost=cost)
        moved, labels = moves(X, Y, model, rng)
        before, after = model.decision_function(X), model.decision_function(moved)
        paid = np.linalg.norm(moved - X, ord=norm, axis=1)
        went = paid > 0
        assert paid.max() <= 0.4 + 1e-6
        assert (after[went] > 0).all()
        assert (before[went] < 0).all()
        assert (moved[:, 2] == X[:, 2]).all()
        assert labels is Y
        reach = 0.4 * (np.abs(model.coef_[0, :2]).max() if norm == 1 else np.linalg.norm(model.coef_[0, :2]))
        assert (went == ((before < 0) & (before > -reach))).mean() > 0.999


def test_good_words_go_to_class_one_alone_in_dense_and_sparse_alike():
    counts = RNG.poisson(0.3, size=(300, 80))
    labels = (counts[:, 0] > 0).astype(int)
    model = MultinomialNB().fit(counts, labels)
    dense, _ = GoodWords(5, known=20)(counts, labels, model, np.random.default_rng(1))
    thin, _ = GoodWords(5, known=20)(sparse.csr_matrix(counts), labels, model, np.random.default_rng(1))
    assert (thin.toarray() == dense).all()
    assert ((dense - counts).sum(axis=1) == 5 * labels).all()
    weights = model.feature_log_prob_[1] - model.feature_log_prob_[0]
    assert set(np.flatnonzero((dense - counts).sum(axis=0))) == set(np.argsort(weights, kind="stable")[:20])
    same = [
        simulate(MultinomialNB(), form, labels, GoodWords(5), rounds=3).gaps
        for form in (counts, sparse.csr_matrix(counts))
    ]
    assert same[0] == pytest.approx(same[1])


def test_a_forecast_that_brings_itself_about_grows_surer():
    found = simulate(LogisticRegression(), X, Y, SelfFulfilling(0.8), rounds=4)
    assert found.moved[0].value < simulate(LogisticRegression(), X, Y, SelfFulfilling(0.0), rounds=4).moved[0].value
    assert np.abs(found.models[-1].coef_).sum() > 2 * np.abs(found.models[0].coef_).sum()


def test_a_model_may_be_a_plain_function_or_tell_scores_alone():
    def fit(_, labels):
        level = labels.mean()
        return lambda rows: np.full(rows.shape[0], level)

    assert simulate(fit, X, LOADS + 1, echo(0.5), rounds=8).rho.value == pytest.approx(0.5, abs=0.01)
    scores = SimpleNamespace(decision_function=lambda rows: rows[:, 0])
    assert (answers(scores, X) == X[:, 0]).all()


def test_the_table_holds_every_round_and_the_sentence():
    found = simulate(Level, X, LOADS + 1, echo(0.5), rounds=4)
    lines = found.table().splitlines()
    assert len(lines) == 7
    assert f"{found.moved[3].value:.4f} [" in lines[4]
    assert lines[-1] == found.sentence


def test_same_seed_same_rounds():
    runs = [
        simulate(LogisticRegression(), X, Y, SelfFulfilling(0.5), rounds=4, parts=2, seed=seed) for seed in (3, 3, 4)
    ]
    assert (runs[0].gaps == runs[1].gaps).all()
    assert runs[0].sentence == runs[1].sentence
    assert (runs[0].gaps != runs[2].gaps).any()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"inputs": X[:5]}, "one label a row"),
        ({"inputs": np.full_like(X, np.nan)}, "finite numbers"),
        ({"labels": np.array(["a"] * 2000)}, "finite numbers"),
        ({"rounds": 0}, "at least 1 round"),
        ({"parts": 500}, "20 rows a part"),
        ({"policy": "often"}, "no policy 'often'"),
        ({"refits": 3}, "at least 10"),
        ({"fit": 3}, "fit is a int"),
        ({"fit": lambda *_: 3}, "neither predict_proba nor predict"),
        ({"fit": lambda *_: lambda rows: rows[:3, 0]}, "answer each row"),
        ({"labels": np.zeros(2000)}, "cannot be fitted"),
        ({"labels": Y + 1}, "needs labels 0, 1"),
        ({"response": LinearGaming((7,), 1.0)}, "numbered from 0"),
        ({"response": SelfFulfilling(2.0)}, "kappa"),
        ({"response": GoodWords(9)}, "know more words"),
        ({"response": ThresholdGaming(1.0, immutable=(0, 1, 2))}, "nobody can cross"),
        ({"response": lambda x, y, *_: (x[:9], y)}, "as many rows"),
        ({"response": lambda x, y, *_: (x * np.inf, y)}, "not finite"),
        ({"fit": MultinomialNB(), "inputs": abs(X), "policy": "damped 0.5"}, "no damping"),
        ({"fit": lambda *_: SimpleNamespace(predict=lambda z: z[:, 0])}, "no coefficient"),
    ],
)
def test_what_cannot_be_played_is_refused_in_one_sentence(given, said):
    asked = {
        "fit": LogisticRegression(),
        "inputs": X,
        "labels": Y,
        "response": LinearGaming((0,), 1.0),
        "rounds": 2,
    } | given
    with pytest.raises(InputError, match=said) as error, np.errstate(invalid="ignore"):
        simulate(**asked)
    assert "\n" not in str(error.value)
