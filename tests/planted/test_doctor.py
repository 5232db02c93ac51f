"""Each of the doctor's checks finds its planted mistake and is quiet without it."""

import json
import shutil
import tomllib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pfungst.datasets.mapping import permutation
from pfungst.doctor import examine, lines
from pfungst.load import bind, load_data, load_model
from pfungst.models.preprocess import IMAGENET_MEAN, IMAGENET_STD
from pfungst.task import Columns, Preprocess, Task, task_of

RNG = np.random.default_rng(1)
CLASSES = ("ant", "bee", "cow", "dog")
TEMPLATES = np.clip(RNG.normal(128, 40, (4, 4, 4, 3)), 0, 255)
LABELS = RNG.permutation(np.arange(400) % 4)
IMAGES = np.clip(TEMPLATES[LABELS] + RNG.normal(0, 75, (400, 4, 4, 3)), 0, 255).astype(np.uint8)
RIGHT = Preprocess(mean=IMAGENET_MEAN, std=IMAGENET_STD)


@pytest.fixture
def nearest(onnx_classifier):
    """A network that names the nearest template after ImageNet's mean and std; ``order`` permutes its answers."""

    def build(order=(0, 1, 2, 3), *, task=None, **options):
        mean, std = np.array(IMAGENET_MEAN), np.array(IMAGENET_STD)
        scaled = ((TEMPLATES / 255 - mean) / std).transpose(0, 3, 1, 2).reshape(4, -1)[list(order)]
        path = onnx_classifier(scaled.T, (3, 4, 4), bias=-(scaled**2).sum(axis=1) / 2, **options)
        (path.parent / "config.json").write_text(json.dumps({"id2label": dict(enumerate(CLASSES))}))
        return load_model(path, task=Task(preprocess=RIGHT) if task is None else task)

    return build


def found(model, source=(IMAGES, LABELS), task=Task(), **companions):  # noqa: B008
    data = bind(model, load_data(source, task=task), task)
    return {check.name: check for check in examine(model, replace(data, companions=companions))}


def test_a_sound_model_gets_no_warning(nearest):
    checks = found(nearest())
    assert {name: check.outcome for name, check in checks.items() if check.outcome != "ok"} == {}
    assert {"class order", "accuracy", "outputs", "preprocessing", "determinism", "layout and size"} <= set(checks)


def test_permuted_classes_stop(nearest):
    checks = found(nearest((1, 2, 0, 3)))
    check = checks["class order"]
    assert "preprocessing" not in checks
    assert check.outcome == "stop"
    assert "answer 'ant' meant 'bee'" in check.saw


def test_no_permutation_is_seen_in_random_answers_of_many_classes():
    rng = np.random.default_rng(0)
    alarms = sum(
        permutation(rng.integers(0, k, n), rng.integers(0, k, n), [str(i) for i in range(k)]) is not None
        for k in (2, 10, 1000)
        for n in (12, 60, 256)
        for _ in range(60)
    )
    assert alarms <= 3


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (None, "ImageNet mean and std"),
        (Preprocess(rescale=1.0), "ImageNet mean and std"),
        (Preprocess(mean=IMAGENET_MEAN, std=IMAGENET_STD, bgr=True), "blue and red swapped"),
    ],
)
def test_wrong_preprocessing_is_noticed_and_named(nearest, wrong, named):
    check = found(nearest(task=Task(preprocess=wrong)))["preprocessing"]
    assert check.outcome == "warn"
    assert f"{named} fits better" in check.saw


def test_only_what_somebody_said_is_called_declared(nearest):
    told, guessed = found(nearest())["preprocessing"], found(nearest(task=Task()))["preprocessing"]
    assert "as declared" in told.saw
    assert told.will == "the declared preprocessing is used"
    assert "as inferred" in guessed.saw
    assert "declared" not in guessed.saw + guessed.will


def test_models_at_chance_do_not_prefer_a_preprocessing(onnx_classifier):
    rng = np.random.default_rng(0)
    models = (
        load_model(onnx_classifier(rng.normal(size=(48, 4)), (3, 4, 4), name=f"{i}.onnx"), task=Task(preprocess=RIGHT))
        for i in range(40)
    )
    noise = (rng.integers(0, 256, (256, 4, 4, 3), np.uint8), rng.integers(0, 4, 256))
    assert sum(found(model, noise)["preprocessing"].outcome == "warn" for model in models) <= 2


def test_undeclared_probabilities_are_noticed():
    def says(images):
        z = (images.reshape(len(images), -1) @ TEMPLATES.reshape(4, -1).T / 1e5).astype(np.float64)
        return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)

    assert found(load_model(says))["outputs"].outcome == "warn"
    assert found(load_model(says, outputs="probabilities"))["outputs"].outcome == "ok"


def test_constant_and_missing_answers_stop(onnx_classifier):
    constant = load_model(onnx_classifier(np.zeros((48, 4)), (3, 4, 4)))
    assert found(constant)["outputs"].outcome == "stop"
    broken = load_model(onnx_classifier(np.zeros((48, 4)), (3, 4, 4), bias=np.full(4, np.nan), name="nan.onnx"))
    check = found(broken)["outputs"]
    assert check.outcome == "stop"
    assert "NaN" in check.saw


