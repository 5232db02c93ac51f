"""Networks of PyTorch answer by a quicker copy, which is taken only where it answers alike."""

import numpy as np
import pytest

import pfungst
from pfungst.audits.request import resolve
from pfungst.audits.study import opened
from pfungst.errors import InputError

torch = pytest.importorskip("torch")
nn = torch.nn

PICTURES = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
LABELS = np.arange(40) % 2


class Gated(nn.Module):
    """Convolutions whose use depends on a value, which no trace can follow."""

    def __init__(self) -> None:
        super().__init__()
        self.body = network()

    def forward(self, x):
        return self.body(x) if x.mean() > -1 else -self.body(x)


class Counting(nn.Module):
    """Adds how often it was asked: a traced copy would add the same for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.calls = network(), 0

    def forward(self, x):
        self.calls += 1
        return self.body(x) + torch.tensor([0.0, float(self.calls)])


def network() -> nn.Sequential:
    torch.manual_seed(0)
    made = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2), nn.BatchNorm2d(16), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 2),
    )  # fmt: skip
    for layer in made:
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
    return made.eval()


def study(module, **options):
    return opened(module, (PICTURES, LABELS), resolve(None, options))


def plain(module):
    with torch.inference_mode():
        return module(torch.from_numpy(PICTURES.transpose(0, 3, 1, 2) / np.float32(255))).numpy()


def test_normalisations_are_folded_and_answers_and_features_stay():
    model = study(network()).model
    answers = model.predict(PICTURES)
    assert model.inference == "2 batch normalisations folded, channels last"
    np.testing.assert_allclose(answers.logits, plain(network()), atol=1e-5)
    np.testing.assert_allclose(answers.features, plain(network()[:-1]), atol=1e-5)


def test_gradients_are_those_of_the_network_itself():
    shares = PICTURES.astype(np.float32) / 255
    asked = pfungst.load_model(network())
    quick = study(network()).model
    asked.classes = quick.classes
    assert quick.quick is not None
    assert quick.gradient(shares).gradient.tobytes() == asked.gradient(shares).gradient.tobytes()


@pytest.mark.parametrize(
    ("module", "way"), [(Gated, "channels last"), (Counting, "as it is"), (lambda: network().train(), "2 batch norm")]
)
def test_what_cannot_be_traced_or_answers_otherwise_is_not_folded(module, way):
    assert study(module()).model.inference.startswith(way)


def test_answers_of_a_copy_are_kept_under_another_key():
    quick = study(network())
    plainly = study(network())
    plainly.model.quick = None
    assert quick.model.fingerprint == plainly.model.fingerprint
    assert quick.key != plainly.key
    assert quick.key == study(network()).key


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_second_audit_asks_the_network_nothing(tmp_path, precision):
    asked = []

    class Listening(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = network()
            self.body[-1].bias.data += torch.tensor([3.0, -3.0])

        def forward(self, x):
            asked.append(len(x))
            return self.body(x)

    def audited():
        asked.clear()
        options = {"only": ("calibration",), "precision": precision, "out": tmp_path / "run"}
        return pfungst.audit(Listening(), (PICTURES, LABELS), **options).report

    first, rows = audited(), sum(asked)
    second = audited()
    assert rows >= len(PICTURES)
    assert asked == []
    assert second.settings["inference"] == first.settings["inference"] != "as it is"
    assert [one.effect for one in second.findings] == [one.effect for one in first.findings]
    (tmp_path / "run" / "events.jsonl").write_text('{"event": "started", "learned": {"x": "torn"}}\n')
    audited()
    assert sum(asked) >= 8


def test_a_lower_precision_is_used_where_answers_stay_and_refused_where_they_move():
    steady = network()
    steady[-1].bias.data += torch.tensor([3.0, -3.0])
    report = pfungst.audit(steady, (PICTURES, LABELS), only=("calibration",), precision="bfloat16").report
    assert report.settings["inference"].endswith("computed in bfloat16")
    delicate = network()
    delicate[-1].weight.data *= 1e4
    for _ in range(2):
        apart = plain(delicate)
        delicate[-1].bias.data[1] -= float(np.median(apart[:, 1] - apart[:, 0]))
    with pytest.raises(InputError, match="--precision bfloat16 moves the answers"):
        study(delicate, precision="bfloat16")


def test_a_precision_that_is_unknown_or_for_no_such_model_is_refused():
    with pytest.raises(InputError, match="no precision 'half'"):
        resolve(None, {"precision": "half"})
    with pytest.raises(InputError, match="for PyTorch networks"):
        opened(lambda x: x[:, 0, 0, :2].astype(float), (PICTURES, LABELS), resolve(None, {"precision": "bfloat16"}))
