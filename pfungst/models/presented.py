"""Presented: a model that is shown a changed picture; its answers are members of a test-time-augmented ensemble."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pfungst.arrays import Array
from pfungst.canonical import canonical, fingerprint
from pfungst.errors import InputError
from pfungst.frame import Frame
from pfungst.models.model import Model
from pfungst.outputs import Outputs

REACH = 1 / 16
"""How far pictures are moved, as a share of their sides."""


@dataclass(frozen=True)
class Change:
    """Mirrored or not, and moved by these shares of the sides; the edge fills what is left open."""

    mirrored: bool = False
    down: float = 0.0
    right: float = 0.0

    def __call__(self, inputs: Array) -> Array:
        """Changed pictures, (rows, height, width, channels).

        >>> Change(mirrored=True)(np.array([[[[1], [2]]]], np.uint8)).ravel().tolist()
        [2, 1]
        """
        shown = inputs[:, :, ::-1] if self.mirrored else inputs
        down, right = (
            round(share * side) for share, side in zip((self.down, self.right), inputs.shape[1:3], strict=True)
        )
        up_and_down = np.clip(np.arange(inputs.shape[1]) - down, 0, inputs.shape[1] - 1)
        across = np.clip(np.arange(inputs.shape[2]) - right, 0, inputs.shape[2] - 1)
        return np.ascontiguousarray(shown[:, up_and_down][:, :, across])


def moved(number: int) -> Change:
    """The ``number``-th of the eight neighbours of a picture, then those at twice the reach, and so on.

    >>> moved(0)
    Change(mirrored=False, down=-0.0625, right=-0.0625)
    """
    ring, place = divmod(number, 8)
    steps = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
    return Change(False, steps[place][0] * REACH * (ring + 1), steps[place][1] * REACH * (ring + 1))


@dataclass(eq=False)
class Presented:
    """Another model's answers to changed pictures. Its features would be those of another picture: it offers none."""

    model: Model
    change: Change
    source: str
    classes: tuple[str, ...]
    named: bool
    fingerprint: str
    offers: frozenset[str]
    portable: bool
    frame: Frame | None
    normalised: bool
    notes: tuple[str, ...] = ()

    def predict(self, inputs: Array) -> Outputs:
        """Answers to the changed pictures.

        Raises:
            InputError: if the inputs are no pictures.
        """
        if inputs.ndim != 4:
            raise InputError(
                f"moved and mirrored are members that see a changed picture; these inputs have shape {inputs.shape}"
            )
        return replace(self.model.predict(self.change(inputs)), features=None)

    def describe(self) -> Mapping[str, Any]:
        """The model's own words, and the change."""
        return {**self.model.describe(), "shown": str(self.change)}


def presented(model: Model, change: Change) -> Presented:
    """A model that is shown changed pictures."""
    return Presented(
        model, change, model.source, model.classes, model.named, fingerprint(model.fingerprint, canonical(change)),
        model.offers & {"new inputs"}, model.portable, model.frame, model.normalised,
    )  # fmt: skip
