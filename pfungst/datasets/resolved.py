"""The task file that says what was inferred, so that it can be saved and corrected."""

import json
from collections.abc import Iterator

from pfungst.datasets.dataset import Dataset
from pfungst.models.model import Model
from pfungst.models.preprocess import Preprocess

_SHOWN_CLASSES = 200


def task_file(model: Model, data: Dataset) -> str:
    """A task file (TOML) with classes, parts of columns and preprocessing as they were resolved."""
    return "\n".join((*_answers(model, data), *_columns(data), *_preprocess(model, data)))


def _answers(model: Model, data: Dataset) -> Iterator[str]:
    known = getattr(model, "means", None)
    if known is not None:
        yield f"outputs = {_text(str(known))}"
    if data.named and 0 < len(data.classes) <= _SHOWN_CLASSES:
        yield "[task]"
        yield f"classes = [{', '.join(map(_text, data.classes))}]"


def _columns(data: Dataset) -> Iterator[str]:
    roles = data.roles
    several = {"site": roles.site, "group": roles.group}
    single = {"unit": roles.unit, "time": roles.time}
    if any(several.values()) or any(single.values()):
        yield "[columns]"
    for name, columns in several.items():
        if columns:
            yield f"{name} = [{', '.join(map(_text, columns))}]"
    for part, column in single.items():
        if column:
            yield f"{part} = {_text(column)}"


def _preprocess(model: Model, data: Dataset) -> Iterator[str]:
    known = getattr(model, "preprocess", None)
    if data.modality != "image" or not isinstance(known, Preprocess):
        return
    frame = known.frame
    yield "[preprocess]"
    for name, size in (("size", frame.resize), ("crop", frame.crop)):
        if size is not None:
            yield f"{name} = [{size[0]}, {size[1]}]"
    if frame.shortest_edge is not None:
        yield f"shortest_edge = {frame.shortest_edge}"
    yield f"resample = {frame.resample}"
    yield f"rescale = {float(known.rescale)!r}"
    for name, values in (("mean", known.mean), ("std", known.std)):
        if values:
            yield f"{name} = [{', '.join(repr(float(value)) for value in values)}]"
    if frame.channels is not None:
        yield f"channels = {frame.channels}"
    if known.bgr:
        yield "bgr = true"
    if known.layout in {"NCHW", "NHWC"}:
        yield f'layout = "{known.layout}"'


def _text(value: str) -> str:
    # JSON's strings are TOML's but for DEL, which TOML wants escaped too.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
