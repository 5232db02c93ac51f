"""Load a model, load data, and bring the two together."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pfungst.arrays import Array, IntArray
from pfungst.datasets.columns import plain_columns
from pfungst.datasets.dataset import Dataset, Reader
from pfungst.datasets.folder import load_folder
from pfungst.datasets.labels import coded, majority, roles_of
from pfungst.datasets.mapping import mapping
from pfungst.datasets.npz import load_npz
from pfungst.errors import InputError
from pfungst.frame import Frame
from pfungst.models.model import Model
from pfungst.models.onnx import load_onnx
from pfungst.models.recorded import TRUTHS, RecordedAnswers, load_recorded
from pfungst.task import Task

MODEL_FORMS = (
    "model.onnx, model.pt2, file.py:factory or pkg.module:factory, model.skops, or recorded answers "
    "(.parquet, .csv, .npz)"
)
DATA_FORMS = "a folder, a .zip of one, a table (.csv, .tsv, .parquet, .jsonl) or an .npz file"
_ANSWERS = (".npz", ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".jsonl", ".jsonl.gz", ".parquet")


def load_model(
    source: Any,
    *,
    task: Task = Task(),  # noqa: B008 - frozen
    weights: str | Path | None = None,
    input: str | None = None,  # noqa: A002 - the option's own name
    output: str | None = None,
    outputs: str | None = None,
    trust_pickle: bool = False,
    device: str = "auto",
    threads: int = 0,
) -> Model:
    """A model from a file, a factory or a Python object; see the contract's table MODEL.

    Raises:
        InputError: if there is no such file, its form is not read, or it is broken.
    """
    path = existing(source, "model", MODEL_FORMS)
    if path.is_dir():
        path = _inside(path)
    if path.suffix.lower() == ".onnx":
        return load_onnx(path, task, input=input, output=output, outputs=outputs, device=device, threads=threads)
    if path.name.lower().endswith(_ANSWERS):
        return load_recorded(path, task, outputs or task.outputs)
    raise InputError(f"{path} is in no form that is read as a model; give {MODEL_FORMS}")


def _inside(folder: Path) -> Path:
    found = sorted([*folder.glob("*.onnx"), *folder.glob("*.pt2"), *folder.glob("*.skops")])
    if len(found) != 1:
        held = f"{len(found)} model files" if found else "no model.onnx, model.pt2 or model.skops"
        raise InputError(f"the folder {folder} holds {held}; name the file of the model")
    return found[0]


def load_data(source: Any, *, task: Task = Task(), name: str = "test", seed: int = 0) -> Dataset:  # noqa: B008 - frozen
    """Rows from a folder, an archive, a table, an ``.npz`` file or arrays; see the contract's table DATA.

    A set named ``ood:NAME`` holds strangers, so whatever labels it has are dropped.

    Raises:
        InputError: if there is nothing to read, or it cannot be read as labelled rows.
    """
    data = source if isinstance(source, Dataset) else _read(source, task)
    if name.startswith("ood:"):
        return replace(data, name=name, labels=None, label_counts=None, classes=(), named=False)
    return replace(data, name=name, seed=seed)


def _read(source: Any, task: Task) -> Dataset:
    path = existing(source, "data", DATA_FORMS)
    if path.is_dir() or path.suffix.lower() == ".zip":
        return load_folder(path, task)
    if path.suffix.lower() == ".npz":
        return load_npz(path, task)
    raise InputError(f"{path} is in no form that is read as data; give {DATA_FORMS}")


def existing(source: Any, what: str, forms: str) -> Path:
    """A path that is there. Raises InputError if there is none, or ``source`` is no path."""
    if not isinstance(source, str | Path):
        raise InputError(f"{what} {type(source).__name__} is no form that is read; give {forms}")
    path = Path(source)
    try:
        there = path.exists()
    except (OSError, ValueError):
        there = False
    if there:
        return path
    if "://" in str(source) or (":" in str(source) and "/" not in str(source) and "." not in str(source)):
        raise InputError(f"{what} {source} is no form that is read; give {forms}")
    raise InputError(f"there is no {what} {source}; give {forms}")


def bind(model: Model, data: Dataset | None, task: Task = Task()) -> Dataset:  # noqa: B008 - frozen
    """The data as the model wants them: its frame, and its classes with the labels mapped onto them.

    ``data`` may be None where the model is recorded answers that hold their own labels.

    Raises:
        InputError: if there are no rows, or labels cannot be mapped onto the model's classes.
    """
    if isinstance(model, RecordedAnswers):
        data = _answered(model, data, task)
    if data is None:
        raise InputError(f"{model.source} needs data to be asked about; give {DATA_FORMS}")
    if not len(data):
        raise InputError(f"{data.source} has no rows; give at least one")
    framed = _framed(model, data)
    return _mapped(model.classes, model.named, framed)


def _answered(model: RecordedAnswers, data: Dataset | None, task: Task) -> Dataset:
    if data is None:
        return _of_answers(model, task)
    if len(data) != len(model):
        raise InputError(
            f"{model.source} holds {len(model)} answers and {data.source} {len(data)} rows; give the rows that were "
            "answered, in their order"
        )
    return data


def _of_answers(model: RecordedAnswers, task: Task) -> Dataset:
    held = dict(model.held)
    votes = held.pop("label_counts", None)
    label = task.columns.label or next((name for name in TRUTHS if name in held), None)
    if label is not None and label not in held:
        raise InputError(f"the task names a label column {label!r} that {model.source} does not have")
    if label is None and votes is None:
        raise InputError(
            f"{model.source} holds answers and no labels; give the data that were answered, or add a column label"
        )
    given = np.asarray(held.pop(label)) if label else majority(np.asarray(votes)).astype(float)
    names = model.classes if model.named or given.dtype.kind in "biuf" else ()
    labels = coded(given, names, model.source)
    rows = len(model)
    ids = held.pop("id", held.pop("ids", np.arange(rows)))
    columns = plain_columns({name: np.asarray(v) for name, v in held.items() if np.shape(v) == (rows,)})
    roles, said = roles_of(columns, task.columns, model.source)
    return Dataset(
        name="test",
        source=model.source,
        modality="answers",
        ids=tuple(str(i) for i in ids),
        read=_positions,
        classes=labels.classes,
        named=labels.named,
        labels=labels.values,
        label_counts=votes,
        columns=columns,
        roles=roles,
        fingerprint=model.fingerprint,
        notes=(*labels.notes, *said),
        shape=(),
    )


def _positions(rows: IntArray) -> list[Any]:
    return list(rows)


def _framed(model: Model, data: Dataset) -> Dataset:
    frame = model.frame
    if frame is None or data.modality != "image":
        return data
    size = frame.size or (data.shape[:2] if data.shape and frame == Frame(channels=frame.channels) else None)
    channels = frame.channels or (data.shape[2] if data.shape else None)
    shape = (*size, channels) if size is not None and channels is not None else None
    masks = None if data.masks is None else FramedMasks(data.masks, replace(frame, channels=None, resample=0))
    return replace(data, frame=frame, shape=shape, masks=masks)


class FramedMasks:
    """Masks resized and cropped like the images they belong to."""

    def __init__(self, masks: Reader, frame: Frame) -> None:
        self.masks, self.frame = masks, frame

    def __call__(self, rows: IntArray) -> list[Any]:
        """Masks (height, width) bool at these positions."""
        framed = (self.frame(np.asarray(mask)[:, :, None].astype(np.uint8)) for mask in self.masks(rows))
        return [mask[:, :, 0] > 0 for mask in framed]


def _mapped(classes: tuple[str, ...], named: bool, data: Dataset) -> Dataset:
    if data.labels is None:
        return replace(data, classes=classes, named=named)
    used = np.unique(data.labels[data.labels >= 0])
    place = mapping(data.classes, used, classes, named=named, source=data.source)
    labels = np.where(data.labels >= 0, place[data.labels], -1)
    # An unnamed model takes the data's names where each of them stands for the class of its own number.
    takes = not named and data.named and len(data.classes) == len(classes) and _in_place(place)
    notes = data.notes if _in_place(place) else (*data.notes, "labels were mapped by name onto the model's classes")
    if len(used) == 1:
        notes = (*notes, f"all labelled rows are {classes[place[used[0]]]!r}: what compares classes cannot be judged")
    return replace(
        data,
        classes=data.classes if takes else classes,
        named=named or takes,
        labels=labels,
        label_counts=_votes(data, place, len(classes)),
        notes=notes,
    )


def _in_place(place: IntArray) -> bool:
    return bool((place[place >= 0] == np.flatnonzero(place >= 0)).all())


def _votes(data: Dataset, place: IntArray, count: int) -> Array | None:
    counts = data.label_counts
    if counts is None:
        return None
    if counts.shape[1] != len(data.classes):
        raise InputError(
            f"`label_counts` of {data.source} has {counts.shape[1]} columns for {len(data.classes)} classes"
        )
    moved = np.zeros((len(counts), count), dtype=counts.dtype)
    known = place >= 0
    if (counts[:, ~known] > 0).any():
        raise InputError(f"labellers of {data.source} voted for classes that the model does not have; drop those votes")
    moved[:, place[known]] = counts[:, known]
    return moved
