"""What trainers and model collections leave behind: checkpoints, scripted archives, timm's networks."""

import argparse
import sys
import types
from collections import OrderedDict

import numpy as np
import pytest

from pfungst.load import bind, load_data, load_model
from pfungst.task import Question, Task

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (12, 4, 4, 3), np.uint8)
FACTORY = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = torch.nn.Conv2d(3, 4, 3), torch.nn.Linear(16, 2)

    def forward(self, x):
        return self.head(self.body(x).relu().flatten(1))

class Lit(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model, self.criterion = Net(), torch.nn.CrossEntropyLoss(weight=torch.ones(2))

    def forward(self, x):
        return self.model(x)

    def training_step(self, batch, index):
        raise AssertionError("an audit does not train")
"""


@pytest.fixture
def nets(tmp_path, monkeypatch):
    (tmp_path / "nets.py").write_text(FACTORY)
    scope = {}
    exec(FACTORY, scope)
    monkeypatch.chdir(tmp_path)
    return scope


def checkpoint(state, **more):
    """A checkpoint laid out as Lightning 2 writes it."""
    held = {
        "epoch": 3, "global_step": 40, "pytorch-lightning_version": "2.5.0", "state_dict": OrderedDict(state),
        "loops": {"fit_loop": {"state_dict": {}}}, "callbacks": {}, "optimizer_states": [{"state": {}}],
        "lr_schedulers": [], "hparams_name": "kwargs", "hyper_parameters": {"rate": 0.1},
    }  # fmt: skip
    return held | more


def test_checkpoint_of_a_trainer_fits_its_module_and_the_network_inside(nets, tmp_path):
    torch.manual_seed(0)
    lit = nets["Lit"]()
    torch.save(checkpoint(lit.state_dict()), tmp_path / "last.ckpt")
    whole = load_model("nets.py:Lit", weights="last.ckpt")
    inner = load_model("nets.py:Net", weights="last.ckpt")
    data = bind(inner, load_data((IMAGES, np.arange(12) % 2)))
    shown = data.batch(np.arange(12))[0].inputs
    with torch.no_grad():
        wanted = lit.eval()(torch.from_numpy(shown).permute(0, 3, 1, 2) / 255).numpy()
    np.testing.assert_allclose(inner.predict(shown).logits, wanted, atol=1e-5)
    np.testing.assert_allclose(whole.predict(shown).logits, wanted, atol=1e-5)
    assert "of last.ckpt the tensors below 'model.' are taken; 1 other tensors of the file are left out" in inner.notes


def test_settings_of_a_checkpoint_may_be_namespaces_but_run_nothing(refused, nets, tmp_path):
    state = nets["Net"]().state_dict()
    torch.save(checkpoint(state, hyper_parameters=argparse.Namespace(rate=0.1, out=tmp_path)), tmp_path / "n.ckpt")
    assert load_model("nets.py:Net", weights="n.ckpt").portable

    torch.save(checkpoint(state, hyper_parameters={"loader": types.SimpleNamespace(a=1)}), tmp_path / "c.ckpt")
    refused(lambda: load_model("nets.py:Net", weights="c.ckpt"), "c.ckpt cannot be read as plain weights", "state_dict")


def test_two_networks_in_one_checkpoint_are_not_chosen_between(refused, nets, tmp_path):
    state = nets["Net"]().state_dict()
    both = {f"{prefix}.{name}": value for prefix in ("student", "teacher") for name, value in state.items()}
    torch.save(checkpoint(both), tmp_path / "two.ckpt")
    refused(lambda: load_model("nets.py:Net", weights="two.ckpt"), "2 networks", "student., teacher.")


def test_bare_checkpoint_asks_for_the_factory(refused, nets, tmp_path):
    torch.save(checkpoint(nets["Net"]().state_dict()), tmp_path / "last.ckpt")
    refused(lambda: load_model("last.ckpt"), "holds weights and not the network", "--weights last.ckpt")


def torchscript_file(path):
    """An archive with the members that TorchScript writes."""
    import zipfile

    with zipfile.ZipFile(path, "w") as archive:
        for name in ("net/data.pkl", "net/constants.pkl", "net/code/__torch__.py", "net/version"):
            archive.writestr(name, b"1")


@pytest.mark.parametrize("name", ["net.pt", "net.pth", "net.torchscript"])
@pytest.mark.usefixtures("nets")
def test_torchscript_is_refused_with_the_way_out(refused, tmp_path, name):
    torchscript_file(tmp_path / name)
    refused(lambda: load_model(name), f"{name} is TorchScript", "torch.export.save", "torch.onnx.export", "factory")
    refused(lambda: load_model("nets.py:Net", weights=name), "is TorchScript")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_scripted_modules_and_their_real_files_are_refused(refused, nets, tmp_path):
    traced = torch.jit.trace(nets["Net"]().eval(), torch.zeros(1, 3, 4, 4))
    refused(lambda: load_model(traced), "is TorchScript", "torch.export")
    torch.jit.save(traced, str(tmp_path / "real.pt"))
    refused(lambda: load_model("real.pt"), "real.pt is TorchScript")


# timm, as far as it is asked: create_model, pretrained_cfg and num_classes


class Created(torch.nn.Module):
    def __init__(self, classes, **more):
        super().__init__()
        self.stem, self.fc, self.num_classes = torch.nn.Conv2d(3, 4, 3), torch.nn.Linear(4, classes), classes
        self.pretrained_cfg = {
            "input_size": (3, 32, 32), "interpolation": "bicubic", "crop_pct": 0.8, "crop_mode": "center",
            "mean": (0.4, 0.5, 0.6), "std": (0.2, 0.25, 0.3), **more,
        }  # fmt: skip

    def forward(self, x):
        return self.fc(self.stem(x).mean(dim=(2, 3)))


@pytest.fixture
def collection(monkeypatch):
    """A module in timm's place; what it was asked for stands in ``asked``."""
    asked = []

    def create_model(name, *, pretrained=False, num_classes=5):
        asked.append((name, pretrained, num_classes))
        if name != "tiny":
            raise RuntimeError(f"Unknown model ({name})")
        torch.manual_seed(0)
        return Created(num_classes)

    stand_in = types.ModuleType("timm")
    stand_in.create_model, stand_in.asked, stand_in.__version__ = create_model, asked, "1.0.0"
    monkeypatch.setitem(sys.modules, "timm", stand_in)
    return stand_in


def test_network_of_a_collection_is_prepared_by_its_own_configuration(collection):
    model = load_model("timm:tiny")
    assert collection.asked == [("tiny", True, 5)]
    assert model.portable
    assert model.offers == {"new inputs", "features", "gradients", "bounds", "quicker"}
    frame = model.frame
    assert (frame.shortest_edge, frame.crop, frame.resample, frame.channels) == (40, (32, 32), 3, 3)
    assert (model.preprocess.mean, model.preprocess.std) == ((0.4, 0.5, 0.6), (0.2, 0.25, 0.3))
    assert model.classes == ("0", "1", "2", "3", "4")


def test_squashed_pictures_lose_their_aspect(collection, monkeypatch):
    monkeypatch.setattr(collection, "create_model", lambda *_, **__: Created(3, crop_mode="squash"))
    frame = load_model("timm:tiny").frame
    assert (frame.resize, frame.shortest_edge, frame.crop) == ((40, 40), None, (32, 32))


def test_own_weights_of_a_collection_s_network(collection, tmp_path):
    other = Created(2)
    torch.save(other.state_dict(), tmp_path / "fine.pt")
    task = Task(task=Question(classes=("cat", "dog")))
    model = load_model("timm:tiny", task=task, weights=tmp_path / "fine.pt")
    assert collection.asked == [("tiny", False, 2)]
    assert model.classes == ("cat", "dog")
    np.testing.assert_array_equal(model.last_layer()[0], other.fc.weight.detach().numpy())


@pytest.mark.usefixtures("collection")
def test_collections_that_cannot_be_asked(refused, monkeypatch):
    refused(lambda: load_model("timm:nothing"), "timm:nothing", "Unknown model", "--weights")
    monkeypatch.setitem(sys.modules, "timm", None)
    refused(lambda: load_model("timm:tiny"), "needs timm", "pip install timm")


def test_a_torchvision_of_another_build_is_named(refused, monkeypatch, tmp_path):
    (tmp_path / "timm").mkdir()
    (tmp_path / "timm" / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    refused(lambda: load_model("timm:tiny"), "torchvision::nms does not exist", "belongs to this PyTorch", "ONNX")
