"""Every way in which data may be wrong or odd: handled rightly, or refused in one sentence."""

import gzip
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from pfungst.datasets.mapping import permutation
from pfungst.errors import InputError
from pfungst.load import bind, load_data, load_model
from pfungst.task import Columns, Task, task_of

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (12, 4, 4, 3), np.uint8)


def model_of(classes, named=True):
    """A callable with classes; answers the mean of the first channels."""
    model = load_model(lambda x: np.zeros((len(x), len(classes))))
    model.classes, model.named = tuple(classes), named
    return model


def save_images(folder, classes=("cat", "dog"), each=3, size=8):
    for name in classes:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(each):
            Image.fromarray(RNG.integers(0, 256, (size, size, 3), np.uint8)).save(folder / name / f"{i}.png")
    return folder


def labels_of(data):
    return [data.classes[k] if k >= 0 else None for k in data.labels]


# what there is


def test_missing_and_unknown_sources(refused, tmp_path):
    refused(lambda: load_data(tmp_path / "nothing"), "there is no data", "nothing")
    refused(lambda: load_data("gs://mnist"), "gs:", "not read")
    refused(lambda: load_data("x" * 5000), "there is no data")
    refused(lambda: load_data("a\0b"), "there is no data")
    (tmp_path / "a.xlsx").write_bytes(b"x")
    refused(lambda: load_data(tmp_path / "a.xlsx"), "in no form that is read", ".csv")
    refused(lambda: load_data(3.5), "float", "(inputs, labels)")


def test_empty_data(refused, tmp_path):
    refused(lambda: load_data(tmp_path), "holds no images")
    refused(lambda: load_data((np.zeros((0, 4, 4), np.uint8), np.zeros(0))), "has no rows")
    (tmp_path / "e.csv").write_text("text,label\n")
    refused(lambda: load_data(tmp_path / "e.csv"), "no rows")
    (tmp_path / "z.csv").write_text("")
    refused(lambda: load_data(tmp_path / "z.csv"), "cannot be read")
    (tmp_path / "metadata.csv").write_text("file_name,label\n")
    refused(lambda: load_data(tmp_path), "lists no files")


# labels


def test_names_are_mapped_onto_the_models_order():
    data = load_data((IMAGES[:3], np.array(["Great_White Shark", "tench", "dog"])))
    bound = bind(model_of(["dog", "tench, Tinca tinca", "great white shark, man-eater"]), data)
    assert bound.labels.tolist() == [2, 1, 0]
    assert any("mapped by name" in note for note in bound.notes)


def test_names_that_are_not_the_models_are_listed(refused):
    data = load_data((IMAGES, np.array([f"n{i}" for i in range(12)])))
    refused(
        lambda: bind(model_of([f"c{i}" for i in range(20)]), data), "'n0'", "'n2'", "and more", "none of the model's"
    )


def test_more_classes_than_the_model_has(refused):
    data = load_data((IMAGES, np.array(["a", "b", "c"] * 4)))
    refused(lambda: bind(model_of(["a", "b"]), data), "3 classes", "answers 2")


def test_integers_outside_the_classes_name_their_rows(refused):
    refused(lambda: load_data((IMAGES, np.array([0, -1] * 6))), "row 1 has -1", "0..K-1")
    refused(
        lambda: load_data({"inputs": IMAGES, "labels": np.arange(12), "classes": ["a", "b"]}), "row 2 has 2", "0..1"
    )
    data = load_data((IMAGES, np.arange(12)))
    refused(lambda: bind(model_of(["a", "b", "c"]), data), "12 classes", "answers 3")
    sparse = load_data((IMAGES, np.array([1, 7] * 6)))
    refused(lambda: bind(model_of(["a", "b", "c"]), sparse), "outside 0..2", "row 1 has 7")


def test_integers_map_by_position_and_folder_numbers_too(tmp_path):
    data = bind(model_of(["a", "b", "c"]), load_data((IMAGES, np.arange(12) % 3)))
    assert labels_of(data)[:3] == ["a", "b", "c"]
    folder = save_images(tmp_path, ("00000", "00002"))
    data = bind(model_of(["a", "b", "c"]), load_data(folder))
    assert set(labels_of(data)) == {"a", "c"}


def test_integer_classes_that_are_names_win_over_positions():
    bound = bind(model_of(["3", "5", "8"]), load_data((IMAGES, np.array([3, 5, 8] * 4))))
    assert bound.labels[:3].tolist() == [0, 1, 2]


