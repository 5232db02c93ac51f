"""Bad models that may hold code: pickles, PyTorch's files, skops."""

import io
import json
import pickle
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hostile.arrays import bombed
from hostile.case import Case
from hostile.ingredients import audit, rows, zeros

Build = Callable[[], list[str]]
Says = tuple[str, ...]
FACTORY = "import torch\ndef net():\n    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))\n"


class Evil:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return eval, ("open('owned', 'w').close()",)


def _file(name: str, data: Callable[[], bytes], *more: str) -> Build:
    def build() -> list[str]:
        Path(name).write_bytes(data())
        return audit(name, rows(), *more)

    return build


def _weights(name: str, data: Callable[[], bytes]) -> Build:
    def build() -> list[str]:
        Path("model.py").write_text(FACTORY, "utf-8")
        Path(name).write_bytes(data())
        return audit("model.py:net", rows(), "--weights", name)

    return build


def _saved(thing: Any) -> bytes:
    sheet = io.BytesIO()
    torch.save(thing, sheet)
    return sheet.getvalue()


@cache
def exported() -> bytes:
    """A ``torch.export`` archive."""
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2)).eval()
    free = ({0: torch.export.Dim("n")},)
    program = torch.export.export(net, (torch.zeros(2, 4),), dynamic_shapes=free)
    sheet = io.BytesIO()
    torch.export.save(program, sheet)
    return sheet.getvalue()


