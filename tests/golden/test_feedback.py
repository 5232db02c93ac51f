"""Published worlds: Perdomo's credit applicants to the digit, and spam that appends good words."""

import io
import zipfile

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB

from pfungst.feedback import GoodWords, LinearGaming, simulate

STRATEGIC = (0, 5, 7)
"""Revolving utilisation, open credit lines, real-estate loans."""


@pytest.fixture(scope="module")
def credit(shared_data):
    """18,357 complete applications, standardised over all: every positive and the first 10,000 negatives."""
    path = shared_data / "tables" / "credit_givemesomecredit.zip"
    if not path.is_file():
        pytest.skip(f"no credit data at {path}")
    with zipfile.ZipFile(path) as folder:
        text = io.StringIO(folder.read("credit_data.csv").decode())
    rows = np.genfromtxt(text, delimiter=",", skip_header=1, missing_values="NA")[:, 1:]
    rows = rows[np.isfinite(rows).all(axis=1)]
    assert len(rows) == 120_269
    x = (rows[:, 1:] - rows[:, 1:].mean(axis=0)) / rows[:, 1:].std(axis=0)
    kept = np.concatenate([np.flatnonzero(rows[:, 0] == 1), np.flatnonzero(rows[:, 0] == 0)[:10_000]])
    return x[kept], rows[kept, 0].astype(int)


def wrong(said, labels):
    return (said > 0.5) != labels


@pytest.mark.parametrize(
    ("eps", "first", "later", "accuracy"),
    [(0.01, 9.9e-4, 1e-8, 0.719), (1, 9.9e-2, 1e-8, 0.720), (100, 9.9, 1e-7, 0.632), (1000, 99, 1e-6, 0.549)],
)
def test_credit_contracts_at_every_strength(credit, eps, first, later, accuracy):
    """One vector moves everybody, so that the intercept absorbs it: what looked like divergence was the optimiser."""
    newton = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-10)
    found = simulate(newton, *credit, LinearGaming(STRATEGIC, eps), rounds=4, loss=wrong)
    theta = np.array([np.append(model.coef_, model.intercept_) for model in found.models])
    assert np.linalg.norm(theta[0]) == pytest.approx(2.5135, abs=5e-5)
    gaps = np.linalg.norm(np.diff(theta, axis=0), axis=1) / np.linalg.norm(theta[0, list(STRATEGIC)])
    assert gaps[0] == pytest.approx(first, rel=5e-3)
    assert gaps[1] < later
    assert 1 - found.moved[0].value == pytest.approx(accuracy, abs=5e-4)
    assert 1 - found.retrained[0].value == pytest.approx(0.7192, abs=5e-5)
    assert found.verdict == "contracting"


class Cut:
    """Spam is what scores above 99.5 % of the ham it was fitted to."""

    def __init__(self, model, inputs, labels):
        self.model = model
        self.coef_ = getattr(model, "coef_", None)
        if self.coef_ is None:
            self.coef_ = model.feature_log_prob_[1] - model.feature_log_prob_[0]
        self.cut = np.quantile(self.score(inputs)[labels == 0], 0.995)

    def score(self, inputs):
        if hasattr(self.model, "decision_function"):
            return self.model.decision_function(inputs)
        return np.diff(self.model.predict_log_proba(inputs), axis=1)[:, 0]

    def predict(self, inputs):
        return (self.score(inputs) > self.cut).astype(float)


@pytest.fixture(scope="module")
def messages(shared_data):
    path = shared_data / "tables" / "sms_spam.tsv"
    if not path.is_file():
        pytest.skip(f"no messages at {path}")
    rows = [line.split("\t", 1) for line in path.read_text(encoding="utf-8").splitlines()]
    counts = CountVectorizer(min_df=2).fit_transform([text for _, text in rows])
    return counts, np.array([label == "spam" for label, _ in rows]).astype(int)


def recall(messages, kind, words, policy="every", rounds=3):
    """Of spam, by round, averaged over three ways to deal the messages out to six rounds."""

    def fit(inputs, labels):
        return Cut(kind().fit(inputs, labels), inputs, labels)

    runs = [
        simulate(
            fit, *messages, GoodWords(words), policy, rounds, parts=6, loss=lambda said, y: said[y == 1], seed=seed
        )
        for seed in range(3)
    ]
    return np.mean([[one.value for one in run.moved] for run in runs], axis=0)


def test_good_words_hide_spam(messages):
    """On 70 % of the messages: the curve falls as published, .88 untouched and .87 with one word; slower further on."""
    curve = np.array([recall(messages, LogisticRegression, words, rounds=1)[0] for words in (0, 1, 3, 5, 10)])
    assert curve[:2] == pytest.approx([0.88, 0.87], abs=0.03)
    assert (np.diff(curve) < 0).all()
    assert curve[4] < 0.72


def test_retraining_on_spam_that_hid_hides_more_of_it(messages):
    """At ten words: who never retrains goes on finding .6, who retrains every round finds .25, words being chosen anew.

    On all messages a slow recovery to .4 to .75 was published; on these 70 % there is none.
    """
    retrained, never = (recall(messages, LogisticRegression, 10, policy, rounds=5) for policy in ("every", "never"))
    assert never == pytest.approx(0.64, abs=0.06)
    assert retrained[0] == pytest.approx(never[0])
    assert (retrained[1:] < 0.35).all()


def test_naive_bayes_retrained_on_good_words_does_not_recover(messages):
    retrained = recall(messages, MultinomialNB, 10)
    assert (retrained < 0.45).all()
    assert np.ptp(retrained) < 0.2
