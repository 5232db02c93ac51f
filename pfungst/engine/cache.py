"""Cache: answers in Parquet, one part for each pass and shard. A part that exists and checks out is done."""

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pfungst.arrays import IntArray
from pfungst.canonical import fingerprint
from pfungst.datasets.dataset import Dataset
from pfungst.engine.plan import Piece
from pfungst.engine.sweep import Swept
from pfungst.outputs import Outputs
from pfungst.passes import Predict

_FORMAT = 1


class Cache:
    """Answers of one audit (one model, one set of data, one seed) in a folder."""

    def __init__(self, folder: Path, run_key: str) -> None:
        self.folder, self.run_key = folder, run_key
        self.parts = folder / ".parts"

    def load(self, piece: Piece, data: Dataset) -> tuple[Outputs, dict[int, str]] | None:
        """Answers of a piece and the rows it lost, or None if they are missing, damaged or of another audit."""
        return _read(self._part(piece), self._key(piece), len(data.on(piece.shard.on)))

    def save(self, pieces: Iterable[Piece], swept: Swept, data: Dataset) -> None:
        """Write the answers of a shard, each part by rename, so that a kill leaves whole parts only."""
        for piece in pieces:
            if piece.asked in swept.answers:
                rows = set(piece.shard.rows(data)[: piece.rows].tolist())
                lost = {row: why for row, why in swept.lost.items() if row in rows}
                table = _table(swept.answers[piece.asked], data.on(piece.shard.on), self._key(piece), lost)
                _write(self._part(piece), table)

    def whole(self, one: Predict, pieces: list[Piece], data: Dataset) -> tuple[Outputs, dict[int, str]] | None:
        """Answers of a whole pass as they were compacted by a finished audit, or None."""
        return _read(self._file(one), self._whole_key(pieces), len(data.on(one.on)))

    def compact(self, one: Predict, outputs: Outputs, pieces: list[Piece], lost: dict[int, str], data: Dataset) -> None:
        """Write a pass as one file and drop its parts."""
        if not self._file(one).exists() or self.whole(one, pieces, data) is None:
            _write(self._file(one), _table(outputs, data.on(one.on), self._whole_key(pieces), lost))
        shutil.rmtree(self.parts / one.key, ignore_errors=True)

    def forget(self) -> None:
        """Drop every answer."""
        self.keep_only(())

    def keep_only(self, passes: Iterable[Predict]) -> None:
        """Drop answers of passes that this audit did not ask for, and empty folders."""
        kept = {self._file(one).name for one in passes}
        for file in self.folder.glob("*.parquet"):
            if file.name not in kept:
                file.unlink()
        shutil.rmtree(self.parts, ignore_errors=True)

    def _part(self, piece: Piece) -> Path:
        return self.parts / piece.asked.key / f"{piece.shard.name}.parquet"

    def _file(self, one: Predict) -> Path:
        return self.folder / f"{_slug(one.on)}.{_slug(one.name)}.{one.key}.parquet"

    def _key(self, piece: Piece) -> str:
        return fingerprint(self.run_key, piece.asked.key, piece.shard.name, piece.rows, _FORMAT)

    def _whole_key(self, pieces: list[Piece]) -> str:
        return fingerprint(*(self._key(piece) for piece in pieces))


def _slug(words: str) -> str:
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in words.lower())
    return "-".join(part for part in kept.split("-") if part)[:48]


def _table(outputs: Outputs, data: Dataset, key: str, lost: dict[int, str]) -> pa.Table:
    assert outputs.rows is not None, "answers to be kept know their rows"
    rows: IntArray = outputs.rows
    labels = np.full(len(rows), -1) if data.labels is None else data.labels[rows]
    width = outputs.classes
    columns: dict[str, Any] = {
        "row": pa.array(rows, pa.int64()),
        "id": pa.array([data.ids[row].encode("utf-8", "replace").decode() for row in rows], pa.string()),
        "label": pa.array(labels, pa.int32()),
        "prediction": pa.array(outputs.predictions, pa.int32()),
        "confidence": pa.array(outputs.confidence.astype(np.float32)),
        "logits": pa.FixedSizeListArray.from_arrays(pa.array(outputs.logits.ravel()), width),
    }
    about = {"key": key, "normalised": outputs.normalised, "complete": outputs.complete, "lost": lost}
    return pa.table(columns).replace_schema_metadata({b"pfungst": json.dumps(about, sort_keys=True).encode()})


def _write(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".tmp")
    pq.write_table(
        table,
        partial,
        compression="zstd",
        use_dictionary=False,
        use_byte_stream_split=["logits.list.element", "confidence"],
        row_group_size=65_536,
        write_page_checksum=True,
    )
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    partial.replace(path)


def _read(path: Path, key: str, rows: int) -> tuple[Outputs, dict[int, str]] | None:
    try:
        # One thread: files are small, and a damaged page must fail here rather than be read as wrong numbers.
        table = pq.ParquetFile(path, page_checksum_verification=True).read(columns=["row", "logits"], use_threads=False)
        about = json.loads((table.schema.metadata or {})[b"pfungst"])
    except (OSError, pa.ArrowException, KeyError, ValueError):
        return None
    if about["key"] != key:
        return None
    logits = table["logits"].combine_chunks()
    flat = logits.values.to_numpy(zero_copy_only=False) if len(logits) else np.zeros(0, np.float32)
    positions = table["row"].to_numpy()
    if len(positions) and positions.max() >= rows:
        return None
    outputs = Outputs(
        flat.reshape(len(table), -1).astype(np.float32),
        rows=positions,
        normalised=about["normalised"],
        complete=about["complete"],
    )
    return outputs, {int(row): why for row, why in about["lost"].items()}
