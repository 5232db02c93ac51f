"""Every way in which a model may be wrong or odd: handled rightly, or refused in one sentence."""

import json
import pickle
import sys

import numpy as np
import pytest

from pfungst.load import bind, load_data, load_model
from pfungst.models.protobuf import last_operation
from pfungst.outputs import NotFinite
from pfungst.task import Preprocess as Section
from pfungst.task import Question, Task

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (12, 4, 4, 3), np.uint8)
WEIGHTS = RNG.normal(size=(48, 3)).astype(np.float32)


def test_missing_file_is_named(refused, tmp_path):
    refused(lambda: load_model(tmp_path / "nothing.onnx"), "there is no model", "nothing.onnx", "give")


@pytest.mark.parametrize("source", ["file://b/m.onnx", "gs://b/m.onnx"])
def test_forms_that_are_not_read_list_those_that_are(refused, source):
    refused(lambda: load_model(source), "is not read", "model.onnx")


def test_text_named_onnx(refused, tmp_path):
    (tmp_path / "m.onnx").write_text("I am no network")
    refused(lambda: load_model(tmp_path / "m.onnx"), "m.onnx is not an ONNX network")


def test_truncated_onnx(refused, onnx_classifier):
    path = onnx_classifier(WEIGHTS, (3, 4, 4))
    path.write_bytes(path.read_bytes()[:-150])
    refused(lambda: load_model(path), "is not an ONNX network")


def test_unknown_suffix_and_empty_folder(refused, tmp_path):
    (tmp_path / "m.bin2").write_bytes(b"x")
    refused(lambda: load_model(tmp_path / "m.bin2"), "in no form that is read")
    refused(lambda: load_model(tmp_path), "no model.onnx")


def test_bare_weights_ask_for_the_factory(refused, tmp_path):
    (tmp_path / "w.pt").write_bytes(b"x")
    refused(lambda: load_model(tmp_path / "w.pt"), "weights and not the network", "file.py:factory")
    refused(lambda: load_model(tmp_path), "holds weights (w.pt)", "file.py:factory")


def test_pickle_needs_trust(refused, tmp_path):
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps({"a": 1}))
    refused(lambda: load_model(path), "is a pickle", "--trust-pickle")


def test_inputs_and_outputs_by_name(refused, onnx_classifier):
    path = onnx_classifier(WEIGHTS, (3, 4, 4))
    assert load_model(path, output="logits").classes == ("0", "1", "2")
    refused(lambda: load_model(path, output="probs"), "has no output 'probs'", "logits")
    refused(lambda: load_model(path, input="pixels"), "has no input 'pixels'", "input")


def test_outputs_that_are_no_scores_of_classes(refused, onnx_classifier):
    path = onnx_classifier(RNG.normal(size=(48, 12)), (3, 4, 4), reshape=(3, 2, 2))
    refused(lambda: load_model(path), "shape", "(rows, classes)", "--output")


def test_graphs_of_two_inputs_and_of_label_outputs_are_refused(refused, tmp_path):
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto

    def save(name, inputs, nodes, kind):
        held = [helper.make_tensor_value_info(each, kinds.FLOAT, ["n", 4]) for each in inputs]
        graph = helper.make_graph(nodes, "g", held, [helper.make_tensor_value_info("y", kind, ["n", 4])])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / name)
        return tmp_path / name

    two = save("two.onnx", ("a", "b"), [helper.make_node("Add", ["a", "b"], ["y"])], kinds.FLOAT)
    refused(lambda: load_model(two), "2 inputs at once", "a, b")
    whole = save("int.onnx", ("a",), [helper.make_node("Cast", ["a"], ["y"], to=kinds.INT64)], kinds.INT64)
    refused(lambda: load_model(whole), "tensor(int64)", "not scores", "--output")


def test_trailing_axes_of_one_are_dropped(onnx_classifier):
    model = load_model(onnx_classifier(WEIGHTS, (3, 4, 4), reshape=(3, 1, 1)))
    assert model.predict(IMAGES).logits.shape == (12, 3)


def test_layout_is_read_from_the_graph(onnx_classifier):
    planar = load_model(onnx_classifier(WEIGHTS, (3, 4, 4), name="a.onnx"))
    last = load_model(onnx_classifier(WEIGHTS, (4, 4, 3), name="b.onnx"))
    grey = load_model(onnx_classifier(WEIGHTS[:16], (4, 4), name="c.onnx"))
    scaled = IMAGES / 255.0
    for model, numbers in (
        (planar, scaled.transpose(0, 3, 1, 2).reshape(12, -1)),
        (last, scaled.reshape(12, -1)),
    ):
        np.testing.assert_allclose(model.predict(IMAGES).logits, numbers @ WEIGHTS, rtol=1e-4, atol=1e-5)
        assert model.frame.size == (4, 4)
        assert model.frame.channels == 3
    got = grey.predict(IMAGES[..., :1]).logits
    np.testing.assert_allclose(got, scaled[..., 0].reshape(12, -1) @ WEIGHTS[:16], rtol=1e-4, atol=1e-5)


