"""Recorded answers: no model, but what one said about some rows."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pfungst.arrays import Array
from pfungst.canonical import fingerprint
from pfungst.datasets.columns import ParquetColumns, give_back, read_table
from pfungst.datasets.labels import coded, placed
from pfungst.datasets.npz import open_npz
from pfungst.errors import InputError
from pfungst.frame import Frame
from pfungst.models.names import distinct, numbered, settled
from pfungst.models.scores import Meaning, outputs_of
from pfungst.outputs import NoDistribution, NotFinite, Outputs, from_top
from pfungst.paged import chained, file_bytes, paged
from pfungst.task import Task

_COLUMN = re.compile(r"(?P<kind>logit|prob)s?_(?P<name>.+)", re.DOTALL)
_ARRAYS: dict[str, Meaning] = {"logits": "logits", "probs": "probabilities", "probabilities": "probabilities"}
_PREDICTIONS = ("prediction", "predictions", "pred_label", "predicted")
_CONFIDENCES = ("confidence", "confidences")
TRUTHS = ("label", "labels", "true_label")


@dataclass(eq=False)
class RecordedAnswers:
    """Answers looked up by position; new inputs cannot be asked about.

    ``held`` is every other column of the file: labels, votes, metadata.
    """

    source: str
    classes: tuple[str, ...]
    named: bool
    fingerprint: str
    outputs: Outputs
    held: Mapping[str, Array] = field(default_factory=dict)
    portable: bool = True
    notes: tuple[str, ...] = ()
    offers: frozenset[str] = frozenset()
    frame: Frame | None = None

    def __len__(self) -> int:
        return len(self.outputs)

    @property
    def normalised(self) -> bool:
        """Whether its answers are log-probabilities."""
        return self.outputs.normalised

    def predict(self, inputs: Array) -> Outputs:
        """Answers of the rows at these positions."""
        return self.outputs.take(np.asarray(inputs, dtype=np.int64))

    def describe(self) -> Mapping[str, Any]:
        """Kind and size."""
        kept = "all classes" if self.outputs.complete else "prediction and confidence"
        return {"kind": "recorded answers", "rows": len(self), "classes": len(self.classes), "kept": kept}


def load_recorded(path: Path, task: Task, outputs: str | None = None) -> RecordedAnswers:
    """Read answers from ``.npz``, ``.csv[.gz]``, ``.tsv``, ``.jsonl`` or ``.parquet``.

    Raises:
        InputError: if the file holds neither scores nor predictions with confidences.
    """
    suffix = "".join(path.suffixes).removesuffix(".gz").lower().rpartition(".")[2]
    data = file_bytes(path)
    identity = hashlib.blake2b(data, digest_size=16).hexdigest()
    table = _table(data, suffix, path, task.limits.unpacked)
    del data  # as large as the answers themselves
    give_back()
    return recorded(table, task, str(path), identity, outputs)


def _table(data: memoryview, suffix: str, path: Path, most: int) -> Mapping[str, Array]:
    """The arrays of a file; columns of scores are one."""
    if suffix == "npz":
        arrays = open_npz(path, most)
        return {name: chained([arrays.pop(name)]) if arrays[name].ndim else arrays.pop(name) for name in list(arrays)}
    if suffix == "parquet" and path.suffix.lower() != ".gz":
        return _squared(ParquetColumns(data, str(path), most))
    return _squared(read_table(data.tobytes(), f".{suffix}", str(path), most))


def recorded(
    table: Mapping[str, Array], task: Task, source: str, identity: str, declared: str | None = None
) -> RecordedAnswers:
    """Answers from named arrays: ``logits``, ``probs``, or ``prediction`` and ``confidence``."""
    for name in (*_ARRAYS, *_PREDICTIONS, *_CONFIDENCES, "classes", "answered"):
        if name in table and not np.ndim(table[name]):
            raise InputError(f"{source} holds `{name}` as a single value; give an array")
    scores = next((name for name in _ARRAYS if name in table), None)
    said = tuple(str(name) for name in table.get("classes", ())) or tuple(str(n) for n in table.get("answered", ()))
    if scores is not None:
        means = _ARRAYS[scores] if declared is None else _agreeing(declared, _ARRAYS[scores], source)
        with _as_recorded(source):
            given = outputs_of(np.asarray(table[scores]), means, len(table[scores]), source)
        classes, named = settled(distinct(said), task.task.classes, given.classes, source)
        named = named and not all(name.isdigit() for name in classes)
    else:
        with _as_recorded(source):
            given, classes, named = _top_only(table, said or task.task.classes, source)
    if not len(given):
        raise InputError(f"{source} holds no answers; give at least one row")
    for name in (*TRUTHS, "id", "ids", "label_counts"):
        if name in table and len(np.atleast_1d(table[name])) != len(given):
            have = len(np.atleast_1d(table[name]))
            raise InputError(f"{source} holds {len(given)} answers and `{name}` of {have} rows; give one a row")
    used = {scores, *_PREDICTIONS, *_CONFIDENCES, "classes", "answered"}
    held = {name: np.asarray(values) for name, values in table.items() if name not in used}
    marks = fingerprint(identity, classes, given.normalised)
    return RecordedAnswers(source, classes, named, marks, given, held)


@contextmanager
def _as_recorded(source: str) -> Iterator[None]:
    """Say what can be done about answers that stand in a file: there is no model whose settings could be mended."""
    try:
        yield
    except NotFinite as error:
        raise InputError(
            f"{source} holds NaN or infinity in the answers of {error.where}, from which nothing can be judged; leave "
            "such rows out, or record their answers anew"
        ) from None
    except NoDistribution as error:
        logits = "if they are logits or logarithms, name the array `logits`, in a table the columns logit_*"
        multilabel = "; if each class has its own sigmoid (multilabel), record one class at a time as prob_0 and prob_1"
        raise InputError(f"{source}: {error.advising(logits, logits + multilabel)}") from None


def _agreeing(declared: str, found: Meaning, source: str) -> Meaning:
    if declared != found:
        raise InputError(f"outputs are declared {declared} and {source} holds {found}; drop that option")
    return found


def _squared(table: Mapping[str, Array]) -> dict[str, Array]:
    """Columns ``logit_*`` or ``prob_*`` become one array, and the names of its classes."""
    matches = {name: match for name in table if (match := _COLUMN.fullmatch(name))}
    kinds = {match["kind"] for match in matches.values()}
    kind = "logit" if "logit" in kinds else "prob"
    columns = {name: match["name"] for name, match in matches.items() if match["kind"] == kind}
    rest = {name: chained([table[name]]) for name in table if not columns or name not in matches}
    if not columns:
        return rest
    names = list(columns.values())
    # prob_0, prob_1, prob_10, prob_2 ...: numbered classes are in the order of their numbers, wherever they stand.
    if sorted(names) == sorted(numbered(len(names))):
        names.sort(key=int)
    places = {column: names.index(name) for column, name in columns.items()}
    return {**rest, f"{kind}s": _stacked(table, places), "answered": np.array(names, dtype=object)}


def _stacked(table: Mapping[str, Array], places: Mapping[str, int]) -> Array:
    """The columns at their places as (rows, classes), in single precision where all of them are."""
    stacked = paged((len(table[next(iter(places))]), len(places)))
    done: list[int] = []
    for name, at in places.items():
        values = _numbers(table[name], name)
        if values.dtype != np.float32 and stacked.dtype == np.float32:
            narrow, stacked = stacked, paged(stacked.shape, np.float64)
            for column in done:
                stacked[:, column] = narrow[:, column]
        stacked[:, at] = values
        done.append(at)
    return stacked


def _numbers(values: Array, name: str) -> Array:
    try:
        return np.asarray(
            values, np.float32 if values.dtype in {np.dtype(np.float16), np.dtype(np.float32)} else np.float64
        )
    except (TypeError, ValueError):
        raise InputError(f"the column {name} of the answers holds words; give numbers") from None


def _top_only(table: Mapping[str, Array], names: tuple[str, ...], source: str) -> tuple[Outputs, tuple[str, ...], bool]:
    prediction = next((name for name in _PREDICTIONS if name in table), None)
    confidence = next((name for name in _CONFIDENCES if name in table), None)
    if prediction is None or confidence is None:
        raise InputError(
            f"{source} holds no answers: columns logit_* or prob_*, arrays logits or probs, or prediction and "
            f"confidence are read, and it has {', '.join(list(table)[:12])}"
        )
    truth = next((name for name in TRUTHS if name in table), None)
    answers = np.asarray(table[prediction])
    both = answers if truth is None else np.concatenate([answers, np.asarray(table[truth])])
    found = coded(placed(both, names), names, source)
    assert found.values is not None
    if (found.values[: len(answers)] < 0).any():
        raise InputError(f"{source} has rows without a prediction; leave those rows out")
    stated = _numbers(table[confidence], confidence)
    if stated.shape != answers.shape or answers.ndim != 1:
        raise InputError(f"{source} holds {len(answers)} predictions and {len(stated)} confidences; give both a row")
    top = from_top(found.values[: len(answers)], stated, len(found.classes))
    return top, found.classes, found.named
