"""A guarded model, run by plain onnxruntime or torch: it keeps its promises, refuses strangers, says what it cannot."""

import io
import json
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest

import pfungst
from pfungst.errors import InputError
from pfungst.models.guarding import OUTPUTS

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

WIDTH, CLASSES = 16, 4


def rows(count, seed, strange=False):
    """Four clouds in the first four columns that overlap a little; strangers lie between and beyond them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, count)
    inputs = rng.normal(0, 1, (count, WIDTH)).astype(np.float32)
    if strange:
        inputs[:, CLASSES:] += 6.0
    else:
        inputs[np.arange(count), labels] += 3.0
    return inputs, labels


def network(path, opset=17, *, softmax=False, linear=True, scale=4.0):
    """A network of one hidden layer whose stated confidence is far too high (scores times ``scale``)."""
    rng = np.random.default_rng(0)
    hidden = np.concatenate([np.eye(WIDTH), rng.normal(0, 0.1, (WIDTH, 8))], axis=1).astype(np.float32)
    weight = np.zeros((WIDTH + 8, CLASSES), np.float32)
    weight[:CLASSES] = scale * np.eye(CLASSES)
    constants = [numpy_helper.from_array(value, name) for name, value in (("w1", hidden), ("w2", weight))]
    constants.append(numpy_helper.from_array(np.zeros(CLASSES, np.float32), "b2"))
    nodes = [helper.make_node("MatMul", ["input", "w1"], ["h"]), helper.make_node("Relu", ["h"], ["f"])]
    last = "scores" if softmax or not linear else "logits"
    nodes.append(helper.make_node("Gemm", ["f", "w2", "b2"], [last]))
    if not linear:
        constants.append(numpy_helper.from_array(np.array(1.0, np.float32), "one"))
        nodes.append(helper.make_node("Mul", ["scores", "one"], ["more" if softmax else "logits"]))
        last = "more"
    if softmax:
        nodes.append(helper.make_node("Softmax", [last], ["logits"], axis=1))
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", WIDTH])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", CLASSES])], constants,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return str(path)


def guard(tmp_path, count=4000, **options):
    inputs, labels = rows(count, 1)
    strange = rows(600, 2, strange=True)[0]
    model = options.pop("model", None) or network(tmp_path / "net.onnx")
    out = tmp_path / "guarded.onnx"
    done = pfungst.remedy("guard", model, (inputs, labels), out=out, ood={"others": strange}, **options)
    return done, out


def answered(path, inputs):
    given = onnxruntime.InferenceSession(str(path)).run(None, {"input": inputs})
    return dict(zip(OUTPUTS, given, strict=True))


def test_the_guarded_file_keeps_its_promises_outside_pfungst(tmp_path):
    done, out = guard(tmp_path, risk=0.05)
    inputs, labels = rows(20_000, 7)
    given = answered(out, inputs)
    kept = ~given["none_of_these"]
    assert (given["answer"][kept] != labels[kept]).mean() <= 0.05
    assert (given["answer"][~kept] == -1).all()
    assert np.allclose(given["probabilities"].sum(axis=1), 1, atol=1e-5)
    right = given["probabilities"].argmax(axis=1) == labels
    assert abs((given["probabilities"].max(axis=1) - right).mean()) < 0.02, "the temperature was mended too"
    strange = answered(out, rows(2000, 9, strange=True)[0])
    assert strange["none_of_these"].mean() > 0.9
    assert "promised" in done.sentence


def test_no_import_of_pfungst_is_needed(tmp_path):
    _, out = guard(tmp_path, count=1500)
    np.save(tmp_path / "x.npy", rows(5, 3)[0])
    code = (
        "import sys, json, numpy, onnxruntime\n"
        f"s = onnxruntime.InferenceSession({str(out)!r})\n"
        f"given = s.run(None, {{'input': numpy.load({str(tmp_path / 'x.npy')!r})}})\n"
        "names = [o.name for o in s.get_outputs()]\n"
        "print(json.dumps([names, [list(g.shape) for g in given], 'pfungst' in sys.modules]))"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert json.loads(said) == [list(OUTPUTS), [[5, CLASSES], [5], [5], [5]], False]


@pytest.mark.parametrize("opset", [11, 13, 17, 18, 21])
@pytest.mark.parametrize("score", ["max-probability", "energy", "mahalanobis", "knn"])
def test_every_score_is_the_same_number_in_every_operator_set(tmp_path, opset, score, monkeypatch):
    monkeypatch.setattr("pfungst.remedies.guarding.SCORES", (score,))
    _, out = guard(tmp_path, count=800, model=network(tmp_path / "n.onnx", opset), risk=0.2)
    onnx.checker.check_model(onnx.load(out), full_check=True)
    given = answered(out, rows(200, 4)[0])
    monkeypatch.setattr("pfungst.remedies.guarding.SCORES", (score,))
    (tmp_path / "b").mkdir()
    _, other = guard(tmp_path / "b", count=800, model=network(tmp_path / "b" / "n.onnx", 17), risk=0.2)
    assert np.allclose(given["strangeness"], answered(other, rows(200, 4)[0])["strangeness"], rtol=1e-4, atol=1e-4)


def test_a_network_that_ends_in_a_softmax_is_guarded_before_it(tmp_path):
    _, plain = guard(tmp_path, count=1500)
    (tmp_path / "s").mkdir()
    _, soft = guard(tmp_path / "s", count=1500, model=network(tmp_path / "s" / "n.onnx", softmax=True))
    inputs = rows(300, 5)[0]
    one, two = answered(plain, inputs), answered(soft, inputs)
    assert np.allclose(one["probabilities"], two["probabilities"], atol=1e-4)


def test_risk_is_promised_in_nineteen_of_twenty_draws():
    """Over draws of the rows that set the threshold, more than the promised risk is erred in at most one of twenty."""
    from pfungst.remedies.guarding import _sure_from

    rng = np.random.default_rng(0)
    broken = told = 0
    for _ in range(300):
        confidence = rng.uniform(0.5, 1, 800)
        wrong = rng.random(800) > confidence
        try:
            least = _sure_from(confidence, wrong, 0.1)
        except InputError:
            continue
        told += 1
        broken += (1 - max(least, 0.5)) / 2 > 0.1
    assert told > 200
    assert broken <= 300 * 0.05 + 3 * (300 * 0.05 * 0.95) ** 0.5


def test_what_cannot_be_promised_is_refused_with_what_can(tmp_path):
    with pytest.raises(InputError, match=r"cannot be promised .*--risk"):
        guard(tmp_path, count=400, risk=0.001)
    assert not (tmp_path / "guarded.onnx").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [({"risk": 1.5}, "--risk is 1.5"), ({"reject": 0.0}, "--reject is 0"), ({"count": 60, "risk": 0.3}, "rows")],
)
def test_bad_demands_are_refused_in_a_sentence(tmp_path, options, words):
    with pytest.raises(InputError, match=words):
        guard(tmp_path, **options)


def test_without_labels_there_is_nothing_to_promise(tmp_path):
    with pytest.raises(InputError, match="labels"):
        pfungst.remedy("guard", network(tmp_path / "n.onnx"), rows(500, 1)[0], out=tmp_path / "g.onnx")


def test_an_estimator_is_not_written_anew(tmp_path):
    skops = pytest.importorskip("skops.io")
    from sklearn.linear_model import LogisticRegression

    inputs, labels = rows(400, 1)
    skops.dump(LogisticRegression().fit(inputs, labels), tmp_path / "m.skops")
    with pytest.raises(InputError, match="export it to ONNX"):
        pfungst.remedy("guard", tmp_path / "m.skops", (inputs, labels), out=tmp_path / "g.onnx")


@pytest.mark.parametrize("softmax", [False, True])
def test_a_temperature_needs_no_linear_layer(tmp_path, softmax):
    inputs, labels = rows(3000, 1)
    model = network(tmp_path / "n.onnx", softmax=softmax, linear=False, scale=12.0)
    done = pfungst.remedy("temperature", model, (inputs, labels), out=tmp_path / "cool.onnx")
    gap = next(line for line in done.lines if line.name == "confidence less accuracy")
    assert gap.before.low > 0.02
    assert abs(gap.after.value) < 0.02
    plain, cool = (
        onnxruntime.InferenceSession(str(one)).run(None, {"input": inputs})[0] for one in (model, done.model)
    )
    assert (plain.argmax(axis=1) == cool.argmax(axis=1)).all()


FACTORY = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(16, 24), nn.ReLU())
        self.head = nn.Linear(24, 4)

    def forward(self, x):
        return self.head(self.body(x))

def make():
    torch.manual_seed(0)
    net = Net()
    with torch.no_grad():
        for p in net.parameters():
            p.zero_()
        net.body[0].weight[:16] = torch.eye(16)
        net.head.weight[:, :4] = 4 * torch.eye(4)
    return net
"""


@pytest.mark.parametrize("score", ["max-probability", "energy", "mahalanobis", "knn"])
def test_a_module_is_guarded_as_a_module(tmp_path, score, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr("pfungst.remedies.guarding.SCORES", (score,))
    (tmp_path / "net.py").write_text(FACTORY)
    (tmp_path / "labels.txt").write_text("a\nb\nc\nd\n")
    inputs, labels = rows(3000, 1)
    strange = rows(400, 2, strange=True)[0]
    task = {"task": {"classes": ["0", "1", "2", "3"]}}
    done = pfungst.remedy(
        "guard", f"{tmp_path / 'net.py'}:make", (inputs, labels), out=tmp_path / "g.pt2", ood={"others": strange},
        task=task, risk=0.1,
    )  # fmt: skip
    module = torch.export.load(io.BytesIO(done.model.read_bytes())).module()
    fresh, truth = rows(5000, 8)
    probabilities, none, answer, strangeness = (one.detach().numpy() for one in module(torch.from_numpy(fresh)))
    assert probabilities.shape == (5000, 4)
    assert np.isfinite(strangeness).all()
    assert (answer[~none] != truth[~none]).mean() <= 0.1
    assert none.mean() < 0.6
