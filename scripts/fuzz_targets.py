"""What is fuzzed: every reader of files, answers and words from outside, each as a function of the bytes it is given.

A reader may answer or refuse (``InputError``, ``UnreadableRow``) in a sentence; anything else is a fault of it.
"""

import base64
import importlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pfungst.audit_result import read_baseline
from pfungst.datasets.dataset import Dataset
from pfungst.datasets.image import decode, peculiarities
from pfungst.engine.cache import _read, kept_answers
from pfungst.engine.journal import Journal, read_events
from pfungst.engine.sealed import seal
from pfungst.errors import InputError, UnreadableRow
from pfungst.load import bind, load_data, load_model
from pfungst.log_rows import in_time, once
from pfungst.models import endpoint, protobuf
from pfungst.models.endpoint_http import Reply
from pfungst.models.endpoint_tensors import answer, objects
from pfungst.models.exported import checked_export
from pfungst.models.names import class_names
from pfungst.models.pickled import names_in_file
from pfungst.models.preprocess import Wanted
from pfungst.models.preprocess_files import preprocessing
from pfungst.models.recorded import RecordedAnswers
from pfungst.report.html import render
from pfungst.report.markup import clean
from pfungst.report.terminal import plain
from pfungst.report.thumbnails import read_zip
from pfungst.task import Columns, Task, load_task
from pfungst.viewing.language import parse, parse_order

PART = "part"
"""Key that parts of a cache hold."""

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADklEQVR4nGNg+M/Q4AAABUIBwHA2NtYAAAAASUVORK5CYII="
)
"""A grey picture of two by two pixels."""


@dataclass(frozen=True)
class Target:
    """One reader: its file, what that is written in, what reads it, how its bytes are changed (``fuzz_changes``)."""

    file: str
    format: str
    read: Callable[[Path], object]
    changes: str = "bytes"
    needs: str = "numpy"


def _rows(data: Dataset) -> None:
    """Read every row, as an audit does."""
    for at in range(0, len(data), 64):
        data.batch(np.arange(at, min(at + 64, len(data))))


def _data(path: Path) -> None:
    _rows(load_data(path))


def _folder(path: Path) -> None:
    (path.parent / "row.png").write_bytes(PICTURE)
    _data(path.parent)


def _answers(path: Path) -> None:
    model = load_model(path)
    data = bind(model, None)
    model.predict(data.batch(np.arange(len(data)))[0].inputs)


def _log(path: Path) -> None:
    task = Task(columns=Columns(label="label", time="time", site=("site",)))
    model = load_model(path, task=task)
    assert isinstance(model, RecordedAnswers)
    data = bind(model, None, task)
    in_time(data)
    once(model, data)


def _image(path: Path) -> None:
    data = path.read_bytes()
    found = decode(data)
    assert isinstance(found, UnreadableRow) or (found.dtype == np.uint8 and found.shape[2] in {1, 3})
    peculiarities(data)


def _part(path: Path) -> None:
    """A file without the right seal is refused before anything else of it is read, so it gets one."""
    seal(path)
    _read(path, PART, 6)
    kept_answers(path)


def _audit(path: Path) -> None:
    report = read_baseline(path)
    plain(report)
    render(report, {})


def _journal(path: Path) -> None:
    read_events(path.parent)
    with Journal(path.parent, "key", explicit=True, redact=True) as journal:
        journal.told("pass")
        journal.write("started", {"run": "key"})


def _fields(path: Path) -> None:
    data = path.read_bytes()
    for output in ("scores", "probabilities"):
        protobuf.last_operation(data, output)
        protobuf.before_softmax(data, output)
        linear = protobuf.last_linear(data, output)
        if linear is not None:
            weight, bias = linear.read(data)
            linear.replaced(data, weight, bias if linear.bias is not None else np.zeros(0, np.float32))


def _export(path: Path) -> None:
    checked_export(path, importlib.import_module("torch"))


