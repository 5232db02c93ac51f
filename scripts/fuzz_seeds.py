"""Small sound files of every kind that is read, written anew into tests/fuzz_corpus: where fuzzing starts from."""

import gzip
import importlib
import io
import json
import pickle
import re
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import skops.io
from fuzz_targets import PART
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from sklearn.linear_model import LogisticRegression

import pfungst
from pfungst.datasets.npz import from_arrays
from pfungst.engine.cache import _table, _write
from pfungst.outputs import Outputs
from pfungst.passes import Answers
from pfungst.report.thumbnails import webp, write_zip
from pfungst.task import Task

CORPUS = Path(__file__).parents[1] / "tests" / "fuzz_corpus"
ROWS = 6
CSV = b'id,site,a,"b, c",label\n1,A,0.5,2,cat\n2,B,,3,dog\n3,A,-1e3,4,cat\n4,"B ""x""",nan,5,dog\n'
JSON = [
    {"id": 1, "text": "a cat", "label": "cat", "tags": ["x"], "more": {"y": None}, "score": 0.5, "day": "2026-11-27"},
    {"id": 2, "text": "no cat \u2028", "label": "dog", "score": None, "sure": True},
]
LOG = b"time,site,prob_cat,prob_dog,label\n2026-11-01T10:00,A,0.9,0.1,cat\n2026-11-01T11:00,B,0.2,0.8,cat\n"
_TRACE = re.compile(rb'"stack_trace": "(?:[^"\\]|\\.)*",? ?')


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _table_of(answers: bool) -> pa.Table:
    columns = {
        "id": list("abcdef"), "label": pa.array(["cat", "dog"] * 3).dictionary_encode(), "a": [1, None, 3, 4, 5, 6],
        "list": [[1, 2], None, [], [3], [4], [5]], "day": pa.array([0, 1, 2, 3, 4, None], pa.timestamp("ms", "UTC")),
        "price": pa.array([1, 2, 3, 4, 5, None], pa.decimal128(9, 2)), "raw": [b"\xff", None, b"", b"a", b"b", b"c"],
    }  # fmt: skip
    scores = {f"logit_{name}": pa.array(_rng().normal(size=ROWS), pa.float32()) for name in ("cat", "dog")}
    return pa.table({**columns, **scores} if answers else columns)


def _parquet(table: pa.Table, compression: str = "none") -> bytes:
    sheet = io.BytesIO()
    pq.write_table(table, sheet, compression=compression)
    return sheet.getvalue()


def _npz(arrays: Mapping[str, object]) -> bytes:
    sheet = io.BytesIO()
    np.savez_compressed(sheet, **arrays)
    return sheet.getvalue()


def _zip(members: Mapping[str, bytes]) -> bytes:
    sheet = io.BytesIO()
    with zipfile.ZipFile(sheet, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return sheet.getvalue()


def _tar(members: Mapping[str, bytes]) -> bytes:
    sheet = io.BytesIO()
    with tarfile.open(fileobj=sheet, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return sheet.getvalue()


def _pixels(*shape: int) -> np.ndarray:
    return _rng().integers(0, 256, shape, np.uint8)


def _picture(kind: str, mode: str = "RGB", **more: object) -> bytes:
    sheet = io.BytesIO()
    Image.fromarray(_pixels(5, 7, 3)).convert(mode).save(sheet, kind, **more)
    return sheet.getvalue()


def _rotated() -> bytes:
    about = Image.Exif()
    about[0x0112] = 6
    return _picture("JPEG", exif=about)


def _network(last: str) -> bytes:
    info = helper.make_tensor_value_info
    nodes = [helper.make_node("Gemm", ["input", "w", "b"], ["scores"], transB=1)]
    nodes += [helper.make_node("Softmax", ["scores"], [last])] if last != "scores" else []
    held = [numpy_helper.from_array(np.eye(2, 3, dtype=np.float32), "w")]
    held += [numpy_helper.from_array(np.zeros(2, np.float32), "b")]
    inputs, outputs = [info("input", TensorProto.FLOAT, ["n", 3])], [info(last, TensorProto.FLOAT, ["n", 2])]
    made = helper.make_graph(nodes, "net", inputs, outputs, held)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _exported() -> bytes:
    torch = importlib.import_module("torch")
    sheet = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(torch.nn.Linear(3, 2), (torch.zeros(2, 3),)), sheet)
    return _smaller(sheet.getvalue())


def _smaller(archive: bytes) -> bytes:
    """The same members, packed, without the places in source files that torch writes down."""
    with zipfile.ZipFile(io.BytesIO(archive)) as given:
        return _zip({name: _TRACE.sub(b"", given.read(name)) for name in given.namelist()})


def _estimator() -> bytes:
    fitted = LogisticRegression(max_iter=5).fit(np.array([[0.0], [1.0]]), ["cat", "dog"])
    return _smaller(skops.io.dumps(fitted))


def _kept(answers: Answers) -> bytes:
    data = from_arrays({"inputs": np.zeros((ROWS, 2)), "labels": np.arange(ROWS) % 2}, Task(), source="rows")
    about = {"key": PART, "lost": {"3": "it is damaged"}, "rows": ROWS, "sizes": []}
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder) / "part.parquet", _table(answers, data, about))
        return (Path(folder) / "part.parquet").read_bytes()


