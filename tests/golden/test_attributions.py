"""Attributions against Captum 0.9.0, and against what can be worked out by hand."""

import numpy as np
import pytest

from pfungst.datasets.dataset import Batch
from pfungst.methods.attributions import (
    External,
    GradCam,
    GradientTimesInput,
    IntegratedGradients,
    SmoothGrad,
)
from pfungst.methods.occlusion import Occlusion, SlidingOcclusion
from pfungst.models.torch import Origin, torch_model
from pfungst.task import Preprocess, Task

torch = pytest.importorskip("torch", reason="gradients need PyTorch")
RNG = np.random.default_rng(0)


def network(channels=3, classes=4, *, smooth=False):
    torch.manual_seed(0)
    bend = torch.nn.Softplus if smooth else torch.nn.ReLU
    return torch.nn.Sequential(
        torch.nn.Conv2d(channels, 6, 3, padding=1), bend(), torch.nn.Conv2d(6, 8, 3, padding=1), bend(),
        torch.nn.AdaptiveAvgPool2d(3), torch.nn.Flatten(), torch.nn.Linear(72, classes),
    )  # fmt: skip


def model_of(net, **preprocess):
    task = Task(preprocess=Preprocess(**preprocess)) if preprocess else Task()
    return torch_model(net, task, Origin("net"))


def batch_of(inputs):
    names = tuple(f"r{at}" for at in range(len(inputs)))
    return Batch(names, np.arange(len(inputs)), inputs, np.full(len(inputs), -1), seed=3)


def pictures(channels=3, *, rows=3, height=18, width=26):
    return RNG.integers(0, 256, (rows, height, width, channels)).astype(np.uint8)


def tensor(inputs):
    return torch.from_numpy(np.ascontiguousarray(inputs.transpose(0, 3, 1, 2))).float() / 255


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())


@pytest.fixture(params=[3, 1], ids=["colour", "grey"])
def both(request):
    net = network(request.param).eval()
    inputs = pictures(request.param)
    return net, model_of(net), batch_of(inputs), tensor(inputs)


@pytest.fixture
def captum():
    return pytest.importorskip("captum.attr", reason="the oracle is Captum: pip install captum==0.9.0")


@pytest.mark.parametrize(("side", "step"), [(6, 4), (5, 5), (8, 3)])
def test_sliding_occlusion_equals_captum(both, captum, side, step):
    net, model, batch, seen = both
    ours = SlidingOcclusion(side, step)(model, batch)
    with torch.no_grad():
        theirs = captum.Occlusion(net).attribute(
            seen, (seen.shape[1], side, side), (seen.shape[1], step, step), 0, torch.from_numpy(ours.targets)
        )
    close(ours.values, theirs[:, 0].numpy())


def test_integrated_gradients_equal_captum_at_the_same_points(both, captum):
    net, model, batch, seen = both
    ours = IntegratedGradients(points=50, gap=np.inf)(model, batch)
    theirs = captum.IntegratedGradients(net).attribute(
        seen, target=torch.from_numpy(ours.targets), n_steps=50, method="riemann_middle"
    )
    close(ours.values, theirs.detach().sum(dim=1).numpy())


def test_gradient_times_input_equals_captum(both, captum):
    net, model, batch, seen = both
    ours = GradientTimesInput()(model, batch)
    theirs = captum.InputXGradient(net).attribute(seen.requires_grad_(), target=torch.from_numpy(ours.targets))
    close(ours.values, theirs.detach().sum(dim=1).numpy())


def test_grad_cam_equals_captum_at_the_layer_it_finds(both, captum):
    net, model, batch, seen = both
    ours = GradCam()(model, batch)
    theirs = captum.LayerGradCam(net, net[4]).attribute(
        seen, target=torch.from_numpy(ours.targets), relu_attributions=True
    )
    close(ours.values, theirs.detach()[:, 0].numpy())


