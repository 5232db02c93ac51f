"""Attribution of columns and words: exact where the model is linear, the same for any batching."""

import numpy as np
import pytest

from pfungst.datasets.dataset import Dataset
from pfungst.errors import InputError
from pfungst.maps import joined_maps
from pfungst.methods.wordwise import SURE, ColumnPermutation, TokenOcclusion, log_odds
from pfungst.outputs import Outputs, from_logits
from pfungst.passes import Attribute

WEIGHTS = {"free": 2.0, "call": -1.5, "now": 0.5}


class Words:
    """Log-odds of the second of two classes are a sum over words."""

    offers = frozenset({"new inputs"})

    def __init__(self):
        self.asked = 0

    def predict(self, inputs):
        self.asked += len(inputs)
        return from_logits(np.array([sum(WEIGHTS.get(word, 0.0) for word in text.split()) for text in inputs]))


class Linear:
    """Log-odds of the second of two classes are a weighted sum of columns."""

    offers = frozenset({"new inputs"})

    def __init__(self, weights):
        self.weights, self.asked = np.asarray(weights), 0

    def predict(self, inputs):
        self.asked += len(inputs)
        return from_logits(inputs.astype(np.float64) @ self.weights)


def dataset(inputs, labels, modality):
    ids = tuple(f"r{i}" for i in range(len(inputs)))
    shape = None if modality == "text" else inputs.shape[1:]
    return Dataset(
        "test", "", modality, ids, lambda rows: list(inputs[rows]), classes=("a", "b"), labels=labels, shape=shape
    )


def texts_of(*texts):
    held = np.empty(len(texts), object)
    held[:] = texts
    return held


def test_a_deleted_word_loses_its_weight_and_each_row_costs_what_was_asked():
    inputs, model = texts_of("free call  now", "call\nme now", "", "other"), Words()
    data = dataset(inputs, np.array([0, 1, 0, 1]), "text")
    maps = TokenOcclusion()(model, data.batch(np.arange(4))[0])
    assert maps.targets.tolist() == [1, 0, 0, 0]
    assert np.allclose(maps.values[0, 0], [2.0, -1.5, 0.5])
    assert np.allclose(maps.values[1, 0], [1.5, 0.0, -0.5])
    assert np.isnan(maps.values[2, 0]).all()
    assert maps.values[3, 0, 0] == 0
    assert np.isnan(maps.values[3, 0, 1:]).all()
    assert maps.forwards.tolist() == [4, 4, 1, 2]
    assert model.asked == maps.forwards.sum()


def test_long_texts_are_deleted_in_equal_runs_that_share_their_loss():
    words = ["filler"] * 200
    words[130] = "free"
    inputs = texts_of(" ".join(words))
    maps = TokenOcclusion(most=10)(Words(), dataset(inputs, np.array([1]), "text").batch(np.array([0]))[0])
    assert maps.values.shape == (1, 1, 200)
    assert np.allclose(maps.values[0, 0, 120:140], 2.0 / 20)
    assert np.allclose(maps.values.sum(), 2.0)
    assert maps.forwards.tolist() == [11]


def test_texts_without_words_have_maps_of_nothing():
    inputs = texts_of("", " \n")
    maps = TokenOcclusion()(Words(), dataset(inputs, np.array([0, 1]), "text").batch(np.arange(2))[0])
    assert maps.values.shape == (2, 1, 1)
    assert np.isnan(maps.values).all()


