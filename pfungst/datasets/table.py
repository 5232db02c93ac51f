"""A table file: rows with an image path, a text, or feature columns."""

import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pfungst.arrays import Array
from pfungst.canonical import fingerprint
from pfungst.datasets.columns import LABELS, TableFile, label_column, plain_columns, read_apart
from pfungst.datasets.dataset import Dataset, Modality
from pfungst.datasets.embedded import NAMES as PICTURES
from pfungst.datasets.embedded import Embedded, lacking, paths_in
from pfungst.datasets.files import Files, Folder, leaves
from pfungst.datasets.folder import Pictures, Place
from pfungst.datasets.ids import numbered_rows
from pfungst.datasets.image import SUFFIXES
from pfungst.datasets.labels import Labels, coded, placed, roles_of
from pfungst.datasets.npz import Rows, plain_text, side_by_side, unique_ids
from pfungst.datasets.traces import Traces
from pfungst.errors import InputError, damage
from pfungst.packed import MOST_UNPACKED, bomb, refusal
from pfungst.stored import Stored
from pfungst.task import Task

_IMAGES = ("image", "path", "file_name")
_USUAL = {*_IMAGES, *LABELS[:-1], "text", "id"}
"""Names by which a first line is known for a header; ``y`` may be an answer to a question."""


def load_table(path: Path, task: Task, beside: Place | None = None) -> Dataset:
    """Rows of ``.csv[.gz]``, ``.tsv``, ``.jsonl`` or ``.parquet``; pictures lie ``beside`` it, or there.

    Raises:
        InputError: if it cannot be read, has no rows, or a path leaves its folder.
    """
    return read_rows(path.read_bytes(), path.name, task, source=str(path), folder=beside or path.parent)


def read_rows(data: bytes, name: str, task: Task, *, source: str, folder: Place | None = None) -> Dataset:
    """Rows of a table whose bytes are here already; ``name`` tells its form.

    Raises:
        InputError: as ``load_table``.
    """
    suffix = name.lower().removesuffix(".gz").rpartition(".")[2]
    identity = hashlib.blake2b(data, digest_size=16).hexdigest()
    file = read_apart(data, f".{suffix}", source, task.limits.unpacked)
    table, notes = _headed(file.columns) if suffix in {"csv", "tsv"} else (file.columns, ())
    found = _from_file(replace(file, columns=table), task, source=source, identity=identity, folder=folder)
    return replace(found, notes=(*notes, *found.notes))


def table_in_archive(path: Path, most: int = MOST_UNPACKED) -> tuple[bytes, str] | None:
    """The only table of a zip file that holds nothing else, and its name. Raises InputError if it is a bomb."""
    try:
        archive = zipfile.ZipFile(path)
    except Exception:  # noqa: BLE001 - what is wrong with it is said where it is read as a folder
        return None
    with archive:
        names = [n for n in archive.namelist() if not n.endswith("/") and not n.startswith("__MACOSX")]
        kinds = (".csv", ".tsv", ".jsonl", ".parquet")
        if len(names) != 1 or not names[0].lower().endswith(kinds):
            return None
        size = archive.getinfo(names[0]).file_size
        if bomb(size, path.stat().st_size, most):
            raise refusal(f"{path}/{names[0]}", size, path.stat().st_size)
        with damage(f"{path}/{names[0]} cannot be unpacked", "pack it again"):
            return archive.read(names[0]), names[0]


def from_columns(table: Mapping[str, Array], task: Task, *, source: str, identity: str = "") -> Dataset:
    """Rows from named columns; ``image`` or ``path``, ``text``, or else all columns that play no other part are inputs.

    Raises:
        InputError: if there are no rows or no inputs.
    """
    return _from_file(TableFile(dict(table)), task, source=source, identity=identity, folder=None)


def _from_file(file: TableFile, task: Task, *, source: str, identity: str, folder: Place | None) -> Dataset:
    table, files = file.columns, file.files
    rows = len(next(iter((*table.values(), *files.values())), ()))
    if not rows:
        raise InputError(f"{source} has no rows; give at least one")
    only = next(iter(file.classes)) if len(file.classes) == 1 else None
    chosen = label_column(table, task.columns.label, source) or only
    labels = _labels(file, chosen, task, source)
    rest = {name: _as_named(v, file.classes.get(name)) for name, v in table.items() if name != chosen}
    ids = rest.pop("id", None)
    column = next((name for name in PICTURES if name in files), None)
    as_numbers = {**file.numbers, **{name: table[name] for name in file.classes}}
    inputs = (
        _inputs(rest, as_numbers, task, source, folder)
        if column is None
        else _embedded(column, files, task, source, folder)
    )
    columns = plain_columns({name: values for name, values in rest.items() if name != inputs.column})
    roles, said = roles_of(columns, task.columns, source)
    return Dataset(
        name="test",
        source=source,
        modality=inputs.modality,
        ids=(inputs.ids or numbered_rows(rows)) if ids is None else unique_ids([str(i) for i in ids], source),
        read=inputs.read,
        traces=inputs.traces,
        classes=labels.classes,
        named=labels.named,
        labels=labels.values,
        columns=columns,
        roles=roles,
        fingerprint=fingerprint(identity or _content(table), inputs.stamp, chosen or ""),
        notes=(*_label_note(chosen, task, source), *inputs.notes, *labels.notes, *said),
        shape=(len(inputs.features),) if inputs.features else None,
        features=inputs.features,
    )


def _labels(file: TableFile, chosen: str | None, task: Task, source: str) -> Labels:
    if chosen is None or chosen not in file.classes:
        values = None if chosen is None else placed(file.columns[chosen], task.task.classes)
        return coded(values, task.task.classes, source)
    numbers = np.asarray(file.columns[chosen], np.float64)
    return coded(np.where(numbers < 0, np.nan, numbers), file.classes[chosen], source)


