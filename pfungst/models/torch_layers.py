"""A PyTorch module read as the steps of a feed-forward network, from the graph that ``torch.export`` draws of it."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pfungst.errors import InputError, first_line
from pfungst.models.torch_forms import loaded
from pfungst.models.torch_steps import Convolution, Dense, Rectifier, Scale, Shaped, Step, Sum

COVERED = "linear layers, convolutions, averages, batch normalisation, ReLU, leaky ReLU, sums, constants and reshaping"


@dataclass(frozen=True)
class Layers:
    """Steps in the order they run. Values 0 are the input's; step ``i`` makes values ``i + 1`` of ``sources[i]``.

    ``shape`` is the input's without rows; ``squashed``: a softmax follows, which keeps the order of the scores.
    """

    shape: tuple[int, ...]
    steps: tuple[Step, ...]
    sources: tuple[tuple[int, ...], ...]
    squashed: bool = False

    def applied(self, values: Any) -> Any:
        """Scores of some rows, (rows, classes)."""
        found = [values]
        for step, taken in zip(self.steps, self.sources, strict=True):
            found.append(step.applied(*(found[at] for at in taken)))
        return found[-1]

    def to(self, place: str) -> "Layers":
        """The same on another device."""
        return Layers(self.shape, tuple(step.to(place) for step in self.steps), self.sources, self.squashed)


def read_layers(module: Any, example: Any) -> Layers:
    """The steps of a module; ``example`` is what it is given, two rows.

    Raises:
        InputError: if it cannot be drawn as a graph, or an operation is not covered; it is named.
    """
    torch = loaded()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            # With an empty table nothing is taken apart, but what writes in place is replaced by what does not.
            program = torch.export.export(module, (example,), strict=False).run_decompositions({})
    except Exception as error:
        raise InputError(f"nothing is proven: the network cannot be drawn as a graph ({first_line(error)})") from error
    reading = _Reading(tuple(example.shape[1:]), example.device)
    held = {**program.state_dict, **program.constants}
    signature = program.graph_signature
    for node in program.graph.nodes:
        if node.op == "placeholder":
            target = _target(signature, node.name)
            reading.known[node.name] = Values(0) if target is None else _numbers(held[target])
        elif node.op == "call_function":
            reading.read(node)
    return reading.layers(signature.user_outputs[0])


def _target(signature: Any, name: str) -> str | None:
    held: dict[str, str] = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    held |= signature.inputs_to_lifted_tensor_constants
    return held.get(name)


def _numbers(tensor: Any) -> Any:
    tensor = tensor.detach()
    return tensor.double() if tensor.is_floating_point() else tensor


@dataclass(frozen=True)
class Values:
    """Values of the network, by number."""

    at: int


@dataclass
class _Reading:
    """What is known of each node of a graph so far: a constant, or the number of the values it makes."""

    shape: tuple[int, ...]
    place: Any
    known: dict[str, Any] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    sources: list[tuple[int, ...]] = field(default_factory=list)
    squashed: set[int] = field(default_factory=set)

    def read(self, node: Any) -> None:
        """Add what a node does."""
        args = [self._of(one) for one in node.args]
        named = {name: self._of(one) for name, one in node.kwargs.items()}
        name = str(getattr(node.target, "__name__", node.target)).partition(".")[0]
        if not any(isinstance(one, Values) for one in [*args, *named.values()]):
            self.known[node.name] = node.target(*args, **named)
            return
        meta = node.meta.get("val")
        meta = meta[0] if isinstance(meta, tuple) else meta
        given = tuple(meta.shape[1:]) if hasattr(meta, "shape") else ()
        if any(one.at in self.squashed for one in args if isinstance(one, Values)):
            raise _uncovered(f"{name} after a softmax")
        if name not in _READ:
            raise _uncovered(name)
        self.known[node.name] = _READ[name](self, given, *args, **named)

    def add(self, step: Step, *taken: Values) -> Values:
        """A further step."""
        self.steps.append(step)
        self.sources.append(tuple(one.at for one in taken))
        return Values(len(self.steps))

    def given(self, values: Values) -> tuple[int, ...]:
        """Shape of values, without rows."""
        return self.steps[values.at - 1].given if values.at else self.shape

    def layers(self, output: str) -> Layers:
        """All that was read, up to the output; what it does not need is left out."""
        last = self.known.get(output)
        if not isinstance(last, Values) or last.at == 0:
            raise _uncovered("scores that do not depend on the input")
        needed, open_ = set(), [last.at]
        while open_:
            at = open_.pop()
            if at and at not in needed:
                needed.add(at)
                open_.extend(self.sources[at - 1])
        order = sorted(needed)
        number = {0: 0} | {at: place for place, at in enumerate(order, start=1)}
        sources = tuple(tuple(number[one] for one in self.sources[at - 1]) for at in order)
        return Layers(self.shape, tuple(self.steps[at - 1] for at in order), sources, last.at in self.squashed)

    def _of(self, argument: Any) -> Any:
        return self.known[argument.name] if hasattr(argument, "op") else argument


def _uncovered(what: str) -> InputError:
    return InputError(f"nothing is proven: the network holds {what}; proofs cover {COVERED}")


def _same(reading: _Reading, given: tuple[int, ...], values: Any, *_: Any, **__: Any) -> Any:
    del reading, given
    return values


def _first(reading: _Reading, given: tuple[int, ...], values: Any, at: int) -> Any:
    del reading, given
    if at:
        raise _uncovered("a second output of a layer")
    return values


def _dropout(reading: _Reading, given: tuple[int, ...], values: Any, share: float, train: bool) -> Any:
    del reading, given, share
    if train:
        raise _uncovered("dropout that is left on")
    return values


def _reshaped(reading: _Reading, given: tuple[int, ...], values: Any, *_: Any, **__: Any) -> Any:
    taken = reading.given(values)
    return values if taken == given else reading.add(Shaped(taken, given), values)


def _dense(reading: _Reading, given: tuple[int, ...], values: Any, weight: Any, bias: Any = None) -> Values:
    taken = reading.given(values)
    if len(taken) != 1 or isinstance(weight, Values):
        raise _uncovered("a linear layer applied to more than one vector a row")
    offset = weight.new_zeros(len(weight)) if bias is None else bias
    return reading.add(Dense(weight, offset, taken, given), values)


def _product(reading: _Reading, given: tuple[int, ...], values: Any, weight: Any) -> Values:
    if not isinstance(values, Values) or isinstance(weight, Values):
        raise _uncovered("a product of two layers' values")
    return _dense(reading, given, values, weight.T)


def _added_product(reading: _Reading, given: tuple[int, ...], bias: Any, values: Any, weight: Any) -> Values:
    if isinstance(weight, Values) or isinstance(bias, Values):
        raise _uncovered("a product of two layers' values")
    return _dense(reading, given, values, weight.T, bias)


def _convolution(reading: _Reading, given: tuple[int, ...], values: Any, weight: Any, *rest: Any) -> Values:
    usual: tuple[Any, ...] = (None, (1, 1), (0, 0), (1, 1))
    bias, stride, padding, dilation = rest[:4] + usual[len(rest[:4]) :]
    # ``convolution`` has two more arguments than ``conv2d`` before the groups: transposed, and padding of its output.
    rest = rest[4:]
    groups = int(rest[-1]) if rest else 1
    taken = reading.given(values)
    if len(taken) != 3 or isinstance(padding, str) or isinstance(weight, Values) or (len(rest) == 3 and rest[0]):
        raise _uncovered("a convolution that is not over two axes, or transposed, or padded by name")
    offset = weight.new_zeros(len(weight)) if bias is None else bias
    step = Convolution(
        weight, offset[:, None, None], taken, given, None, _pair(stride), _pair(padding), _pair(dilation), groups
    )
    return reading.add(step, values)


def _pair(value: Any) -> tuple[int, int]:
    both = (value, value) if isinstance(value, int) else tuple(value)
    return (int(both[0]), int(both[-1]))


def _normalised(reading: _Reading, given: tuple[int, ...], values: Any, weight: Any, *rest: Any) -> Values:
    bias, mean, variance, _, floor = rest
    factor = (variance + floor).rsqrt() * (1.0 if weight is None else weight)
    less = mean * factor
    offset = (0.0 if bias is None else bias) - less
    stored = less.abs() + (0.0 if bias is None else bias.abs())
    across = (-1,) + (1,) * (len(given) - 1)
    return reading.add(
        Scale(factor.reshape(across), offset.reshape(across), given, given, stored.reshape(across)), values
    )


def _rectified(reading: _Reading, given: tuple[int, ...], values: Any, slope: float = 0.0) -> Values:
    if not 0 <= slope < 1:
        raise _uncovered(f"a leaky ReLU of slope {slope:g}")
    return reading.add(Rectifier(given, float(slope)), values)


def _sum(sign: float) -> Callable[..., Values]:
    def read(reading: _Reading, given: tuple[int, ...], first: Any, second: Any, alpha: float = 1.0) -> Values:
        if isinstance(first, Values) and isinstance(second, Values):
            if reading.given(first) != reading.given(second):
                raise _uncovered("a sum of layers of different shapes")
            factor = sign * float(alpha)
            return reading.add(Sum(given), first, second if factor == 1 else _line(reading, second, factor, 0.0))
        if isinstance(first, Values):
            return _line(reading, first, 1.0, sign * alpha * second)
        return _line(reading, second, sign * float(alpha), first)

    return read


def _taken_from(reading: _Reading, given: tuple[int, ...], first: Any, second: Any, alpha: float = 1.0) -> Values:
    return _sum(-1.0)(reading, given, second, first, alpha)


def _times(reading: _Reading, given: tuple[int, ...], first: Any, second: Any) -> Values:
    del given
    if isinstance(first, Values) and isinstance(second, Values):
        raise _uncovered("a product of two layers' values")
    values, factor = (first, second) if isinstance(first, Values) else (second, first)
    return _line(reading, values, factor, 0.0)


def _over(reading: _Reading, given: tuple[int, ...], values: Any, divisor: Any) -> Values:
    del given
    if not isinstance(values, Values) or isinstance(divisor, Values):
        raise _uncovered("a quotient of two layers' values")
    return _line(reading, values, 1.0 / divisor, 0.0)


def _negative(reading: _Reading, given: tuple[int, ...], values: Any) -> Values:
    del given
    return _line(reading, values, -1.0, 0.0)


def _line(reading: _Reading, values: Values, factor: Any, offset: Any) -> Values:
    torch, shape = loaded(), reading.given(values)
    try:
        held = (torch.as_tensor(one, dtype=torch.float64).to(reading.place) for one in (factor, offset))
        both = [one.expand(1, *shape)[0] for one in held]
    except RuntimeError:
        raise _uncovered("a constant that differs from row to row or makes values larger") from None
    return reading.add(Scale(both[0], both[1], shape, shape), values)


def _averaged(reading: _Reading, given: tuple[int, ...], values: Any, size: Any, *rest: Any) -> Values:
    usual: tuple[Any, ...] = ((), 0)
    stride, padding = rest[:2] + usual[len(rest[:2]) :]
    sizes, margins, rest = _pair(size), _pair(padding), rest[2:]
    if any(rest[:1]) or (any(margins) and rest[1:2] == (False,)) or any(rest[2:]):
        raise _uncovered("average pooling with a ceiling, a divisor, or a margin that is not counted")
    channels = reading.given(values)[0]
    share, kind = 1 / (sizes[0] * sizes[1]), loaded().float64
    weight = loaded().full((channels, 1, *sizes), share, dtype=kind, device=reading.place)
    offset = weight.new_zeros(channels, 1, 1)
    step = Convolution(
        weight, offset, reading.given(values), given, None, _pair(stride) if stride else sizes, margins, (1, 1),
        channels,
    )  # fmt: skip
    return reading.add(step, values)


def _averaged_to(reading: _Reading, given: tuple[int, ...], values: Any, size: Any) -> Values:
    taken = reading.given(values)
    if len(taken) != 3 or any(taken[1 + axis] % given[1 + axis] for axis in (0, 1)):
        raise _uncovered("adaptive pooling to a size that does not divide what it pools")
    del size
    return _averaged(reading, given, values, tuple(taken[1 + axis] // given[1 + axis] for axis in (0, 1)))


def _mean(reading: _Reading, given: tuple[int, ...], values: Any, axes: Any, *_: Any, **__: Any) -> Any:
    taken = reading.given(values)
    if len(taken) != 3 or {axis % 4 for axis in axes} != {2, 3}:
        raise _uncovered("a mean over other axes than height and width")
    return _reshaped(reading, given, _averaged(reading, (taken[0], 1, 1), values, taken[1:]))


def _softmax(reading: _Reading, given: tuple[int, ...], values: Any, axis: int, *_: Any) -> Any:
    if len(given) != 1 or axis not in {1, -1}:
        raise _uncovered("a softmax over other axes than the classes")
    reading.squashed.add(values.at)
    return values


_READ: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("clone", "alias", "detach", "contiguous", "lift_fresh_copy"), _same),
    **dict.fromkeys(("view", "reshape", "flatten", "squeeze", "unsqueeze", "_unsafe_view"), _reshaped),
    **dict.fromkeys(("conv2d", "convolution"), _convolution),
    **dict.fromkeys(("mm", "matmul"), _product),
    **dict.fromkeys(("softmax", "log_softmax", "_softmax", "_log_softmax"), _softmax),
    **dict.fromkeys(("adaptive_avg_pool2d", "_adaptive_avg_pool2d"), _averaged_to),
    **dict.fromkeys(("relu", "leaky_relu"), _rectified),
    "_native_batch_norm_legit_no_training": _normalised,
    "getitem": _first,
    "dropout": _dropout,
    "linear": _dense,
    "addmm": _added_product,
    "avg_pool2d": _averaged,
    "mean": _mean,
    "add": _sum(1.0),
    "sub": _sum(-1.0),
    "rsub": _taken_from,
    "mul": _times,
    "div": _over,
    "neg": _negative,
}
