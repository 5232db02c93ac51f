"""Bad models: ONNX graphs, and what stands beside them; factories; callables that misbehave."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hostile.arrays import judged
from hostile.case import Case
from hostile.ingredients import ESCAPE, ROWS, audit, deep, folder, graph, network, rng, rows

Build = Callable[[], list[str]]
Says = tuple[str, ...]


def _raw(change: Callable[[bytes], bytes]) -> Build:
    def build() -> list[str]:
        path = Path(network())
        path.write_bytes(change(path.read_bytes()))
        return audit(str(path), rows())

    return build


def _graph(change: Callable[[onnx.ModelProto], object] | None = None, **parts: Any) -> Build:
    def build() -> list[str]:
        made = graph(**parts)
        if change is not None:
            change(made)
        Path("net.onnx").write_bytes(made.SerializeToString())
        return audit("net.onnx", rows())

    return build


def _outside(where: str) -> Build:
    """Weights that lie in another file."""

    def change(made: onnx.ModelProto) -> None:
        Path("../secret.bin").write_bytes(bytes(1 << 10))
        held = made.graph.initializer[0]
        held.ClearField("raw_data")
        held.data_location = TensorProto.EXTERNAL
        for key, value in (("location", where), ("offset", "0"), ("length", "32")):
            held.external_data.add(key=key, value=value)

    return _graph(change)


def _beside(name: str, words: str | bytes, *, photos: bool = False) -> Build:
    def build() -> list[str]:
        Path(name).write_bytes(words.encode() if isinstance(words, str) else words)
        if not photos:
            return audit(network(), rows())
        folder()
        return audit(network(shape=("n", 3, 8, 8)), "photos")

    return build


def _node(kind: str, given: list[str], made: list[str], **about: Any) -> onnx.NodeProto:
    return helper.make_node(kind, given, made, **about)


def _flipped(raw: bytes) -> bytes:
    changed = bytearray(raw)
    for at in range(8, 80, 7):
        changed[at] ^= 0xFF
    return bytes(changed)


def cases() -> Iterator[Case]:
    """All of them."""
    for name, build, says in (*_files(), *_graphs()):
        yield Case("ONNX", name, build, says)
    for name, build, says in _files_beside():
        yield Case("beside the model", name, build, says)
    yield Case("beside the model", "labels.txt that is a device", _device, holds=judged(ROWS))
    for name, build, says in (*_factories(), *_callables()):
        yield Case("Python", name, build, says)


def _files() -> Iterator[tuple[str, Build, Says]]:
    yield "a text", _raw(lambda _: b"no network"), ("net.onnx",)
    yield "empty", _raw(lambda _: b""), ("net.onnx",)
    yield "cut in half", _raw(lambda raw: raw[: len(raw) // 2]), ("net.onnx",)
    yield "flipped bytes", _raw(_flipped), ("net.onnx",)
    yield "noise", _raw(lambda _: bytes(rng().integers(0, 256, 999, np.uint8))), ("net.onnx",)
    yield "weights in a folder above", _outside("../secret.bin"), ("net.onnx",)
    yield "weights at the root", _outside("/etc/hostname"), ("net.onnx",)
    yield "weights in a file that is not there", _outside("none.bin"), ("net.onnx",)
    yield "weights behind a link", _linked, ("net.onnx",)


def _linked() -> list[str]:
    words = _outside("weights.bin")()
    Path("weights.bin").symlink_to(Path("../secret.bin").absolute())
    return words


def _graphs() -> Iterator[tuple[str, Build, Says]]:
    number = TensorProto.FLOAT
    circle = [_node("Add", ["input", "b"], ["a"]), _node("Add", ["a", "input"], ["b"]),
              _node("Add", ["a", "b"], ["scores"])]  # fmt: skip
    yield "a circle", _graph(nodes=circle, held=[]), ("net.onnx",)
    custom = [_node("Steal", ["input"], ["scores"], domain="evil")]
    yield "an operation of its own", _graph(
        nodes=custom, held=[], opsets=[helper.make_opsetid("evil", 1)]
    ), ("net.onnx",)  # fmt: skip
    yield "no outputs", _graph(outputs=[]), ("net.onnx",)
    yield "no inputs", _graph(inputs=[], nodes=[_node("Identity", ["weights"], ["scores"])]), ("net.onnx",)
    yield "no nodes", _graph(nodes=[]), ("net.onnx",)
    two = [helper.make_tensor_value_info(name, number, ["n", 4]) for name in ("input", "more")]
    yield "two inputs", _graph(inputs=two), ("2 inputs",)
    yield "an input of strange axes", _graph(shape=("n", 1, 2, 3, 4)), ("shape",)
    yield "an input of a billion columns", _graph(inputs=[helper.make_tensor_value_info(
        "input", number, ["n", 10**9])]), ("net.onnx",)  # fmt: skip
    yield "a version of the future", _graph(version=999), ("net.onnx",)
    yield "operations of the future", _graph(opset=999), ("net.onnx",)
    yield "weights that are NaN", _graph(held=[_held(np.full((4, 2), np.nan))]), ("NaN",)
    yield "weights of another shape", _graph(held=[_held(np.zeros((9, 2)))]), ("net.onnx",)
    yield "one class too many for its names", _named, ("3",)
    vast = [_node("ConstantOfShape", ["size"], ["vast"]), _node("ReduceMax", ["vast"], ["top"], keepdims=0),
            _node("MatMul", ["input", "weights"], ["raw"]), _node("Add", ["raw", "top"], ["scores"])]  # fmt: skip
    sizes = numpy_helper.from_array(np.array([2**20, 2**22], np.int64), "size")
    yield "a constant of 16 TiB", _graph(nodes=vast, held=[_held(np.ones((4, 2))), sizes]), ("net.onnx",)
    fewer = [_node("MatMul", ["input", "weights"], ["raw"]), _node("Slice", ["raw", "zero", "three"], ["scores"])]
    bounds = [numpy_helper.from_array(np.array([k], np.int64), n) for n, k in (("zero", 0), ("three", 3))]
    yield "three answers whatever is asked", _graph(nodes=fewer, held=[_held(np.ones((4, 2))), *bounds]), ("rows",)
    whole = [_node("MatMul", ["input", "weights"], ["raw"]), _node("ArgMax", ["raw"], ["scores"], axis=1)]
    out = [helper.make_tensor_value_info("scores", TensorProto.INT64, ["n", 1])]
    yield "classes in place of scores", _graph(nodes=whole, outputs=out), ("scores of classes",)
    yield "a name of escapes", _graph(inputs=[helper.make_tensor_value_info(ESCAPE, number, ["n", 4])]), ("net.onnx",)


def _held(array: np.ndarray) -> onnx.TensorProto:
    return numpy_helper.from_array(array.astype(np.float32), "weights")


def _named() -> list[str]:
    Path("labels.txt").write_text("cat\ndog\n", "utf-8")
    return audit(network(classes=3), rows())


def _files_beside() -> Iterator[tuple[str, Build, Says]]:
    prepared = "preprocessor_config.json"
    yield "config.json that is no JSON", _beside("config.json", "{"), ("config.json",)
    yield "config.json of many depths", _beside("config.json", f'{{"a": {deep()}}}'), ("config.json",)
    yield "config.json that is no UTF-8", _beside("config.json", b"\xff\xfe{}"), ("config.json",)
    yield "config.json that is a list", _beside("config.json", "[1]"), ("config.json",)
    yield "config.json with a gap", _beside("config.json", '{"id2label": {"0": "a", "7": "b"}}'), ("class 1",)
    yield "config.json with three names for two", _beside(
        "config.json", '{"id2label": {"0": "a", "1": "b", "2": "c"}}'), ("3",)  # fmt: skip
    yield "labels.txt that is no UTF-8", _beside("labels.txt", b"caf\xe9\nth\xe9\n"), ("labels.txt",)
    yield "labels.txt with ten names for two", _beside("labels.txt", "\n".join("abcdefghij")), ("10",)
    yield "preprocessing that is no JSON", _beside(prepared, "{", photos=True), (prepared,)
    yield "preprocessing of another size", _beside(prepared, '{"size": 9}', photos=True), ("9 x 9",)
    yield "preprocessing in words", _beside(prepared, '{"image_mean": ["a"]}', photos=True), (prepared,)
    yield "preprocessing with a deviation of zero", _beside(
        prepared, '{"image_mean": [0.5], "image_std": [0]}', photos=True), ("std",)  # fmt: skip
    yield "preprocessing with NaN", _beside(
        prepared, '{"image_mean": [NaN], "image_std": [1]}', photos=True), ("mean",)  # fmt: skip
    yield (
        "preprocessing whose size is a list of words",
        _beside(prepared, '{"size": ["a", 2]}', photos=True),
        (prepared,),
    )
    yield (
        "preprocessing whose processor is a number",
        _beside(prepared, '{"image_processor": 7}', photos=True),
        (prepared,),
    )


def _device() -> list[str]:
    Path("labels.txt").symlink_to("/dev/zero")
    Path("config.json").mkdir()
    return audit(network(), rows())


def _factory(code: str, name: str = "net") -> Build:
    def build() -> list[str]:
        Path("model.py").write_text(f"import numpy as np\n{code}\n", "utf-8")
        return audit(f"model.py:{name}", rows())

    return build


def _factories() -> Iterator[tuple[str, Build, Says]]:
    yield "a factory that is not there", _factory("", "none"), ("none",)
    yield "a file that is not there", lambda: audit("none.py:net", rows()), ("none.py",)
    yield "a file that is no Python", _factory("def ("), ("model.py",)
    yield "a file that raises", _factory("1 / 0"), ("ZeroDivisionError",)
    yield "a file that ends the process", _factory("import sys; sys.exit(0)"), ("SystemExit",)
    yield "a factory that raises", _factory("def net(): raise ValueError('no')"), ("ValueError",)
    yield "a factory that ends the process", _factory("def net(): raise SystemExit(0)"), ("SystemExit",)
    yield "a factory that recurses", _factory("def net(): return net()"), ("RecursionError",)
    yield "a factory of nothing", _factory("def net(): return None"), ("NoneType",)
    yield "a factory that raises escapes", _factory(f"def net(): raise ValueError({ESCAPE!r})"), ("ValueError",)
    yield "a module that is not there", lambda: audit("no_such_module:net", rows()), ("no_such_module",)


def _calls(body: str) -> Build:
    return _factory(f"""
