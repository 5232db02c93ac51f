"""What PyTorch modules answer: tensors in any wrapping are read alike, anything else is refused in a sentence."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest

from pfungst.errors import InputError
from pfungst.load import load_model
from pfungst.models.torch_gradients import by_layer

torch = pytest.importorskip("torch")
nn = torch.nn
PICTURES = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 1)).astype(np.uint8)


class Wrapped(nn.Module):
    """A network whose scores are given on in a wrapping."""

    def __init__(self, wrap):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))
        self.wrap = wrap

    def forward(self, x):
        return self.wrap(self.body(x))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda scores: {"logits": scores},
        lambda scores: {"out": scores},
        lambda scores: SimpleNamespace(logits=scores),
        lambda scores: (scores, "more"),
        lambda scores: scores[:, :, None, None],
    ],
    ids=["mapping", "segmentation", "object", "tuple", "map of one place"],
)
def test_scores_in_any_wrapping_are_the_same(wrap):
    plain = load_model(Wrapped(lambda scores: scores).eval()).predict(PICTURES)
    found = load_model(Wrapped(wrap).eval()).predict(PICTURES)
    np.testing.assert_allclose(found.logits, plain.logits, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("wrap", [lambda _: "a husky", lambda _: {"boxes": 1}, lambda scores: scores.tolist()])
def test_an_answer_without_scores_is_refused(wrap):
    model = load_model(Wrapped(wrap).eval())
    with pytest.raises(InputError, match="a tensor of scores"):
        model.predict(PICTURES)


def test_rows_of_another_width_are_refused():
    model = load_model(nn.Sequential(nn.Linear(4, 2)).eval())
    assert model.predict(np.zeros((3, 4), np.float32)).logits.shape == (3, 2)
    with pytest.raises(InputError, match=r"5"):
        model.predict(np.zeros((3, 5), np.float32))


def test_a_graphics_card_that_is_not_there_is_refused():
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(InputError, match="PyTorch sees none; use --device cpu"):
        load_model(Wrapped(lambda scores: scores).eval(), device="cuda")


def test_a_graphics_card_answers_as_the_processor_does():
    if not torch.cuda.is_available():
        pytest.skip("there is no graphics card")
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)).eval()
    pictures = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), dtype=np.uint8)
    here = load_model(copy.deepcopy(net), device="cpu").predict(pictures)
    there = load_model(net, device="cuda").predict(pictures)
    np.testing.assert_allclose(there.logits, here.logits, atol=1e-3)


def test_a_layer_that_is_not_there_or_on_which_nothing_depends_is_named():
    net = Wrapped(lambda scores: scores).eval()
    net.idle = nn.Linear(2, 2)
    values, targets = torch.rand(2, 1, 4, 4), np.zeros(2, np.int64)
    assert by_layer(net, values, targets, lambda found: found, "body.0") is not None
    with pytest.raises(InputError, match=r"no layer 'nothing'; it has .*body\.0"):
        by_layer(net, values, targets, lambda found: found, "nothing")
    with pytest.raises(InputError, match="idle"):
        by_layer(net, values, targets, lambda found: found, "idle")