def _run() -> tuple[bytes, bytes]:
    """What an audit of recorded answers writes: audit.json and events.jsonl."""
    scores = _rng().normal(size=(40, 2))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.npz"
        path.write_bytes(_npz({"logits": scores, "labels": np.arange(40) % 2}))
        pfungst.audit(path, None, only=("calibration",), out=Path(folder) / "run")
        report = json.loads((Path(folder) / "run" / "audit.json").read_bytes())
        report["settings"] = {"command": "pfungst audit answers.npz"}
        report["environment"] = {"python": "3"}
        report["findings"], report["skipped"] = report["findings"][:2], report["skipped"][:1]
        events = (Path(folder) / "run" / "events.jsonl").read_bytes()
    words = json.dumps(report).replace(folder, "").encode()
    return words, b"".join(events.replace(folder.encode(), b"").splitlines(keepends=True)[:6])


def _thumbnails() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        write_zip(Path(folder) / "thumbnails.zip", {"row 1": webp(_pixels(4, 4, 3))})
        return (Path(folder) / "thumbnails.zip").read_bytes()


def _reply() -> bytes:
    head = {"name": "scores", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": 8}}
    words = json.dumps({"outputs": [head]}).encode()
    return len(words).to_bytes(2, "little") + words + np.ones(2, "<f4").tobytes()


TASK = b"""rows = 10
[task]
question = "Which?"
classes = ["cat", "dog"]
[columns]
label = "label"
site = "site"
[must_not_matter]
border = 0.1
[preprocess]
size = [8, 8]
mean = [0.5]
[adversarial]
linf = [0.1, "2/255"]
[endpoint]
timeout = 2.5
[gate]
accept = ["shift.fragile:fog", {finding = "shortcuts.cue:border", reason = "known", until = 2027-01-31}]
"""
CONFIG = {
    "size": {"shortest_edge": 8}, "crop_pct": 0.9, "crop_size": 8, "do_resize": True, "do_rescale": True,
    "rescale_factor": 0.004, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 3,
    "id2label": {"0": "cat", "1": "dog"},
}  # fmt: skip
METADATA = {
    "name": "net",
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}],
    "outputs": [{"name": "scores", "datatype": "FP32", "shape": [-1, 2]}],
}


def _tables() -> Iterator[tuple[str, str, Callable[[], bytes]]]:
    lines = b"\n".join(json.dumps(one).encode() for one in JSON)
    pictures = b"file_name,label,site\nrow.png,cat,A\nmissing.png,dog,B\n"
    yield "csv", "features", lambda: CSV
    yield "csv", "texts", lambda: b'text,label\n"one\nline",0\ntwo,1\n'
    yield "csv", "pictures", lambda: b"image,label\na/1.png,x\n../2.png,y\n"
    yield "csv", "headless", lambda: b"a good film,pos\na bad one,neg\nanother,pos\nlast,neg\n"
    yield "tsv", "features", lambda: b'id\tsite\ta b\tlabel\n1\tA\t0.5\tcat\n2\t"B\t\tdog\n3\tA\tnan\tcat\n'
    yield "jsonl", "texts", lambda: lines
    yield "parquet", "kinds", lambda: _parquet(_table_of(answers=False))
    yield "parquet", "packed", lambda: _parquet(_table_of(answers=False).select(["id", "label", "a"]), "zstd")
    yield "packed-csv", "features", lambda: gzip.compress(CSV, mtime=0)
    yield "folder-csv", "pictures", lambda: pictures
    yield "folder-jsonl", "pictures", lambda: b'{"file_name": "row.png", "label": 1}\n{"file_name": "b/c.png"}\n'
    yield "log", "probabilities", lambda: LOG
    yield "log", "top", lambda: b"id,time,prediction,confidence\n1,7,cat,0.9\n2,5,dog,0.8\n"
    yield "answers-csv", "probabilities", lambda: LOG
    yield "answers-csv", "numbered", lambda: b"logit_0,logit_10,logit_1,label\n1,2,3,0\n2,1,0,1\n"
    yield "answers-parquet", "logits", lambda: _parquet(_table_of(answers=True))
    both = {"probs": np.full((ROWS, 2), 0.5, np.float32), "labels": np.arange(ROWS) % 2, "classes": ["cat", "dog"]}
    yield "answers-npz", "probabilities", lambda: _npz(both)
    yield "answers-npz", "votes", lambda: _npz({"logits": _rng().normal(size=(2, 2)), "label_counts": [[1, 2], [3, 0]]})


