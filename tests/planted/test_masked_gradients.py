"""Signs of masked gradients: each is seen on a network that hides them in one way, and none on an honest one."""

from dataclasses import replace

import numpy as np
import pytest

from pfungst.datasets.dataset import Batch
from pfungst.load import load_model
from pfungst.methods.loss_surface import ROUGH, LossSurface
from pfungst.methods.threats import DECIDED, Norm
from pfungst.passes import Attack
from pfungst.probes.masked_gradients import masked_gradients

torch = pytest.importorskip("torch")
SIDE, SIZE = 6, 0.08


def honest(seed=0):
    """A small network with kinks."""
    torch.manual_seed(seed)
    nn = torch.nn
    return nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 32), nn.ReLU(), nn.Linear(32, 3))


class Before(torch.nn.Module):
    """A network behind a function of its inputs, and one of its scores."""

    def __init__(self, net, before=lambda x: x, after=lambda z: z):
        super().__init__()
        self.net, self.before, self.after = net, before, after

    def forward(self, x):
        return self.after(self.net(self.before(x)))


class Contrary(torch.autograd.Function):
    """Scores of the answer alone, with a derivative that leads the other way."""

    @staticmethod
    def forward(ctx, scores):
        del ctx
        return 10.0 * torch.nn.functional.one_hot(scores.argmax(dim=1), scores.shape[1]).float()

    @staticmethod
    def backward(ctx, slope):
        del ctx
        return -slope


def judged(net, outputs=None):
    """What is said, by way of the same attacks as the probe's but shorter."""
    model = load_model(net, outputs=outputs)
    images = np.random.default_rng(0).uniform(0.2, 0.8, (32, SIDE, SIDE, 1)).astype(np.float32)
    torch.manual_seed(1)
    batch = Batch(tuple(map(str, range(32))), np.arange(32), images, model.predict(images).predictions)
    threats = (
        Norm("linf", (SIZE,), steps=20, targets=2, queries=60),
        LossSurface("linf", SIZE, 15, 100),
        Norm("linf", (1.0,), (), 20, 1, 60),
    )
    norm, surface, whole = (replace(Attack(one).run(model, batch), rows=batch.rows) for one in threats)
    (finding,) = masked_gradients([norm], surface, whole)
    return finding, norm, surface


def test_an_honest_network_shows_no_sign():
    for seed in range(4):
        finding, _, _ = judged(honest(seed))
        assert finding.status != "found", finding.claim


def test_inputs_in_steps_have_no_derivative():
    finding, _, _ = judged(Before(honest(), lambda x: torch.round(x * 8) / 8))
    assert finding.status == "found"
    assert "zero everywhere" in finding.claim


def test_noise_at_inference_is_seen():
    finding, _, _ = judged(Before(honest(), after=lambda z: z + 0.02 * torch.randn_like(z)))
    assert finding.status == "found"
    assert "differently" in finding.claim


def test_a_loss_that_is_torn_into_waves_is_seen():
    """The waves are a hundredth high and turn the derivative back and forth; the answers are the honest network's."""
    finding, _, surface = judged(Before(honest(), lambda x: x + 0.01 * torch.sin(900 * x)))
    assert finding.status == "found"
    assert "does not rise" in finding.claim
    assert ((surface.signs & ROUGH) > 0).mean() > 0.4


def test_probabilities_that_are_saturated_have_no_derivative():
    finding, _, _ = judged(Before(honest(), after=lambda z: torch.softmax(1e4 * z, dim=1)), "probabilities")
    assert finding.status == "found"


def test_answers_alone_break_what_scores_and_derivatives_do_not():
    finding, norm, _ = judged(Before(honest(), after=Contrary.apply))
    assert (norm.stage == DECIDED).sum() > 2
    assert finding.status == "found"


def test_a_row_that_stands_with_every_pixel_free_is_seen():
    """What the network is shown is a picture that hardly depends on the input's."""
    finding, _, _ = judged(Before(honest(), lambda x: 0.5 + 1e-3 * x))
    assert finding.status == "found"
    assert "every pixel free" in finding.claim
