"""What the declared shape of an input says about pictures: layout, channels, size."""

from collections.abc import Sequence
from typing import Any

from pfungst.models.preprocess import Layout, Wanted


def static(shape: Sequence[Any], axis: int) -> int | None:
    """The length of an axis, or None where it is open or not there.

    >>> static([-1, 3, "height", 224], 3), static([-1, 3], 0), static([-1, 3], 2)
    (224, None, None)
    """
    size = shape[axis] if axis < len(shape) else None
    return size if isinstance(size, int) and size > 0 else None


def said_by(declared: Sequence[Any], *, integer: bool) -> Wanted:
    """What a shape of two (table), three (grey pictures) or four axes says; the first axis counts rows.

    >>> said_by([None, 32, 24, 3], integer=True)
    Wanted(layout='NHWC', channels=3, size=(32, 24), integer=True)
    """
    shape = [static(declared, axis) for axis in range(len(declared))]
    if len(shape) == 2:
        return Wanted("NCHW", None, None, integer)
    if len(shape) == 3:
        return Wanted("NHW", 1, _size(shape[1], shape[2]), integer)
    first, last = shape[1] in {1, 3}, shape[3] in {1, 3}
    layout: Layout | None = "NCHW" if first and not last else "NHWC" if last and not first else None
    if layout == "NHWC":
        return Wanted(layout, shape[3], _size(shape[1], shape[2]), integer)
    return Wanted(layout, shape[1] if first else None, _size(shape[2], shape[3]) if first else None, integer)


def _size(height: int | None, width: int | None) -> tuple[int, int] | None:
    return None if height is None or width is None else (height, width)
