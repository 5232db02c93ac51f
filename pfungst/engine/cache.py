"""Cache: answers in Parquet, one part for each pass and shard. A part that exists and checks out is done."""

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pfungst.arrays import Array, IntArray
from pfungst.attacked import Attacked
from pfungst.canonical import fingerprint
from pfungst.datasets.dataset import Dataset
from pfungst.engine.plan import Piece
from pfungst.engine.rows import spelled_ids
from pfungst.engine.sealed import groups, sealed, write_sealed
from pfungst.engine.sweep import Swept
from pfungst.errors import InputError, damage
from pfungst.maps import Maps
from pfungst.outputs import Outputs
from pfungst.paged import paged
from pfungst.passes import Answers, Pass
from pfungst.proven import Proven
from pfungst.statistics.units import numbered
from pfungst.summarised import Summarised

PLAIN = "answers/test.as-it-is.*.parquet"
"""Names in a RUN folder of the answers to the test rows as they are."""

_FORMAT = 5
_OURS = re.compile(r"[a-z0-9-]*\.[a-z0-9-]*\.[0-9a-f]{16}\.parquet")
"""Names of answers to whole passes: set, pass and key. A file of another name is not ours to drop."""
_STREAMS = ("logits", "features", "map", "top_logs")
# A seal says that a file is as it was written, not by whom: what it holds may be anything.
_DAMAGED = (OSError, pa.ArrowException, LookupError, ValueError, TypeError, AttributeError, AssertionError)


class Kept(NamedTuple):
    """Answers as they were kept, the rows that could not be read, with the reason, and how many rows were asked.

    ``sizes``: rows shown at once where memory did not hold a whole batch; answers may differ in their last bits for it.
    """

    answers: Answers
    lost: dict[int, str]
    rows: int
    sizes: tuple[int, ...] = ()


class Cache:
    """Answers of one audit (one model, one set of data, one seed) in a folder; with ``redact`` rows have no names."""

    def __init__(self, folder: Path, run_key: str, *, redact: bool = False) -> None:
        # Answers with names are none of a redacted audit: they are asked and written anew.
        self.folder, self.run_key, self.redact = folder, f"{run_key} redacted" if redact else run_key, redact
        self.parts = folder / ".parts"

    def load(self, piece: Piece, data: Dataset) -> Kept | None:
        """Answers of a piece or of its first rows; None if they are missing, damaged, more or of another audit."""
        kept = _read(self._part(piece), self._key(piece), len(data.on(piece.shard.on)))
        return None if kept is None or kept.rows > piece.rows else kept

    def save(self, pieces: Iterable[Piece], swept: Swept, data: Dataset) -> None:
        """Write the answers of a shard, each part by rename, so that a kill leaves whole parts only."""
        for piece in pieces:
            if piece.asked in swept.answers:
                rows = set(piece.shard.rows(data)[: piece.rows].tolist())
                lost = self._told({row: why for row, why in swept.lost.items() if row in rows})
                sizes = [swept.size] if swept.size else []
                about = {"key": self._key(piece), "lost": lost, "rows": piece.rows, "sizes": sizes}
                _write(self._part(piece), swept.answers[piece.asked], data.on(piece.shard.on), about, self.redact)

    def whole(self, one: Pass, pieces: list[Piece], data: Dataset) -> Kept | None:
        """Answers of a whole pass as they were compacted by a finished audit, or None."""
        return _read(self._file(one), self._whole_key(pieces), len(data.on(one.on)))

    def compact(self, one: Pass, kept: Kept, pieces: list[Piece], data: Dataset) -> None:
        """Write a pass as one file and drop its parts."""
        if not self._file(one).exists() or self.whole(one, pieces, data) is None:
            lost, sizes = self._told(kept.lost), list(kept.sizes)
            about = {"key": self._whole_key(pieces), "lost": lost, "rows": kept.rows, "sizes": sizes}
            _write(self._file(one), kept.answers, data.on(one.on), about, self.redact)
        shutil.rmtree(self.parts / one.key, ignore_errors=True)

    def forget(self) -> None:
        """Drop every answer."""
        self.keep_only(())

    def keep_only(self, passes: Iterable[Pass]) -> None:
        """Drop answers of passes that this audit did not ask for, and empty folders."""
        kept = {self._file(one).name for one in passes}
        for file in self.folder.glob("*.parquet"):
            if _OURS.fullmatch(file.name) and file.name not in kept:
                file.unlink()
        shutil.rmtree(self.parts, ignore_errors=True)

    def _told(self, lost: Mapping[int, str]) -> dict[int, str]:
        """Why rows were lost; with ``redact`` without the words of a model or a reader, which may name files."""
        return {row: "unreadable" if self.redact else why for row, why in lost.items()}

    def _part(self, piece: Piece) -> Path:
        return self.parts / piece.asked.key / f"{piece.shard.name}.parquet"

    def _file(self, one: Pass) -> Path:
        return self.folder / f"{_slug(one.on)}.{_slug(one.name)}.{one.key}.parquet"

    def _key(self, piece: Piece) -> str:
        return fingerprint(self.run_key, piece.asked.key, piece.shard.name, _FORMAT)

    def _whole_key(self, pieces: list[Piece]) -> str:
        return fingerprint(*((self._key(piece), piece.rows) for piece in pieces))


