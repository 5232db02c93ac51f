"""Tensors of the Open Inference Protocol, as JSON and by its extension for binary data."""

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from pfungst.arrays import Array
from pfungst.errors import InputError
from pfungst.models.endpoint_http import Reply

TYPES: Mapping[str, str] = {
    "FP16": "<f2", "FP32": "<f4", "FP64": "<f8", "UINT8": "|u1", "INT8": "|i1", "UINT16": "<u2", "INT16": "<i2",
    "UINT32": "<u4", "INT32": "<i4", "UINT64": "<u8", "INT64": "<i8", "BOOL": "|b1",
}  # fmt: skip
SCORES = frozenset({"FP16", "FP32", "FP64"})
MOST_SIDES = 8
"""Axes that scores may come with."""
_LENGTH = "inference-header-content-length"


class Tensor(NamedTuple):
    """A tensor as the server's metadata declare it: its name, type and shape (-1: open)."""

    name: str
    datatype: str
    shape: tuple[int, ...]


def question(values: Array, given: Tensor, output: str, *, binary: bool) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a request for one output; ``values`` are numbers, or texts where the type is BYTES."""
    head: dict[str, Any] = {"name": given.name, "datatype": given.datatype, "shape": list(values.shape)}
    wanted: dict[str, Any] = {"name": output}
    raw = b""
    if binary:
        raw = _texts(values) if given.datatype == "BYTES" else values.astype(TYPES[given.datatype]).tobytes()
        head["parameters"], wanted["parameters"] = {"binary_data_size": len(raw)}, {"binary_data": True}
    else:
        head["data"] = values.ravel().tolist()
    text = json.dumps({"inputs": [head], "outputs": [wanted]}).encode()
    if not binary:
        return text, {"Content-Type": "application/json"}
    return text + raw, {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(text))}


def _texts(values: Array) -> bytes:
    encoded = [str(value).encode("utf-8", "replace") for value in values.ravel()]
    return b"".join(len(each).to_bytes(4, "little") + each for each in encoded)


def answer(reply: Reply, name: str, source: str) -> Array:
    """The output of that name, as numbers of its declared shape.

    Raises:
        InputError: if the answer does not follow the protocol; the sentence says where.
    """
    length = reply.headers.get(_LENGTH)
    cut = int(length) if length is not None and length.isascii() and length.isdigit() else len(reply.body)
    told = objects(reply.body[:cut], source)
    outputs = told.get("outputs")
    if not isinstance(outputs, list) or not all(isinstance(each, dict) for each in outputs):
        raise InputError(f"{source} gave an answer without `outputs`; it does not speak the Open Inference Protocol")
    at = cut
    for each in outputs:
        parameters = each.get("parameters")
        size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
        raw = None if not isinstance(size, int) or size < 0 else reply.body[at : at + size]
        at += 0 if raw is None else len(raw)
        if each.get("name") == name:
            return _array(each, raw, source)
    raise InputError(
        f"{source} was asked for the output {name!r} and gave {[each.get('name') for each in outputs][:5]}"
    )


def _array(told: Mapping[str, Any], raw: bytes | None, source: str) -> Array:
    kind, shape = told.get("datatype"), told.get("shape")
    if not isinstance(kind, str) or kind not in SCORES:
        raise InputError(f"{source} answers with {kind}, not with scores of classes; name another output with --output")
    sides = shape if isinstance(shape, list) and len(shape) <= MOST_SIDES else [-1]
    if not all(isinstance(side, int) and side >= 0 for side in sides):
        raise InputError(f"{source} answers with the shape {str(shape)[:100]}, which is none")
    count = math.prod(sides)
    if raw is not None:
        dtype = np.dtype(TYPES[kind])
        if len(raw) != count * dtype.itemsize:
            raise InputError(f"{source} answers {len(raw)} bytes for a tensor {kind} of shape {shape}")
        return np.frombuffer(raw, dtype).reshape(sides).astype(np.float64)
    try:
        values = np.array(told.get("data"), dtype=np.float64).ravel()
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{source} answers with data that are no numbers; scores of classes are needed") from None
    if len(values) != count:
        raise InputError(f"{source} answers {len(values)} numbers for a tensor of shape {shape}")
    return values.reshape(sides)


def objects(body: bytes, source: str) -> dict[str, Any]:
    """A JSON object. Raises InputError if it is none."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        shown = body[:80].decode("utf-8", "replace")
        raise InputError(f"{source} answers what is no JSON ({shown!r}); it does not speak the protocol") from None
    if not isinstance(told, dict):
        raise InputError(f"{source} answers JSON that is no object; it does not speak the Open Inference Protocol")
    return told
