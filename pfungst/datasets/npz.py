"""Data in one ``.npz`` file, or in arrays already in memory."""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pfungst.arrays import WHOLE, Array, IntArray
from pfungst.canonical import fingerprint
from pfungst.datasets.dataset import Dataset, Modality
from pfungst.datasets.ids import numbered_rows
from pfungst.datasets.labels import Labels, checked_votes, coded, majority, roles_of, voted
from pfungst.errors import InputError, NoLabels, damage
from pfungst.packed import MOST_UNPACKED, checked_zip
from pfungst.task import Task

_KNOWN = frozenset({"inputs", "labels", "label", "label_counts", "masks", "classes", "id", "ids", "features"})


@dataclass(frozen=True)
class Rows:
    """Reads rows of an array in memory."""

    values: Array

    def __call__(self, rows: IntArray) -> Array:
        """The rows at these positions."""
        return self.values[rows]


def open_npz(path: Path, most: int = MOST_UNPACKED) -> dict[str, Array]:
    """All arrays of a file; pickled objects are refused.

    Raises:
        InputError: if it is no ``.npz`` file, holds pickled objects, or unpacks to more than ``most`` bytes.
    """
    checked_zip(path, "cannot be read as .npz", most)
    with damage(f"{path} cannot be read as .npz"):
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
                arrays = {name: held[name] for name in held.files}
        except ValueError as error:
            if "pickle" not in str(error).lower():
                raise
            raise InputError(
                f"{path} holds pickled objects, which can run code; save its arrays as numbers and fixed-length text"
            ) from None
    for name, value in arrays.items():
        if not isinstance(value, np.ndarray):
            raise InputError(f"{path} holds {name[:200]!r}, which is no array; save arrays alone with np.savez")
        if value.dtype.kind == "V":
            raise InputError(f"`{name[:200]}` of {path} holds records; save each of their fields as an array")
        letters = np.frombuffer(value.tobytes(), f"{value.dtype.str[0]}u4") if value.dtype.kind == "U" else np.zeros(1)
        if letters.max(initial=0) > sys.maxunicode:
            raise InputError(f"`{name[:200]}` of {path} is damaged: it holds letters that there are none of")
    return arrays


def load_npz(path: Path, task: Task) -> Dataset:
    """Data from an ``.npz`` file with ``inputs``; see the contract for the other arrays."""
    arrays = open_npz(path, task.limits.unpacked)
    digest = hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    return from_arrays(arrays, task, source=str(path), identity=digest)


def from_arrays(arrays: Mapping[str, Any], task: Task, *, source: str, identity: str = "") -> Dataset:
    """Data from named arrays: ``inputs``, and optionally ``labels``, ``label_counts``, ``masks``, ``classes``, columns.

    Raises:
        InputError: if ``inputs`` is missing or of the wrong kind, or lengths differ.
    """
    if "inputs" not in arrays:
        raise InputError(f"{source} has no array `inputs`; it has {', '.join(arrays) or 'none'}")
    inputs, modality, notes = checked_inputs(np.asarray(arrays["inputs"]), source)
    held = {key: np.asarray(value) for key, value in arrays.items() if key != "inputs"}
    _same_length(held, len(inputs), source)
    for name in ("classes", "features"):
        if name in held and held[name].ndim != 1:
            raise InputError(f"`{name}` of {source} has shape {held[name].shape}; give a list of names")
    labels, votes = labels_of(held, task, source)
    columns = columns_of(held, len(inputs), task.columns.label)
    roles, said = roles_of(columns, task.columns, source)
    masks, about = _masks(held.get("masks"), inputs, source)
    ids = held.get("ids", held.get("id"))
    return Dataset(
        name="test",
        source=source,
        modality=modality,
        ids=numbered_rows(len(inputs)) if ids is None else unique_ids([str(i) for i in ids], source),
        read=Rows(inputs),
        classes=labels.classes,
        named=labels.named,
        labels=labels.values,
        label_counts=votes,
        columns=columns,
        roles=roles,
        masks=masks,
        fingerprint=fingerprint(identity or _content(inputs, held), task.columns.label or ""),
        notes=(*notes, *about, *labels.notes, *said),
        shape=inputs.shape[1:],
        features=tuple(str(f) for f in held.get("features", ())),
    )