def _archive(change: Callable[[dict[str, bytes]], object]) -> Callable[[], bytes]:
    """The archive with other members."""

    def made() -> bytes:
        with zipfile.ZipFile(io.BytesIO(exported())) as given:
            members = {name: given.read(name) for name in given.namelist()}
        change(members)
        sheet = io.BytesIO()
        with zipfile.ZipFile(sheet, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return sheet.getvalue()

    return made


def _named(members: dict[str, bytes], end: str) -> str:
    return next(name for name in members if name.endswith(end))


def _sampled(members: dict[str, bytes]) -> None:
    members[_named(members, "sample_inputs/model.pt")] = _saved(((Evil(),), {}))


def _legacy(members: dict[str, bytes]) -> None:
    members[_named(members, "sample_inputs/model.pt")] = pickle.dumps(((Evil(),), {}))


def _constant(members: dict[str, bytes]) -> None:
    place = _named(members, "model_constants_config.json")
    members[place] = json.dumps(
        {"config": {"c": {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}}}
    ).encode()
    members[place.replace("model_constants_config.json", "opaque_obj_0")] = pickle.dumps(Evil())


def _target(members: dict[str, bytes], target: str) -> None:
    place = _named(members, "models/model.json")
    told = json.loads(members[place])
    told["graph_module"]["graph"]["nodes"][0]["target"] = target
    members[place] = json.dumps(told).encode()


def _expression(members: dict[str, bytes]) -> None:
    place = _named(members, "models/model.json")
    told = json.loads(members[place])
    left: list[Any] = [told]
    while left:
        one = left.pop()
        if isinstance(one, dict) and "expr_str" in one:
            one["expr_str"] = "open('owned', 'w').close() or 1"
        left += list(one.values()) if isinstance(one, dict) else one if isinstance(one, list) else []
    members[place] = json.dumps(told).encode()
    assert b"owned" in members[place], "the archive holds a size as an expression"


def _library(members: dict[str, bytes]) -> None:
    members["archive/data/aotinductor/model/model.so"] = b"\x7fELF"


def _decoy(members: dict[str, bytes]) -> None:
    """A pickle that a reader of its names takes for harmless: names are pushed, dropped, and others called."""
    program = b"\x80\x04\x8c\x08builtins\x8c\x04eval\x8c\x0ccollections\x8c\x0bOrderedDict00\x93"
    members[_named(members, "sample_inputs/model.pt")] = program + b"\x8c\x19open('owned', 'w').close()\x85R."


def _climbing(members: dict[str, bytes]) -> None:
    place = _named(members, "model_weights_config.json")
    members[place] = members[place].replace(b"weight_0", b"../../../../../etc/hostname")


def cases() -> Iterator[Case]:
    """All of them."""
    for name, build, says in (*_pickles(), *_exports(), *_states()):
        yield Case("files with code", name, build, says)


def _pickles() -> Iterator[tuple[str, Build, Says]]:
    evil = lambda: pickle.dumps(Evil())  # noqa: E731 - one word
    for end in ("pkl", "pickle", "joblib"):
        yield f"a .{end} without trust", _file(f"m.{end}", evil), ("pickle", "builtins.eval", "--trust-pickle")
    yield "a pickle in noise", _file("m.pkl", lambda: bytes(range(200, 256))), ("pickle",)
    yield (
        "a trusted pickle that is cut",
        _file("m.pkl", lambda: pickle.dumps([1] * 99)[:40], "--trust-pickle"),
        ("m.pkl",),
    )
    yield "a trusted pickle of no estimator", _file("m.pkl", lambda: pickle.dumps([1]), "--trust-pickle"), ("list",)
    yield "a .pt of a whole network", _file("m.pt", lambda: _saved(Evil())), ("weights",)
    yield "a .skops that is a pickle", _file("m.skops", evil), ("skops",)
    yield "a .skops that is noise", _file("m.skops", lambda: b"PK\x03\x04" + bytes(99)), ("skops",)
    yield "a .skops of an unknown type", _skops, ("--trust-pickle",)
    yield "a .skops that unpacks to 6 GiB", _file(
        "m.skops", lambda: bombed(zeros(8 << 20), "schema.json", 6 << 30)), ("unpack",)  # fmt: skip


def _skops() -> list[str]:
    from skops import io as skops_io  # noqa: PLC0415 - an extra

    estimator: Any = np.random.default_rng
    try:
        data = skops_io.dumps(estimator)
    except Exception:  # noqa: BLE001 - skops refuses to write some things that it would read
        data = skops_io.dumps({"a": Path("x")})
    Path("m.skops").write_bytes(data)
    return audit("m.skops", rows())


def _exports() -> Iterator[tuple[str, Build, Says]]:
    each: dict[str, tuple[Callable[[], bytes], Says]] = {
        "noise": (lambda: b"noise" * 99, ("m.pt2",)),
        "cut in half": (lambda: exported()[: len(exported()) // 2], ("m.pt2",)),
        "empty archive": (lambda: b"PK\x05\x06" + bytes(18), ("m.pt2",)),
        "example with code": (_archive(_sampled), ("eval", "--trust-pickle")),
        "example with code and a decoy": (_archive(_decoy), ("--trust-pickle",)),
        "compiled library": (_archive(_library), ("model.so",)),
        "bare pickle as example": (_archive(_legacy), ("builtins.eval", "--trust-pickle")),
        "constant with code": (_archive(_constant), ("builtins.eval", "--trust-pickle")),
        "call of os.system": (_archive(lambda held: _target(held, "torch.os.system")), ("torch.os.system",)),
        "call of a library": (_archive(lambda held: _target(held, "torch.ops.load_library")), ("load_library",)),
        "expression with code": (_archive(_expression), ("open",)),
        "weights that climb out": (_archive(_climbing), ("m.pt2",)),
        "bomb": (lambda: bombed(zeros(8 << 20), "m/data/weights/weight_0", 6 << 30), ("unpack",)),
        "no graph": (_archive(lambda held: held.pop(_named(held, "models/model.json"))), ("m.pt2",)),
        "graph of noise": (_archive(lambda held: held.update({_named(held, "models/model.json"): b"{"})), ("m.pt2",)),
    }
    for name, (data, says) in each.items():
        yield f"a .pt2: {name}", _file("m.pt2", data), says


def _states() -> Iterator[tuple[str, Build, Says]]:
    huge = (2**62).to_bytes(8, "little") + b"{}"
    head = b'{"0.weight": {"dtype": "F32", "shape": [1000000, 1000000], "data_offsets": [0, 8]}}'
    yield "weights with code", _weights("w.pt", lambda: _saved({"a": Evil()})), ("w.pt",)
    yield "weights that are a bare pickle", _weights("w.pt", lambda: pickle.dumps({"a": Evil()})), ("w.pt",)
    yield "weights of noise", _weights("w.pt", lambda: b"noise"), ("w.pt",)
    yield "weights of another network", _weights("w.pt", lambda: _saved({"x": torch.zeros(2)})), ("do not fit",)
    yield "weights of another shape", _weights(
        "w.pt", lambda: _saved({"1.weight": torch.zeros(9, 4), "1.bias": torch.zeros(9)})), ("do not fit",)  # fmt: skip
    yield "weights of NaN", _weights(
        "w.pt", lambda: _saved({"1.weight": torch.full((2, 4), torch.nan), "1.bias": torch.zeros(2)}),
    ), ("NaN",)  # fmt: skip
    yield "weights that are a number", _weights("w.pt", lambda: _saved(7)), ("w.pt",)
    yield "weights that are not there", lambda: [*_weights("v.pt", bytes)()[:-1], "w.pt"], ("w.pt",)
    yield "safetensors with a huge head", _weights("w.safetensors", lambda: huge), ("w.safetensors",)
    yield "safetensors whose sizes are lies", _weights(
        "w.safetensors", lambda: len(head).to_bytes(8, "little") + head + bytes(8)), ("w.safetensors",)  # fmt: skip
    yield "safetensors of noise", _weights("w.safetensors", lambda: b"x" * 40), ("w.safetensors",)
