"""Data sets as the package datasets saves them: small ones, built, saved and loaded here."""

import io

import numpy as np
import pytest
from PIL import Image

from pfungst.load import load_data
from pfungst.task import Columns, Task

datasets = pytest.importorskip("datasets", reason="datasets is not installed (pip install pfungst[hf])")

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (6, 7, 5, 3), np.uint8)


@pytest.fixture(scope="module", autouse=True)
def calm():
    datasets.utils.logging.disable_progress_bar()


def png(pixels):
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "PNG")
    return held.getvalue()


def pictures(label="label", rows=6, **more):
    features = datasets.Features({
        "image": datasets.Image(), label: datasets.ClassLabel(names=["cat", "dog"]), "site": datasets.Value("string"),
        "boxes": datasets.Sequence(datasets.Value("int32")),
        **{name: datasets.Value("float32") for name in more},
    })  # fmt: skip
    held = {
        "image": [{"bytes": png(picture), "path": None} for picture in PICTURES[:rows]],
        label: [i % 2 for i in range(rows)], "site": ["A", "B", "B"] * (rows // 3), "boxes": [[1, 2]] * rows, **more,
    }  # fmt: skip
    return datasets.Dataset.from_dict(held, features=features)


def test_pictures_labels_and_columns(tmp_path):
    pictures(age=[float(i) for i in range(6)]).save_to_disk(tmp_path / "d")
    data = load_data(tmp_path / "d")
    assert data.modality == "image"
    assert data.classes == ("cat", "dog")
    assert data.named
    assert data.labels.tolist() == [0, 1] * 3
    assert set(data.columns) == {"site", "age"}
    assert "columns that are no plain values are left out: boxes" in data.notes
    batch, bad = data.batch(np.array([5, 0]))
    assert not bad
    np.testing.assert_array_equal(batch.inputs, PICTURES[[5, 0]])
    assert data.traces(np.array([0]))[0]["format"] == "PNG"
    assert load_data(tmp_path / "d").fingerprint == data.fingerprint


def test_splits_are_named_or_chosen(refused, tmp_path):
    both = datasets.DatasetDict(train=pictures(), test=pictures(rows=3))
    both.save_to_disk(tmp_path / "d")
    data = load_data(tmp_path / "d")
    assert len(data) == 3
    assert "of the splits train, test the rows of test are taken" in data.notes
    assert len(load_data(f"hf:{tmp_path / 'd'}:train")) == 6
    assert load_data(f"hf:{tmp_path / 'd'}:train").fingerprint != data.fingerprint
    refused(lambda: load_data(f"hf:{tmp_path / 'd'}:dev"), "'dev'", "train, test")
    datasets.DatasetDict(a=pictures(), b=pictures()).save_to_disk(tmp_path / "e")
    refused(lambda: load_data(tmp_path / "e"), "the splits a, b", "hf:name:split")


def test_chosen_rows_keep_their_order(tmp_path):
    pictures().select([4, 1, 3]).save_to_disk(tmp_path / "d")
    data = load_data(tmp_path / "d")
    assert data.labels.tolist() == [0, 1, 1]
    np.testing.assert_array_equal(data.batch(np.arange(3))[0].inputs, PICTURES[[4, 1, 3]])


def test_the_only_column_of_classes_is_the_label(tmp_path):
    pictures(label="animal").save_to_disk(tmp_path / "d")
    data = load_data(tmp_path / "d")
    assert data.classes == ("cat", "dog")
    task = Task(columns=Columns(label="site"))
    sites = load_data(tmp_path / "d", task=task)
    assert sites.classes == ("A", "B")
    assert sites.columns["animal"].tolist() == ["cat", "dog"] * 3


def test_texts_with_hidden_labels(tmp_path):
    features = datasets.Features({
        "sentence": datasets.Value("string"), "label": datasets.ClassLabel(names=["ham", "spam"]),
        "idx": datasets.Value("int64"),
    })  # fmt: skip
    held = {"sentence": ["win money", "see you", "now"], "label": [1, 0, -1], "idx": [7, 8, 9]}
    datasets.Dataset.from_dict(held, features=features).save_to_disk(tmp_path / "d")
    data = load_data(tmp_path / "d")
    assert data.modality == "text"
    assert data.batch(np.arange(3))[0].inputs.tolist() == ["win money", "see you", "now"]
    assert data.labels.tolist() == [1, 0, -1]
    assert data.classes == ("ham", "spam")
    assert "texts are taken from column sentence" in data.notes


def test_tables_and_sets_in_memory(tmp_path):
    rows = datasets.Dataset.from_dict({"age": [1, 2, 3], "pay": [0.5, None, 2.0], "label": ["lo", "hi", "lo"]})
    rows.save_to_disk(tmp_path / "d")
    for data in (load_data(tmp_path / "d"), load_data(rows)):
        assert data.features == ("age", "pay")
        assert data.classes == ("hi", "lo")
        np.testing.assert_array_equal(data.batch(np.arange(2))[0].inputs, np.array([[1, 0.5], [2, np.nan]], np.float32))


def test_damaged_pictures_and_missing_files_are_rows_that_cannot_be_read(tmp_path):
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    cells = [{"bytes": png(PICTURES[0]), "path": None}, {"bytes": b"no picture", "path": None},
             {"bytes": None, "path": str(tmp_path / "gone.png")}, None]  # fmt: skip
    rows = datasets.Dataset.from_dict({"image": cells, "label": [0, 1, 0, 1]}, features=features)
    rows._data.validate()
    data = load_data(rows)
    batch, bad = data.batch(np.arange(4))
    assert len(batch) == 1
    assert sorted(bad) == [1, 2, 3]


def test_what_cannot_be_opened_is_one_sentence(refused, tmp_path, monkeypatch):
    def gone(*_):
        raise ConnectionError("no route to host\nsecond")

    monkeypatch.setattr(datasets, "load_dataset", gone)
    refused(lambda: load_data("hf:org/name"), "could not be opened", "no route to host", "save_to_disk")
    refused(lambda: load_data("hf:a:b:c:d"), "too many parts")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "state.json").write_text("{}")
    refused(lambda: load_data(tmp_path / "d"), "could not be opened")


def test_names_configurations_and_splits_are_told_apart(monkeypatch):
    asked = []

    def opened(*words):
        asked.append(words)
        return datasets.DatasetDict(train=pictures(), test=pictures(rows=3))

    monkeypatch.setattr(datasets, "load_dataset", opened)
    assert len(load_data("hf:org/name")) == 3
    assert len(load_data("hf:org/name:train")) == 6
    assert len(load_data("hf:org/name:plain:train")) == 6
    assert asked == [("org/name", None), ("org/name", None), ("org/name", "plain")]
