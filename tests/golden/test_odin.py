"""ODIN's score against one computed by hand, and how it is asked for."""

import numpy as np
import pytest

import pfungst
import pfungst.probes
from pfungst.load import load_model
from pfungst.models.nudged import REACH, TEMPERATURE, nudged

torch = pytest.importorskip("torch")


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(4 * 36, 5)
    )


def test_inputs_are_moved_as_published():
    """x - e sign(-d log max softmax(f(x) / T) / dx), then softmax(f / T) (Liang et al. 2018, arXiv:1706.02690)."""
    net, rng = network(), np.random.default_rng(0)
    images = rng.integers(40, 215, (12, 8, 8, 1), dtype=np.uint8)
    x = torch.from_numpy(images.transpose(0, 3, 1, 2) / 255).float().requires_grad_(True)
    largest = torch.log_softmax(net(x) / TEMPERATURE, dim=1).max(dim=1).values.sum()
    (gradient,) = torch.autograd.grad(-largest, x)
    wanted = net(x - REACH * gradient.sign()).detach().numpy()
    assert np.allclose(nudged(load_model(net)).predict(images).logits, wanted, atol=1e-5)


def test_it_is_asked_by_name_only():
    rng = np.random.default_rng(1)
    rows = (rng.integers(0, 256, (300, 8, 8, 1), dtype=np.uint8), rng.integers(0, 5, 300))
    strange = {"noise": rng.integers(0, 40, (120, 8, 8, 1), dtype=np.uint8)}

    def scores(**asked):
        probes = [pfungst.probes.unknowns(**asked)]
        audit = pfungst.audit(network(), rows, ood=strange, probes=probes, task={"task": {"classes": list("abcde")}})
        found = next(one for one in audit.findings if one.kind == "undetectable")
        return str(found.evidence)

    assert "odin" not in scores()
    assert "odin" in scores(odin=True)