def test_unnamed_models_take_the_datas_names_only_where_they_must_fit(refused):
    data = load_data({"inputs": IMAGES, "labels": np.arange(12) % 3, "classes": np.array(["x", "y", "z"])})
    bound = bind(model_of(["0", "1", "2"], named=False), data)
    assert bound.classes == ("x", "y", "z")
    refused(lambda: bind(model_of(["0", "1", "2", "3"], named=False), data), "without names", "config.json")


def test_two_labels_of_one_class_are_refused(refused):
    data = load_data((IMAGES, np.array(["Cat", "cat"] * 6)))
    refused(lambda: bind(model_of(["cat", "dog"]), data), "both the model's class")


def test_fractions_are_no_classes(refused):
    refused(lambda: load_data((IMAGES, np.linspace(0, 1, 12))), "not whole numbers", "row 1")


def test_missing_labels_are_noted_and_unlabelled_data_read():
    data = load_data((IMAGES, np.array([0.0, np.nan, 1.0] * 4)))
    assert data.labels.tolist()[:3] == [0, -1, 1]
    assert any("4 of 12 rows have no label" in note for note in data.notes)
    bare = bind(model_of(["a", "b"]), load_data(IMAGES))
    assert bare.labels is None
    assert bare.classes == ("a", "b")


def test_one_class_only_is_noted():
    data = bind(model_of(["a", "b"]), load_data((IMAGES, np.zeros(12, int))))
    assert any("all labelled rows are 'a'" in note for note in data.notes)


def test_votes_follow_the_classes_and_stand_in_for_labels():
    votes = np.array([[5, 0, 1], [0, 0, 0], [1, 2, 3]])
    data = load_data({"inputs": IMAGES[:3], "label_counts": votes, "classes": np.array(["c", "b", "a"])})
    assert data.labels.tolist() == [0, -1, 2]
    both = {"inputs": IMAGES[:3], "labels": np.array([0, 1, 2]), "label_counts": votes, "classes": ["c", "b", "a"]}
    bound = bind(model_of(["a", "b", "c", "d"]), load_data(both))
    assert bound.label_counts.tolist() == [[1, 0, 5, 0], [0, 0, 0, 0], [3, 2, 1, 0]]
    numbered = {"inputs": IMAGES[:3], "labels": np.array([0, 1, 0]), "label_counts": votes}
    assert bind(model_of(["a", "b", "c"]), load_data(numbered)).label_counts.tolist() == votes.tolist()


def test_votes_for_classes_in_no_stated_order_are_refused(tmp_path):
    votes, words = np.array([[5, 1], [1, 5], [4, 2]]), np.array(["wolf", "husky", "wolf"])
    given = {"inputs": IMAGES[:3], "labels": words, "label_counts": votes}
    with pytest.raises(InputError, match="which column of `label_counts` stands for which; give `classes`"):
        load_data(given)
    assert load_data({**given, "classes": np.array(["wolf", "husky"])}).labels.tolist() == [0, 1, 0]
    assert load_data(given, task=task_of({"task": {"classes": ["wolf", "husky"]}})).labels.tolist() == [0, 1, 0]
    np.savez(tmp_path / "answers.npz", logits=votes.astype(float), labels=words, label_counts=votes)
    with pytest.raises(InputError, match="nothing says which column"):
        bind(load_model(str(tmp_path / "answers.npz")), None)


def test_permuted_labels_are_recognised_and_named():
    truth = np.arange(400) % 4
    says = np.array([0, 2, 3, 1])[truth]
    says[:40] = RNG.integers(0, 4, 40)
    sentence = permutation(truth, says, ["ant", "bee", "cow", "dog"])
    assert "'cow' meant 'bee'" in sentence
    assert "3 classes differ" in sentence
    assert permutation(truth, np.where(RNG.random(400) < 0.6, truth, (truth + 1) % 4), ["a", "b", "c", "d"]) is None
    assert permutation(truth, RNG.integers(0, 4, 400), ["a", "b", "c", "d"]) is None


def test_strangers_lose_their_labels():
    data = load_data((IMAGES, np.array(["letter A"] * 12)), name="ood:letters")
    assert data.labels is None
    assert bind(model_of(["a", "b"]), data).name == "ood:letters"


# arrays