def test_captum_method_runs_through_the_adapter(both, captum):
    net, model, batch, _ = both

    def saliency(inputs, targets):
        seen = tensor((inputs * 255).astype(np.float32)).requires_grad_()
        return captum.Saliency(net).attribute(seen, target=torch.from_numpy(targets)).numpy().transpose(0, 2, 3, 1)

    maps = External(saliency, "saliency")(model, batch)
    gradient = model.gradient(batch.inputs.astype(np.float32) / 255, maps.targets).gradient
    close(maps.values, np.abs(gradient).sum(axis=3))


def test_integrated_gradients_of_a_smooth_network_are_complete():
    model = model_of(network(smooth=True))
    maps = IntegratedGradients()(model, batch_of(pictures(rows=8)))
    assert (maps.error < 0.01).all()


def test_gap_is_the_distance_from_the_score_gained():
    model, batch = model_of(network()), batch_of(pictures())
    maps = IntegratedGradients()(model, batch)
    held = np.arange(len(batch))
    gained = (model.predict(batch.inputs).logits - model.predict(batch.inputs * 0).logits)[held, maps.targets]
    gap = np.abs(maps.values.sum(axis=(1, 2)) - gained) / np.abs(gained)
    np.testing.assert_allclose(maps.error, gap, atol=1e-4)


@pytest.mark.parametrize(
    "preprocess",
    [{}, {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.1)}, {"mean": (0.5,), "std": (0.25,), "bgr": True},
     {"rescale": 1.0, "mean": (120.0, 110.0, 100.0)}],
)  # fmt: skip
def test_gradient_is_by_what_a_person_sees(preprocess):
    model = model_of(network(smooth=True).double(), **preprocess)
    inputs = pictures(rows=2).astype(np.float32) / 255
    targets = np.array([1, 3])
    _, scores, _, gradient = model.gradient(inputs, targets)
    np.testing.assert_allclose(scores, model.predict(inputs).logits[[0, 1], targets], rtol=1e-4)
    for row, down, across, channel in ((0, 4, 20, 0), (1, 17, 0, 2)):
        near = [inputs.copy(), inputs.copy()]
        for step, moved in zip((-0.01, 0.01), near, strict=True):
            moved[row, down, across, channel] += step
        low, high = (model.gradient(each, targets).scores[row] for each in near)
        assert gradient[row, down, across, channel] == pytest.approx((high - low) / 0.02, rel=0.05, abs=2e-4)


def test_bytes_and_unit_floats_are_the_same_picture():
    model = model_of(network(), mean=(0.4,), std=(0.2,))
    inputs = pictures()
    again = inputs.astype(np.float32) / 255
    np.testing.assert_allclose(model.predict(inputs).logits, model.predict(again).logits, atol=1e-5)
    for method in (IntegratedGradients(gap=np.inf), GradCam()):
        close(method(model, batch_of(again)).values, method(model, batch_of(inputs)).values)
    # What fills a window is a whole grey level in bytes, so occlusion agrees to that rounding alone.
    one, other = (Occlusion(finer=0)(model, batch_of(each)).values for each in (again, inputs))
    np.testing.assert_allclose(one, other, atol=0.01 * np.abs(other).max())


def test_occlusion_of_a_linear_network_is_what_each_window_added():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(14 * 14, 2))
    inputs = pictures(1, rows=1, height=14, width=14)
    model, seen = model_of(net), inputs[0, :, :, 0] / 255
    maps = Occlusion(finer=0)(model, batch_of(inputs))
    weight = net[1].weight.detach().numpy()[maps.targets[0]].reshape(14, 14)
    windows = (weight * (seen - seen.mean())).reshape(7, 2, 7, 2).sum(axis=(1, 3)) / 4
    np.testing.assert_allclose(maps.values[0], np.kron(windows, np.ones((2, 2))), atol=2e-3)
    assert (maps.forwards == 50).all()


def test_smooth_grad_without_noise_is_gradient_times_input():
    model, batch = model_of(network()), batch_of(pictures())
    close(SmoothGrad(copies=2, deviation=0.0)(model, batch).values, GradientTimesInput()(model, batch).values)
