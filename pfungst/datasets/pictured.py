"""Pictures with a table beside them: one file a row, and columns that may hold the label."""

from collections.abc import Mapping, Sequence

from pfungst.arrays import Array
from pfungst.canonical import fingerprint
from pfungst.datasets.columns import label_column, plain_columns
from pfungst.datasets.dataset import Dataset
from pfungst.datasets.files import Files
from pfungst.datasets.folder import Pictures
from pfungst.datasets.labels import coded, placed, roles_of
from pfungst.datasets.npz import unique_ids
from pfungst.datasets.traces import Traces
from pfungst.task import Task


def pictured(
    files: Files,
    names: Sequence[str],
    table: Mapping[str, Array],
    task: Task,
    *,
    ids: Sequence[str],
    source: str,
    classes: tuple[str, ...] = (),
) -> Dataset:
    """Rows of one picture file each, with columns; ``classes`` names what whole numbers in the label column mean.

    Raises:
        InputError: if labels cannot be read, two rows share an id, or the task names a column that is not there.
    """
    chosen = label_column(table, task.columns.label, source)
    given = None if chosen is None else table[chosen]
    if given is not None and not classes:
        given = placed(given, task.task.classes)
    labels = coded(given, classes or task.task.classes, source)
    columns = plain_columns({name: values for name, values in table.items() if name != chosen})
    roles, said = roles_of(columns, task.columns, source)
    notes = () if chosen else (f"{source} has no labels",)
    return Dataset(
        name="test",
        source=source,
        modality="image",
        ids=unique_ids(ids, source),
        read=Pictures(files, tuple(names), task.limits.pixels),
        traces=Traces(files, tuple(names)),
        classes=labels.classes,
        named=labels.named,
        labels=labels.values,
        columns=columns,
        roles=roles,
        fingerprint=fingerprint(files.stamp, tuple(names), chosen or ""),
        notes=(*notes, *labels.notes, *said),
    )