def test_arrays_of_the_wrong_kind(refused, tmp_path):
    refused(lambda: load_data({"inputs": np.zeros(3)}), "shape (3,)")
    refused(lambda: load_data({"inputs": np.full((2, 4, 4), 300.0)}), "float", "save uint8")
    refused(lambda: load_data({"inputs": np.zeros((2, 4, 4, 7), np.uint8)}), "7 channels")
    refused(lambda: load_data((IMAGES, np.zeros(5, int))), "12 inputs", "(5,)")
    refused(lambda: load_data({"inputs": IMAGES, "labels": np.zeros((12, 2))}), "one class a row")
    refused(lambda: load_data({"inputs": IMAGES, "id": np.zeros(12)}), "two rows with the id")
    np.savez(tmp_path / "x.npz", images=IMAGES)
    refused(lambda: load_data(tmp_path / "x.npz"), "no array `inputs`", "images")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 broken")
    refused(lambda: load_data(tmp_path / "broken.npz"), "cannot be read as .npz")


def test_pickled_arrays_are_refused(refused, tmp_path):
    np.savez(tmp_path / "p.npz", inputs=np.array([{"a": 1}], dtype=object))
    refused(lambda: load_data(tmp_path / "p.npz"), "pickled objects")


def test_channel_axis_layout_and_types():
    assert load_data(IMAGES[..., 0]).shape == (4, 4, 1)
    planar = load_data(IMAGES.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(planar.batch(np.arange(12))[0].inputs, IMAGES)
    assert load_data(IMAGES.astype(np.int64)).batch(np.array([0]))[0].inputs.dtype == np.uint8
    assert load_data(IMAGES / 255.0).batch(np.array([0]))[0].inputs.dtype == np.float32


def test_columns_roles_and_masks(refused, tmp_path):
    np.savez(tmp_path / "d.npz", inputs=IMAGES, labels=np.arange(12) % 2, site=np.array(["A", "B"] * 6),
             patient=np.arange(12) // 2, masks=np.ones((12, 4, 4), bool), note=np.zeros((12, 2)))  # fmt: skip
    data = load_data(tmp_path / "d.npz", task=Task(columns=Columns(unit="patient")))
    assert set(data.columns) == {"site", "patient"}
    assert data.roles.site == ("site",)
    assert data.roles.unit == "patient"
    refused(lambda: load_data(tmp_path / "d.npz", task=Task(columns=Columns(unit="ward"))), "'ward'", "site, patient")
    train = load_data(tmp_path / "d.npz", task=Task(columns=Columns(unit="ward")), name="train")
    assert train.roles.unit is None


def test_masks_are_framed_like_their_images(onnx_classifier):
    model = load_model(onnx_classifier(np.zeros((192, 2)), (3, 8, 8)))
    masks = np.zeros((12, 4, 4), bool)
    masks[:, :2] = True
    data = bind(model, load_data({"inputs": IMAGES, "labels": np.arange(12) % 2, "masks": masks}))
    batch, _ = data.batch(np.arange(3))
    assert batch.inputs.shape == (3, 8, 8, 3)
    assert batch.masks.shape == (3, 8, 8)
    assert batch.masks[:, :4].all()
    assert not batch.masks[:, 4:].any()


def test_fingerprints_follow_the_content(tmp_path):
    a, b = load_data((IMAGES, np.arange(12) % 2)), load_data((IMAGES, np.arange(12) % 3))
    assert a.fingerprint == load_data((IMAGES.copy(), np.arange(12) % 2)).fingerprint != b.fingerprint
    folder = save_images(tmp_path / "f")
    before = load_data(folder).fingerprint
    assert load_data(folder).fingerprint == before
    Image.fromarray(IMAGES[0]).save(folder / "cat" / "0.png")
    assert load_data(folder).fingerprint != before


# folders and archives


def test_folders_of_classes_metadata_and_wrappers(tmp_path):
    plain = load_data(save_images(tmp_path / "plain"))
    assert plain.ids[0] == "cat/0.png"
    assert labels_of(plain) == ["cat"] * 3 + ["dog"] * 3
    save_images(tmp_path / "wrapped" / "val")
    assert labels_of(load_data(tmp_path / "wrapped")) == ["cat"] * 3 + ["dog"] * 3
    flat = save_images(tmp_path / "flat", ("pics",))
    lines = [{"file_name": f"pics/{i}.png", "label": "ab"[i % 2], "site": "x", "age": i} for i in range(3)]
    (flat / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    data = load_data(flat)
    assert labels_of(data) == ["a", "b", "a"]
    assert data.columns["age"].tolist() == [0, 1, 2]
    assert data.batch(np.array([1]))[0].inputs.shape == (1, 8, 8, 3)


def test_images_beside_class_folders_are_refused(refused, tmp_path):
    save_images(tmp_path)
    Image.fromarray(IMAGES[0]).save(tmp_path / "stray.png")
    refused(lambda: load_data(tmp_path), "stray.png", "metadata.csv")


def test_metadata_without_files_or_leaving_the_folder(refused, tmp_path):
    save_images(tmp_path)
    (tmp_path / "metadata.csv").write_text("name,label\ncat/0.png,a\n")
    refused(lambda: load_data(tmp_path), "no column file_name")
    (tmp_path / "metadata.csv").write_text("file_name,label\n../secret.png,a\n")
    refused(lambda: load_data(tmp_path), "leaves the folder")
    (tmp_path / "metadata.csv").write_text("file_name,label\ngone.png,a\n")
    refused(lambda: load_data(tmp_path), "none of the 1 files", "gone.png")
    (tmp_path / "metadata.csv").write_text("file_name,label\ngone.png,a\ncat/0.png,b\n")
    data = load_data(tmp_path)
    _, bad = data.batch(np.arange(2))
    assert bad == {0: "the file is not there"}
    assert any("1 files listed" in note for note in data.notes)
    assert any("images are not listed" in note and "cat/" in note for note in data.notes)


def test_zip_is_read_in_place_like_its_folder(tmp_path):
    folder = save_images(tmp_path / "f")
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.write(path, path.relative_to(folder))
        archive.writestr("__MACOSX/._x.png", b"junk")
    a, b = load_data(folder), load_data(tmp_path / "f.zip")
    assert a.ids == b.ids
    np.testing.assert_array_equal(a.batch(np.arange(6))[0].inputs, b.batch(np.arange(6))[0].inputs)
    assert sorted(tmp_path.iterdir()) == [folder, tmp_path / "f.zip"]


@pytest.mark.parametrize("member", ["../evil.png", "/etc/evil.png", "cat/../../evil.png", "C:/evil.png"])
def test_archive_members_that_leave_it_are_refused(refused, tmp_path, member):
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("cat/a.png", b"x")
        archive.writestr(member, b"x")
    refused(lambda: load_data(tmp_path / "t.zip"), "leaves the archive", "evil.png")


def test_broken_archives(refused, tmp_path):
    (tmp_path / "b.zip").write_bytes(b"PK no archive")
    refused(lambda: load_data(tmp_path / "b.zip"), "zip")


def test_one_corrupt_image_among_a_thousand(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "dog").mkdir()
    for i in range(1001):
        Image.fromarray(RNG.integers(0, 256, (6, 6, 3), np.uint8)).save(
            tmp_path / ("cat", "dog")[i % 2] / f"{i:04}.png"
        )
    broken = tmp_path / "cat" / "0500.png"
    broken.write_bytes(broken.read_bytes()[:60])
    data = load_data(tmp_path)
    batch, bad = data.batch(np.arange(len(data)))
    assert len(batch) == 1000
    assert [data.ids[row] for row in bad] == ["cat/0500.png"]
    assert "damaged" in next(iter(bad.values()))


def test_names_of_every_kind_survive(refused, tmp_path):
    names = ["<script>alert(1)<", "new\nline", "🐎 horse", "x" * 200, "quote\"'", "ünï"]
    for name in names:
        (tmp_path / name).mkdir()
        Image.fromarray(IMAGES[0]).save(tmp_path / name / ("f" * 200 + "<b>.png"))
    data = load_data(tmp_path)
    assert set(data.classes) == set(names)
    assert len(data.batch(np.arange(6))[0]) == 6
    refused(lambda: bind(model_of([f"c{i}" for i in range(6)]), data), "none of the model's")
    long = {"inputs": IMAGES, "labels": np.array(["x" * 300, "y" * 300] * 6)}
    assert bind(model_of(["x" * 300, "y" * 300]), load_data(long)).labels[1] == 1


# tables


def test_tables_of_texts_images_and_features(refused, tmp_path):
    (tmp_path / "t.csv").write_text('text,label,author\n"a, b",ham,x\nc,spam,y\n')
    texts = load_data(tmp_path / "t.csv")
    assert (texts.modality, texts.batch(np.arange(2))[0].inputs.tolist()) == ("text", ["a, b", "c"])
    assert list(texts.columns) == ["author"]
    save_images(tmp_path, ("cat",))
    (tmp_path / "i.csv").write_text("image,label,id\ncat/0.png,a,r1\ncat/gone.png,b,r2\n")
    images = load_data(tmp_path / "i.csv")
    batch, bad = images.batch(np.arange(2))
    assert batch.ids == ("r1",)
    assert bad == {1: "the file is not there"}
    (tmp_path / "f.csv.gz").write_bytes(gzip.compress(b"age,job,pay,income\n1,x,2.5,lo\n2,y,,hi\n"))
    refused(lambda: load_data(tmp_path / "f.csv.gz", task=Task(columns=Columns(label="salary"))), "'salary'", "income")
    table = load_data(tmp_path / "f.csv.gz", task=Task(columns=Columns(label="income")))
    assert table.features == ("age", "job", "pay")
    assert table.classes == ("hi", "lo")
    assert table.batch(np.array([0]))[0].inputs.tolist() == [[1, "x", 2.5]]


def test_numeric_tables_are_floats_in_every_format(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"a": [1, 2, 3], "b": [0.5, None, 1.5], "label": [0, 1, 0]})
    pq.write_table(table, tmp_path / "t.parquet")
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, table.to_pylist())))
    (tmp_path / "t.csv").write_text("a,b,label\n1,0.5,0\n2,,1\n3,1.5,0\n")
    for name in ("t.parquet", "t.jsonl", "t.csv"):
        batch, _ = load_data(tmp_path / name).batch(np.arange(3))
        assert batch.inputs.dtype == np.float64
        np.testing.assert_array_equal(batch.inputs, np.array([[1, 0.5], [2, np.nan], [3, 1.5]], np.float32))


