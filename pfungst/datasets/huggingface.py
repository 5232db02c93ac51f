"""Data sets of the package datasets: from the hub by name, or a folder that it saved."""

import io
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import msgspec.structs
import numpy as np

from pfungst.arrays import Array
from pfungst.canonical import fingerprint
from pfungst.datasets.columns import LABELS, as_array
from pfungst.datasets.dataset import Dataset
from pfungst.datasets.pictured import pictured
from pfungst.datasets.table import from_columns
from pfungst.errors import InputError, UnreadableRow, first_line
from pfungst.task import Task

_PREFERRED = ("test", "validation", "valid", "val")
_TEXTS = ("text", "sentence", "content", "review")


class Cells:
    """Picture files that lie in the cells of one column; a file's name is its row."""

    def __init__(self, rows: Any, column: str, stamp: str) -> None:
        self.rows, self.column, self.stamp = rows, column, stamp

    @property
    def names(self) -> tuple[str, ...]:
        """The rows, as text."""
        return tuple(str(row) for row in range(len(self.rows)))

    def read(self, name: str) -> bytes | UnreadableRow:
        """Contents of the file in a row, or why it cannot be read."""
        cell = self.rows[int(name)][self.column]
        if cell is None:
            return UnreadableRow("the row holds no picture")
        if cell.get("bytes") is not None:
            return bytes(cell["bytes"])
        try:
            return Path(str(cell.get("path"))).read_bytes()
        except OSError as error:
            return UnreadableRow(f"the picture is not in the data set and {error.strerror or error}")

    def opened(self, name: str) -> tuple[IO[bytes], int] | UnreadableRow:
        """The file in a row opened for reading and its size in bytes, or why it cannot be."""
        data = self.read(name)
        return data if isinstance(data, UnreadableRow) else (io.BytesIO(data), len(data))