def test_random_answers_and_batch_statistics_are_noticed():
    rng = np.random.default_rng(0)

    def random(images):
        return rng.normal(size=(len(images), 4))

    def batchwise(images):
        flat = images.reshape(len(images), -1).astype(float)
        return (flat - flat.mean(axis=0)) @ TEMPLATES.reshape(4, -1).T

    assert "other answers" in found(load_model(random))["determinism"].saw
    assert "other rows" in found(load_model(batchwise))["determinism"].saw


def test_chance_and_ceiling_are_noticed():
    rng = np.random.default_rng(0)
    chance = found(load_model(lambda x: rng.normal(size=(len(x), 4))))["accuracy"]
    assert "no more than chance" in chance.saw
    clean = TEMPLATES[LABELS].astype(np.uint8)
    perfect = found(
        load_model(lambda x: -((x.astype(float)[:, None] - TEMPLATES) ** 2).sum((2, 3, 4))), (clean, LABELS)
    )
    assert "every row right" in perfect["accuracy"].saw


def test_unreadable_files_and_duplicates_are_listed(tmp_path, nearest):
    for i in range(40):
        folder = tmp_path / "data" / CLASSES[LABELS[i]]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(IMAGES[i]).save(folder / f"{i:02}.png")
    sound = found(nearest(), tmp_path / "data")
    assert not {"unreadable", "duplicates"} & set(sound)
    first = sorted((tmp_path / "data").rglob("*.png"))
    first[0].write_bytes(b"broken")
    shutil.copy(first[1], first[1].with_name("copy.png"))
    checks = found(nearest(), tmp_path / "data")
    assert first[0].name in checks["unreadable"].saw
    assert "1 of 41 rows repeat" in checks["duplicates"].saw
    assert "copy.png" in checks["duplicates"].saw


def test_nothing_readable_stops(tmp_path, nearest):
    (tmp_path / "data" / "ant").mkdir(parents=True)
    (tmp_path / "data" / "ant" / "a.png").write_bytes(b"broken")
    assert found(nearest(), tmp_path / "data")["unreadable"].outcome == "stop"


def test_rows_of_the_training_data_are_found(nearest):
    train = load_data((np.concatenate([IMAGES[:3], 255 - IMAGES[:20]]), LABELS[:23]), name="train")
    assert "3 rows are in the training data" in found(nearest(), train=train)["leak"].saw
    apart = load_data((255 - IMAGES, LABELS), name="train")
    assert "leak" not in found(nearest(), train=apart)


def test_empty_classes_are_named(nearest):
    kept = LABELS != 2
    assert "1 of 4 classes have no row: cow" in found(nearest(), (IMAGES[kept], LABELS[kept]))["empty classes"].saw


def test_columns_that_may_play_a_part_are_proposed(nearest):
    source = {
        "inputs": IMAGES, "labels": LABELS, "patient": np.arange(400) // 4, "device": np.array(["A", "B"] * 200),
        "sex": np.array(["m", "f"] * 200), "weight": RNG.normal(size=400),
    }  # fmt: skip
    check = found(nearest(), source)["columns"]
    proposed = tomllib.loads(check.otherwise.split(": ", 1)[1].replace("  ", "\n"))
    assert proposed == {"columns": {"unit": "patient", "site": ["device"], "group": ["sex"]}}
    task = Task(columns=Columns(unit="patient", site=("device",), group=("sex",)))
    assert "columns" not in found(nearest(), source, task)


def test_the_printed_task_file_reads_back_to_the_same_model(nearest, tmp_path):
    model = nearest()
    source = {"inputs": IMAGES, "labels": LABELS, "ward": np.array(["A", "B"] * 200)}
    data = bind(model, load_data(source, task=Task(columns=Columns(site=("ward",)))))
    text = "\n".join(lines(examine(model, data), model, data)).split("# As a task file:\n")[1]
    task = task_of(tomllib.loads(text))
    assert task.task.classes == CLASSES
    assert task.columns.site == ("ward",)
    (tmp_path / "config.json").unlink()
    again = load_model(tmp_path / "model.onnx", task=task)
    assert again.classes == CLASSES
    np.testing.assert_array_equal(again.predict(IMAGES[:5]).logits, model.predict(IMAGES[:5]).logits)


def test_quantised_network_with_wrong_preprocessing_is_noticed(shared_data, tmp_path):
    folder = shared_data / "models" / "imagenet_mobilenetv2_int8"
    for name in ("model.onnx", "config.json"):
        (tmp_path / name).symlink_to(folder / name)
    model = load_model(tmp_path / "model.onnx", threads=1)
    data = bind(model, load_data(shared_data / "images" / "imagenette_val_300.zip"))
    checks = {check.name: check for check in examine(model, data, rows=100)}
    assert "ImageNet mean and std fits better" in checks["preprocessing"].saw


def test_lines_say_what_is_done_and_how_to_say_otherwise(nearest):
    model = nearest((1, 2, 0, 3))
    data = bind(model, load_data((IMAGES, LABELS)))
    text = "\n".join(lines(examine(model, data), model, data))
    assert "X class order" in text
    assert "to say otherwise" in text
    assert not {"no issues", "good job", "safe"} & set(text.lower().split())