def checked_inputs(inputs: Array, source: str) -> tuple[Array, Modality, tuple[str, ...]]:
    """Inputs as a person would see them: images get a channel axis and one of two types.

    Raises:
        InputError: if there are no rows, or the rank or range is none that is read.
    """
    if inputs.ndim == 0 or not len(inputs):
        raise InputError(f"{source} has no rows; give at least one")
    if inputs.dtype.kind not in "fiubUO":
        raise InputError(f"`inputs` of {source} is {inputs.dtype}; pixels, numbers or texts are read")
    if inputs.dtype.kind in "UO" and inputs.ndim == 1:
        return inputs.astype(object), "text", ()
    if inputs.ndim == 2:
        if not inputs.shape[1]:
            raise InputError(f"`inputs` of {source} has shape {inputs.shape}: rows without columns; give some")
        as_it_is = inputs.dtype.kind in "OU" or inputs.dtype in {np.dtype(np.float32), np.dtype(np.float64)}
        return inputs if as_it_is else side_by_side(list(inputs.T)), "table", ()
    if inputs.ndim not in {3, 4}:
        raise InputError(
            f"`inputs` of {source} has shape {inputs.shape}; images (N, H, W[, C]) or tables (N, D) are read"
        )
    if not inputs.size:
        raise InputError(f"`inputs` of {source} has shape {inputs.shape}: pictures without pixels; give some")
    images, notes = _channels_last(inputs, source)
    return _pixels(images, source), "image", notes


def side_by_side(columns: Sequence[Array]) -> Array:
    """Columns as one table (rows, columns) in which every number is as it was.

    Floats hold all numbers, and what is added to them; integers that no float64 holds make the table one of objects.

    >>> side_by_side([np.array([1, 2])]).dtype, side_by_side([np.array([2**60 + 1])])[0, 0] == 2**60 + 1
    (dtype('float64'), True)
    """
    if all(column.dtype.kind in "fiub" and not _beyond_floats(column) for column in columns):
        # The least of the floats that holds the numbers of every column; there is no model of wider ones.
        widest = np.result_type(np.float32, *(column.dtype for column in columns))
        return np.stack(columns, axis=1, dtype=np.float32 if widest == np.float32 else np.float64, casting="unsafe")
    stacked = np.empty((len(columns[0]), len(columns)), dtype=object)
    for at, column in enumerate(columns):
        stacked[:, at] = column
    return stacked


def _beyond_floats(column: Array) -> bool:
    wide = column.dtype.kind in "iu" and column.dtype.itemsize == 8 and len(column) > 0
    return wide and bool(column.min() < -WHOLE or column.max() > WHOLE)


def _masks(masks: Array | None, inputs: Array, source: str) -> tuple[Rows | None, tuple[str, ...]]:
    """Where objects lie; masks that say the same of every pixel tell no object from its background."""
    if masks is None or inputs.ndim != 4:
        return None, ()
    height, width = inputs.shape[1:3]
    if masks.shape[1:] != (height, width):
        raise InputError(
            f"`masks` of {source} has shape {masks.shape} and its pictures are {height} x {width}; give masks of "
            f"(rows, {height}, {width})"
        )
    where = masks.astype(bool)
    if where.any() and not where.all():
        return Rows(where), ()
    marked = "every pixel" if where.any() else "no pixel"
    return None, (f"`masks` of {source} mark {marked} of any picture, which tells no background: they are left out",)


