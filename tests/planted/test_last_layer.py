"""Last-layer retraining takes the trick out of a network that learned it, and says what that cost."""

import numpy as np
import pytest

import pfungst
from pfungst.demo import demo_files
from pfungst.errors import InputError
from pfungst.load import load_model
from pfungst.remedies.last_layer import Examples, retrained, worst_group
from pfungst.report.terminal import remedied
from pfungst.task import task_of


def planted(rows=1200, seed=0):
    """The class shows in one feature; a cue that shows ten times as clearly goes along with it in half the examples."""
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % 3
    cue = np.where(rng.random(rows) < 0.5, labels, rng.integers(0, 3, rows))
    features = np.concatenate([np.eye(3)[labels], 10 * np.eye(3)[cue]], axis=1) + rng.normal(0, 0.3, (rows, 6))
    return features.astype(np.float32), labels, cue


def test_even_groups_make_the_layer_look_at_the_class():
    features, labels, cue = planted()
    layer = retrained(Examples(features, labels, np.ones(len(labels)), labels * 3 + cue), 3)
    asked, truth, shown = planted(seed=1)
    right = layer(asked).argmax(axis=1) == truth
    assert worst_group(right, truth * 3 + shown) > 0.85
    assert np.abs(layer.weight[:, 3:]).max() < 0.2 * np.abs(layer.weight[:, :3]).max()


def test_same_seed_same_layer():
    features, labels, cue = planted(rows=300)
    examples = Examples(features, labels, np.ones(len(labels)), labels * 3 + cue)
    np.testing.assert_array_equal(retrained(examples, 3).weight, retrained(examples, 3).weight)


def test_a_class_without_rows_is_named():
    features, labels, cue = planted(rows=300)
    examples = Examples(features, labels, np.ones(len(labels)), labels * 3 + cue)
    with pytest.raises(InputError, match="no rows of class 3 are there"):
        retrained(examples, 4)


def test_the_embedded_network_loses_its_trick(tmp_path):
    files = demo_files()
    done = pfungst.remedy("last-layer", str(files.model), str(files.data), out=tmp_path / "m.onnx", only=("shortcuts",))
    lines = {line.name: line for line in done.lines}
    reliance = lines["reliance on region:bottom-right"]
    assert reliance.before.low > 0.8
    assert reliance.after.high < 0.3
    plain = lines["accuracy on rows nobody fitted on"]
    assert plain.after.value > plain.before.value - 0.08
    assert (tmp_path / "config.json").exists()
    answers = pfungst.audit(str(done.model), str(files.data), only=("calibration",))
    assert answers.report.headline[0].accuracy.value == done.after.report.headline[0].accuracy.value
    assert done.sentence.startswith("The last layer was fitted anew without region:bottom-right")
    assert remedied(done.lines, done.sentence) is not None


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"cue": "region:nowhere"}, "there is no cue 'region:nowhere'"),
        ({"column": "site"}, "there is no column 'site'"),
        ({"method": "prayer"}, "there is no remedy 'prayer'"),
    ],
)
def test_what_is_not_there_is_named(tmp_path, more, words):
    files = demo_files()
    given = {"method": "last-layer", "only": ("calibration",), "rows": 400, **more}
    with pytest.raises(InputError, match=words):
        pfungst.remedy(given.pop("method"), str(files.model), str(files.data), out=tmp_path / "m.onnx", **given)


def test_rows_without_labels_are_refused(tmp_path):
    files = demo_files()
    bare = {"inputs": np.load(files.data)["inputs"][:100]}
    with pytest.raises(InputError, match="carries no labels; a layer is fitted to labelled rows"):
        pfungst.remedy("last-layer", str(files.model), bare, out=tmp_path / "m.onnx", only=("shortcuts",), cue="border")


def test_a_model_without_a_last_layer_is_refused(tmp_path):
    answers = tmp_path / "answers.npz"
    np.savez(answers, probs=np.full((60, 2), 0.5), labels=np.arange(60) % 2)
    files = demo_files()
    with pytest.raises(InputError, match=r"last layer|holds"):
        pfungst.remedy("last-layer", str(answers), str(files.data), out=tmp_path / "m.npz")


def test_a_layer_without_a_bias_is_given_none():
    """Dropping the bias that was fitted would be another model than the one that was judged."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2, bias=False))
    model = load_model(net, task=task_of({"task": {"classes": ["a", "b"]}}))
    assert model.with_last_layer(np.ones((2, 4), np.float32), np.zeros(2, np.float32))
    with pytest.raises(InputError, match="no bias"):
        model.with_last_layer(np.ones((2, 4), np.float32), np.ones(2, np.float32))
