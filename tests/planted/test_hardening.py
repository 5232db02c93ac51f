"""Augmentation, finetuning, adversarial training: what was learned helps on rows nobody fitted on."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

import pfungst
from pfungst.errors import InputError

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

FACTORY = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
                                  nn.Flatten(), nn.Linear(32 * 64, 64), nn.ReLU())
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        return self.head(self.body(x))

def make():
    return Net()
"""


def digits():
    images, labels = load_digits(return_X_y=True)
    big = np.kron(images.reshape(-1, 8, 8), np.ones((2, 2)))
    return np.clip(big * 16, 0, 255).astype(np.uint8)[..., None], labels


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small network trained on the first thousand digits; the others are the audit's."""
    folder = tmp_path_factory.mktemp("net")
    (folder / "net.py").write_text(FACTORY)
    images, labels = digits()
    space = {}
    exec(FACTORY, space)
    torch.manual_seed(0)
    net = space["make"]()
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)
    x, y = torch.from_numpy(images[:1000].transpose(0, 3, 1, 2) / 255).float(), torch.from_numpy(labels[:1000])
    for _ in range(12):
        for some in torch.randperm(1000).split(64):
            loss = torch.nn.functional.cross_entropy(net(x[some]), y[some])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    from safetensors.torch import save_file

    save_file(net.state_dict(), folder / "net.safetensors")
    return folder, (images[1000:], labels[1000:])


def remedied(trained, tmp_path, method, **options):
    folder, rows = trained
    return pfungst.remedy(
        method, f"{folder / 'net.py'}:make", rows, weights=str(folder / "net.safetensors"),
        out=tmp_path / "x.safetensors", rows=600, only=("calibration",), **options,
    )  # fmt: skip


def changes(done):
    return {line.name.removeprefix("accuracy, "): line.after.value - line.before.value for line in done.lines}


def test_adversarial_training_withstands_more_and_says_what_it_cost(trained, tmp_path):
    task = {"adversarial": {"linf": [0.1]}}
    done = remedied(trained, tmp_path, "adversarial-training", task=task, epochs=12, rate=1e-3)
    change = changes(done)
    assert change["attacked within linf:0.1"] > 0.2
    assert change["as it is"] > -0.1
    assert "as they are" in done.sentence


def test_finetuning_on_shifts_helps_under_them(trained, tmp_path):
    change = changes(remedied(trained, tmp_path, "finetuning", epochs=6, rate=1e-3))
    shifts = [value for name, value in change.items() if name != "as it is" and not name.startswith("attacked")]
    assert np.mean(shifts) > 0.05


def test_augmentation_needs_the_last_layer_alone(trained, tmp_path):
    done = remedied(trained, tmp_path, "augmentation")
    shifts = [value for name, value in changes(done).items() if name != "as it is" and not name.startswith("attacked")]
    assert np.mean(shifts) > -0.02
    assert done.model.exists()


def test_the_model_given_stays_as_it_is(trained, tmp_path):
    folder, _ = trained
    before = (folder / "net.safetensors").read_bytes()
    done = remedied(trained, tmp_path, "finetuning", epochs=1)
    assert (folder / "net.safetensors").read_bytes() == before
    assert done.model.read_bytes() != before


def test_an_onnx_file_is_not_trained(tmp_path):
    from pfungst.demo import demo_files

    files = demo_files()
    with pytest.raises(InputError, match="cannot be trained"):
        pfungst.remedy("finetuning", files.model, files.data, out=tmp_path / "x.onnx", only=("calibration",))


def test_tables_have_no_shifts_to_learn(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "net.py").write_text("import torch\ndef make():\n    return torch.nn.Linear(4, 2)\n")
    rows = (rng.normal(0, 1, (300, 4)).astype(np.float32), rng.integers(0, 2, 300))
    with pytest.raises(InputError, match="for pictures"):
        pfungst.remedy("finetuning", f"{tmp_path / 'net.py'}:make", rows, out=tmp_path / "x", only=("calibration",))
