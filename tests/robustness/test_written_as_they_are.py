"""Labels, sites and ids mean what is written in the file, not what a number, a place or an encoding makes of it."""

import gzip
import json
import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pfungst.datasets.columns import read_table
from pfungst.load import bind, load_data, load_model
from pfungst.models.names import class_names
from pfungst.task import Columns, Question, Task, load_task


def labels_of(data):
    return [data.classes[k] if k >= 0 else None for k in data.labels]


# leading zeros


@pytest.mark.parametrize("form", ["csv", "tsv", "quoted", "packed"])
def test_leading_zeros_make_text_of_a_column(tmp_path, form):
    lines = ["id,a,site,label", "007,0.5,01,02", "08,0,1,02", "9,-0.5,001,03", "10,1e3,,"]
    text = "\r\n".join(lines) + "\r\n"
    if form == "quoted":
        text = text.replace("007", '"007"').replace(",01,", ',"01",').replace(",02", ', "02"').replace(' "', '"')
    path = tmp_path / f"rows.{'tsv' if form == 'tsv' else 'csv'}{'.gz' * (form == 'packed')}"
    data = (text.replace(",", "\t") if form == "tsv" else text).encode()
    path.write_bytes(gzip.compress(data) if form == "packed" else data)
    found = load_data(path, task=Task(columns=Columns(site=("site",))))
    assert found.ids == ("007", "08", "9", "10")
    assert labels_of(found) == ["02", "02", "03", None]
    assert found.columns["site"].tolist() == ["01", "1", "001", ""]
    # As inputs they are the numbers that they were.
    assert found.features == ("a", "site")
    np.testing.assert_array_equal(found.batch(np.arange(3))[0].inputs, np.float32([[0.5, 1], [0, 1], [-0.5, 1]]))


def test_other_numbers_stay_numbers():
    text = b"whole,part,power,zero,below,when\n1,0.5,1e3,0,-1,2024-01-05 08:30\n20,1.50,0.07,0,0,2024-01-06 09:00\n"
    found = read_table(text, ".csv", "a")
    assert [found[name].dtype.kind for name in list(found)[:5]] == ["i", "f", "f", "i", "i"]


# numbers that are names


STARS = ("prob_1", "prob_2", "prob_3", "prob_4", "prob_5")
GIVEN = np.array([1, 4, 2, 3, 4, 1])
"""Nobody gave 5: as places, all of them would be one class off."""


def answers(folder, form):
    stated = np.full((6, 5), 0.1)
    stated[np.arange(6), GIVEN - 1] = 0.6
    path = folder / f"stars.{form}"
    if form == "npz":
        np.savez(path, probs=stated, labels=GIVEN, classes=np.arange(1, 6))
    elif form == "parquet":
        pq.write_table(pa.table({**dict(zip(STARS, stated.T, strict=True)), "label": GIVEN}), path)
    else:
        rows = [",".join([*map(str, row), str(label)]) for row, label in zip(stated, GIVEN, strict=True)]
        path.write_text("\n".join([",".join([*STARS, "label"]), *rows, ".1,.1,.1,.1,.6,"]) + "\n")
    return path


@pytest.mark.parametrize("form", ["csv", "parquet", "npz"])
def test_labels_beside_answers_are_the_names_that_the_answers_state(tmp_path, form):
    model = load_model(answers(tmp_path, form))
    data = bind(model, None)
    assert labels_of(data)[:6] == list(map(str, GIVEN))
    assert (model.outputs.predictions[:6] == data.labels[:6]).all()


def test_labels_beside_answers_are_places_where_one_is_no_name(tmp_path):
    (tmp_path / "a.csv").write_text("prob_1,prob_2,prob_3,label\n.8,.1,.1,0\n.1,.8,.1,1\n")
    assert bind(load_model(tmp_path / "a.csv"), None).labels.tolist() == [0, 1]
    np.savez(tmp_path / "a.npz", probs=np.eye(3)[[1, 2]], labels=[1, 2])
    assert bind(load_model(tmp_path / "a.npz"), None).labels.tolist() == [1, 2]


