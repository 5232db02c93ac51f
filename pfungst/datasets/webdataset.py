"""WebDataset: tar shards in which the files of a sample share a key, read without the package of that name."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from pfungst.arrays import Array
from pfungst.datasets.dataset import Dataset
from pfungst.datasets.image import SUFFIXES
from pfungst.datasets.pictured import pictured
from pfungst.datasets.shards import Shards, shards_of
from pfungst.datasets.table import from_columns
from pfungst.errors import InputError, UnreadableRow
from pfungst.task import Task

MOST_DESCRIBED = 1 << 20
"""Longer descriptions of one sample are refused."""
_CLASS = ("cls", "cls.txt", "label", "label.txt", "class")
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_TEXT = ("txt", "text", "caption")


def load_shards(source: str, task: Task) -> Dataset:
    """Samples of one tar file or of a pattern of them, ``shards/{000..003}.tar``.

    A picture is the sample's ``.jpg``, ``.png``, ``.webp`` or their like; ``.cls`` is its label, the fields of
    ``.json`` are columns, ``.txt`` is a column, or the input where there are no pictures.

    Raises:
        InputError: if a shard cannot be read safely, or the samples have neither pictures nor texts.
    """
    files = Shards(shards_of(source), task.limits.unpacked)
    samples = _samples(files)
    if not samples:
        raise InputError(f"{source} holds no files; give shards with samples")
    images = {key: _image(key, parts, source) for key, parts in samples.items()}
    shown = {key: name for key, name in images.items() if name is not None}
    table = _table(files, {key: samples[key] for key in (shown or samples)}, task, source)
    ids = _ids(files, {key: samples[key] for key in (shown or samples)})
    if shown:
        data = pictured(files, list(shown.values()), table, task, ids=ids, source=source)
        return data if len(shown) == len(samples) else _noted(data, len(samples) - len(shown))
    if "text" not in table:
        ends = ", ".join(sorted({end for parts in samples.values() for end in parts})[:8])
        raise InputError(f"the samples of {source} have neither pictures nor .txt, but {ends}; give shards of either")
    return from_columns({**table, "id": np.array(ids, dtype=object)}, task, source=source, identity=files.stamp)


def _noted(data: Dataset, left: int) -> Dataset:
    return replace(data, notes=(*data.notes, f"{left} samples without a picture are left out"))


def _samples(files: Shards) -> dict[str, dict[str, str]]:
    """Files of each sample by their ending; the key is all up to the first dot of the file's name."""
    samples: dict[str, dict[str, str]] = {}
    for name in files.names:
        folder, _, last = name.rpartition("/")
        key, _, end = last.partition(".")
        if end:
            samples.setdefault(f"{folder}/{key}", {})[end.lower()] = name
    return samples


def _image(key: str, parts: Mapping[str, str], source: str) -> str | None:
    """The picture of a sample: of several the one with the plainest ending."""
    ends = sorted(
        (end for end in parts if f".{end.rpartition('.')[2]}" in SUFFIXES), key=lambda end: (end.count("."), end)
    )
    if len(ends) > 1 and ends[0].count(".") == ends[1].count(".") > 0:
        raise InputError(
            f"the sample {key[:200]!r} of {source} has {len(ends)} pictures (.{ends[0][:40]}, .{ends[1][:40]}), and "
            "none is plainly its own: a sample's name ends at the first dot; write names without dots"
        )
    return parts[ends[0]] if ends else None


def _ids(files: Shards, samples: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Keys of the samples, with their shard where two shards use the same."""
    within = [files.within(next(iter(parts.values()))) for parts in samples.values()]
    short = [f"{folder}{slash}{last.partition('.')[0]}" for folder, slash, last in (n.rpartition("/") for n in within)]
    return short if len(set(short)) == len(short) else list(samples)


def _table(files: Shards, samples: Mapping[str, Mapping[str, str]], task: Task, source: str) -> dict[str, Array]:
    records = [_record(files, parts, source) for parts in samples.values()]
    names = list(dict.fromkeys(name for record in records for name in record))
    table = {name: _column([record.get(name) for record in records]) for name in names}
    label = task.columns.label
    return table if label is None or label in table or "label" not in table else {**table, label: table.pop("label")}


def _record(files: Shards, parts: Mapping[str, str], source: str) -> dict[str, Any]:
    record: dict[str, Any] = {}
    if "json" in parts:
        record |= _fields(_read(files, parts["json"]), parts["json"], source)
    for end in _TEXT:
        if end in parts:
            record["text"] = _read(files, parts[end])
            break
    for end in _CLASS:
        if end in parts:
            label = _read(files, parts[end]).strip()
            record["label"] = int(label) if _WHOLE.fullmatch(label) else label
            break
    return record


def _read(files: Shards, name: str) -> str:
    data = files.read(name)
    if isinstance(data, UnreadableRow):
        raise InputError(f"{name} cannot be read: {data}")
    if len(data) > MOST_DESCRIBED:
        raise InputError(f"{name} has {len(data):,} bytes, more than a description of one sample has")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{name} is no text in UTF-8") from None


def _fields(text: str, name: str, source: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} in {source} cannot be read as JSON: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{name} in {source} holds no JSON object; give the fields of one sample")
    return {str(key): value for key, value in found.items() if not isinstance(value, list | dict)}


def _column(values: list[Any]) -> Array:
    """One column: numbers where all of them are (missing: NaN), else text and what else there is."""
    plain = [value for value in values if value is not None]
    if plain and all(map(_is_number, plain)):
        whole = all(isinstance(value, int) and abs(value) < 2**63 for value in plain) and len(plain) == len(values)
        if whole:  # not by way of floats, which tell no numbers apart beyond 2 ** 53
            return np.array(values, dtype=np.int64)
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    if plain and len(plain) == len(values) and all(isinstance(value, bool) for value in plain):
        return np.array(values, dtype=bool)
    held = np.empty(len(values), dtype=object)
    held[:] = values
    return held


def _is_number(value: Any) -> bool:
    """Whether it is a number that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, float) or abs(value) < 1 << 1023


def is_shards(source: str) -> bool:
    """Whether a name is one tar file or a pattern of them."""
    return PurePosixPath(source).name.lower().endswith((".tar", ".tar.gz", ".tgz"))


def only_shards(folder: Path) -> bool:
    """Whether a folder holds tar files and neither pictures nor tables."""
    names = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return (
        bool(names)
        and all(path.is_file() and path.suffix in {".tar", ".json", ".md", ".txt"} for path in names)
        and any(path.suffix == ".tar" for path in names)
    )