def _as_named(values: Array, classes: tuple[str, ...] | None) -> Array:
    """Whole numbers as the classes they stand for (-1 and missing: None), where these have names."""
    if classes is None:
        return values
    places = np.where(values >= 0, values, len(classes)).astype(np.int64)
    return np.array([*classes, None], dtype=object)[places]


def _label_note(chosen: str | None, task: Task, source: str) -> tuple[str, ...]:
    if chosen is None:
        return (f"{source} has no column label: its rows have no labels",)
    return (f"labels are taken from column {chosen}",) if chosen not in {"label", task.columns.label} else ()


@dataclass(frozen=True)
class _Inputs:
    modality: Modality
    read: Any
    column: str | None = None
    features: tuple[str, ...] = ()
    stamp: str = ""
    traces: Traces | None = None
    ids: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def _inputs(
    rest: Mapping[str, Array], as_numbers: Mapping[str, Array], task: Task, source: str, folder: Place | None
) -> _Inputs:
    image = next((name for name in _IMAGES if name in rest and _names_images(rest[name])), None)
    if image is not None and folder is not None:
        names = tuple(_inside(str(name), folder, source) for name in rest[image])
        files = _beside(folder, task)
        read = Pictures(files, names, task.limits.pixels)
        return _Inputs("image", read, image, stamp=_stamps(folder, names), traces=Traces(files, names))
    if "text" in rest:
        texts = np.array(["" if text is None else str(text) for text in rest["text"]], dtype=object)
        return _Inputs("text", Rows(texts), "text")
    names = tuple(name for name, values in rest.items() if name not in _parts(task) and _plain(values))
    if not names:
        raise InputError(f"{source} has no column of inputs; give `image`, `text` or feature columns")
    return _Inputs("table", Rows(features_of({**rest, **as_numbers}, names)), None, names)


def _embedded(column: str, held: Mapping[str, Any], task: Task, source: str, folder: Place | None) -> _Inputs:
    """Pictures in the cells of a column; where a cell is only a path, that of a file beside the table."""
    elsewhere: dict[int, str] = {}
    with damage(f"the cells of column {column} of {source} cannot be read"):
        paths = paths_in(held[column])
        if folder is not None:
            elsewhere = {row: _inside(path, folder, source) for row in lacking(held[column]) if (path := paths[row])}
        files = Embedded(held[column], _beside(folder, task) if folder is not None else None, elsewhere)
    known = tuple(path for path in paths if path)
    return _Inputs(
        "image",
        Pictures(files, files.names, task.limits.pixels),
        column,
        stamp=_stamps(folder, tuple(elsewhere.values())) if folder is not None and elsewhere else "",
        traces=Traces(files, files.names),
        ids=known if len(set(known)) == len(paths) else (),
        notes=() if column == PICTURES[0] else (f"pictures are taken from column {column}",),
    )


def _beside(folder: Place, task: Task) -> Files:
    return folder if isinstance(folder, Stored) else Folder(folder, task.follow_links)


def _parts(task: Task) -> set[str]:
    columns = task.columns
    return {name for name in (columns.unit, columns.time) if name} | {""}


def _plain(values: Array) -> bool:
    return values.ndim == 1 and not any(isinstance(value, list | dict) for value in values[:50])


def features_of(table: Mapping[str, Array], names: tuple[str, ...]) -> Array:
    """Inputs (rows, columns), every value as it is: floats if all columns are numbers that they hold, else objects."""
    return side_by_side([np.asarray(table[name]) for name in names])


def _names_images(values: Array) -> bool:
    first = next((value for value in values if value), None)
    return isinstance(first, str) and Path(first).suffix.lower() in SUFFIXES


def _stamps(folder: Place, names: Sequence[str]) -> str:
    if isinstance(folder, Stored):
        return folder.stamp_of(names)
    sizes = "\n".join(f"{name}|{_stamp(folder / name)}" for name in names)
    return hashlib.blake2b(sizes.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _inside(name: str, folder: Place, source: str) -> str:
    if isinstance(folder, Stored):
        name = name.removeprefix(f"{folder.address.partition('?')[0].rstrip('/')}/")
    elif name.startswith("/") and Path(name).is_relative_to(folder.absolute()):
        name = Path(name).relative_to(folder.absolute()).as_posix()
    if leaves(name):
        raise InputError(
            f"{source} names {name[:200]!r}, a path that leaves the folder of the table; write paths relative to it"
        )
    return name


def _stamp(path: Path) -> str:
    try:
        found = path.stat()
    except (OSError, ValueError):  # the latter for names that no file has
        return "missing"
    return f"{found.st_size}|{found.st_mtime_ns}"


def _content(table: Mapping[str, Array]) -> str:
    spelled = {name: plain_text(v) if v.dtype.kind == "O" else v for name, v in table.items()}
    return fingerprint({name: spelled[name] for name in sorted(spelled)}, size=16)


def _headed(table: dict[str, Array]) -> tuple[dict[str, Array], tuple[str, ...]]:
    """A table of two columns whose first line was data: its header is one of the values below it."""
    names = list(table)
    if len(names) != 2 or _USUAL.intersection(names) or any(values.dtype.kind != "O" for values in table.values()):
        return table, ()
    kinds = [len({str(value) for value in table[name]}) for name in names]
    label = names[int(kinds[1] < kinds[0])]
    if label not in set(table[label]):
        return table, ()
    whole = {name: np.concatenate([np.array([name], dtype=object), table[name]]) for name in names}
    text = next(name for name in names if name != label)
    return {"label": whole[label], "text": whole[text]}, (
        "the file has no line of column names: the column of few values is taken for the label, the other for the text",
    )
