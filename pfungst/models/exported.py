"""Archives of torch.export, looked through before PyTorch opens them: it unpickles, evaluates and calls what they say.

``torch.export.load`` opens example inputs and constants as pickles of any kind, evaluates symbolic sizes as Python, and
calls whatever function of PyTorch's a node names. Archives that hold only tensors, sizes and operators are let through.
"""

import io
import json
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pfungst.errors import InputError, damage
from pfungst.models.pickled import names_in, names_in_zip, told
from pfungst.packed import MOST_UNPACKED, checked_zip

_PLACES = re.compile(
    r"(?:[^/]+/)?(?:models/[^/]+\.json|data/(?:weights|constants|sample_inputs|extra)/.*|extra/.*|\.data/[\w]+|byteorder"
    r"|version|archive_(?:format|version)|serialized_\w+\.(?:json|pt))"
)
_OPERATOR = re.compile(
    r"torch\.ops\.(?:aten|prims|higher_order|quantized|quantized_decomposed|torchvision)\.(?!from_file\b)\w+(?:\.\w+)?"
    r"|_operator\.(?:getitem|add|sub|mul|truediv|floordiv|mod|pow|neg|pos|eq|ne|lt|le|gt|ge|and_|or_|not_)"
    r"|math\.(?:ceil|floor|trunc|sqrt|log2?)|torch\.sym_\w+|torch\._sym_\w+"
)
_SIZE = re.compile(r"[\w\s+\-*/%(),<>=&|~]{1,2000}")
_SYMBOL = re.compile(r"Symbol\('\w+'")
_CALLED = re.compile(r"(\w+)\s*\(")
_SIZES = frozenset({
    "Symbol", "Integer", "Rational", "Float", "Add", "Mul", "Pow", "Mod", "PythonMod", "FloorDiv", "CleanDiv",
    "CeilDiv", "Max", "Min", "Abs", "floor", "ceiling", "Equality", "Unequality", "Eq", "Ne", "LessThan",
    "StrictLessThan", "StrictGreaterThan", "GreaterThan", "And", "Or", "Not", "TruncToInt", "ToFloat", "IntTrueDiv",
    "FloatTrueDiv", "ModularIndexing", "Where",
})  # fmt: skip


def checked_export(path: Path, torch: Any, most: int = MOST_UNPACKED) -> None:
    """Look through an archive with ``torch`` at hand; it may unpack to ``most`` bytes.

    Raises:
        InputError: if it is none or unpacks to too much, or if opening or asking it would run code of its own.
    """
    members = checked_zip(path, "is not a torch.export archive that this PyTorch reads", most)
    with zipfile.ZipFile(path) as archive:
        for member in members:
            reasons = _members(member.filename, archive, member, torch)
            reason = next(reasons, None)
            if reason is not None:
                raise InputError(
                    f"{path} holds {member.filename[:200]!r}, which can run any code ({reason}); export the network "
                    "anew as plain tensors and operators, or give --trust-pickle if you trust its origin"
                )


def _members(name: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo, torch: Any) -> Iterator[str]:
    last = name.rpartition("/")[2]
    folder = name.rpartition("/")[0].rpartition("/")[2]
    with damage(f"{archive.filename} is damaged in {name[:200]!r}", "save it again"):
        if last.startswith(("custom_obj", "opaque_obj")):
            yield told(names_in(archive.read(member)))
        elif not _PLACES.fullmatch(name):
            yield "it belongs to no part that holds tensors or the graph"
        elif name.endswith(".json"):
            yield from _told(json.loads(archive.read(member)), archive, name, torch)
        elif folder == "sample_inputs" or name.endswith(".pt"):
            yield from _pickled(archive.read(member), torch)


def _pickled(data: bytes, torch: Any) -> Iterator[str]:
    """What is wrong with a tensor file; PyTorch's own reader of plain tensors must be able to open it."""
    if not data:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001 - unpickling raises nearly anything
        packed = zipfile.is_zipfile(io.BytesIO(data))
        yield told(names_in_zip(io.BytesIO(data)) if packed else names_in(data))


def _told(held: Any, archive: zipfile.ZipFile, name: str, torch: Any) -> Iterator[str]:
    """What is wrong with a description: of weights and constants, or of the graph."""
    if name.endswith("_config.json"):
        root = name.rpartition("/")[0]
        for one in _records(held):
            place = f"{root}/{one['path_name']}"
            if str(one["path_name"]).startswith(("custom_obj", "opaque_obj")) or one.get("use_pickle"):
                yield from _pickled(archive.read(place) if place in archive.namelist() else b"none", torch)
        return
    for key, value in _strings(held):
        if key == "target" and "." in value and not _OPERATOR.fullmatch(value):
            yield f"it calls {value[:100]}"
        elif key == "expr_str" and not _is_size(value):
            yield f"it evaluates {value[:100]}"


def _is_size(words: str) -> bool:
    """Whether a text is arithmetic of sizes, as SymPy spells it, and nothing else.

    >>> _is_size("Mul(Integer(2), Symbol('s0', positive=True))"), _is_size("exec('1')"), _is_size("s0.__class__")
    (True, False, False)
    """
    bare = _SYMBOL.sub("Symbol(", words)
    return bool(_SIZE.fullmatch(bare)) and "__" not in words and set(_CALLED.findall(bare)) <= _SIZES


def _records(held: Any) -> Iterator[Mapping[str, Any]]:
    config = held.get("config") if isinstance(held, dict) else None
    for one in config.values() if isinstance(config, dict) else ():
        if isinstance(one, dict) and isinstance(one.get("path_name"), str):
            yield one


def _strings(held: Any) -> Iterator[tuple[str, str]]:
    """Every text below a key, however deep."""
    left = [held]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            yield from ((key, value) for key, value in one.items() if isinstance(value, str))
            left += one.values()
        elif isinstance(one, list):
            left += one
