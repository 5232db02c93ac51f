"""Bind: data as a model wants them, with labels mapped onto its classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pfungst.arrays import Array, IntArray
from pfungst.datasets.columns import plain_columns
from pfungst.datasets.dataset import Dataset, Reader
from pfungst.datasets.ids import ids_at, numbered_rows
from pfungst.datasets.labels import Labels, checked_votes, coded, majority, placed, roles_of, voted
from pfungst.datasets.mapping import mapping, used_classes
from pfungst.datasets.npz import Rows, unique_ids
from pfungst.datasets.table import features_of
from pfungst.errors import InputError, Unanswered
from pfungst.frame import Frame
from pfungst.models.model import Model
from pfungst.models.names import numbered
from pfungst.models.recorded import TRUTHS, RecordedAnswers
from pfungst.models.scores import bounds_of, held_by
from pfungst.models.torch import TorchModel
from pfungst.paged import filled
from pfungst.task import Task


def bind(model: Model, data: Dataset | None, task: Task = Task()) -> Dataset:  # noqa: B008 - frozen
    """The data as the model wants them: its frame, and its classes with the labels mapped onto them.

    ``data`` may be None where the model is recorded answers that hold their own labels.

    Raises:
        InputError: if there are no rows, or labels cannot be mapped onto the model's classes.
    """
    if isinstance(model, RecordedAnswers):
        data = _answered(model, data, task)
    if data is None:
        raise InputError(f"{model.source} needs data to be asked about; give a folder, a table or an .npz file")
    if not len(data):
        raise InputError(f"{data.source} has no rows; give at least one")
    fitted = {"image": _framed, "table": with_columns}.get(data.modality, _as_it_is)(model, data)
    if fitted.modality == "table":
        whole_numbers(model, fitted)
    if not model.classes:
        counted(model, fitted)
    bound = _mapped(model.classes, model.named, fitted)
    if isinstance(model, RecordedAnswers):
        same_labels(model, bound)
    return bound


def _as_it_is(model: Model, data: Dataset) -> Dataset:
    del model
    return data


def counted(model: Model, data: Dataset) -> None:
    """Count a model's answers by the first row that it answers, and tell it."""
    failed: Unanswered | None = None
    for row in range(min(len(data), 64)):
        batch, _ = data.batch(np.array([row]))
        try:
            classes = model.predict(batch.inputs).classes if len(batch) else 0
        except Unanswered as error:
            failed = failed or error
            continue
        if len(batch):
            tell(model, classes)
            return
    if failed is not None:
        raise failed
    raise InputError(f"none of the first rows of {data.source} could be read; give data that can be")


def tell(model: Model, classes: int) -> None:
    """Tell a model that could not count its answers how many there are."""
    model.classes, model.named = numbered(classes), False
    if isinstance(model, TorchModel):
        model.find_last_layer()


def with_columns(model: Model, data: Dataset) -> Dataset:
    """A table with the columns the model was fitted on, in its order, or as many as it takes.

    Raises:
        InputError: if columns are missing, or no natural choice has the right number.
    """
    names, width = tuple(getattr(model, "column_names", ())), getattr(model, "width", None)
    if not data.features or not isinstance(data.read, Rows) or names == data.features:
        return data
    held = {**{name: data.read.values[:, i] for i, name in enumerate(data.features)}, **_numeric(data.columns)}
    held = {**data.columns, **held}
    if names:
        missing = [name for name in names if name not in held]
        if missing:
            raise InputError(
                f"{model.source} was fitted on columns that {data.source} does not have: {', '.join(missing[:5])}; its "
                f"columns are {', '.join(list(held)[:20])}"
            )
        return _chosen(data, held, names)
    if width is None or width == len(data.features):
        return data
    parts = {*data.roles.site, *data.roles.group}
    without = tuple(name for name in data.features if name not in parts)
    numeric = tuple(name for name in without if held[name].dtype.kind in "fiub")
    for choice in (without, numeric):
        if len(choice) == width:
            return _chosen(data, held, choice)
    raise InputError(
        f"{model.source} takes {width} columns and {data.source} has {len(data.features)} that could be its inputs "
        f"({', '.join(data.features[:20])}); leave the others out of the table, or name their part in [columns]"
    )