@pytest.mark.parametrize("first", ["ham", {"of": "ham"}])
def test_rows_that_name_their_columns_are_not_taken_for_a_table_without_header(tmp_path, first):
    rows = [{"ham": first, "what": f"line {row}"} for row in range(6)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = load_data(tmp_path / "rows.jsonl")
    assert (len(data), data.classes, data.columns["what"][0]) == (6, (), "line 0")


def test_a_table_without_header_is_recognised(tmp_path):
    (tmp_path / "sms.tsv").write_text('ham\thello "you\nspam\twin now\nham\tok\n')
    data = load_data(tmp_path / "sms.tsv")
    assert len(data) == 3
    assert data.classes == ("ham", "spam")
    assert data.batch(np.array([0]))[0].inputs.tolist() == ['hello "you']


def test_paths_of_tables_may_not_leave_their_folder(refused, tmp_path):
    (tmp_path / "i.csv").write_text("image,label\n/etc/passwd.png,a\n")
    refused(lambda: load_data(tmp_path / "i.csv"), "leaves the folder")


def test_broken_tables(refused, tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"no parquet")
    refused(lambda: load_data(tmp_path / "a.parquet"), "cannot be read as parquet")
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n{broken\n')
    refused(lambda: load_data(tmp_path / "a.jsonl"), "cannot be read as JSON lines", "line 2")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,label\n1,0\n")[:-6])
    refused(lambda: load_data(tmp_path / "a.csv.gz"), "gzip")
    (tmp_path / "a.csv").write_text("a,a,label\n1,2,0\n")
    refused(lambda: load_data(tmp_path / "a.csv"), "two columns named 'a'")
    (tmp_path / "b.csv").write_text("a,label\n1,0\n1,2,3\n")
    refused(lambda: load_data(tmp_path / "b.csv"), "cannot be read as csv")


def test_tables_give_a_network_as_many_columns_as_it_takes(refused, onnx_classifier):
    model = load_model(onnx_classifier(np.eye(2), (2,)))
    table = {"a": np.arange(4.0), "sex": np.array(["m", "f"] * 2), "b": np.arange(4.0), "label": np.arange(4) % 2}
    data = bind(model, load_data(table, task=Task(columns=Columns(group=("sex",)))))
    assert data.features == ("a", "b")
    assert model.predict(data.batch(np.arange(4))[0].inputs).logits.tolist() == [[i, i] for i in range(4)]
    refused(lambda: bind(model, load_data({**table, "c": np.arange(4.0)})), "takes 2 columns", "a, sex, b, c")