def test_independent_columns_lose_their_weight_times_their_distance_from_the_donors():
    rng = np.random.default_rng(0)
    table, weights = rng.standard_normal((3000, 3)), [2.0, -1.0, 0.0]
    data, model = dataset(table, np.arange(3000) % 2, "table"), Linear(weights)
    batch, _ = data.batch(np.arange(40))
    maps = ColumnPermutation(draws=32)(model, batch)
    sign = np.where(maps.targets == 1, 1, -1)
    expected = sign[:, None] * table[:40] * weights
    kept = np.abs(table[:40] @ weights) < SURE / 2
    assert np.abs(maps.values[kept, 0] - expected[kept]).mean() < 0.25
    assert np.corrcoef(maps.values[kept, 0, 0], expected[kept, 0])[0, 1] > 0.9
    assert (maps.values[:, 0, 2] == 0).all()
    assert (maps.forwards == 1 + 3 * 32).all()
    assert model.asked == maps.forwards.sum()
    assert 0.1 < np.median(maps.error) < 0.5


def test_a_copy_of_a_column_keeps_its_values_possible():
    rng = np.random.default_rng(1)
    once = rng.standard_normal((2000, 1))
    table = np.concatenate([once, once, rng.standard_normal((2000, 1))], axis=1)
    batch, _ = dataset(table, np.arange(2000) % 2, "table").batch(np.arange(60))
    maps = ColumnPermutation()(Linear([3.0, 0.0, 3.0]), batch)
    loss = np.abs(maps.values[:, 0]).mean(axis=0)
    assert loss[0] < 0.35 * loss[2]


@pytest.mark.parametrize("kind", ["table", "mixed", "text"])
def test_maps_are_the_same_for_any_batch_size_and_order(kind):
    rng = np.random.default_rng(2)
    labels = np.arange(50) % 2
    if kind == "text":
        inputs = texts_of(*(" ".join(rng.choice([*WEIGHTS, "me"], rng.integers(0, 9))) for _ in labels))
        model, method = Words(), TokenOcclusion(most=5)
    else:
        inputs = rng.standard_normal((50, 4))
        if kind == "mixed":
            inputs = inputs.astype(object)
            inputs[::3, 3] = None
            inputs[:, 2] = rng.choice(["A", "B"], 50)
        model, method = (lambda: None), ColumnPermutation(draws=3)
        model.predict = lambda rows: from_logits(np.array([float(row[0]) + (row[-2] == "A") for row in rows]))
    data = dataset(inputs, labels, "text" if kind == "text" else "table")
    whole = Attribute(method).run(model, data.batch(np.arange(50))[0])
    order = rng.permutation(50)
    for size in (1, 7, 50):
        parts = [Attribute(method).run(model, data.batch(order[at : at + size])[0]) for at in range(0, 50, size)]
        joint = joined_maps(parts).at(np.arange(50))
        assert np.array_equal(joint.values, whole.values, equal_nan=True)
        assert np.array_equal(joint.error, whole.error, equal_nan=True)
        assert np.array_equal(joint.forwards, whole.forwards)


def test_a_row_is_not_its_own_donor():
    table = np.array([[1.0], [5.0]])
    batch, _ = dataset(table, np.array([0, 1]), "table").batch(np.arange(2))
    maps = ColumnPermutation(draws=1)(Linear([1.0]), batch)
    assert maps.values.ravel().tolist() == [-4.0, 4.0]
    assert np.isnan(maps.error).all()


@pytest.mark.parametrize("labels", [None, np.array([-1, 1, -1])])
def test_without_other_labelled_rows_there_is_nothing_to_take_values_from(labels):
    batch, _ = dataset(np.zeros((3, 2)), labels, "table").batch(np.arange(3))
    with pytest.raises(InputError, match="labelled rows"):
        ColumnPermutation()(Linear([1.0, 1.0]), batch)


def test_log_odds_are_finite_for_certain_answers_and_those_of_probabilities():
    sure = Outputs(np.array([[-90.0, 0.0], [0.0, -90.0]], np.float32), normalised=True)
    assert log_odds(sure, np.array([1, 1])).tolist() == [SURE, -SURE]
    p = np.array([[0.2, 0.5, 0.3]])
    assert np.allclose(log_odds(Outputs(np.log(p).astype(np.float32)), np.array([1])), 0.0, atol=1e-6)