@pytest.mark.parametrize("form", ["table", "folder"])
def test_whole_numbers_are_names_of_the_task_where_it_has_them(tmp_path, form):
    task = Task(task=Question(classes=("1", "2", "3", "other")))
    if form == "table":
        (tmp_path / "a.csv").write_text("text,label\ngood,2\nbad,1\n")
        data = load_data(tmp_path / "a.csv", task=task)
    else:
        for row in range(2):
            Image.new("RGB", (4, 4)).save(tmp_path / f"{row}.png")
        (tmp_path / "metadata.csv").write_text("file_name,label\n0.png,2\n1.png,1\n")
        data = load_data(tmp_path, task=task)
    assert labels_of(data) == ["2", "1"]


def test_predictions_and_confidences_name_the_classes_of_the_task(tmp_path):
    (tmp_path / "a.csv").write_text("prediction,confidence,label\n1,.9,2\n2,.8,2\n")
    task = Task(task=Question(classes=("1", "2", "3")))
    data = bind(load_model(tmp_path / "a.csv", task=task), None, task)
    assert labels_of(data) == ["2", "2"]


@pytest.mark.parametrize(("labels", "classes"), [(("01", "02"), "123"), (("1", "2"), ("01", "02", "03"))])
def test_a_name_with_a_leading_zero_is_the_class_of_its_number(tmp_path, labels, classes):
    (tmp_path / "a.csv").write_text("x,label\n" + "".join(f"{row}.5,{label}\n" for row, label in enumerate(labels)))
    model = load_model(lambda x: np.zeros((len(x), 3)))
    model.classes, model.named = tuple(classes), True
    assert bind(model, load_data(tmp_path / "a.csv")).labels.tolist() == [0, 1]


# names of classes in Parquet


def class_label(names, kind="ClassLabel"):
    return {"names": names, "_type": kind}


def noted(folder, features, label=(0, 1, 1, -1), **columns):
    """A table as the package datasets writes it: names of classes stand in the metadata of its schema."""
    table = pa.table({"a": [0.5, 1.5, 2.5, 3.5], "label": pa.array(label, pa.int64()), **columns})
    said = features if isinstance(features, bytes) else json.dumps({"info": {"features": features}}).encode()
    path = folder / "rows.parquet"
    pq.write_table(table.replace_schema_metadata({b"huggingface": said}), path)
    return path


def test_names_of_classes_in_parquet_are_the_labels(tmp_path):
    features = {"a": {"dtype": "float64", "_type": "Value"}, "label": class_label(["wolf", "husky"])}
    features["site"] = class_label(["north", "south"])
    path = noted(tmp_path, features, site=[1, 0, 1, -1])
    data = load_data(path, task=Task(columns=Columns(site=("site",))))
    assert data.classes == ("wolf", "husky")
    assert labels_of(data) == ["wolf", "husky", "husky", None]
    assert data.columns["site"].tolist() == ["south", "north", "south", ""]
    np.testing.assert_array_equal(data.batch(np.arange(2))[0].inputs, np.float32([[0.5, 1], [1.5, 0]]))
    model = load_model(lambda x: np.zeros((len(x), 2)))
    model.classes, model.named = ("husky", "wolf"), True
    assert labels_of(bind(model, data)) == ["wolf", "husky", "husky", None]


def test_the_only_column_of_named_classes_is_the_label(tmp_path):
    table = pa.table({"a": [0.5, 1.5], "animal": [1, 0]})
    said = json.dumps({"info": {"features": {"animal": class_label(["wolf", "husky"])}}})
    pq.write_table(table.replace_schema_metadata({"huggingface": said}), tmp_path / "rows.parquet")
    data = load_data(tmp_path / "rows.parquet")
    assert labels_of(data) == ["husky", "wolf"]
    assert data.notes == ("labels are taken from column animal",)


