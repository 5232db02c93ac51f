"""What the cases are mixed from: small networks, rows, pictures, and a finished audit."""

import io
import json
import shutil
import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from pfungst.cli import main

ROWS = 40
ESCAPE = "\x1b[2J\x1b]0;owned\x07"
"""Clears a terminal and renames its window."""


def rng() -> np.random.Generator:
    """The same numbers each time."""
    return np.random.default_rng(0)


def values() -> np.ndarray:
    """Rows of four numbers, (40, 4) float32."""
    return rng().normal(size=(ROWS, 4)).astype(np.float32)


def labels() -> np.ndarray:
    """Two classes that the first number tells, except for a few rows."""
    truth = (values()[:, 0] > 0).astype(np.int64)
    truth[::9] ^= 1
    return truth


def pictures() -> np.ndarray:
    """Pictures of noise, (40, 8, 8, 3) uint8."""
    return rng().integers(0, 256, (ROWS, 8, 8, 3), np.uint8)


def graph(shape: Sequence[int | str] = ("n", 4), classes: int = 2, **parts: Any) -> onnx.ModelProto:
    """A linear ONNX classifier; ``parts`` replace its nodes, inputs, outputs, initializers or opsets."""
    sides = int(np.prod([side for side in shape[1:] if isinstance(side, int)]))
    weights = np.tile(np.linspace(-1, 1, classes, dtype=np.float32), (sides, 1))
    nodes = [helper.make_node("Flatten", ["input"], ["flat"], axis=1)]
    nodes += [helper.make_node("MatMul", ["flat", "weights"], ["scores"])]
    made = helper.make_graph(
        parts.get("nodes", nodes),
        "net",
        parts.get("inputs", [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)]),
        parts.get("outputs", [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [shape[0], classes])]),
        parts.get("held", [numpy_helper.from_array(weights, "weights")]),
    )
    opsets = [helper.make_opsetid("", parts.get("opset", 17)), *parts.get("opsets", ())]
    return helper.make_model(made, opset_imports=opsets, ir_version=parts.get("version", 8))


def network(name: str = "net.onnx", **given: Any) -> str:
    """A file of such a classifier."""
    Path(name).write_bytes(graph(**given).SerializeToString())
    return name


def rows(name: str = "rows.npz", **given: Any) -> str:
    """An ``.npz`` file of rows; ``given`` replaces or, by None, removes arrays."""
    arrays = {"inputs": values(), "labels": labels(), **given}
    np.savez(name, **{key: value for key, value in arrays.items() if value is not None})
    return name


def answers(name: str = "answers.npz", **given: Any) -> str:
    """An ``.npz`` file of recorded answers with labels."""
    scores = np.stack([-values()[:, 0], values()[:, 0]], axis=1)
    return rows(name, **{"inputs": None, "logits": scores, **given})


def table(name: str = "rows.csv", changed: Callable[[list[str]], list[str]] | None = None) -> str:
    """A CSV file of rows; ``changed`` gets its lines, the header first."""
    lines = ["a,b,c,d,label"]
    lines += [",".join(f"{v:.4f}" for v in row) + f",{label}" for row, label in zip(values(), labels(), strict=True)]
    Path(name).write_text("\n".join(changed(lines) if changed else lines) + "\n", "utf-8")
    return name


def png(picture: np.ndarray | None = None) -> bytes:
    """A small picture as a file."""
    sheet = io.BytesIO()
    Image.fromarray(pictures()[0] if picture is None else picture).save(sheet, "PNG")
    return sheet.getvalue()


def folder(names: Sequence[str] = ("cat", "dog"), each: int = 10, name: str = "photos") -> Path:
    """A folder of pictures, one folder a class."""
    for k, one in enumerate(names):
        Path(name, one).mkdir(parents=True, exist_ok=True)
        for i in range(each):
            (Path(name, one) / f"{i}.png").write_bytes(png(pictures()[k * each + i]))
    return Path(name)


def audit(model: str, data: str | None = None, *more: str, only: str = "calibration") -> list[str]:
    """The words of an audit that asks little."""
    return ["audit", model, *([] if data is None else [data]), "--only", only, "--out", "run", "--quiet", *more]


def seen() -> list[str]:
    """A network for the pictures of a folder."""
    return [network("net.onnx", shape=("n", 3, 8, 8)), "photos"]


@cache
def _finished() -> Path:
    kept = Path(tempfile.mkdtemp(prefix="pfungst-hostile-"))
    answers(str(kept / "answers.npz"), site=np.array(["north", "south"] * (ROWS // 2)))
    with redirect_stdout(io.StringIO()):
        main(
            [
                "audit",
                str(kept / "answers.npz"),
                "--only",
                "mistakes,calibration,sites",
                "--out",
                str(kept / "run"),
                "--quiet",
            ]
        )
    return kept


def finished(name: str = "run") -> Path:
    """A RUN folder of a finished audit, and its answers beside it."""
    shutil.copytree(_finished() / "run", name)
    shutil.copy(_finished() / "answers.npz", "answers.npz")
    return Path(name)


def report(name: str = "run") -> dict[str, Any]:
    """The ``audit.json`` of a RUN folder."""
    read: dict[str, Any] = json.loads((Path(name) / "audit.json").read_text("utf-8"))
    return read


def rewritten(change: Mapping[str, Any], name: str = "run") -> None:
    """Put other values into an ``audit.json``."""
    (Path(name) / "audit.json").write_text(json.dumps({**report(name), **change}), "utf-8")


def zeros(size: int) -> bytes:
    """A raw deflate stream of ``size`` zeros, in whole MiB, without unpacking it ever."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + again * ((size >> 20) - 1) + packer.flush(zlib.Z_FINISH)


def deep(depth: int = 100_000, opening: str = "[", closing: str = "]") -> str:
    """Brackets in brackets."""
    return opening * depth + closing * depth