def kept_answers(file: Path) -> tuple[Outputs, IntArray, tuple[str, ...]]:
    """Answers, labels (-1: none) and ids of the rows of a pass that a finished audit wrote.

    Raises:
        InputError: if the file cannot be read or holds no answers.
    """
    with damage(f"{file} holds no answers that can be read", "audit again"):
        held = sealed(file)
        table = held.read(columns=_narrow(held), use_threads=False)
        about = json.loads((table.schema.metadata or {})[b"pfungst"])
        found = _answers(held, table, table["row"].to_numpy(), about)
        labels, ids = table["label"].to_numpy(), tuple(table["id"].to_pylist())
    if not isinstance(found, Outputs):
        raise InputError(f"{file} holds no plain answers; audit again")
    return found, labels.astype(np.int64), ids


def kept_units(file: Path) -> IntArray | None:
    """Number of the unit of each row of a pass, in the order of ``kept_answers``; None where rows have no units."""
    table = pq.ParquetFile(file).read(use_threads=False)
    return table["unit"].to_numpy().astype(np.int64) if "unit" in table.column_names else None


def _slug(words: str) -> str:
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in words.lower())
    return "-".join(part for part in kept.split("-") if part)[:48]


def _tables(answers: Answers, data: Dataset, about: dict[str, Any], redact: bool) -> Iterator[pa.Table]:
    """The rows of some answers; those of many predictions in groups, so that no copy of all of them is made."""
    assert answers.rows is not None, "answers to be kept know their rows"
    plain = isinstance(answers, Outputs) and not isinstance(answers, Summarised)
    units = data.units if plain else None
    numbers = None if units is None else numbered(units[answers.rows], len(answers.rows))[0]
    for part in groups(len(answers.rows)) if plain else [slice(0, len(answers.rows))]:
        columns = _columns(answers, part, data, about, redact)
        if numbers is not None:
            columns["unit"] = pa.array(numbers[part], pa.int32())
        yield pa.table(columns).replace_schema_metadata({b"pfungst": json.dumps(about, sort_keys=True).encode()})


def _columns(answers: Answers, part: slice, data: Dataset, about: dict[str, Any], redact: bool) -> dict[str, Any]:
    """Columns of these rows; only of predictions may they be some."""
    assert answers.rows is not None, "answers to be kept know their rows"
    rows: IntArray = answers.rows[part]
    labels = np.full(len(rows), -1) if data.labels is None else data.labels[rows]
    columns: dict[str, Any] = {
        "row": pa.array(rows, pa.int64()),
        "id": spelled_ids(data, rows, redact=redact),
        "label": pa.array(labels, pa.int32()),
    }
    if isinstance(answers, Maps):
        about |= {"shape": list(answers.values.shape[1:])}
        columns |= {
            "target": pa.array(answers.targets, pa.int32()),
            "error": pa.array(answers.error, pa.float64()),
            "forwards": pa.array(answers.forwards, pa.float64()),
            "map": _lists(answers.values.reshape(len(rows), -1)),
        }
    elif isinstance(answers, Attacked):
        about |= {"shape": list(answers.left.shape[1:]), "attacked": True, "left": answers.left.dtype.str}
        columns |= {name: pa.array(getattr(answers, name)) for name in _ATTACKED}
        columns["left"] = _bytes(answers.left) if answers.left.dtype == np.uint8 else _spelled(answers.left)
    elif isinstance(answers, Proven):
        columns |= {name: pa.array(getattr(answers, name)) for name in _PROVEN}
    elif isinstance(answers, Summarised):
        about |= {"summary": True, "classes": answers.classes}
        columns |= _summary(answers)
    else:
        about |= {"normalised": answers.normalised, "complete": answers.complete}
        columns |= {
            "prediction": pa.array(answers.predictions[part], pa.int32()),
            "confidence": pa.array(answers.confidence[part].astype(np.float32)),
            "logits": _lists(answers.logits[part]),
        }
        if answers.features is not None:
            columns["features"] = _lists(answers.features[part])
    return columns


def _summary(answers: Summarised) -> dict[str, Any]:
    return {
        "prediction": pa.array(answers.predictions, pa.int32()),
        "confidence": pa.array(answers.confidence.astype(np.float32)),
        "top": _list_of(answers.top.astype(np.int32)),
        "top_logs": _lists(answers.logits),
        "own": pa.array(answers.own.astype(np.float32)),
        "log_sum_exp": pa.array(answers.log_sum_exp.astype(np.float32)),
    }