def whole_numbers(model: Model, data: Dataset) -> None:
    """Raise InputError if the model takes integers and the table holds what is none, or too large a one."""
    kind = getattr(model, "integers", None)
    if kind is None or not isinstance(data.read, Rows):
        return
    values = data.read.values
    for at in range(values.shape[1]):
        bad = np.flatnonzero(~held_by(kind, values[:, at]))
        if len(bad):
            name = repr(data.features[at]) if data.features else str(at)
            low, high = bounds_of(kind)
            more = f", and others in {len(bad) - 1} more rows" if len(bad) > 1 else ""
            raise InputError(
                f"{model.source} takes {kind}, whole numbers from {low} to {high}, and column {name} of {data.source} "
                f"holds {values[bad[0], at]} in row {data.ids[bad[0]]}{more}; mend the column, or export the "
                "model with a float input"
            )


def _numeric(columns: Mapping[str, Array]) -> dict[str, Array]:
    return {name: values for name, values in columns.items() if values.dtype.kind in "fiub"}


def _chosen(data: Dataset, held: dict[str, Array], names: tuple[str, ...]) -> Dataset:
    note = f"inputs are the columns {', '.join(names[:12])}{' ...' if len(names) > 12 else ''}"
    values = features_of(held, names)
    return replace(data, read=Rows(values), features=names, shape=(len(names),), notes=(*data.notes, note))


def _answered(model: RecordedAnswers, data: Dataset | None, task: Task) -> Dataset:
    if data is None:
        return _of_answers(model, task)
    if len(data) != len(model):
        raise InputError(
            f"{model.source} holds {len(model)} answers and {data.source} {len(data)} rows; give the rows that were "
            "answered, in their order"
        )
    given = model.held.get("id", model.held.get("ids"))
    if given is None or (ids := unique_ids([str(name) for name in given], model.source)) == data.ids:
        return data
    place = {name: row for row, name in enumerate(data.ids)}
    strange = next((name for name in ids if name not in place), None)
    unnamed = data.ids == numbered_rows(len(data))
    if strange is not None and unnamed and any(name in model.held for name in TRUTHS):
        return data  # the labels will tell whether the rows lie in the same order
    if strange is not None:
        raise InputError(
            f"{model.source} has answers for rows that {data.source} does not have, such as {strange[:100]!r}; give "
            "the rows that were answered" + (", or drop the ids if they lie in the same order" if unnamed else "")
        )
    return reordered(data, np.array([place[name] for name in ids]))


@dataclass(frozen=True, eq=False)
class Reordered:
    """Reads rows of another reader in another order."""

    reader: Reader
    order: IntArray

    def __call__(self, rows: IntArray) -> Sequence[Any] | Array:
        """The rows at these positions of the new order."""
        return self.reader(self.order[rows])


def reordered(data: Dataset, order: IntArray) -> Dataset:
    """The same rows in another order."""
    return replace(
        data,
        ids=ids_at(data.ids, order),
        read=Reordered(data.read, order),
        labels=None if data.labels is None else data.labels[order],
        label_counts=None if data.label_counts is None else data.label_counts[order],
        columns={name: values[order] for name, values in data.columns.items()},
        masks=None if data.masks is None else Reordered(data.masks, order),
        traces=None if data.traces is None else Reordered(data.traces, order),
        notes=(*data.notes, "rows were put into the order of the recorded answers, by id"),
    )


def same_labels(model: RecordedAnswers, data: Dataset) -> None:
    """Raise InputError if labels recorded with the answers contradict those of the data: the rows are not the same."""
    label = next((name for name in TRUTHS if name in model.held), None)
    if label is None or data.labels is None or data.modality == "answers":
        return
    try:
        names = model.classes if model.named else ()
        found = coded(placed(model.held[label], names), names, model.source)
        place = mapping(found.classes, _values(found), model.classes, named=model.named, source=model.source)
    except InputError:
        return
    recorded = _moved(_values(found), place)
    off = np.flatnonzero((recorded >= 0) & (data.labels >= 0) & (recorded != data.labels))
    if len(off):
        row = off[0]
        raise InputError(
            f"{len(off)} of {len(data)} rows have another label in {model.source} than in {data.source} (row {row}: "
            f"{data.classes[recorded[row]]!r}, {data.classes[data.labels[row]]!r}); give the rows that were answered, "
            "in their order"
        )


def _values(labels: Labels) -> IntArray:
    assert labels.values is not None, "labels that were given are coded"
    return labels.values


