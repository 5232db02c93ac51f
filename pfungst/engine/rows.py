"""Rows: what is known of each test row besides the answers, kept beside them in ``rows.parquet``."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pfungst.arrays import Array, IntArray
from pfungst.datasets.dataset import Dataset
from pfungst.datasets.ids import Numbered
from pfungst.datasets.nameless import names_rows
from pfungst.engine.sealed import groups, sealed, write_sealed
from pfungst.errors import damage

ROWS = "rows.parquet"
OWN = ("row", "id", "label")
"""Columns that every such file has; metadata of the same name is kept as ``column:NAME``."""
FEW = 0.5
"""Texts are kept as a dictionary where fewer than this share of them differ."""


def keep_rows(folder: Path, data: Dataset, about: Mapping[str, Any], *, redact: bool = False) -> None:
    """Write position, id, label and metadata of the rows of an audit, in audit order.

    ``about`` goes into the file's schema under ``pfungst``. With ``redact`` ids are numbers, and what names
    rows or files is left out.
    """
    rows = data.sample()
    classes = pa.array([_utf8(name) for name in data.classes], pa.string())
    packed = json.dumps(dict(about), sort_keys=True).encode()
    metadata: dict[str, Any] = {}
    for name, values in data.columns.items():
        if not (redact and names_rows(values, data.ids)):
            metadata[f"column:{name}" if name in OWN else _utf8(name)] = _column(np.asarray(values)[rows])

    def table(part: slice) -> pa.Table:
        here = rows[part]
        labels = np.full(len(here), -1) if data.labels is None else data.labels[here]
        columns = {
            "row": pa.array(here, pa.int64()),
            "id": spelled_ids(data, here, redact=redact),
            "label": classes.take(pa.array(labels, pa.int64(), mask=labels < 0)),
            **{name: column[part] for name, column in metadata.items()},
        }
        return pa.table(columns).replace_schema_metadata({b"pfungst": packed})

    # Ids differ: a dictionary of them would be begun for every group of rows and thrown away.
    words = ["label", *metadata]
    write_sealed(folder / ROWS, map(table, groups(len(rows))), use_dictionary=words)


def spelled_ids(data: Dataset, rows: IntArray, *, redact: bool) -> Any:
    """The ids at these positions as a column of text; with ``redact`` only that they are rows, and their numbers."""
    if redact:
        return pc.binary_join_element_wise("row", pa.array(rows, pa.int64()).cast(pa.string()), " ")
    if isinstance(data.ids, Numbered):
        return pa.array(data.ids.at(rows).numbers, pa.int64()).cast(pa.string())
    return pa.array([_utf8(data.ids[row]) for row in rows], pa.string())


def kept_rows(folder: Path) -> tuple[Any, Mapping[str, Any]] | None:
    """The table that ``keep_rows`` wrote and what it says about it; None in a folder of an older version.

    Raises:
        InputError: if the file is there and cannot be read.
    """
    path = folder / ROWS
    if not path.exists():
        return None
    with damage(f"{path} holds no rows that can be read", "delete it or audit again"):
        table = sealed(path).read(use_threads=False)
        about = json.loads((table.schema.metadata or {})[b"pfungst"])
        table = table.select([*OWN, *(name for name in table.column_names if name not in OWN)])
    return table, about


def _column(values: Array) -> Any:
    if values.dtype.kind == "b":
        return pa.array(values)
    if values.dtype.kind in "iu":
        return pa.array(values.astype(np.int64) if values.dtype != np.uint64 else values.astype(np.float64))
    if values.dtype.kind == "f":
        return pa.array(values.astype(np.float64), from_pandas=True)
    texts = pa.array(
        [None if value is None or value == "" else _utf8(str(value)) for value in values.tolist()], pa.string()
    )
    packed = texts.dictionary_encode()
    return packed if len(packed.dictionary) < FEW * max(1, len(texts)) else texts


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