def _pictures() -> Iterator[tuple[str, str, Callable[[], bytes]]]:
    image = {"inputs": _pixels(ROWS, 4, 4, 3), "labels": np.arange(ROWS) % 2, "masks": np.eye(4)[None].repeat(ROWS, 0)}
    yield "npz", "pictures", lambda: _npz({**image, "site": list("AABBCC"), "ids": list("abcdef")})
    yield "npz", "votes", lambda: _npz({"inputs": np.eye(3), "label_counts": [[1, 0], [2, 3], [0, 1]]})
    yield "zip", "folders", lambda: _zip({"cat/1.png": _picture("PNG"), "dog/2.gif": _picture("GIF", "P")})
    yield "zip", "table", lambda: _zip({"rows.csv": CSV})
    yield "zip", "described", lambda: _zip({"metadata.csv": b"file_name,label\na.png,0\n", "a.png": _picture("PNG")})
    about = {"1.png": _picture("PNG"), "1.cls": b"3", "1.json": b'{"site": "A", "age": 4}', "2.txt": b"a cat"}
    yield "shards", "pictures", lambda: _tar(about)
    yield "shards", "texts", lambda: _tar({"a/1.txt": b"one", "a/1.cls": b"cat", "a/2.txt": b"two", "a/2.cls": b"dog"})
    for kind, mode in (("PNG", "RGB"), ("GIF", "P"), ("BMP", "L"), ("TIFF", "CMYK"), ("WEBP", "RGBA"), ("PPM", "L")):
        yield "image", f"{kind}-{mode}".lower(), lambda kind=kind, mode=mode: _picture(kind, mode)
    yield "image", "png-la", lambda: _picture("PNG", "LA")
    yield "image", "png-i16", lambda: _picture("PNG", "I;16")
    yield "image", "jpeg-rotated", _rotated
    yield "thumbnails", "one", _thumbnails


def _models() -> Iterator[tuple[str, str, Callable[[], bytes]]]:
    logits = _rng().normal(size=(ROWS, 2)).astype(np.float32)
    plain = Outputs(logits, logits, np.arange(ROWS), False, True)
    for name in ("onnx", "onnx-fields"):
        for last in ("scores", "probabilities"):
            yield name, last, lambda last=last: _network(last)
    yield "export", "linear", _exported
    yield "skops", "logistic", _estimator
    yield "pickle", "names", lambda: pickle.dumps([print, Path("a"), {"a": 1.5}], protocol=4)
    yield "pickle", "old", lambda: pickle.dumps([print, 1], protocol=0)
    yield "pickle", "packed", lambda: gzip.compress(pickle.dumps(print), mtime=0)
    yield "pickle", "zip", lambda: _zip({"a/data.pkl": pickle.dumps(print)})
    yield "config", "transformers", lambda: json.dumps(CONFIG).encode()
    yield "reply", "binary", _reply
    yield (
        "reply",
        "json",
        lambda: (
            b"\xff\xff"
            + json.dumps(
                {"outputs": [{"name": "scores", "datatype": "FP64", "shape": [1, 2], "data": [[0.5, 1]]}]}
            ).encode()
        ),
    )
    yield "metadata", "tables", lambda: json.dumps(METADATA).encode()
    yield "cache", "outputs", lambda: _kept(plain)
    yield (
        "filter",
        "all",
        lambda: (
            b'(label = wolf or not "own class" in (a, "b ""c""")) and condition("off centre").answer != husky '
            b"and site like 'A%' and confidence is not missing order by confidence desc, id"
        ),
    )
    yield "filter", "order", lambda: b"confidence desc, column(site)"
    yield "task", "all", lambda: TASK
    yield "audit", "calibration", lambda: _run()[0]
    yield "journal", "audit", lambda: _run()[1]


def main() -> None:
    """Write every seed."""
    for target, name, made in (*_tables(), *_pictures(), *_models()):
        (CORPUS / target).mkdir(parents=True, exist_ok=True)
        (CORPUS / target / f"seed-{name}").write_bytes(made())
    sizes = [path.stat().st_size for path in CORPUS.glob("*/*")]
    print(f"{len(sizes)} inputs, {sum(sizes):,} bytes")


if __name__ == "__main__":
    main()
