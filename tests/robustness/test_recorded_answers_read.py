"""Answers that somebody recorded: read rightly, fitted to their rows, or refused in one sentence."""

import numpy as np
import pytest

from pfungst.load import bind, load_data, load_model
from pfungst.task import Question, Task

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 4, 4, 3), np.uint8)


def test_recorded_answers_with_and_without_data(refused, tmp_path):
    (tmp_path / "a.csv").write_text("id,prob_cat,prob_dog,label,site\nr0,.9,.1,cat,x\nr1,.2,.8,cat,y\n")
    model = load_model(tmp_path / "a.csv")
    data = bind(model, None)
    assert data.ids == ("r0", "r1")
    assert data.modality == "answers"
    assert model.offers == frozenset()
    assert [data.classes[k] for k in data.labels] == ["cat", "cat"]
    batch, _ = data.batch(np.array([1, 0]))
    np.testing.assert_allclose(model.predict(batch.rows).probabilities, [[0.2, 0.8], [0.9, 0.1]], atol=1e-6)
    refused(lambda: bind(model, load_data((IMAGES, np.zeros(12, int)))), "2 answers", "12 rows")
    bound = bind(model, load_data((IMAGES[:2], np.array(["cat", "cat"]))))
    assert bound.modality == "image"
    assert bound.labels.tolist() == [0, 0]
    refused(lambda: bind(model, load_data((IMAGES[:2], np.array(["cat", "dog"])))), "another label", "row 1")


def test_recorded_answers_find_their_rows_by_id(refused, tmp_path):
    (tmp_path / "a.csv").write_text("id,prob_cat,prob_dog\nr1,.9,.1\nr0,.2,.8\n")
    model = load_model(tmp_path / "a.csv")
    source = {"inputs": IMAGES[:2], "labels": np.array(["dog", "cat"]), "ids": np.array(["r0", "r1"]), "site": [7, 8]}
    data = bind(model, load_data(source))
    assert data.ids == ("r1", "r0")
    assert [data.classes[k] for k in data.labels] == ["cat", "dog"]
    assert data.columns["site"].tolist() == [8, 7]
    np.testing.assert_array_equal(data.batch(np.array([0]))[0].inputs[0], IMAGES[1])
    source["ids"] = np.array(["r0", "r2"])
    refused(lambda: bind(model, load_data(source)), "does not have", "'r1'")


def test_answers_whose_ids_the_data_do_not_know_are_not_taken_in_their_order(refused, tmp_path):
    (tmp_path / "a.csv").write_text("id,prob_cat,prob_dog\nx1,.9,.1\nx0,.2,.8\n")
    unnamed = load_data((IMAGES[:2], np.array(["cat", "dog"])))
    refused(lambda: bind(load_model(tmp_path / "a.csv"), unnamed), "does not have", "'x1'", "drop the ids")
    (tmp_path / "a.csv").write_text("id,prob_cat,prob_dog\n1,.9,.1\n0,.2,.8\n")
    numbered = bind(load_model(tmp_path / "a.csv"), unnamed)
    assert list(numbered.ids) == ["1", "0"]
    assert [numbered.classes[k] for k in numbered.labels] == ["dog", "cat"]


def test_a_row_that_is_answered_twice_is_refused(refused, tmp_path):
    (tmp_path / "a.csv").write_text("id,prob_cat,prob_dog,label\nr1,.9,.1,cat\nr1,.2,.8,cat\n")
    model = load_model(tmp_path / "a.csv")
    source = {"inputs": IMAGES[:2], "labels": np.array(["cat", "cat"]), "ids": np.array(["r0", "r1"])}
    refused(lambda: bind(model, load_data(source)), "two rows with the id 'r1'")
    refused(lambda: bind(model, None), "two rows with the id 'r1'")


def test_numbered_columns_are_read_in_the_order_of_their_numbers(tmp_path):
    names = sorted(f"logit_{i}" for i in range(12))
    values = [name.split("_")[1] for name in names]
    (tmp_path / "a.csv").write_text(",".join([*names, "label"]) + "\n" + ",".join([*values, "3"]) + "\n")
    model = load_model(tmp_path / "a.csv")
    assert model.predict(np.array([0])).logits[0].tolist() == list(range(12))


def test_predictions_with_confidence_only(refused, tmp_path):
    (tmp_path / "a.csv").write_text("label,prediction,confidence\ncat,cat,0.9\ndog,eel,0.5\n")
    model = load_model(tmp_path / "a.csv")
    answers = model.predict(np.arange(2))
    assert not answers.complete
    assert model.classes == ("cat", "dog", "eel")
    assert answers.predictions.tolist() == [0, 2]
    (tmp_path / "b.csv").write_text("label,prediction,confidence\ncat,cat,1.9\n")
    refused(lambda: load_model(tmp_path / "b.csv"), "confidence of row 0")
    (tmp_path / "c.csv").write_text("label,prediction\ncat,cat\n")
    refused(lambda: load_model(tmp_path / "c.csv"), "holds no answers", "label, prediction")


def test_recorded_answers_that_are_nonsense(refused, tmp_path):
    np.savez(tmp_path / "nan.npz", logits=np.array([[0.0, np.nan]]), labels=[0])
    said = refused(lambda: load_model(tmp_path / "nan.npz"), "NaN", "row 0", "record their answers anew")
    assert "weights" not in said, "recorded answers have none"
    np.savez(tmp_path / "sum.npz", probs=np.array([[0.5, 0.9]]), labels=[0])
    said = refused(lambda: load_model(tmp_path / "sum.npz"), "no probabilities", "1.4", "`logits`", "prob_0 and prob_1")
    assert "from_" not in said, "a user of the command line has no functions to call"
    np.savez(tmp_path / "outside.npz", probs=np.array([[-2.0, 3.7]]), labels=[0])
    refused(lambda: load_model(tmp_path / "outside.npz"), "sums to 1.7", "name the array `logits`", "logit_*")
    np.savez(tmp_path / "unlabelled.npz", probs=np.array([[0.5, 0.5]]))
    refused(lambda: bind(load_model(tmp_path / "unlabelled.npz"), None), "no labels")
    np.savez(tmp_path / "named.npz", logits=np.eye(2), labels=[0, 1])
    task = Task(task=Question(classes=("a", "b", "c")))
    refused(lambda: load_model(tmp_path / "named.npz", task=task), "2 classes", "3")


@pytest.mark.parametrize("name", ["probs", "classes", "prediction", "confidence", "answered"])
def test_recorded_answers_of_which_a_part_is_a_single_value(refused, tmp_path, name):
    whole = {"probs": np.full((3, 2), 0.5)} if name in {"probs", "classes"} else (
        {"prediction": np.zeros(3, int), "confidence": np.ones(3)}
    )  # fmt: skip
    np.savez(tmp_path / "one.npz", **{**whole, "labels": np.zeros(3, int), name: np.array(1)})
    refused(lambda: load_model(tmp_path / "one.npz"), f"`{name}` as a single value")


@pytest.mark.parametrize("name", ["classes", "features"])
def test_names_that_are_no_list(refused, tmp_path, name):
    arrays = {"inputs": np.zeros((3, 2)), "labels": np.zeros(3, int), name: np.array("a")}
    np.savez(tmp_path / "one.npz", **arrays)
    refused(lambda: load_data(tmp_path / "one.npz"), f"`{name}`", "shape ()")