def _channels_last(inputs: Array, source: str) -> tuple[Array, tuple[str, ...]]:
    if inputs.ndim == 3:
        return inputs[..., None], ()
    if inputs.shape[3] in {1, 3}:
        return inputs, ()
    if inputs.shape[1] in {1, 3}:
        return np.ascontiguousarray(inputs.transpose(0, 2, 3, 1)), (
            f"`inputs` of {source} has shape {inputs.shape} and is read as (rows, channels, height, width)",
        )
    if inputs.shape[3] == 4:
        return inputs[..., :3], (f"the fourth channel of {source} (transparency) is dropped",)
    raise InputError(f"`inputs` of {source} has {inputs.shape[3]} channels; 1 (grey) or 3 (RGB) are read")


def _pixels(images: Array, source: str) -> Array:
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind not in "fiub":
        raise InputError(f"`inputs` of {source} is {images.dtype}; uint8, or float32 in [0, 1], is read")
    low, high = float(images.min()), float(images.max())
    if images.dtype.kind == "f" and low >= 0 and high <= 1:
        return images.astype(np.float32)
    if images.dtype.kind == "b":
        return images.astype(np.uint8) * np.uint8(255)
    if images.dtype.kind in "iu" and low >= 0 and high <= 255:
        return images.astype(np.uint8)
    raise InputError(
        f"`inputs` of {source} is {images.dtype} from {low:g} to {high:g}; save uint8 0..255 or float32 in [0, 1]"
    )


def labels_of(held: Mapping[str, Array], task: Task, source: str) -> tuple[Labels, Array | None]:
    """Labels and votes from named arrays; votes stand in for missing labels."""
    names = tuple(str(name) for name in held.get("classes", ())) or task.task.classes
    votes = held.get("label_counts")
    given = held.get(task.columns.label or "labels", held.get("label"))
    if task.columns.label and task.columns.label not in held:
        raise NoLabels(f"the task names a label column {task.columns.label!r} that {source} does not have")
    if votes is not None:
        votes = checked_votes(votes, source)
        if given is None or given.dtype.kind in "iuf":
            names = names or tuple(str(i) for i in range(votes.shape[1]))
    if votes is not None and given is None:
        given = majority(votes)
        found = coded(np.where(given < 0, np.nan, given), names, source)
        return Labels(
            found.values, found.classes, found.named, (*found.notes, "labels are the labellers' majority")
        ), votes
    if given is not None and given.ndim != 1:
        raise InputError(f"`labels` of {source} has shape {given.shape}; one class a row is read")
    return coded(given, names, source) if votes is None or given is None else voted(given, names, source), votes


def columns_of(held: Mapping[str, Array], rows: int, label: str | None) -> dict[str, Array]:
    """Every (rows,) array that plays no other part is a metadata column."""
    return {name: values for name, values in held.items() if name not in _KNOWN | {label} and values.shape == (rows,)}


def _same_length(held: Mapping[str, Array], rows: int, source: str) -> None:
    for name in ("labels", "label", "label_counts", "masks", "ids", "id"):
        if name in held and (held[name].ndim == 0 or len(held[name]) != rows):
            raise InputError(f"{source} has {rows} inputs and `{name}` of shape {held[name].shape}; give one a row")


def unique_ids(ids: Sequence[str], source: str) -> tuple[str, ...]:
    """Row ids. Raises InputError if two rows share one."""
    if len(set(ids)) < len(ids):
        seen: set[str] = set()
        twice = next(i for i in ids if i in seen or seen.add(i))  # type: ignore[func-returns-value]
        raise InputError(f"{source} has two rows with the id {twice[:100]!r}; ids must differ")
    return tuple(ids)


def plain_text(values: Array) -> Array:
    """Objects of any kind as text, of the same shape; NumPy's own way stops at bytes that are not ASCII."""
    return np.array([str(value) for value in values.ravel().tolist()], dtype=str).reshape(values.shape)


def _content(inputs: Array, held: Mapping[str, Array]) -> str:
    plain = {k: plain_text(v) if v.dtype.kind == "O" else v for k, v in held.items()}
    shown = plain_text(inputs) if inputs.dtype.kind == "O" else inputs
    return fingerprint(shown, {k: plain[k] for k in sorted(plain)}, size=16)
