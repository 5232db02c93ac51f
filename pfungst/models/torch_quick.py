"""A quicker copy of a PyTorch network for plain answers, used where it was seen to answer alike."""

import copy
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pfungst.arrays import Array, FloatArray
from pfungst.errors import InputError, first_line

PRECISIONS = ("float32", "bfloat16", "float16")
ALIKE = 1e-5
"""How far scores may lie apart, relative to the largest of them, where only the order of sums differs."""

MOVED = 0.02
"""How far a probability may move by a lower precision before it is refused."""


@dataclass(frozen=True)
class Quick:
    """A copy of a network that answers alike; ``linear`` is its last layer, ``way`` says what was done.

    ``precision`` is float32, or what most layers compute in.
    """

    module: Any
    linear: Any
    way: str
    device: str = "cpu"
    precision: str = "float32"
    strided: bool = False

    def __call__(self, *given: Any, **named: Any) -> Any:
        """What the network answers to what it is given."""
        torch = sys.modules["torch"]
        if self.strided:
            given = tuple(each.contiguous(memory_format=torch.channels_last) for each in given)
        if self.precision == "float32":
            return self.module(*given, **named)
        with torch.autocast(torch.device(self.device).type, getattr(torch, self.precision)):
            return self.module(*given, **named)


def rearranged(module: Any, linear: Any, device: str) -> Quick | None:
    """The same sums in a better order, for convolutions on processors; None where there is nothing to gain.

    Batch normalisations become part of the convolution before them where the network's graph can be traced, and
    channels of one place lie side by side in memory. Gradients are never taken of it.
    """
    torch = sys.modules["torch"]
    layers = list(module.modules())
    convolutions = sum(isinstance(layer, torch.nn.Conv2d) for layer in layers)
    hooked = any(layer._forward_hooks or layer._forward_pre_hooks for layer in layers)  # noqa: SLF001 - no other way to see them
    if device != "cpu" or convolutions < 2 or hooked or any(layer.training for layer in layers):
        return None
    try:
        changed, way = _folded(module)
        changed = changed.to(memory_format=torch.channels_last)
        found = None if linear is None else changed.get_submodule(_name(module, linear))
    except Exception:  # noqa: BLE001 - whatever a stranger's module does when it is copied, it can be asked as it is
        return None
    return Quick(changed, found, f"{way}channels last", strided=True)


def _folded(module: Any) -> tuple[Any, str]:
    """A copy with batch normalisations folded into the convolutions before them, if its graph can be traced."""
    torch = sys.modules["torch"]
    copied = copy.deepcopy(module)
    try:
        traced = torch.fx.symbolic_trace(copied)
        count = _fold(torch, traced)
    except Exception:  # noqa: BLE001 - control flow that depends on values, and much else, cannot be traced
        return copy.deepcopy(module), ""
    return (traced, f"{count} batch normalisations folded, ") if count else (copied, "")


def _fold(torch: Any, traced: Any) -> int:
    """Put each batch normalisation into the convolution that nothing else listens to; how many there were."""
    layers, count = dict(traced.named_modules()), 0
    calls = Counter(node.target for node in traced.graph.nodes if node.op == "call_module")
    for node in list(traced.graph.nodes):
        before: Any = node.args[0] if node.op == "call_module" and node.args else None
        if type(layers.get(node.target)) is not torch.nn.BatchNorm2d or getattr(before, "op", "") != "call_module":
            continue
        alone = calls[node.target] == calls[before.target] == len(before.users) == 1
        if alone and type(layers[before.target]) is torch.nn.Conv2d:
            fused = torch.nn.utils.fusion.fuse_conv_bn_eval(layers[before.target], layers[node.target])
            traced.set_submodule(before.target, fused)
            node.replace_all_uses_with(before)
            traced.graph.erase_node(node)
            count += 1
    traced.recompile()
    return count


def _name(module: Any, wanted: Any) -> str:
    return next(str(name) for name, layer in module.named_modules() if layer is wanted)


def alike(plain: FloatArray, quick: FloatArray) -> bool:
    """Whether two arrays (rows, scores) hold the same answers but for the last bits."""
    scale = max(1.0, float(abs(plain).max()))
    same = bool((plain.argmax(axis=1) == quick.argmax(axis=1)).all())
    return same and bool((abs(plain - quick) <= ALIKE * scale).all())


def lowered(precision: str, quick: Quick | None, module: Any, linear: Any, device: str) -> Quick:
    """The same network computing in a lower precision."""
    of = Quick(module, linear, "", device) if quick is None else quick
    return replace(of, way=f"{of.way}{', ' if of.way else ''}computed in {precision}", precision=precision)


def moved(plain: FloatArray, low: FloatArray, asked: str, source: str) -> None:
    """Compare probabilities (rows, classes) of a sample in float32 and in a lower precision.

    Raises:
        InputError: if an answer changes, or a probability by more than ``MOVED``.
    """
    changed = int((plain.argmax(axis=1) != low.argmax(axis=1)).sum())
    most = float(abs(plain - low).max())
    if changed or not most <= MOVED:
        raise InputError(
            f"--precision {asked} moves the answers of {source}: on the first {len(plain)} rows {changed} of them, and "
            f"a probability by {most:.3f} (at most {MOVED} is allowed); use --precision float32"
        )


def checked_precision(precision: str) -> str:
    """The precision that was asked for. Raises InputError if there is none of that name."""
    if precision not in PRECISIONS:
        raise InputError(f"there is no precision {precision!r}; there are {', '.join(PRECISIONS)}")
    return precision


def tried(ask: Callable[[Array], Any], inputs: Array, asked: str, source: str) -> Any:
    """Answers in a lower precision. Raises InputError where the device or a layer does not compute in it."""
    try:
        return ask(inputs)
    except InputError as error:
        raise InputError(
            f"{source} cannot be asked in --precision {asked} ({first_line(error)}); use --precision float32"
        ) from error