def test_a_fixed_batch_is_filled_and_answers_alike(onnx_classifier):
    free = load_model(onnx_classifier(WEIGHTS, (3, 4, 4), name="free.onnx"))
    for size in (1, 5):
        fixed = load_model(onnx_classifier(WEIGHTS, (3, 4, 4), batch=size, name=f"fixed{size}.onnx"))
        np.testing.assert_allclose(fixed.predict(IMAGES).logits, free.predict(IMAGES).logits, rtol=1e-5)


def test_integer_graphs_get_raw_pixels(onnx_classifier):
    model = load_model(onnx_classifier(WEIGHTS, (3, 4, 4), kind="uint8"))
    expected = IMAGES.transpose(0, 3, 1, 2).reshape(12, -1).astype(np.float32) @ WEIGHTS
    np.testing.assert_allclose(model.predict(IMAGES).logits, expected, rtol=1e-4)
    np.testing.assert_allclose(model.predict((IMAGES / 255).astype(np.float32)).logits, expected, rtol=1e-4)


@pytest.mark.parametrize(("last", "normalised"), [("Softmax", True), ("LogSoftmax", True), (None, False)])
def test_softmax_is_proved_from_the_graph(onnx_classifier, last, normalised):
    path = onnx_classifier(WEIGHTS, (3, 4, 4), last=last)
    model = load_model(path)
    assert model.normalised is normalised
    plain = load_model(onnx_classifier(WEIGHTS, (3, 4, 4), name="plain.onnx")).predict(IMAGES)
    np.testing.assert_allclose(model.predict(IMAGES).probabilities, plain.probabilities, atol=1e-5)
    assert last_operation(path.read_bytes(), "logits") == (last or "Gemm")


def test_sigmoids_of_many_classes_are_refused_and_of_one_read(refused, onnx_classifier):
    refused(lambda: load_model(onnx_classifier(WEIGHTS, (3, 4, 4), last="Sigmoid")), "sigmoid", "--output")
    one = load_model(onnx_classifier(WEIGHTS[:, :1], (3, 4, 4), last="Sigmoid", name="one.onnx"))
    assert one.classes == ("0", "1")
    logit = IMAGES.transpose(0, 3, 1, 2).reshape(12, -1) / 255.0 @ WEIGHTS[:, 0]
    np.testing.assert_allclose(one.predict(IMAGES).probabilities[:, 1], 1 / (1 + np.exp(-logit)), atol=1e-5)


def test_logits_declared_probabilities_are_refused_by_row(refused, onnx_classifier):
    model = load_model(onnx_classifier(WEIGHTS, (3, 4, 4)), outputs="probabilities")
    refused(lambda: model.predict(IMAGES), "are no probabilities", "row", "--outputs logits", "in the task file")
    refused(lambda: load_model(onnx_classifier(WEIGHTS, (3, 4, 4)), outputs="scores"), "'scores'", "logits")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_name_their_rows(onnx_classifier, value):
    weights = WEIGHTS.copy()
    weights[:] = 1.0
    model = load_model(onnx_classifier(weights, (3, 4, 4), bias=np.array([0.0, value, 0.0])))
    with pytest.raises(NotFinite, match="row"):
        model.predict(IMAGES)


def test_class_names_from_config_labels_or_task(onnx_classifier, tmp_path):
    path = onnx_classifier(WEIGHTS, (3, 4, 4))
    task = Task(task=Question(classes=("x", "y", "z")))
    assert load_model(path, task=task).classes == ("x", "y", "z")
    (tmp_path / "labels.txt").write_text("ant\nbee\ncow\n")
    assert load_model(path, task=task).classes == ("ant", "bee", "cow")
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"0": "cat", "1": "dog", "2": "eel"}}))
    assert load_model(path).classes == ("cat", "dog", "eel")
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"0": "0", "1": "1", "2": "2"}}))
    assert load_model(path, task=task).classes == ("x", "y", "z")
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"0": "cat", "1": "cat", "2": "eel"}}))
    assert load_model(path).classes == ("cat (0)", "cat (1)", "eel")


