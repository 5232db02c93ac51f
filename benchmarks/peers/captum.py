"""Captum's maps of a network of eighteen layers."""

from collections.abc import Callable
from typing import Any

import captum.attr
import torch
from beside.networks_of_layers import residual, with_weights

VERSIONS = ("captum", "torch", "numpy")
Answer = Callable[[], dict[str, Any]]
torch.set_num_threads(1)


def _asked(arrays: dict[str, Any]) -> tuple[torch.nn.Module, torch.Tensor, torch.Tensor]:
    return with_weights(residual(), arrays), torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["targets"])


def occlusion(arrays: dict[str, Any], *, side: int, at_once: int) -> Answer:
    """Windows beside each other, filled with the picture's mean colour; the loss of score a pixel."""
    net, x, targets = _asked(arrays)
    base = torch.from_numpy(arrays["base"])
    method = captum.attr.Occlusion(net)

    def answer() -> dict[str, Any]:
        found = method.attribute(
            x, (3, side, side), (3, side, side), baselines=base, target=targets, perturbations_per_eval=at_once
        )
        return {"answer": found[:, 0].detach().numpy() / side**2}

    return answer


def integrated(arrays: dict[str, Any], *, points: int, at_once: int) -> Answer:
    """Integrated gradients from black by the midpoint rule."""
    net, x, targets = _asked(arrays)
    method = captum.attr.IntegratedGradients(net)

    def answer() -> dict[str, Any]:
        found = method.attribute(
            x, target=targets, n_steps=points, method="riemann_middle", internal_batch_size=at_once
        )
        return {"answer": found.sum(dim=1).detach().numpy()}

    return answer


def gradient(arrays: dict[str, Any]) -> Answer:
    """Gradient times input."""
    net, x, targets = _asked(arrays)
    method = captum.attr.InputXGradient(net)
    return lambda: {"answer": method.attribute(x.clone().requires_grad_(), targets).sum(dim=1).detach().numpy()}


def grad_cam(arrays: dict[str, Any]) -> Answer:
    """Grad-CAM of the last block."""
    net, x, targets = _asked(arrays)
    method = captum.attr.LayerGradCam(net, list(net.children())[-4])
    return lambda: {"answer": method.attribute(x, targets, relu_attributions=True)[:, 0].detach().numpy()}


TASKS = {"occlusion": occlusion, "integrated": integrated, "gradient": gradient, "grad-cam": grad_cam}
