"""What a shift is: a change of one row, its parameters at five severities, and the words for them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pfungst.arrays import Array, FloatArray

USUAL = "usual"
"""The family that is asked where nothing is said."""


@dataclass(frozen=True)
class Kind:
    """A shift: what it does to one row, and its parameters at rest (nothing is changed) and at severities 1 to 5.

    ``change`` takes a row, its generator and the parameters; after the generator what is known of the data, where it is
    ``informed``. Pictures are (height, width, channels) float32 in [0, 1]; where it ``moves`` things alpha moves too.
    ``words`` and ``parameter`` are templates over the parameters. ``whole`` takes a uint8 picture and the
    parameters and does the same without chance, where that is quicker than by way of floats.
    """

    name: str
    change: Callable[..., Any]
    rest: tuple[float, ...]
    table: tuple[tuple[float, ...], ...]
    family: str = "field"
    words: str = ""
    parameter: str = ""
    modality: str = "image"
    moves: bool = False
    informed: bool = False
    whole: Callable[..., Any] | None = None

    def at(self, strength: float) -> tuple[float, ...]:
        """Parameters between those of whole severities, straight from one to the next; beyond 5 they go on alike."""
        points = np.array([self.rest, *self.table], np.float64)
        if strength >= 5:
            return tuple((points[5] + (strength - 5) * (points[5] - points[4])).tolist())
        low = int(strength)
        return tuple((points[low] + (strength - low) * (points[low + 1] - points[low])).tolist())


def each(*values: float) -> tuple[tuple[float, ...], ...]:
    """Five severities of one parameter.

    >>> each(1, 2)
    ((1,), (2,))
    """
    return tuple((value,) for value in values)


def whole_colours(picture: Array, change: Callable[[Array], Array]) -> Array:
    """Apply a change to the colour channels of one uint8 picture; any alpha stays untouched.

    >>> whole_colours(np.zeros((1, 1, 4), np.uint8), lambda colours: colours + 9).tolist()
    [[[9, 9, 9, 0]]]
    """
    if picture.shape[2] not in {2, 4}:
        return change(picture)
    return np.concatenate([change(np.ascontiguousarray(picture[..., :-1])), picture[..., -1:]], axis=2)


def colours(inputs: Array, change: Callable[[FloatArray], FloatArray], *, alpha_too: bool = False) -> Array:
    """Apply a change to the colour channels as float32 in [0, 1]; round, clip, and put any alpha back untouched."""
    alpha = inputs.shape[3] in {2, 4} and not alpha_too
    seen = inputs[..., :-1] if alpha else inputs
    whole = inputs.dtype == np.uint8
    values = seen.astype(np.float32) / np.float32(255) if whole else seen.astype(np.float32)
    changed = np.clip(change(values), 0, 1)
    done = levels(changed) if whole else changed.astype(inputs.dtype)
    return np.concatenate([done, inputs[..., -1:]], axis=3) if alpha else done


def levels(shares: FloatArray) -> Array:
    """Numbers in [0, 1] as the nearest of 256 levels, halves to the even one; ten times as quick as rint and astype.

    Above 2^23 a float32 has no room for fractions, so that a sum is rounded, and its lowest byte is the level.

    >>> levels(np.array([0, 0.5, 1], np.float32)).tolist()
    [0, 128, 255]
    """
    scaled = shares * np.float32(255)
    scaled += np.float32(3 << 22)
    return np.asarray(scaled.view(np.int32).astype(np.uint8))
