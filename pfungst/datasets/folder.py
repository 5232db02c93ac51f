"""A folder of images, one folder a class or described by a metadata file; a zip of such a folder is read in place."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeAlias

import numpy as np

from pfungst.arrays import Array, IntArray
from pfungst.canonical import fingerprint
from pfungst.datasets.columns import label_column, plain_columns, read_table
from pfungst.datasets.dataset import Dataset
from pfungst.datasets.files import Archive, Files, Folder, leaves
from pfungst.datasets.image import MOST_PIXELS, SUFFIXES, decode
from pfungst.datasets.labels import Labels, coded, placed, roles_of
from pfungst.datasets.npz import unique_ids
from pfungst.datasets.traces import Traces
from pfungst.errors import InputError, UnreadableRow
from pfungst.stored import Stored
from pfungst.task import Task

_METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


Place: TypeAlias = Path | Stored


@dataclass(frozen=True, eq=False)
class Pictures:
    """Reads and decodes image files by position; those of more than ``pixels`` are not decoded."""

    files: Files
    names: tuple[str, ...]
    pixels: int = MOST_PIXELS

    def __call__(self, rows: IntArray) -> Sequence[Array | UnreadableRow]:
        """Images (height, width, 1 or 3) uint8, or why there is none."""
        names = [self.names[row] for row in rows]
        held = self.files.several(names) if isinstance(self.files, Stored) else map(self.files.read, names)
        return [data if isinstance(data, UnreadableRow) else decode(data, self.pixels) for data in held]


def load_folder(path: Place, task: Task) -> Dataset:
    """Images below a folder, in a zip file, or in an object store.

    With ``metadata.csv`` or ``.jsonl`` (column ``file_name``) the rows are those it lists; else the rows are all images
    and the first folder of each is its class.

    Raises:
        InputError: if there are no images, or a path leaves the folder.
    """
    files = _files(path, task)
    described = next((entry for entry in _METADATA if entry in files.names), None)
    if described is not None:
        return _described(files, described, path, task)
    names = tuple(entry for entry in files.names if PurePosixPath(entry).suffix.lower() in SUFFIXES)
    if not names:
        raise InputError(
            f"{path} holds no images ({len(files.names)} files); give a folder with one folder of images a class, or a "
            "metadata.csv with a column file_name"
        )
    top = _wrapper(names)
    labels, notes = _folders(names, top, path)
    left = [entry.removeprefix(top) for entry in set(files.names).difference(names) if entry.startswith(top)]
    roles, said = roles_of({}, task.columns, str(path))
    return Dataset(
        name="test",
        source=str(path),
        modality="image",
        ids=tuple(entry.removeprefix(top) for entry in names),
        read=Pictures(files, names, task.limits.pixels),
        traces=Traces(files, names),
        classes=labels.classes,
        named=labels.named,
        labels=labels.values,
        roles=roles,
        fingerprint=fingerprint(files.stamp, names, ""),
        notes=(*notes, *labels.notes, *said, *_no_pictures(left, labels.classes)),
    )


def _files(path: Place, task: Task) -> Files:
    if isinstance(path, Stored):
        return path
    return Archive(path, task.limits.unpacked) if path.is_file() else Folder(path, task.follow_links)


def _wrapper(names: Sequence[str]) -> str:
    """The one folder that holds all class folders, if there is such a wrapper; written with its slash, or empty."""
    first = {entry.split("/", 1)[0] for entry in names}
    wrapped = len(first) == 1 and all(entry.count("/") >= 2 for entry in names)
    return f"{first.pop()}/" if wrapped else ""


def _folders(names: Sequence[str], top: str, path: Place) -> tuple[Labels, tuple[str, ...]]:
    parts = [entry.removeprefix(top).split("/") for entry in names]
    loose = [p for p in parts if len(p) == 1]
    if len(loose) == len(parts):
        return coded(None), (f"{path} has no class folders and no metadata file: its images have no labels",)
    if loose:
        raise InputError(
            f"{path} has images in class folders and {len(loose)} beside them ({loose[0][0][:100]!r}); move those into "
            "a class folder or list all in a metadata.csv"
        )
    return coded(np.array([p[0] for p in parts], dtype=object), (), str(path)), ()


def _no_pictures(left: Sequence[str], classes: Sequence[str]) -> Iterator[str]:
    """What was left out of the class folders, by suffix, and the folders that hold nothing else."""
    within = [PurePosixPath(entry) for entry in left if "/" in entry]
    ends = Counter(entry.suffix.lower() or "without a suffix" for entry in within)
    if within:
        shown = [f"{count} {end[:40]}" for end, count in sorted(ends.items(), key=lambda one: (-one[1], one[0]))]
        yield f"files in class folders that are no pictures that are read are left out: {_first(shown)}"
    without = sorted({entry.parts[0] for entry in within}.difference(classes))
    if without and classes:
        yield f"folders without a picture that is read are no classes: {_first([name[:100] for name in without])}"


def _first(words: Sequence[str]) -> str:
    return ", ".join(words[:5]) + (" and more" if len(words) > 5 else "")


def _described(files: Files, entry: str, path: Place, task: Task) -> Dataset:
    where = f"{path}/{entry}"
    data = files.read(entry)
    if isinstance(data, UnreadableRow):
        raise InputError(f"{where} cannot be read: {data}")
    table = read_table(data, PurePosixPath(entry).suffix, where, task.limits.unpacked)
    if "file_name" not in table:
        raise InputError(f"{where} has no column file_name; its columns are {', '.join(table)}")
    names = tuple(str(value) for value in table.pop("file_name"))
    if not names:
        raise InputError(f"{where} lists no files; give at least one row")
    for each in names:
        if leaves(each):
            raise InputError(f"{where} lists {each[:200]!r}, a path that leaves the folder; list files inside it")
    have = set(files.names)
    missing = [each for each in names if each not in have]
    if len(missing) == len(names):
        raise InputError(f"none of the {len(names)} files listed in {where} is there (first: {missing[0][:200]!r})")
    chosen = label_column(table, task.columns.label, where)
    labels, notes = (_labels(table[chosen], task, where), ()) if chosen else _by_folder(names, path, where)
    columns = plain_columns({key: values for key, values in table.items() if key != chosen})
    roles, said = roles_of(columns, task.columns, where)
    return Dataset(
        name="test",
        source=str(path),
        modality="image",
        ids=unique_ids(names, where),
        read=Pictures(files, names, task.limits.pixels),
        traces=Traces(files, names),
        classes=labels.classes,
        named=labels.named,
        labels=labels.values,
        columns=columns,
        roles=roles,
        fingerprint=fingerprint(files.stamp, names, chosen or ""),
        notes=(*notes, *labels.notes, *said, *_astray(missing, have - set(names), where)),
    )


def _labels(values: Array, task: Task, where: str) -> Labels:
    return coded(placed(values, task.task.classes), task.task.classes, where)


def _astray(missing: Sequence[str], besides: Iterable[str], where: str) -> Iterator[str]:
    if missing:
        yield f"{len(missing)} files listed in {where} are not there, the first is {missing[0][:200]}"
    unlisted = sorted(each for each in besides if PurePosixPath(each).suffix.lower() in SUFFIXES)
    if unlisted:
        yield f"{len(unlisted)} images are not listed in {where} and left out, such as {unlisted[0][:200]}"


def _by_folder(names: Sequence[str], path: Place, where: str) -> tuple[Labels, tuple[str, ...]]:
    if all("/" in each for each in names):
        labels, notes = _folders(names, _wrapper(names), path)
        return labels, (*notes, f"{where} has no column label: the folders are the classes")
    return coded(None), (f"{where} has no column label: the images have no labels",)