@pytest.mark.parametrize(
    "features",
    [
        b"",
        b"\xff",
        b"[" * 100_000,
        b"[]",
        b'{"info": null}',
        {"label": class_label(["wolf"])},
        {"label": class_label(["wolf", "wolf"])},
        {"label": class_label(None)},
        {"label": class_label(3)},
        {"label": {"_type": []}},
        {"label": [class_label(["wolf", "husky"])]},
        {"label": class_label(["wolf", "husky"], "Value")},
        {"other": class_label(["wolf", "husky"])},
        {"a": class_label(["wolf", "husky", "fox", "dog"])},
    ],
    ids=range(14),
)
def test_names_that_do_not_fit_are_passed_over(tmp_path, features):
    data = load_data(noted(tmp_path, features, (0, 1, 1, 0)))
    assert (data.classes, data.labels.tolist(), data.features) == (("0", "1"), [0, 1, 1, 0], ("a",))


# headers


@pytest.mark.parametrize("header", ["text,label", "sentence,target"])
def test_a_header_that_names_known_columns_is_none_of_the_rows(tmp_path, header):
    label = header.partition(",")[2]
    rows = [f"words {row},{(label, 'receipt')[row % 2]}" for row in range(6)]
    (tmp_path / "a.csv").write_text("\n".join([header, *rows]))
    data = load_data(tmp_path / "a.csv")
    assert labels_of(data) == [label, "receipt"] * 3
    assert not any("no line of column names" in note for note in data.notes)


# names of classes


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    (tmp_path / "labels.txt").write_text("cat\r\ndog\r\n", encoding="utf-8-sig")
    assert class_names(tmp_path) == ("cat", "dog")
    (tmp_path / "config.json").write_text('{"id2label": {"0": "wolf", "1": "husky"}}', encoding="utf-8-sig")
    assert class_names(tmp_path) == ("wolf", "husky")
    (tmp_path / "task.toml").write_text('[task]\r\nclasses = ["a", "b"]\r\n', encoding="utf-8-sig")
    assert load_task(tmp_path / "task.toml").task.classes == ("a", "b")


def test_accents_are_the_same_however_they_are_encoded():
    model = load_model(lambda x: np.zeros((len(x), 2)))
    model.classes, model.named = (
        (unicodedata.normalize("NFC", "th\u00e9"), unicodedata.normalize("NFC", "caf\u00e9")),
        True,
    )
    labels = np.array([unicodedata.normalize("NFD", name) for name in ("Caf\u00e9", "th\u00e9")])
    assert labels_of(bind(model, load_data((np.zeros((2, 3), np.float32), labels)))) == ["caf\u00e9", "th\u00e9"]


def test_a_label_that_fits_several_classes_is_named(refused):
    model = load_model(lambda x: np.zeros((len(x), 3)))
    model.classes, model.named = ("A", "a", "b"), True
    data = load_data((np.zeros((2, 3), np.float32), np.array(["A-", "b"])))
    refused(lambda: bind(model, data), "the label 'A-'", "fits more than one of the model's classes")


def test_bytes_in_parquet_are_the_text_that_they_are(refused, tmp_path):
    table = {"a": [0.5, 1.5], "site": [b"A", b"\xff"], "label": [b"caf\xc3\xa9", b"dog"]}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    assert labels_of(load_data(tmp_path / "a.parquet")) == ["caf\u00e9", "dog"]
    pq.write_table(pa.table({**table, "label": [b"\xff", b"dog"]}), tmp_path / "b.parquet")
    refused(lambda: load_data(tmp_path / "b.parquet"), "no text in UTF-8", "save them as text")


# long numbers


def test_a_number_of_thousands_of_digits_is_a_name_like_any_other(refused, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"x": 1, "label": "%s"}\n{"x": 2, "label": "b"}\n' % ("1" * 5000))
    model = load_model(lambda x: np.zeros((len(x), 2)))
    model.classes, model.named = ("a", "b"), True
    refused(lambda: bind(model, load_data(tmp_path / "a.jsonl")), "none of the model's classes")