@pytest.mark.parametrize("names", [{"0": "cat", "1": "dog"}, {"1": "cat", "2": "dog", "3": "eel"}])
def test_class_names_that_do_not_fit_are_refused(refused, onnx_classifier, tmp_path, names):
    path = onnx_classifier(WEIGHTS, (3, 4, 4))
    (tmp_path / "config.json").write_text(json.dumps({"id2label": names}))
    refused(lambda: load_model(path), "classes" if len(names) == 2 else "number the classes from 0")


def test_broken_configuration_files_are_named(refused, onnx_classifier, tmp_path):
    path = onnx_classifier(WEIGHTS, (3, 4, 4))
    for text in (
        "{",
        "[1]",
        '{"size": {"longest_edge": 3}}',
        '{"image_mean": "a"}',
        '{"size": {"height": 9, "width": 4}}',
    ):
        (tmp_path / "preprocessor_config.json").write_text(text)
        refused(lambda: load_model(path), "preprocessor_config.json")


def test_task_file_prepares_where_no_file_does(onnx_classifier, tmp_path):
    path = onnx_classifier(WEIGHTS, (3, 4, 4))
    task = Task(preprocess=Section(rescale=1.0, mean=(10.0,), std=(2.0,), bgr=True))
    numbers = ((IMAGES[..., ::-1].astype(float) - 10) / 2).transpose(0, 3, 1, 2).reshape(12, -1)
    got = load_model(path, task=task).predict(IMAGES).logits
    np.testing.assert_allclose(got, numbers @ WEIGHTS, rtol=1e-3, atol=1e-3)
    (tmp_path / "preprocessor_config.json").write_text('{"do_normalize": false, "do_resize": false}')
    beside = load_model(path, task=task).predict(IMAGES).logits
    np.testing.assert_allclose(
        beside, IMAGES.transpose(0, 3, 1, 2).reshape(12, -1) / 255.0 @ WEIGHTS, rtol=1e-3, atol=1e-3
    )


def test_images_of_other_channels_and_sizes_are_framed(onnx_classifier):
    model = load_model(onnx_classifier(WEIGHTS, (3, 4, 4)))
    grey = bind(model, load_data((IMAGES[..., 0], np.arange(12) % 3)))
    assert grey.batch(np.arange(12))[0].inputs.shape == (12, 4, 4, 3)
    large = bind(model, load_data((np.kron(IMAGES, np.ones((1, 2, 2, 1), np.uint8)), np.arange(12) % 3)))
    assert large.batch(np.arange(12))[0].inputs.shape == (12, 4, 4, 3)
    assert grey.shape == large.shape == (4, 4, 3)


def test_tables_for_an_image_network_are_refused_with_both_shapes(refused, onnx_classifier):
    model = load_model(onnx_classifier(WEIGHTS, (3, 4, 4)))
    refused(lambda: model.predict(RNG.normal(size=(5, 48)).astype(np.float32)), "takes images", "(48,)")
    flat = load_model(onnx_classifier(WEIGHTS, (48,), name="flat.onnx"))
    refused(lambda: flat.predict(RNG.normal(size=(5, 47)).astype(np.float32)), "48", "47")


def test_images_are_flattened_for_a_network_of_rows(onnx_classifier):
    model = load_model(onnx_classifier(WEIGHTS[:16], (16,)))
    data = bind(model, load_data((IMAGES[..., 0], np.arange(12) % 3)))
    got = model.predict(data.batch(np.arange(12))[0].inputs).logits
    np.testing.assert_allclose(got, IMAGES[..., 0].reshape(12, -1) / 255.0 @ WEIGHTS[:16], rtol=1e-4, atol=1e-5)
    assert any("flattened" in note for note in data.notes)


def test_what_was_inferred_is_said(onnx_classifier):
    notes = " ".join(load_model(onnx_classifier(WEIGHTS, (3, 4, 4))).notes)
    assert "no preprocessing was given" in notes
    assert "read as logits" in notes


def test_fingerprint_follows_weights_names_and_preprocessing(onnx_classifier):
    path = onnx_classifier(WEIGHTS, (3, 4, 4))
    first = load_model(path).fingerprint
    assert load_model(path).fingerprint == first
    marks = {first, load_model(onnx_classifier(WEIGHTS * 2, (3, 4, 4), name="b.onnx")).fingerprint}
    marks.add(load_model(path, task=Task(preprocess=Section(rescale=1.0))).fingerprint)
    marks.add(load_model(path, task=Task(task=Question(classes=("a", "b", "c")))).fingerprint)
    marks.add(load_model(path, outputs="probabilities").fingerprint)
    assert len(marks) == 5


