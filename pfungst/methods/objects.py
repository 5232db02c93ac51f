"""Objects: where in their pictures they lie and how large they are, from columns of boxes or from masks."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray
from pfungst.datasets.dataset import Dataset
from pfungst.errors import InputError

SPELLINGS = (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"), ("left", "top", "right", "bottom"))
"""How corners are called, with or without a prefix: left, top, right, bottom."""

_SIZES = tuple(re.compile(rf"(?:(?:image|img|picture|original|file)[ ._-])?{side}") for side in ("width", "height"))
OUTSIDE = 0.05
"""Share of the boxes that may reach beyond their pictures before they are taken to be of pictures of another size."""


@dataclass(frozen=True, eq=False)
class Objects:
    """Of some rows: how far the object's middle lies from the picture's, how large it is, whether it meets the edge.

    ``offsets`` are shares of the picture's shorter side, ``sizes`` the side of a square of the object's share of the
    picture, ``cut`` is true where the object reaches the picture's edge. All (rows,).
    """

    rows: IntArray
    offsets: FloatArray
    sizes: FloatArray
    cut: BoolArray


def box_columns(columns: Mapping[str, Array], named: Sequence[str] = ()) -> tuple[str, ...] | None:
    """Names of the columns of a box's corners (left, top, right, bottom), with any prefix; None where there are none.

    >>> box_columns({"roi_x1": 0, "roi_y1": 0, "roi_x2": 0, "roi_y2": 0, "width": 0})
    ('roi_x1', 'roi_y1', 'roi_x2', 'roi_y2')

    Raises:
        InputError: if some of ``named`` are no columns.
    """
    if named:
        missing = [name for name in named if name not in columns]
        if missing or len(named) != 4:
            raise InputError(
                f"[columns] box names {', '.join(named)}; name four columns, left, top, right and bottom of the box, "
                f"among {', '.join(columns)}"
            )
        return tuple(named)
    for words in SPELLINGS:
        found = [_ending(columns, word) for word in words]
        for prefix in found[0]:
            if all(prefix in each for each in found):
                return tuple(each[prefix] for each in found)
    return None


def _ending(columns: Mapping[str, Array], word: str) -> dict[str, str]:
    """Columns that are called so, by their prefix."""
    spelled = re.compile(rf"(.*[ ._-])?{word[0]}_?{word[1:]}" if word[0] in "xy" else rf"(.*[ ._-])?{word}")
    matches = ((name, spelled.fullmatch(name.lower())) for name in columns)
    return {match.group(1) or "": name for name, match in matches if match is not None}


def objects_known(data: Dataset, named: Sequence[str] = ()) -> bool:
    """Whether boxes or masks tell where objects lie."""
    return data.modality == "image" and (data.masks is not None or box_columns(data.columns, named) is not None)


def objects_of(data: Dataset, rows: IntArray, named: Sequence[str] = ()) -> Objects:
    """The objects of those of these rows that have a box, or a mask that is not empty.

    Raises:
        InputError: if boxes reach beyond their pictures, or no such columns are there.
    """
    names = box_columns(data.columns, named)
    if names is not None:
        return _boxed(data, rows, names)
    assert data.masks is not None, "there are masks or boxes"
    masks = [np.asarray(mask, np.float64).reshape(np.shape(mask)[:2]) for mask in data.masks(rows)]
    some = np.array([bool(mask.any()) for mask in masks])
    seen = [mask for mask in masks if mask.any()]
    return Objects(
        rows[some],
        np.array([_offset(mask) for mask in seen]),
        np.array([np.sqrt((mask > 0).mean()) for mask in seen]),
        np.array([bool(np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).any()) for mask in seen], bool),
    )


def _boxed(data: Dataset, rows: IntArray, names: tuple[str, ...]) -> Objects:
    corners = np.stack([_numbers(data.columns[name])[rows] for name in names])
    rows, corners = rows[np.isfinite(corners).all(axis=0)], corners[:, np.isfinite(corners).all(axis=0)]
    shares = bool(len(rows)) and bool((corners >= 0).all() and (corners <= 1).all())
    width, height = (np.ones(len(rows)),) * 2 if shares else _sizes(data, rows)
    known = np.isfinite(width) & np.isfinite(height) & (width > 0) & (height > 0)
    rows, corners, width, height = rows[known], corners[:, known], width[known], height[known]
    left, right = np.sort(corners[[0, 2]], axis=0)
    top, bottom = np.sort(corners[[1, 3]], axis=0)
    beyond = (left < -1) | (top < -1) | (right > width + 1) | (bottom > height + 1)
    if beyond.sum() > OUTSIDE * len(rows):
        at = int(np.flatnonzero(beyond)[0])
        raise InputError(
            f"the boxes of {', '.join(names)} reach beyond {beyond.mean():.0%} of the pictures (row "
            f"{data.told(int(rows[at]))}: to {right[at]:g}, {bottom[at]:g} in {width[at]:g} x {height[at]:g}); give "
            "boxes and columns width, height of the same pictures"
        )
    pixel = 0.0 if shares else 1.0
    away = np.hypot((left + right - width) / 2, (top + bottom - height) / 2) / np.minimum(width, height)
    sizes = np.sqrt((right - left) * (bottom - top) / (width * height))
    cut = (left <= 0) | (top <= 0) | (right >= width - pixel) | (bottom >= height - pixel)
    return Objects(rows, np.asarray(away), np.asarray(sizes), np.asarray(cut))


def _sizes(data: Dataset, rows: IntArray) -> tuple[FloatArray, FloatArray]:
    """Widths and heights of the pictures as stored: columns, else what the files or the pictures themselves tell."""
    names = [next((name for name in data.columns if each.fullmatch(name.lower())), None) for each in _SIZES]
    if names[0] is not None and names[1] is not None:
        return _numbers(data.columns[names[0]])[rows], _numbers(data.columns[names[1]])[rows]
    if data.traces is not None:
        told = [(one["width"], one["height"]) for one in data.traces(rows)]
    else:
        told = [np.shape(one)[1::-1] for one in data.read(rows)]
    widths, heights = np.array([[np.nan if side is None else side for side in one] for one in told], np.float64).T
    return widths, heights


def _numbers(values: Array) -> FloatArray:
    """A column as numbers; what is none is NaN."""
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError):
        return np.array([_number(value) for value in values])


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return float("nan")


def _offset(mask: FloatArray) -> float:
    """How far the mean place of a mask lies from the middle, as a share of the shorter side."""
    y, x = np.arange(mask.shape[0]), np.arange(mask.shape[1])
    down = (mask.sum(axis=1) @ y) / mask.sum() - (mask.shape[0] - 1) / 2
    right = (mask.sum(axis=0) @ x) / mask.sum() - (mask.shape[1] - 1) / 2
    return float(np.hypot(down, right) / min(mask.shape))


MEASURES: dict[str, tuple[Callable[[Objects, float], BoolArray], str]] = {
    "off-centre": (lambda objects, share: objects.offsets >= share, "lie that far from the middle"),
    "zoom-in": (lambda objects, factor: _relative(objects) >= factor, "are that much larger than the median"),
    "zoom-out": (lambda objects, factor: _relative(objects) <= factor, "are that much smaller than the median"),
    "crop": (lambda objects, _: objects.cut, "are cut by the picture's edge"),
}
"""Which objects are framed so, or worse, as they are, by the shift of that name; and in words."""


def _relative(objects: Objects) -> FloatArray:
    return np.asarray(objects.sizes / max(float(np.median(objects.sizes)), 1e-9))