def _reply(path: Path) -> None:
    """The first two bytes say how long the JSON is, or that nothing was said of it."""
    data = path.read_bytes()
    length = int.from_bytes(data[:2], "little")
    headers = {"inference-header-content-length": str(length)} if length < 1 << 15 else {}
    answer(Reply(200, headers, data[2:]), "scores", "the server")


def _metadata(path: Path) -> None:
    told = objects(path.read_bytes(), "the server")
    taken = endpoint._chosen(told, "inputs", None, "the server")  # noqa: SLF001 - what is read of a server's words
    given = endpoint._chosen(told, "outputs", None, "the server")  # noqa: SLF001 - same
    endpoint._checked(taken, given, "the server")  # noqa: SLF001 - same


def _filter(path: Path) -> None:
    words = path.read_bytes().decode("utf-8", "replace")
    parse(words)
    parse_order(words)


def _beside(path: Path) -> None:
    preprocessing(path.parent, None, Wanted("NCHW", 3, (8, 8)))
    path.rename(path.with_name("config.json"))
    class_names(path.parent)


TARGETS = {
    "csv": Target("rows.csv", "delimited text", _data),
    "tsv": Target("rows.tsv", "delimited text", _data),
    "jsonl": Target("rows.jsonl", "JSON lines", _data),
    "parquet": Target("rows.parquet", "Parquet", _data),
    "packed-csv": Target("rows.csv.gz", "delimited text", _data, "gzip"),
    "npz": Target("rows.npz", "NumPy arrays", _data, "zip"),
    "zip": Target("rows.zip", "zip", _data, "zip"),
    "folder-csv": Target("metadata.csv", "delimited text", _folder),
    "folder-jsonl": Target("metadata.jsonl", "JSON lines", _folder),
    "shards": Target("rows.tar", "tar", _data, "tar"),
    "image": Target("row.png", "pictures", _image, "png"),
    "answers-csv": Target("answers.csv", "delimited text", _answers),
    "answers-parquet": Target("answers.parquet", "Parquet", _answers),
    "answers-npz": Target("answers.npz", "NumPy arrays", _answers, "zip"),
    "log": Target("log.csv", "delimited text", _log),
    "task": Target("task.toml", "TOML", load_task),
    "audit": Target("audit.json", "JSON", _audit),
    "journal": Target("events.jsonl", "JSON lines", _journal),
    "cache": Target("part.parquet", "Parquet", _part),
    "thumbnails": Target("thumbnails.zip", "zip", read_zip, "zip"),
    "onnx": Target("model.onnx", "ONNX", load_model, needs="onnx"),
    "onnx-fields": Target("model.onnx", "ONNX", _fields),
    "export": Target("model.pt2", "torch.export", _export, "zip", needs="torch"),
    "skops": Target("model.skops", "skops", load_model, "zip", needs="skops"),
    "pickle": Target("model.pkl", "pickle", names_in_file),
    "config": Target("preprocessor_config.json", "JSON", _beside),
    "reply": Target("reply.bin", "JSON", _reply),
    "metadata": Target("metadata.json", "JSON", _metadata),
    "filter": Target("filter.txt", "filters of view", _filter),
}


def asked(target: Target, data: bytes, folder: Path) -> str:
    """The sentence with which bytes are refused, or nothing where they are read; ``folder`` is used and emptied.

    Raises:
        Exception: whatever is no refusal, and a refusal without a word.
    """
    with _file(target, data, folder) as path, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            target.read(path)
        except (InputError, UnreadableRow) as error:
            said = clean(" ".join(str(error).split()))
            assert said, "it was refused without a word"
            return said
    return ""


@contextmanager
def _file(target: Target, data: bytes, folder: Path) -> Iterator[Path]:
    path = folder / target.file
    path.write_bytes(data)
    try:
        yield path
    finally:
        for one in folder.iterdir():
            one.unlink()