def test_open_sessions_are_models(onnx_classifier):
    import onnxruntime

    path = onnx_classifier(WEIGHTS, (3, 4, 4))
    model = load_model(onnxruntime.InferenceSession(str(path)))
    np.testing.assert_array_equal(model.predict(IMAGES).logits, load_model(path).predict(IMAGES).logits)


def test_callables_are_shown_inputs_as_they_are():
    def brightness(images):
        assert images.dtype == np.uint8
        m = images.mean(axis=(1, 2, 3))
        return np.stack([255 - m, m], axis=1)

    model = load_model(brightness)
    data = bind(model, load_data((IMAGES, np.arange(12) % 2)))
    assert (model.classes, data.classes) == (("0", "1"), ("0", "1"))
    assert len(model.predict(IMAGES)) == 12
    assert model.fingerprint == load_model(brightness).fingerprint


def test_callables_that_raise_or_answer_nonsense_are_refused(refused):
    refused(lambda: load_model(lambda x: x / "a").predict(IMAGES), "raised", "TypeError")
    refused(lambda: load_model(lambda x: x.mean(axis=3) / 255).predict(IMAGES), "(rows, classes)")
    refused(lambda: load_model(lambda _: np.array(["a"] * 12)).predict(IMAGES), "(rows, classes)")
    refused(lambda: load_model(3), "int is no form")


def test_callables_with_unknown_state_are_never_taken_for_each_other():
    def make(thing):
        return lambda x: thing.scores(x) * 2

    assert load_model(make(object())).fingerprint != load_model(make(object())).fingerprint


def test_torch_factory_with_weights(tmp_path):
    torch = pytest.importorskip("torch")
    (tmp_path / "net.py").write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "import torch\n"
        "@dataclass\nclass Size:\n    k: int = 3\n"
        "def net():\n    from neighbour import K\n    assert Size().k == K\n"
        "    return torch.nn.Sequential(torch.nn.Conv2d(3, K, 4), torch.nn.Dropout(), torch.nn.Flatten())\n"
    )
    (tmp_path / "neighbour.py").write_text("K = 3\n")
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 4), torch.nn.Dropout(), torch.nn.Flatten())
    plain = {k: v.clone() for k, v in module.state_dict().items()}
    expected = None
    for i, held in enumerate((plain, {"state_dict": plain, "epoch": 3}, {f"module.{k}": v for k, v in plain.items()})):
        torch.save(held, tmp_path / f"w{i}.pt")
        model = load_model(f"{tmp_path}/net.py:net", weights=tmp_path / f"w{i}.pt")
        answers = model.predict(IMAGES).logits
        expected = answers if expected is None else expected
        np.testing.assert_array_equal(answers, expected)
    in_memory = load_model(module).predict(IMAGES).logits
    np.testing.assert_array_equal(in_memory, expected)
    sys.modules.pop("neighbour", None)


def test_safetensors_are_read(tmp_path):
    torch = pytest.importorskip("torch")
    save_file = pytest.importorskip("safetensors.torch").save_file
    (tmp_path / "net.py").write_text("import torch\ndef net():\n    return torch.nn.Linear(48, 3)\n")
    module = torch.nn.Linear(48, 3)
    save_file(module.state_dict(), tmp_path / "w.safetensors")
    model = load_model(f"{tmp_path}/net.py:net", weights=tmp_path / "w.safetensors")
    np.testing.assert_array_equal(model.predict(IMAGES).logits, load_model(module).predict(IMAGES).logits)


def test_torch_factories_and_weights_that_do_not_fit(refused, tmp_path):
    torch = pytest.importorskip("torch")
    net = tmp_path / "net.py"
    net.write_text(
        "import torch\ndef net():\n    return torch.nn.Linear(48, 3)\ndef bad():\n    raise OSError('no disk')\n"
    )
    refused(lambda: load_model(f"{net}:nothing"), "has no function 'nothing'", "net")
    refused(lambda: load_model(f"{net}:bad"), "OSError", "no disk")
    refused(lambda: load_model(f"{tmp_path}/absent.py:net"), "there is no file")
    refused(lambda: load_model("no_such_package_here:net"), "could not be imported")
    torch.save(torch.nn.Linear(48, 4).state_dict(), tmp_path / "wide.pt")
    refused(lambda: load_model(f"{net}:net", weights=tmp_path / "wide.pt"), "do not fit", "size mismatch")
    torch.save({"other.weight": torch.zeros(1)}, tmp_path / "other.pt")
    refused(lambda: load_model(f"{net}:net", weights=tmp_path / "other.pt"), "2 tensors are missing")
    (tmp_path / "evil.pt").write_bytes(pickle.dumps(print))
    refused(lambda: load_model(f"{net}:net", weights=tmp_path / "evil.pt"), "plain weights")
    torch.save(torch.nn.Linear(48, 3), tmp_path / "whole.pt")
    refused(lambda: load_model(f"{net}:net", weights=tmp_path / "whole.pt"), "plain weights")


