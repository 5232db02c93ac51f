"""The few fields of an ONNX file that onnxruntime does not tell: its operations, and the layer that makes the scores.

Reads protobuf's wire format. In onnx/onnx.proto ``ModelProto.graph`` is field 7; of ``GraphProto`` nodes are 1,
initializers 5 and outputs 12; of ``NodeProto`` inputs, outputs, operation and attributes are 1, 2, 4 and 5; of
``TensorProto`` dimensions, data type, floats, name and raw data are 1, 2, 4, 8 and 9.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import FloatArray
from pfungst.errors import InputError

NO_BIAS = (
    "the last layer has no bias, so one cannot be written into it; export the network with a bias there (zeros will do)"
)
_PASSED_ON = frozenset({"Identity", "Cast", "Flatten", "Squeeze"})
_SQUASHING = frozenset({"Softmax", "LogSoftmax"})
_FLOAT = 1


@dataclass(frozen=True)
class Node:
    """One operation of a graph; ``numbers`` are its whole-number attributes."""

    operation: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    numbers: Mapping[str, int]


@dataclass(frozen=True)
class Tensor:
    """A float32 initializer: its shape, and where in the file its bytes lie."""

    name: str
    shape: tuple[int, ...]
    start: int
    stop: int


@dataclass(frozen=True)
class Linear:
    """The linear layer that makes the scores: the name of its input, its weight and its bias.

    ``across`` says that the weight is stored (classes, width), else (width, classes).
    """

    features: str
    weight: Tensor
    bias: Tensor | None
    across: bool

    @property
    def width(self) -> int:
        """Number of features."""
        return self.weight.shape[1 if self.across else 0]

    def read(self, data: bytes) -> tuple[FloatArray, FloatArray]:
        """Weight (classes, width) and bias (classes,)."""
        stored = _numbers(data, self.weight)
        weight = stored if self.across else stored.T
        return weight, np.zeros(len(weight), np.float32) if self.bias is None else _numbers(data, self.bias).ravel()

    def replaced(self, data: bytes, weight: FloatArray, bias: FloatArray) -> bytes:
        """The file with another weight (classes, width) and bias (classes,) in place of these, byte for byte.

        Raises:
            InputError: if it has no bias to put another in place of.
        """
        if self.bias is None and np.any(bias):
            raise InputError(NO_BIAS)
        stored = weight if self.across else weight.T
        written = bytearray(data)
        written[self.weight.start : self.weight.stop] = np.ascontiguousarray(stored, "<f4").tobytes()
        if self.bias is not None:
            written[self.bias.start : self.bias.stop] = np.ascontiguousarray(bias, "<f4").tobytes()
        return bytes(written)


def last_operation(data: bytes, output: str) -> str:
    """Name of the operation that makes ``output``, seen through casts and reshapes; empty if it cannot be told."""
    try:
        node = _maker(_made_by(memoryview(data)), output, _PASSED_ON)
    except (IndexError, ValueError):
        return ""
    return node.operation if node is not None else ""


def last_linear(data: bytes, output: str) -> Linear | None:
    """The linear layer behind ``output``, seen through a softmax; None where the file holds none with its weights."""
    view = memoryview(data)
    try:
        made_by, tensors = _made_by(view), {tensor.name: tensor for tensor in _tensors(view)}
    except (IndexError, ValueError):
        return None
    node = _maker(made_by, output, _PASSED_ON | _SQUASHING)
    if node is None:
        return None
    if node.operation == "Gemm" and len(node.inputs) == 3 and not node.numbers.get("transA"):
        weight, bias = tensors.get(node.inputs[1]), tensors.get(node.inputs[2])
        across = bool(node.numbers.get("transB"))
        return None if weight is None or bias is None else Linear(node.inputs[0], weight, bias, across)
    bias = next((tensors[name] for name in node.inputs if name in tensors), None) if node.operation == "Add" else None
    product = next((made_by[name] for name in node.inputs if name in made_by), None) if bias is not None else node
    if product is None or product.operation != "MatMul" or product.inputs[1] not in tensors:
        return None
    return Linear(product.inputs[0], tensors[product.inputs[1]], bias, across=False)


def before_softmax(data: bytes, output: str) -> tuple[str, bool]:
    """The value a softmax turned into ``output``, and True; or ``output`` itself and False where there is none."""
    try:
        node = _maker(_made_by(memoryview(data)), output, _PASSED_ON)
        return (node.inputs[0], True) if node is not None and node.operation in _SQUASHING else (output, False)
    except (IndexError, ValueError):
        return output, False


def holds_its_weights(data: bytes) -> bool:
    """Whether no weight lies in a file beside: ``TensorProto.data_location`` is field 14, 1 for elsewhere."""
    view = memoryview(data)
    return not any(
        number == 14 and varint(view, at)[0] == 1
        for start, stop in _graph(view, 5)
        for number, at, _ in fields(view, start, stop)
    )


def with_output(data: bytes, name: str) -> bytes:
    """The file with one of its inner values as a further output: protobuf merges messages that follow each other."""
    return data + framed(7, framed(12, framed(1, name.encode())))


def _maker(made_by: Mapping[str, Node], output: str, passed_on: frozenset[str]) -> Node | None:
    node = made_by.get(output)
    while node is not None and node.operation in passed_on and node.inputs:
        node = made_by.get(node.inputs[0])
    return node


def _made_by(model: memoryview) -> dict[str, Node]:
    nodes = (_node(model, start, stop) for start, stop in _graph(model, 1))
    return {name: node for node in nodes for name in node.outputs}


def _tensors(model: memoryview) -> Iterator[Tensor]:
    for start, stop in _graph(model, 5):
        tensor = _tensor(model, start, stop)
        if tensor is not None:
            yield tensor


def _graph(model: memoryview, wanted: int) -> Iterator[tuple[int, int]]:
    for field, start, stop in fields(model, 0, len(model)):
        if field == 7:
            yield from ((first, last) for inner, first, last in fields(model, start, stop) if inner == wanted)


def _node(data: memoryview, start: int, stop: int) -> Node:
    texts: dict[int, list[str]] = {1: [], 2: [], 4: []}
    numbers: dict[str, int] = {}
    for field, first, last in fields(data, start, stop):
        if field in texts:
            texts[field].append(bytes(data[first:last]).decode())
        elif field == 5:
            parts = list(fields(data, first, last))
            name = "".join(bytes(data[a:b]).decode() for inner, a, b in parts if inner == 1)
            whole = [varint(data, a)[0] for inner, a, _ in parts if inner == 3]
            numbers |= {name: whole[0]} if whole else {}
    return Node("".join(texts[4]), tuple(texts[1]), tuple(texts[2]), numbers)


def _tensor(data: memoryview, start: int, stop: int) -> Tensor | None:
    name, shape, kind, span = "", [], 0, None
    for field, first, last in fields(data, start, stop):
        if field == 1:
            at = first
            while at < last:
                size, at = varint(data, at)
                shape.append(size)
        elif field == 2:
            kind = varint(data, first)[0]
        elif field == 8:
            name = bytes(data[first:last]).decode()
        elif field in {4, 9}:
            span = (first, last)
    whole = 4 * int(np.prod(shape or [1]))
    if kind != _FLOAT or span is None or span[1] - span[0] != whole:
        return None
    return Tensor(name, tuple(shape), *span)


def _numbers(data: bytes, tensor: Tensor) -> FloatArray:
    return np.frombuffer(data, "<f4", (tensor.stop - tensor.start) // 4, tensor.start).reshape(tensor.shape)


def fields(data: memoryview, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number and span of each field's value: of the bytes where a length stands before them, else of the number."""
    while at < end:
        key, at = varint(data, at)
        field, wire = key >> 3, key & 7
        if wire == 2:
            length, at = varint(data, at)
            stop = at + length
        elif wire == 0:
            stop = varint(data, at)[1]
        elif wire in {1, 5}:
            stop = at + (8 if wire == 1 else 4)
        else:
            raise ValueError(f"wire type {wire} does not occur in ONNX")
        if stop > end:
            raise ValueError("a field ends beyond the message")
        yield field, at, stop
        at = stop


def varint(data: memoryview, at: int) -> tuple[int, int]:
    """The whole number that begins here, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError("a number is longer than ten bytes")


def framed(field: int, value: bytes) -> bytes:
    """A field of bytes with its length before it."""
    return _spelled(field << 3 | 2) + _spelled(len(value)) + value


def numbered(field: int, value: int) -> bytes:
    """A field that is a whole number.

    >>> numbered(1, 300).hex()
    '08ac02'
    """
    return _spelled(field << 3) + _spelled(value)


def _spelled(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])
