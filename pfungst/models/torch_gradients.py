"""Gradients of PyTorch networks: of the score by the input, and by the activations of a layer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from pfungst.arrays import FloatArray, IntArray
from pfungst.errors import InputError


def by_input(module: Any, values: Any, targets: IntArray, scored: Any) -> tuple[FloatArray, FloatArray]:
    """Score of each row's target class (rows,), and its derivative by ``values``, a tensor the module is given.

    ``scored`` turns the module's answer into a tensor (rows, classes) of logits or log-probabilities.
    """
    torch = _torch(module)
    with _frozen(module), torch.enable_grad():
        taken = values.detach().clone().requires_grad_(True)
        chosen = _chosen(torch, scored(module(taken)), targets)
        (gradient,) = torch.autograd.grad(chosen.sum(), taken)
    return _numbers(chosen), _numbers(gradient)


def by_layer(
    module: Any, values: Any, targets: IntArray, scored: Any, layer: str = ""
) -> tuple[FloatArray, FloatArray]:
    """Activations of a layer (rows, channels, height, width), and the score's derivative by them.

    Without a name the last layer is taken whose output is a lattice with a side above one; tokens are laid out as the
    square they are, without those that stand before it.

    Raises:
        InputError: if there is no such layer, or the score does not depend on it.
    """
    torch = _torch(module)
    seen: dict[str, Any] = {}
    modules = dict(module.named_modules())
    if layer and layer not in modules:
        raise InputError(f"the network has no layer {layer!r}; it has {', '.join(list(modules)[1:8])} ...")
    watched = {layer: modules[layer]} if layer else {name: one for name, one in modules.items() if name}

    def keep(name: str) -> Any:
        def hook(_: Any, __: Any, out: Any) -> None:
            if hasattr(out, "ndim") and out.ndim in {3, 4} and out.requires_grad:
                seen.pop(name, None)
                seen[name] = out

        return hook

    hooks = [one.register_forward_hook(keep(name)) for name, one in watched.items()]
    try:
        with _frozen(module), torch.enable_grad():
            taken = values.detach().clone().requires_grad_(True)
            chosen = _chosen(torch, scored(module(taken)), targets)
            found = [(name, out) for name, out in seen.items() if _lattice(out)]
            if not found:
                raise InputError("the network has no layer whose output is a lattice, so there is none to look at")
            (gradient,) = torch.autograd.grad(chosen.sum(), found[-1][1], allow_unused=True)
    finally:
        for hook in hooks:
            hook.remove()
    if gradient is None or not bool((gradient != 0).any()):
        raise InputError(f"the score does not depend on layer {found[-1][0]!r}; name another")
    return _square(_numbers(found[-1][1])), _square(_numbers(gradient))


def redrawn(module: Any, seed: int) -> dict[str, Any]:
    """A state in which the numbers of each parameter are shuffled: the same network with nothing learned."""
    torch = _torch(module)
    draw = torch.Generator().manual_seed(seed)
    state = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
    for name, tensor in state.items():
        if tensor.is_floating_point() and tensor.numel() > 1 and name in dict(module.named_parameters()):
            order = torch.randperm(tensor.numel(), generator=draw)
            state[name] = tensor.cpu().reshape(-1)[order].reshape(tensor.shape).to(tensor.device)
    return state


def _chosen(torch: Any, scores: Any, targets: IntArray) -> Any:
    return scores.gather(1, torch.as_tensor(targets, device=scores.device).reshape(-1, 1))[:, 0]


def _lattice(out: Any) -> bool:
    if out.ndim == 4:
        return bool(out.shape[2] > 1 and out.shape[3] > 1)
    return _side(out.shape[1]) > 1


def _side(tokens: int) -> int:
    """Side of the square that tokens form, with at most two before it."""
    return next((int(side) for left in range(3) if (side := (tokens - left) ** 0.5).is_integer() and side > 1), 0)


def _square(values: FloatArray) -> FloatArray:
    if values.ndim == 4:
        return values
    side = _side(values.shape[1])
    return values[:, -side * side :].transpose(0, 2, 1).reshape(len(values), values.shape[2], side, side)


def _numbers(tensor: Any) -> FloatArray:
    return np.asarray(tensor.detach().to("cpu").float().numpy())


@contextmanager
def _frozen(module: Any) -> Iterator[None]:
    """Parameters ask for no gradient of their own: a third of the backward pass is saved."""
    asked = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in asked:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in asked:
            parameter.requires_grad_(True)


def _torch(module: Any) -> Any:
    import sys  # noqa: PLC0415 - torch is loaded wherever a module is

    assert module is not None, "a module is needed"
    return sys.modules["torch"]
