"""Vector and matrix scaling as files: the exported network gives A s + c, whatever stood after its last layer."""

import numpy as np
import onnxruntime
import pytest

import pfungst
from pfungst.errors import InputError

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

CLASSES, ROWS = 3, 2400
OFF, SHIFT = np.array([0.5, 1.0, 3.0], np.float32), np.array([0.8, 0.0, -0.8], np.float32)


def data(rows=ROWS, seed=0):
    """Inputs that are the true logits, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (rows, CLASSES)).astype(np.float32)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return logits, (shares.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1).clip(0, CLASSES - 1)


def network(path, *, softmax=False, bias=True):
    """A network whose scores are the true logits, each stretched and shifted by a number of its own."""
    nodes = [
        helper.make_node("Gemm", ["input", "w", "b"], ["scores" if softmax else "out"])
        if bias
        else helper.make_node("MatMul", ["input", "w"], ["scores" if softmax else "out"])
    ]
    nodes += [helper.make_node("Softmax", ["scores"], ["out"], axis=1)] if softmax else []
    held = [numpy_helper.from_array(np.diag(OFF), "w"), *([numpy_helper.from_array(SHIFT, "b")] if bias else [])]
    sides = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", CLASSES])] for name in ("input", "out")]
    graph = helper.make_graph(nodes, "g", *sides, held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=7), path)
    return str(path)


def run(path, inputs):
    return onnxruntime.InferenceSession(str(path)).run(None, {"input": inputs})[0]


@pytest.mark.parametrize("method", ["vector", "matrix"])
def test_the_file_gives_what_was_fitted_and_the_stretching_is_gone(tmp_path, method):
    inputs, labels = data()
    model = network(tmp_path / "net.onnx")
    done = pfungst.remedy(method, model, (inputs, labels), out=tmp_path / "mended.onnx")
    lines = {line.name: line for line in done.lines}
    loss = lines["log-loss"]
    assert loss.after.value < loss.before.value - 0.1
    assert (
        lines["accuracy on rows nobody fitted on"].after.value > lines["accuracy on rows nobody fitted on"].before.value
    )
    fresh, _ = data(seed=5)
    given = run(tmp_path / "mended.onnx", fresh)
    apart = (given - given.mean(axis=1, keepdims=True)) - (fresh - fresh.mean(axis=1, keepdims=True))
    assert np.abs(apart).mean() < 0.3, "the scores are the true ones again, but for a constant"
    assert "Each class's score has its own weight" in done.sentence
    assert "the accuracy from" in done.sentence
    assert ("for another class" in done.sentence) == (method == "matrix")
    assert (tmp_path / "mended.onnx").stat().st_size == (tmp_path / "net.onnx").stat().st_size


def test_behind_a_softmax_the_same_weights_are_found(tmp_path):
    inputs, labels = data()
    paths = [tmp_path / name for name in ("plain", "soft")]
    for path, softmax in zip(paths, (False, True), strict=True):
        path.mkdir()
        model = network(path / "net.onnx", softmax=softmax)
        pfungst.remedy("vector", model, (inputs, labels), out=path / "mended.onnx")
    plain, soft = (run(path / "mended.onnx", inputs).astype(float) for path in paths)
    np.testing.assert_allclose(np.exp(plain) / np.exp(plain).sum(axis=1, keepdims=True), soft, atol=1e-4)


def test_without_a_bias_intercepts_are_not_dropped_in_silence(tmp_path):
    with pytest.raises(InputError, match="has no bias to which intercepts could be added"):
        pfungst.remedy("vector", network(tmp_path / "n.onnx", bias=False), data(), out=tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_too_few_rows_are_counted_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match=r"vector scaling with 3 classes needs 60 rows"):
        pfungst.remedy("vector", network(tmp_path / "n.onnx"), data(80), out=tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_a_model_that_shows_no_last_layer_is_told_of_temperature(tmp_path):
    inputs, labels = data(400)
    path = tmp_path / "answers.npz"
    np.savez(path, logits=inputs, labels=labels)
    with pytest.raises(InputError, match="shows no last linear layer"):
        pfungst.remedy("matrix", str(path), None, out=tmp_path / "m.npz")