def _of_answers(model: RecordedAnswers, task: Task) -> Dataset:
    held = dict(model.held)
    votes = held.pop("label_counts", None)
    votes = None if votes is None else checked_votes(np.asarray(votes), model.source)
    label = task.columns.label or next((name for name in TRUTHS if name in held), None)
    if label is not None and label not in held:
        raise InputError(f"the task names a label column {label!r} that {model.source} does not have")
    if label is not None:
        given = np.asarray(held.pop(label))
    elif votes is not None:
        given = majority(votes).astype(float)
    else:
        raise InputError(
            f"{model.source} holds answers and no labels; give the data that were answered, or add a column label"
        )
    names = model.classes if model.named or given.dtype.kind in "biuf" else ()
    # The majority of votes is a place already.
    given = given if label is None else placed(given, names)
    labels = coded(given, names, model.source) if votes is None else voted(given, names, model.source)
    rows = len(model)
    given_ids = held.pop("id", held.pop("ids", None))
    named = None if given_ids is None else unique_ids([str(name) for name in given_ids], model.source)
    columns = plain_columns({name: np.asarray(v) for name, v in held.items() if np.shape(v) == (rows,)})
    roles, said = roles_of(columns, task.columns, model.source)
    return Dataset(
        name="test",
        source=model.source,
        modality="answers",
        ids=numbered_rows(rows) if named is None else named,
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


def _positions(rows: IntArray) -> IntArray:
    return rows


def _framed(model: Model, data: Dataset) -> Dataset:
    frame = model.frame
    if frame is None:
        return data
    size = frame.size or (data.shape[:2] if data.shape and frame == Frame(channels=frame.channels) else None)
    channels = frame.channels or (data.shape[2] if data.shape else None)
    shape = (*size, channels) if size is not None and channels is not None else None
    masks = None if data.masks is None else FramedMasks(data.masks, replace(frame, channels=None, resample=0))
    notes = data.notes
    if getattr(model, "flattens", False):
        notes = (*notes, "images are flattened to rows of numbers for the model")
    return replace(data, frame=frame, shape=shape, masks=masks, notes=notes)


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
    used = used_classes(data.labels)
    place = mapping(data.classes, data.labels, classes, named=named, source=data.source)
    labels = _moved(data.labels, place)
    # An unnamed model takes the data's names where each of them stands for the class of its own number.
    takes = not named and data.named and len(data.classes) == len(classes) and _in_place(place)
    notes = data.notes if _in_place(place) else (*data.notes, "labels were mapped by name onto the model's classes")
    if takes:
        notes = (*notes, f"the model names no classes: the data's are taken in their order ({_listed(data.classes)})")
    if len(used) == 1:
        notes = (*notes, f"all labelled rows are {classes[place[used[0]]]!r}: what compares classes cannot be judged")
    return replace(
        data,
        classes=data.classes if takes else classes,
        named=named or takes,
        labels=labels,
        label_counts=_votes(data, classes, named=named),
        notes=notes,
    )


def _moved(labels: IntArray, place: IntArray) -> IntArray:
    """Labels (-1: none) where their classes lie now; there may be no class at all."""
    wide = np.append(place, -1)  # what has no class is found at its end
    return filled(len(labels), np.int64, lambda part: wide[np.maximum(labels[part], -1)])


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(name[:40] for name in names[:4]) + (", ..." if len(names) > 4 else "")


def _in_place(place: IntArray) -> bool:
    return bool((place[place >= 0] == np.flatnonzero(place >= 0)).all())


def _votes(data: Dataset, classes: tuple[str, ...], *, named: bool) -> Array | None:
    counts = data.label_counts
    if counts is None or data.labels is None:
        return None
    if counts.shape[1] != len(data.classes):
        raise InputError(
            f"`label_counts` of {data.source} has {counts.shape[1]} columns for {len(data.classes)} classes"
        )
    # Labellers may have said what no row is labelled as.
    said = np.concatenate([used_classes(data.labels), np.flatnonzero(counts.any(axis=0))])
    try:
        place = mapping(data.classes, said, classes, named=named, source=data.source)
    except InputError:
        raise InputError(
            f"labellers of {data.source} voted for classes that the model does not have; drop those votes"
        ) from None
    sources = np.full(len(classes), -1)
    sources[place[place >= 0]] = np.flatnonzero(place >= 0)
    return filled(
        (len(counts), len(classes)), counts.dtype, lambda part: np.where(sources < 0, 0, counts[part][:, sources])
    )
