"""Features are the input of the layer that makes the scores: its weight and bias give the scores back."""

import numpy as np
import pytest

from pfungst.demo import demo_files
from pfungst.load import load_model
from pfungst.models.protobuf import last_linear, with_output
from pfungst.task import Task, task_of

onnxruntime = pytest.importorskip("onnxruntime")
PICTURES = np.random.default_rng(0).integers(0, 256, (7, 32, 32, 3)).astype(np.uint8)


def test_scores_of_an_onnx_file_follow_from_its_features():
    model = load_model(str(demo_files().model), task=Task())
    assert "features" in model.offers
    outputs = model.predict(PICTURES)
    weight, bias = model.last_layer()
    assert outputs.features.shape == (7, weight.shape[1])
    np.testing.assert_allclose(outputs.features @ weight.T + bias, outputs.logits, atol=1e-4)


def test_another_last_layer_is_written_in_place_and_gives_other_scores(tmp_path):
    data = demo_files().model.read_bytes()
    session = onnxruntime.InferenceSession(data)
    linear = last_linear(data, session.get_outputs()[0].name)
    weight, bias = linear.read(data)
    other = linear.replaced(data, -weight, bias + 1)
    assert len(other) == len(data)
    np.testing.assert_array_equal(linear.read(other)[0], -weight)
    path = tmp_path / "model.onnx"
    path.write_bytes(other)
    for beside in ("config.json", "preprocessor_config.json"):
        (tmp_path / beside).write_bytes((demo_files().model.parent / beside).read_bytes())
    changed = load_model(str(path), task=Task()).predict(PICTURES)
    np.testing.assert_allclose(changed.features @ -weight.T + bias + 1, changed.logits, atol=1e-4)


def test_an_inner_value_becomes_an_output_by_appending_bytes():
    data = demo_files().model.read_bytes()
    linear = last_linear(data, onnxruntime.InferenceSession(data).get_outputs()[0].name)
    names = [one.name for one in onnxruntime.InferenceSession(with_output(data, linear.features)).get_outputs()]
    assert names[1:] == [linear.features]


@pytest.mark.parametrize("data", [b"", b"no protobuf at all", b"\x3a\xff\xff\xff\xff\x0f"])
def test_what_is_no_graph_has_no_last_layer(data):
    assert last_linear(data, "scores") is None


def test_scores_of_a_module_follow_from_its_features():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(3600, 5))
    model = load_model(net, task=task_of({"task": {"classes": list("abcde")}}))
    assert "features" in model.offers
    outputs = model.predict(PICTURES)
    weight, bias = model.last_layer()
    np.testing.assert_allclose(outputs.features @ weight.T + bias, outputs.logits, atol=1e-4)


def test_a_layer_asked_for_every_token_offers_no_features():
    torch = pytest.importorskip("torch")

    class Tokens(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.head = torch.nn.Conv2d(3, 3, 1), torch.nn.Linear(3, 5)

        def forward(self, x):
            return self.head(self.stem(x).flatten(2).transpose(1, 2)).mean(dim=1)

    model = load_model(Tokens(), task=task_of({"task": {"classes": list("abcde")}}))
    assert model.predict(PICTURES).features is None
    assert "features" not in model.offers