calls = []
def net():
    def answer(x):
        calls.append(1)
        s = np.stack([-x[:, 0], x[:, 0]], axis=1).astype(float)
        {body}
    return answer""")


def _callables() -> Iterator[tuple[str, Build, Says]]:
    yield "a model that raises", _calls("raise RuntimeError('broken')"), ("RuntimeError", "broken")
    yield "a model that ends the process", _calls("raise SystemExit(0)"), ("SystemExit",)
    yield "a model that runs out of memory", _calls("raise MemoryError('no room')"), ("MemoryError",)
    yield "a model that recurses", _calls("return answer(x)"), ("RecursionError",)
    yield "a model that raises at the second call", _calls(
        "if len(calls) > 1: raise ValueError('tired')\n        return s"), ("tired",)  # fmt: skip
    yield "a model of NaN in one row", _calls("s[-1] = np.nan; return s"), ("NaN",)
    yield "a model that gives nothing", _calls("return None"), ("shape",)
    yield "a model that gives words", _calls("return s.astype(str)"), ("type",)
    yield "a model that gives one number", _calls("return 0.5"), ("shape",)
    yield "a model that gives too few rows", _calls("return s[:-1]"), ("rows",)
    yield "a model that gives too many rows", _calls("return np.concatenate([s, s])"), ("rows",)
    yield "a model that gives three axes", _calls("return np.stack([s, s], axis=2)"), ("shape",)
    yield "a model that gives objects", _calls("return s.astype(object)"), ("type",)
    yield "a model that gives lists of several lengths", _calls("return [[1.0], [1.0, 2.0]] * 32"), ()
    yield "a model that gives complex numbers", _calls("return s + 1j"), ("type",)
    yield "a model whose classes change", _calls(
        "return s if len(calls) < 2 else np.concatenate([s, s], axis=1)"), ()  # fmt: skip
    yield "a model of no classes", _calls("return s[:, :0]"), ()
    yield "a model that changes what it is shown", _calls("x[:] = 0; return s * np.nan"), ("NaN",)
