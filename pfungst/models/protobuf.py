"""The few fields of an ONNX file that onnxruntime does not tell: which operation makes an output."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_GRAPH, _NODE = 7, 1
_INPUT, _OUTPUT, _OPERATION = 1, 2, 4
_PASSED_ON = frozenset({"Identity", "Cast", "Flatten", "Squeeze"})


@dataclass(frozen=True)
class Node:
    """One operation of a graph."""

    operation: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def last_operation(data: bytes, output: str) -> str:
    """Name of the operation that makes ``output``, seen through casts and reshapes; empty if it cannot be told.

    Reads protobuf's wire format: ``ModelProto.graph`` is field 7, ``GraphProto.node`` field 1, and of ``NodeProto``
    fields 1, 2 and 4 are inputs, outputs and the operation's name (onnx/onnx.proto).
    """
    try:
        made_by = {name: node for node in _nodes(memoryview(data)) for name in node.outputs}
    except (IndexError, ValueError):
        return ""
    node = made_by.get(output)
    while node is not None and node.operation in _PASSED_ON and node.inputs:
        node = made_by.get(node.inputs[0])
    return node.operation if node is not None else ""


def last_operation_of(path: Path, output: str) -> str:
    """The same for a file."""
    return last_operation(path.read_bytes(), output)


def _nodes(model: memoryview) -> Iterator[Node]:
    for field, graph in _fields(model):
        if field == _GRAPH:
            for inner, node in _fields(graph):
                if inner == _NODE:
                    yield _node(node)


def _node(data: memoryview) -> Node:
    texts: dict[int, list[str]] = {_INPUT: [], _OUTPUT: [], _OPERATION: []}
    for field, value in _fields(data):
        if field in texts:
            texts[field].append(bytes(value).decode())
    return Node("".join(texts[_OPERATION]), tuple(texts[_INPUT]), tuple(texts[_OUTPUT]))


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and bytes of each length-delimited field; numbers are skipped."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        field, wire = key >> 3, key & 7
        if wire == 0:
            _, at = _varint(data, at)
        elif wire in {1, 5}:
            at += 8 if wire == 1 else 4
        elif wire == 2:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise ValueError("a field ends beyond the message")
            yield field, data[at : at + length]
            at += length
        else:
            raise ValueError(f"wire type {wire} does not occur in ONNX")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError("a number is longer than ten bytes")