def _bytes(values: Array) -> pa.Array:
    flat = np.ascontiguousarray(values, np.uint8).reshape(len(values), -1)
    return pa.array([row.tobytes() for row in flat], pa.binary())


def _spelled(values: Array) -> pa.Array:
    """Texts and rows of tables, as JSON."""
    return pa.array([json.dumps(row, default=_plain) for row in values.tolist()], pa.string())


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


def _lists(values: Array) -> pa.Array:
    return _list_of(np.ascontiguousarray(values, np.float32))


def _list_of(values: Array) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])


def _write(path: Path, answers: Answers, data: Dataset, about: dict[str, Any], redact: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tables = _tables(answers, data, about, redact)
    first = next(tables)
    streams = [f"{name}.list.element" for name in _STREAMS if name in first.column_names]
    write_sealed(path, chain([first], tables), use_dictionary=False, use_byte_stream_split=streams)


def _read(path: Path, key: str, rows: int) -> Kept | None:
    try:
        file = sealed(path)
        names = [name for name in _narrow(file) if name in _READ]
        table = file.read(columns=names, use_threads=False)
        about = json.loads((table.schema.metadata or {})[b"pfungst"])
        if about["key"] != key:
            return None
        positions = table["row"].to_numpy()
        if len(positions) and not 0 <= positions.min() <= positions.max() < rows:
            return None
        lost = {int(row): why for row, why in about["lost"].items()}
        return Kept(_answers(file, table, positions, about), lost, about["rows"], tuple(about["sizes"]))
    except _DAMAGED:
        return None


_ATTACKED = (
    "broken", "budget", "distance", "stage", "stored", "answers", "confidence", "forwards", "backwards", "signs",
)  # fmt: skip
_PROVEN = ("radius", "refuted", "forwards")
_SUMMARY = ("top", "top_logs", "own", "log_sum_exp", "label")
_WIDE = frozenset({"logits", "features"})
_READ = frozenset({"row", "map", "target", "error", "left", *_ATTACKED, *_PROVEN, *_SUMMARY})


def _narrow(file: pq.ParquetFile) -> list[str]:
    """Columns that are read at once: all but the scores and features of predictions, which may be of many rows."""
    return [name for name in file.schema_arrow.names if name not in _WIDE]


def _answers(file: pq.ParquetFile, table: pa.Table, positions: IntArray, about: dict[str, Any]) -> Answers:
    if "map" in table.column_names:
        numbers = {name: table[name].to_numpy() for name in ("target", "error", "forwards")}
        values = _numbers(table, "map").reshape(-1, *about["shape"])
        return Maps(values, numbers["target"].astype(np.int64), numbers["error"], numbers["forwards"], positions)
    if "left" in table.column_names:
        left = _left(table["left"].to_pylist(), about)
        each = {name: table[name].to_numpy() for name in _ATTACKED}
        return Attacked(**each, left=left, rows=positions)
    if "radius" in table.column_names:
        return Proven(**{name: table[name].to_numpy() for name in _PROVEN}, rows=positions)
    if "top" in table.column_names:
        each = {name: table[name].to_numpy() for name in ("own", "log_sum_exp", "label")}
        return Summarised(
            logits=_numbers(table, "top_logs"),
            rows=positions,
            top=_numbers(table, "top", np.int32),
            own=each["own"],
            labels=each["label"],
            log_sums=each["log_sum_exp"],
            width=about["classes"],
        )
    features = _in_groups(file, "features", len(table)) if "features" in file.schema_arrow.names else None
    return Outputs(_in_groups(file, "logits", len(table)), features, positions, about["normalised"], about["complete"])


def _in_groups(file: pq.ParquetFile, name: str, rows: int) -> Array:
    """A column of lists as an array, read group by group."""
    found, start = np.zeros((0, file.schema_arrow.field(name).type.list_size), np.float32), 0
    for group in range(file.num_row_groups):
        part = _numbers(file.read_row_group(group, columns=[name], use_threads=False), name)
        # As wide as what was read, not as the file says that it is.
        found = found if start else paged((rows, part.shape[1]))
        found[start : start + len(part)] = part
        start += len(part)
    return found


def _left(kept: list[Any], about: dict[str, Any]) -> Array:
    if np.dtype(about["left"]) == np.uint8:
        return np.frombuffer(b"".join(kept), np.uint8).reshape(-1, *about["shape"])
    left = np.empty((len(kept), *about["shape"]), np.dtype(about["left"]))
    for at, row in enumerate(kept):
        left[at] = json.loads(row)
    return left


def _numbers(table: pa.Table, name: str, kind: type = np.float32) -> Array:
    lists = table[name].combine_chunks()
    width = table.schema.field(name).type.list_size
    flat = lists.values.to_numpy(zero_copy_only=False) if len(lists) else np.zeros(0)
    return np.asarray(flat.astype(kind, copy=False).reshape(len(table), width))
