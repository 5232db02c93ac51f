"""Gradients of PyTorch networks: of the score by the input, and by the activations of a layer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from pfungst.arrays import FloatArray, IntArray
from pfungst.errors import InputError
from pfungst.models.model import Derivatives, Linearised


def by_input(module: Any, values: Any, targets: IntArray | None, scored: Any) -> Derivatives:
    """Derivative by ``values``, a tensor the module is given, of the score of each row's target class, or its answer's.

    ``scored`` turns the module's answer into a tensor (rows, classes) of logits or log-probabilities.
    """
    torch = _torch(module)
    with _frozen(module), torch.enable_grad():
        taken = values.detach().clone().requires_grad_(True)
        chosen, named = _chosen(torch, scored(module(taken)), targets)
        (gradient,) = torch.autograd.grad(chosen.sum(), taken)
    return Derivatives(named, _numbers(chosen), _numbers(taken), _numbers(gradient))


def linearised(module: Any, values: Any, scored: Any) -> Linearised:
    """Scores of ``values``, and the derivative by them of whatever has the given derivative by the scores.

    Raises:
        InputError: from the way back, if the scores do not depend on the inputs by anything that has a derivative.
    """
    torch = _torch(module)
    with _frozen(module), torch.enable_grad():
        taken = values.detach().clone().requires_grad_(True)
        scores = scored(module(taken))

    def pulled_back(slope: FloatArray) -> FloatArray:
        if not scores.requires_grad:
            raise InputError("the network's scores have no derivative by its inputs")
        along = torch.from_numpy(np.ascontiguousarray(slope)).to(scores.device, scores.dtype)
        (gradient,) = torch.autograd.grad(scores, taken, along)
        return _numbers(gradient)

    return Linearised(_numbers(scores), pulled_back)


def by_layer(module: Any, values: Any, targets: IntArray | None, scored: Any, layer: str) -> Derivatives:
    """Derivative by the activations of a layer (rows, channels, height, width); tokens are laid out as their square.

    Before the layer nothing is kept for the way back, so this costs little more than a forward pass.

    Raises:
        InputError: if there is no such layer, or the score does not depend on it.
    """
    torch = _torch(module)
    modules = dict(module.named_modules())
    if layer not in modules:
        raise InputError(f"the network has no layer {layer!r}; it has {', '.join(list(modules)[1:8])} ...")
    seen: list[Any] = []

    def keep(_: Any, __: Any, out: Any) -> Any:
        seen.append(out.detach().requires_grad_(True))
        return seen[-1].clone()  # what follows may write into it

    hook = modules[layer].register_forward_hook(keep)
    gradient = None
    try:
        with _frozen(module), torch.enable_grad():
            chosen, named = _chosen(torch, scored(module(values)), targets)
            if seen and chosen.requires_grad:
                (gradient,) = torch.autograd.grad(chosen.sum(), seen[-1], allow_unused=True)
    finally:
        hook.remove()
    if gradient is None:
        raise InputError(f"the score does not depend on layer {layer!r}; name another")
    return Derivatives(named, _numbers(chosen), _square(_numbers(seen[-1])), _square(_numbers(gradient)))


def last_lattice(module: Any, values: Any) -> str:
    """The layer that comes last of those whose output is a lattice with a side above one; the module is run once.

    Raises:
        InputError: if there is none.
    """
    seen: list[str] = []

    def note(name: str) -> Any:
        def hook(_: Any, __: Any, out: Any) -> None:
            if hasattr(out, "ndim") and out.ndim in {3, 4} and _lattice(out):
                seen.append(name)

        return hook

    hooks = [one.register_forward_hook(note(name)) for name, one in module.named_modules() if name]
    try:
        with _torch(module).inference_mode():
            module(values)
    finally:
        for hook in hooks:
            hook.remove()
    if not seen:
        raise InputError("the network has no layer whose output is a lattice, so there is none to look at")
    return seen[-1]


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


def _chosen(torch: Any, scores: Any, targets: IntArray | None) -> tuple[Any, IntArray]:
    """Each row's score of its target, and the targets: without any the answers."""
    named = scores.detach().argmax(dim=1) if targets is None else torch.as_tensor(targets, device=scores.device)
    return scores.gather(1, named.reshape(-1, 1))[:, 0], np.asarray(named.cpu().numpy())


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