def is_saved(folder: Path) -> bool:
    """Whether the package datasets saved a data set, or one with several splits, in a folder."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def load_huggingface(source: str, task: Task) -> Dataset:
    """Rows of ``hf:name[:configuration][:split]``, of a saved folder, or of ``hf:folder:split``.

    A column of pictures, or ``text``, or else all columns that play no other part are the inputs.

    Raises:
        InputError: if the package is not installed, nothing can be fetched, or the split is not clear.
    """
    package = _imported(source)
    name, *parts = source.removeprefix("hf:").split(":")
    if len(parts) > 2:
        raise InputError(f"{source} has too many parts; write hf:name, hf:name:split or hf:name:configuration:split")
    split = parts[-1] if parts else None
    found = _opened(package, source, name, parts[0] if len(parts) == 2 else None)
    rows, notes = _split(found, split, source)
    if not len(rows):
        raise InputError(f"{source} has no rows; give a split that has some")
    data = _rows(package, rows, task, source)
    return replace(data, notes=(*notes, *data.notes))


def is_rows(thing: Any) -> bool:
    """Whether this is a data set of the package datasets; the package is not imported to find out."""
    package = sys.modules.get("datasets")
    return package is not None and isinstance(thing, package.Dataset)


def rows_in_memory(rows: Any, task: Task) -> Dataset:
    """Rows of a data set that is open already."""
    return _rows(sys.modules["datasets"], rows, task, "a data set")


def _imported(source: str) -> Any:
    try:
        import datasets  # noqa: PLC0415 - an extra
    except ImportError:
        raise InputError(f"{source} needs datasets, which is not installed; run `pip install pfungst[hf]`") from None
    return datasets


def _opened(package: Any, source: str, name: str, configuration: str | None) -> Any:
    folder = Path(name)
    bars = package.utils.logging.is_progress_bar_enabled()
    package.utils.logging.disable_progress_bar()
    try:
        if folder.is_dir() and is_saved(folder):
            return package.load_from_disk(str(folder))
        return package.load_dataset(name, configuration)
    except Exception as error:
        raise InputError(
            f"{source} could not be opened by datasets {package.__version__} ({type(error).__name__}: "
            f"{first_line(error)}); check the name and the network, or give the folder of a set that was saved with "
            "save_to_disk"
        ) from error
    finally:
        if bars:
            package.utils.logging.enable_progress_bar()


def _split(found: Any, asked: str | None, source: str) -> tuple[Any, tuple[str, ...]]:
    if not isinstance(found, Mapping):
        own = str(found.split) if getattr(found, "split", None) is not None else None
        if asked not in {None, own}:
            raise InputError(f"{source} asks for the split {asked!r} of a set that is one split ({own or 'unnamed'})")
        return found, ()
    have = ", ".join(map(str, found))
    if asked is not None:
        if asked not in found:
            raise InputError(f"{source} asks for the split {asked!r}; there are {have}")
        return found[asked], ()
    chosen = next((name for name in _PREFERRED if name in found), next(iter(found)) if len(found) == 1 else None)
    if chosen is None:
        raise InputError(f"{source} has the splits {have}; name one, as in hf:name:split")
    return found[chosen], (f"of the splits {have} the rows of {chosen} are taken",)


def _rows(package: Any, rows: Any, task: Task, source: str) -> Dataset:
    features = rows.features
    pictures = [name for name, kind in features.items() if isinstance(kind, package.Image)]
    label, classes = _label(package, features, task)
    kept = [name for name, kind in features.items() if isinstance(kind, package.Value | package.ClassLabel)]
    table = _columns(package, rows, kept, classes and label)
    if label is not None and label in table and label not in LABELS and task.columns.label is None:
        table["label"] = table.pop(label)
    stamp = _stamp(rows)
    left = [name for name in features if name not in {*kept, *pictures[:1]}]
    notes = (f"columns that are no plain values are left out: {', '.join(left[:5])}",) if left else ()
    named = tuple(classes)
    if pictures:
        files = Cells(rows.select_columns(pictures[:1]).cast_column(pictures[0], package.Image(decode=False)),
                      pictures[0], stamp)  # fmt: skip
        ids = [str(each) for each in table.pop("id", np.arange(len(rows)))]
        data = pictured(files, files.names, table, task, ids=ids, source=source, classes=named)
        return replace(data, notes=(*notes, *data.notes))
    text = next((name for name in _TEXTS if name in table and table[name].dtype == object), None)
    if text is not None:
        table["text"] = table.pop(text)
        notes = (*notes, f"texts are taken from column {text}") if text != "text" else notes
    data = from_columns(table, _with_classes(task, named), source=source, identity=stamp)
    return replace(data, notes=(*notes, *data.notes))


def _with_classes(task: Task, classes: tuple[str, ...]) -> Task:
    return msgspec.structs.replace(task, task=msgspec.structs.replace(task.task, classes=classes)) if classes else task


def _label(package: Any, features: Any, task: Task) -> tuple[str | None, tuple[str, ...]]:
    """The label column and the names of its classes: as asked, by the usual names, or the only one of classes."""
    kinds = [name for name, kind in features.items() if isinstance(kind, package.ClassLabel)]
    usual = task.columns.label or next((name for name in LABELS if name in features), None)
    chosen = usual or (kinds[0] if len(kinds) == 1 else None)
    return chosen, tuple(features[chosen].names) if chosen in kinds else ()


def _columns(package: Any, rows: Any, kept: list[str], label: str | tuple[str, ...] | None) -> dict[str, Array]:
    if not kept:
        return {}
    table = rows.select_columns(kept).with_format("arrow")[:]
    found: dict[str, Array] = {}
    for name in kept:
        values = as_array(table.column(name))
        kind = rows.features[name]
        if isinstance(kind, package.ClassLabel):
            values = _classed(values, kind.names, whole=name == label)
        found[name] = values
    return found


def _classed(values: Array, names: list[str], *, whole: bool) -> Array:
    """Labels as numbers (missing, and -1 by the convention for hidden ones: NaN); other columns by their names."""
    numbers = np.asarray(values, np.float64)
    numbers = np.where(numbers < 0, np.nan, numbers)
    if whole:
        return numbers
    known = ~np.isnan(numbers)
    held = np.full(len(numbers), None, dtype=object)
    held[known] = [names[int(number)] for number in numbers[known]]
    return held


def _stamp(rows: Any) -> str:
    """The package's own fingerprint, with sizes and times of change of the files it reads."""
    files = [Path(entry["filename"]) for entry in rows.cache_files]
    marks = [f"{path.name}|{path.stat().st_size}|{path.stat().st_mtime_ns}" for path in files if path.is_file()]
    return fingerprint(str(getattr(rows, "_fingerprint", "")), tuple(marks))
