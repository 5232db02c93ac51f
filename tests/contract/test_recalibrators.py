"""What every recalibrator promises: distributions, the same ones each time, a sentence where it cannot be fitted."""

import re
from dataclasses import is_dataclass

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_predict

import pfungst
from pfungst.errors import InputError
from pfungst.methods.recalibrators import ANSWER_KEEPING, QUADRATIC, recalibrators
from pfungst.outputs import from_logits, from_probabilities, from_top

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 2, (480, 4)).astype(np.float32)
SHARES = np.exp(LOGITS / 2) / np.exp(LOGITS / 2).sum(axis=1, keepdims=True)
LABELS = (SHARES.cumsum(axis=1) < RNG.random((480, 1))).sum(axis=1).clip(0, 3)


def test_all_are_there():
    assert set(recalibrators) >= {
        "temperature", "temperature-mix", "vector", "matrix", "dirichlet", "platt", "beta", "isotonic",
        "histogram-binning",
    }  # fmt: skip
    assert set(recalibrators) >= QUADRATIC | ANSWER_KEEPING


@pytest.mark.parametrize("targets", [LABELS, SHARES], ids=["labels", "distributions"])
@pytest.mark.parametrize("name", recalibrators)
def test_fitted_map_gives_distributions_and_is_the_same_each_time(name, targets):
    outputs = from_logits(LOGITS)
    fitted = recalibrators[name](outputs, targets)
    assert is_dataclass(fitted)
    made = fitted(outputs)
    assert made.logits.dtype == np.float32
    p = made.probabilities
    assert np.isfinite(made.logits).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(recalibrators[name](outputs, targets)(outputs).logits, made.logits)
    np.testing.assert_allclose(fitted(outputs.take(np.arange(7))).probabilities, p[:7], atol=1e-6)
    if name in ANSWER_KEEPING:
        np.testing.assert_array_equal(made.predictions, outputs.predictions)
    np.testing.assert_array_equal(outputs.logits, LOGITS)


@pytest.mark.parametrize("name", recalibrators)
def test_rows_order_does_not_matter_much(name):
    order = np.random.default_rng(1).permutation(480)
    one = recalibrators[name](from_logits(LOGITS), LABELS)(from_logits(LOGITS)).probabilities
    other = recalibrators[name](from_logits(LOGITS[order]), LABELS[order])(from_logits(LOGITS)).probabilities
    # Those that choose a penalty hold every third row out, which are others in another order.
    assert np.abs(one - other).max() < (0.1 if name in QUADRATIC else 1e-3)


@pytest.mark.parametrize("name", recalibrators)
def test_probabilities_of_zero_and_one_leave_finite_ones(name):
    p = SHARES.copy()
    p[:5] = np.eye(4)[LABELS[:5]]
    outputs = from_probabilities(p)
    assert np.isfinite(recalibrators[name](outputs, LABELS)(outputs).log_probabilities).all()


@pytest.mark.parametrize("name", recalibrators)
def test_what_cannot_be_fitted_is_refused_in_a_sentence(name):
    known = from_top(LABELS, np.full(480, 0.9), 4)
    for outputs, targets, words in (
        (from_logits(LOGITS[:0]), LABELS[:0], "no rows"),
        (known, LABELS, "all classes"),
        (from_logits(LOGITS), LABELS[:-1], "480 answers and 479 targets"),
        (from_logits(LOGITS), np.where(LABELS == 2, 7, LABELS), "has label 7"),
        (from_logits(LOGITS), SHARES[:, :3], "3 classes were given for answers of 4"),
    ):
        with pytest.raises(InputError, match=words) as said:
            recalibrators[name](outputs, targets)
        assert "\n" not in str(said.value)


@pytest.mark.parametrize("name", [name for name in recalibrators if name != "temperature"])
def test_too_few_rows_are_counted(name):
    with pytest.raises(InputError, match=r"needs \d+ rows and there are 19"):
        recalibrators[name](from_logits(LOGITS[:19]), LABELS[:19])


@pytest.mark.parametrize("name", ["vector", "matrix", "dirichlet", "platt", "beta", "isotonic"])
def test_a_class_without_rows_is_named(name):
    with pytest.raises(InputError, match="class 3 has none"):
        recalibrators[name](from_logits(LOGITS), LABELS % 3)


@pytest.mark.parametrize("name", ["temperature", "temperature-mix", "vector"])
def test_separable_rows_are_refused(name):
    with pytest.raises(InputError, match=r"a bound: they are|the bound: they are"):
        recalibrators[name](from_logits(4 * np.eye(4)[np.arange(480) % 4]), np.arange(480) % 4)


@pytest.mark.parametrize("name", recalibrators)
def test_it_works_in_scikit_learns_manner(name):
    model = pfungst.Recalibrator(name, means="probabilities")
    again = clone(model)
    assert again.get_params() == model.get_params() == {"method": name, "means": "probabilities"}
    given = cross_val_predict(model, SHARES, LABELS, method="predict_proba", cv=3)
    assert given.shape == (480, 4)
    np.testing.assert_allclose(given.sum(axis=1), 1)
    np.testing.assert_array_equal(model.set_params(method="platt").fit(SHARES, LABELS).classes_, np.arange(4))


def test_names_of_classes_are_answered_with():
    words = np.array(["ant", "bee", "cat", "dog"])
    fitted = pfungst.Recalibrator("vector").fit(LOGITS, words[LABELS])
    assert set(fitted.predict(LOGITS)) <= set(words)
    assert fitted.score(LOGITS, words[LABELS]) > 0.4
    binary = pfungst.Recalibrator("platt", means="probabilities").fit(SHARES[:, 0], LABELS == 0)
    assert binary.predict_proba(SHARES[:, :1]).shape == (480, 2)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: pfungst.Recalibrator("magic").fit(LOGITS, LABELS), "no recalibrator 'magic'"),
        (lambda: pfungst.Recalibrator().predict(LOGITS), "was not fitted"),
        (lambda: pfungst.Recalibrator(means="scores").fit(LOGITS, LABELS), "declared 'scores'"),
        (lambda: pfungst.Recalibrator(means="probabilities").fit(LOGITS, LABELS), "no probabilities"),
        (lambda: pfungst.Recalibrator().fit(LOGITS, LABELS).predict(LOGITS[:, :3]), "fitted to 4 classes"),
        (lambda: pfungst.Recalibrator().fit(LOGITS, np.array(["a", "b"])[LABELS % 2]), "name 2 classes"),
    ],
)
def test_misuse_is_a_sentence(act, words):
    with pytest.raises(InputError, match=re.escape(words)):
        act()
