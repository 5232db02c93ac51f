"""Members of an ensemble are opened from whatever names them, and refused in a sentence where they do not fit."""

from types import SimpleNamespace

import numpy as np
import pytest

import pfungst
from pfungst.audits.request import resolve
from pfungst.audits.study import opened
from pfungst.errors import InputError
from pfungst.models.presented import Change, moved

torch = pytest.importorskip("torch")


class Net(torch.nn.Module):
    def __init__(self, seed=0, classes=3, dropout=0.5):
        super().__init__()
        torch.manual_seed(seed)
        self.body = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Dropout2d(dropout))
        self.drop = torch.nn.Dropout(dropout)
        self.head = torch.nn.Linear(4 * 36, classes)

    def forward(self, x):
        return self.head(self.drop(self.body(x).flatten(1)))


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (120, 8, 8), dtype=np.uint8), rng.integers(0, 3, 120)


def studied(data, members, net=None):
    return opened(net or Net(), data, resolve(None, {"members": members}))


def test_dropout_members_repeat_their_answers_for_any_batch(data):
    study = studied(data, ("dropout:3",))
    assert len(study.members) == 3
    inputs = study.data.batch(np.arange(30))[0].inputs
    for member in study.members.values():
        whole = member.predict(inputs).logits
        parts = np.concatenate([member.predict(inputs[i : i + 7]).logits for i in range(0, 30, 7)])
        assert np.allclose(whole, parts, atol=1e-6)
    first, second, _ = (member.predict(inputs).logits for member in study.members.values())
    assert np.abs(first - second).max() > 1e-3
    plain = study.model.predict(inputs).logits
    assert np.array_equal(plain, study.model.predict(inputs).logits)


def test_dropout_keeps_the_mean(data):
    """Many thinned networks of one linear layer are right on average: what is kept is scaled up."""
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.5), torch.nn.Linear(64, 3))
    study = studied(data, ("dropout:200",), net)
    inputs = study.data.batch(np.arange(20))[0].inputs
    mean = np.mean([member.predict(inputs).logits for member in study.members.values()], axis=0)
    assert np.abs(mean - study.model.predict(inputs).logits).mean() < 0.05


def test_moved_members_see_the_moved_picture():
    picture = np.arange(16 * 16, dtype=np.uint8).reshape(1, 16, 16, 1)
    assert np.array_equal(moved(0)(picture)[0, :-1, :-1], picture[0, 1:, 1:])
    assert np.array_equal(Change(mirrored=True)(picture), picture[:, :, ::-1])
    assert len({str(moved(i)) for i in range(16)}) == 16


def test_an_audit_with_made_members(data, tmp_path):
    result = pfungst.audit(
        Net(), data, members=("moved:2", "mirrored", Net(seed=1)), only=("calibration",), out=tmp_path
    )
    found = next(one for one in result.findings if one.kind == "ensemble")
    assert "4 other members" in found.claim
    assert len(result.report.passes) == 5


@pytest.mark.parametrize(
    ("members", "words"),
    [
        (("nothing.onnx",), "there is no model"),
        ((Net(),), "given twice"),
        (("weights.safetensors",), "go with a factory"),
        (("moved:2", "moved:2"), "given twice"),
    ],
)
def test_members_that_do_not_fit_are_refused(data, members, words):
    with pytest.raises(InputError, match=words):
        studied(data, members)


class Wolves(Net):
    """The same network with names for its classes."""

    def __init__(self, *names):
        super().__init__(classes=len(names))
        self.config = SimpleNamespace(id2label=dict(enumerate(names)))


def test_a_member_with_other_names_or_another_number_of_classes_is_refused(data, tmp_path, onnx_classifier):
    model = Wolves("husky", "wolf", "fox")
    with pytest.raises(InputError, match="answers wolf, husky, fox and the model husky"):
        studied(data, (Wolves("wolf", "husky", "fox"),), model)
    three, four = (
        str(onnx_classifier(np.ones((64, count)), (1, 8, 8), folder=tmp_path / str(count))) for count in (3, 4)
    )
    with pytest.raises(InputError, match="gives 4 scores a row and the model 3"):
        studied(data, (four,), three)


def test_a_module_says_only_when_asked_how_many_classes_it_answers_and_then_it_is_said(data):
    result = pfungst.audit(Net(), data, members=(Net(seed=1, classes=4),), only=("calibration",))
    assert "ensemble" not in {one.kind for one in result.findings}
    assert any(
        "[(120, 3), (120, 4)]; they must answer the same rows and classes" in one.reason for one in result.skipped
    )


def test_a_member_that_wants_other_pictures_is_refused(data, tmp_path, onnx_classifier):
    paths = [
        onnx_classifier(np.ones((side * side, 3)), (1, side, side), folder=tmp_path / str(side)) for side in (8, 6)
    ]
    with pytest.raises(InputError, match=r"wants pictures as Frame.*framed once for all members"):
        studied(data, (str(paths[1]),), str(paths[0]))


def test_recorded_answers_are_no_member_of_a_network(data, tmp_path):
    np.savez(tmp_path / "kept.npz", logits=np.zeros((120, 3)), labels=data[1])
    with pytest.raises(InputError, match="must both be networks, or both recorded answers"):
        studied(data, (str(tmp_path / "kept.npz"),))


def test_dropout_needs_a_layer_of_dropout(data):
    with pytest.raises(InputError, match="no layer of dropout"):
        studied(data, ("dropout:2",), Net(dropout=0.0))
    with pytest.raises(InputError, match="must be a PyTorch module"):
        studied(data, ("dropout:2",), lambda x: np.zeros((len(x), 3)))


def test_snapshots_are_weights_for_the_models_own_factory(data, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    (tmp_path / "net.py").write_text(
        "import torch\ndef make():\n    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))\n"
    )
    for seed in (0, 1, 2):
        torch.manual_seed(seed)
        net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))
        safetensors.save_file(net.state_dict(), tmp_path / f"epoch{seed}.safetensors")
    result = pfungst.audit(
        f"{tmp_path / 'net.py'}:make", data, weights=str(tmp_path / "epoch2.safetensors"),
        members=[str(tmp_path / f"epoch{seed}.safetensors") for seed in (0, 1)], only=("calibration",),
    )  # fmt: skip
    table = next(one for one in result.findings if one.kind == "ensemble").evidence[-1]
    assert [row[0] for row in table.rows] == ["the model", "epoch0", "epoch1"]
