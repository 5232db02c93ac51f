"""Further operations after an ONNX graph, written into its file: protobuf's wire format, no package needed.

Fields as in onnx/onnx.proto: of ``NodeProto`` inputs 1, outputs 2, name 3, operation 4, attributes 5; of
``AttributeProto`` name 1, float 2, whole number 3, whole numbers 8, type 20; of ``TensorProto`` dimensions 1, type 2,
name 8, raw data 9; of ``ValueInfoProto`` name 1, type 2; of ``ModelProto`` the graph 7 and operator sets 8.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from pfungst.arrays import Array
from pfungst.errors import InputError
from pfungst.models.protobuf import fields, framed, numbered, varint

FLOAT, INT64, BOOL = 1, 7, 9
_KINDS = {"f": FLOAT, "i": INT64}
OLDEST = 11
"""Operator set before which operations of the tail were defined otherwise."""


@dataclass
class Tail:
    """Operations in the order they run, the constants they use, and the outputs that take the place of the graph's own.

    ``opset`` is the version of the operator set the file names: since 18 a reduction takes its axes as an input.
    """

    opset: int
    prefix: str = "pfungst_"
    nodes: list[bytes] = field(default_factory=list)
    constants: list[bytes] = field(default_factory=list)
    outputs: list[bytes] = field(default_factory=list)
    count: int = 0

    def constant(self, value: Array) -> str:
        """The name of a constant: floats as float32, whole numbers as int64."""
        values = np.asarray(value)
        stored = values.astype("<f4") if values.dtype.kind == "f" else values.astype("<i8")
        name = self.named()
        dimensions = b"".join(numbered(1, size) for size in stored.shape)
        kind = numbered(2, _KINDS[stored.dtype.kind])
        self.constants.append(dimensions + kind + framed(8, name.encode()) + framed(9, stored.tobytes()))
        return name

    def add(self, operation: str, *inputs: str, output: str = "", **attributes: int | Sequence[int]) -> str:
        """The name of what an operation makes of its inputs; attributes are whole numbers or lists of them."""
        return self.several(operation, inputs, (output or self.named(),), **attributes)[0]

    def several(
        self, operation: str, inputs: Iterable[str], outputs: tuple[str, ...], **attributes: int | Sequence[int]
    ) -> tuple[str, ...]:
        """The same for an operation of several outputs."""
        written = b"".join(framed(1, name.encode()) for name in inputs)
        written += b"".join(framed(2, name.encode()) for name in outputs)
        written += framed(3, self.named().encode()) + framed(4, operation.encode())
        written += b"".join(framed(5, _attribute(name, value)) for name, value in attributes.items())
        self.nodes.append(written)
        return outputs

    def reduced(self, operation: str, values: str, *, keep: bool = False) -> str:
        """Each row (rows, n) reduced to one number, (rows,), or (rows, 1) where kept."""
        if self.opset >= 18:
            return self.add(operation, values, self.constant(np.array([1])), keepdims=int(keep))
        return self.add(operation, values, axes=[1], keepdims=int(keep))

    def give(self, name: str, kind: int, *columns: int) -> None:
        """Make a value an output of the graph, (rows, columns)."""
        sizes = [framed(2, b"rows"), *(numbered(1, size) for size in columns)]
        shape = b"".join(framed(1, size) for size in sizes)
        self.outputs.append(framed(1, name.encode()) + framed(2, framed(1, numbered(1, kind) + framed(2, shape))))

    def __call__(self, data: bytes) -> bytes:
        """The file with these operations after its own, and these outputs in place of its own."""
        kept, graph = [], b""
        for number, whole, value in spans(memoryview(data)):
            if number == 7:
                graph += value
            else:
                kept.append(whole)
        own = b"".join(whole for number, whole, _ in spans(memoryview(graph)) if number != 12)
        new = ((1, self.nodes), (5, self.constants), (12, self.outputs))
        own += b"".join(framed(number, value) for number, values in new for value in values)
        return b"".join(kept) + framed(7, own)

    def named(self) -> str:
        """A name that no value of the graph has."""
        self.count += 1
        return f"{self.prefix}{self.count}"


def operator_set(data: bytes) -> int:
    """Version of the operator set of ONNX itself that a file names.

    Raises:
        InputError: if it is older than 11, or not named.
    """
    view = memoryview(data)
    found = 0
    for number, start, stop in fields(view, 0, len(view)):
        if number == 8:
            parts = {inner: (a, b) for inner, a, b in fields(view, start, stop)}
            domain = bytes(view[slice(*parts[1])]).decode() if 1 in parts else ""
            if domain in {"", "ai.onnx"} and 2 in parts:
                found = varint(view, parts[2][0])[0]
    if found < OLDEST:
        raise InputError(
            f"the ONNX file is of operator set {found or 'none'}; operations can be added from {OLDEST} on: export it "
            "again with a newer opset_version"
        )
    return found


def spans(message: memoryview) -> Iterator[tuple[int, bytes, bytes]]:
    """Each field of a message: its number, its bytes as they stand, and those of its value."""
    at = 0
    for number, start, stop in fields(message, 0, len(message)):
        yield number, bytes(message[at:stop]), bytes(message[start:stop])
        at = stop


def _attribute(name: str, value: int | Sequence[int]) -> bytes:
    """Attribute type 2 is a whole number, 7 a list of them."""
    if isinstance(value, int):
        return framed(1, name.encode()) + numbered(3, value) + numbered(20, 2)
    return framed(1, name.encode()) + b"".join(numbered(8, each) for each in value) + numbered(20, 7)