def test_torch_models_are_put_into_evaluation_mode():
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 3), torch.nn.Dropout(0.9))
    model = load_model(module.train())
    np.testing.assert_array_equal(model.predict(IMAGES).logits, model.predict(IMAGES).logits)


def test_torch_export_archives(refused, tmp_path):
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 4), torch.nn.Flatten(), torch.nn.Softmax(dim=1)).eval()
    for batch in (2, 5):
        free = {"dynamic_shapes": ({0: torch.export.Dim("n", min=1)},)} if batch == 5 else {}
        program = torch.export.export(module, (torch.zeros(batch, 3, 4, 4),), **free)
        torch.export.save(program, tmp_path / f"m{batch}.pt2")
        model = load_model(tmp_path / f"m{batch}.pt2", outputs="probabilities")
        data = bind(model, load_data((IMAGES, np.arange(12) % 3)))
        got = model.predict(data.batch(np.arange(12))[0].inputs)
        np.testing.assert_allclose(got.probabilities, load_model(module).predict(IMAGES).probabilities, atol=1e-6)
        assert model.frame.size == (4, 4)
    (tmp_path / "broken.pt2").write_bytes(b"no archive")
    refused(lambda: load_model(tmp_path / "broken.pt2"), "not a torch.export archive")


def test_sklearn_models(refused):
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    x, y = RNG.normal(size=(60, 4)), np.array(["cat", "dog", "eel"] * 20)
    fitted = LogisticRegression().fit(x, y)
    model = load_model(fitted)
    assert model.classes == ("cat", "dog", "eel")
    assert model.normalised
    got = model.predict(x.astype(np.float32)).probabilities
    np.testing.assert_allclose(got, fitted.predict_proba(x.astype(np.float32)), atol=1e-5)
    assert load_model(fitted).fingerprint == model.fingerprint
    margins = LinearSVC().fit(x, y)
    refused(lambda: load_model(margins), "margin", "outputs")
    assert not load_model(margins, outputs="logits").normalised
    refused(lambda: load_model(LogisticRegression()), "fitted")
    refused(lambda: model.predict(np.zeros((2, 9), np.float32)), "could not be run")


def test_pickled_estimators_with_trust_and_skops_files(refused, tmp_path):
    joblib = pytest.importorskip("joblib")
    skops = pytest.importorskip("skops.io")
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression().fit(RNG.normal(size=(30, 4)), np.arange(30) % 3)
    joblib.dump(fitted, tmp_path / "m.joblib")
    skops.dump(fitted, tmp_path / "m.skops")
    refused(lambda: load_model(tmp_path / "m.joblib"), "--trust-pickle")
    trusted = load_model(tmp_path / "m.joblib", trust_pickle=True)
    x = RNG.normal(size=(5, 4)).astype(np.float32)
    np.testing.assert_array_equal(trusted.predict(x).logits, load_model(tmp_path / "m.skops").predict(x).logits)
    (tmp_path / "broken.skops").write_bytes(b"no zip")
    refused(lambda: load_model(tmp_path / "broken.skops"), "not a skops file")
    (tmp_path / "broken.pkl").write_bytes(b"no pickle")
    refused(lambda: load_model(tmp_path / "broken.pkl", trust_pickle=True), "could not be unpickled")


def test_pipelines_fitted_on_named_columns_get_them_by_name(refused):
    pa = pytest.importorskip("pyarrow")
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    table = pa.table({"age": RNG.normal(size=40), "job": ["a", "b"] * 20, "pay": RNG.normal(size=40)})
    y = np.array(["no", "yes"] * 20)
    pipeline = make_pipeline(
        make_column_transformer((StandardScaler(), ["age", "pay"]), (OneHotEncoder(), ["job"])), LogisticRegression()
    ).fit(table, y)
    model = load_model(pipeline)
    columns = {name: table[name].to_numpy() for name in table.column_names}
    shuffled = {"pay": columns["pay"], "extra": np.arange(40), "label": y, "job": columns["job"], "age": columns["age"]}
    data = bind(model, load_data(shuffled))
    assert data.features == ("age", "job", "pay")
    got = model.predict(data.batch(np.arange(40))[0].inputs).probabilities
    np.testing.assert_allclose(got, pipeline.predict_proba(table), atol=1e-6)
    del shuffled["job"]
    refused(lambda: bind(model, load_data(shuffled)), "job")
