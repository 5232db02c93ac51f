"""Nudged: a model that is shown inputs moved a little towards what it takes them for (ODIN's inputs)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pfungst.arrays import Array
from pfungst.canonical import fingerprint
from pfungst.frame import Frame
from pfungst.models.model import Differentiable
from pfungst.outputs import Outputs

TEMPERATURE, REACH = 1000.0, 0.0014
"""Of the probability that is raised, and by how much of the range every number is moved (Liang 2018)."""


@dataclass(eq=False)
class Nudged:
    """Another model's answers to inputs moved along the sign that raises their own largest probability."""

    model: Differentiable
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
        """Answers to the moved pictures: one backward and one forward pass beyond the usual."""
        kind = inputs.dtype if inputs.dtype.kind == "f" else np.dtype(np.float32)
        shown = np.asarray(inputs, kind) / np.asarray(255 if inputs.dtype == np.uint8 else 1, kind)
        found = self.model.linearised(shown)
        cooled = found.scores.astype(np.float64) / TEMPERATURE
        shares = np.exp(cooled - cooled.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        # The derivative of the log of the largest share by the scores; the temperature is a factor and turns no sign.
        slope = -shares
        slope[np.arange(len(slope)), found.scores.argmax(axis=1)] += 1
        moved = shown + REACH * np.sign(found.pulled_back(slope.astype(np.float32)))
        moved = np.clip(moved, 0.0, 1.0) if inputs.ndim == 4 else moved
        return self.model.predict(moved.astype(kind))

    def describe(self) -> Mapping[str, Any]:
        """The model's own words."""
        return self.model.describe()


def nudged(model: Differentiable) -> Nudged:
    """A model that is shown moved inputs."""
    return Nudged(
        model, model.source, model.classes, model.named, fingerprint(model.fingerprint, "nudged"),
        model.offers & {"new inputs"}, model.portable, model.frame, model.normalised,
    )  # fmt: skip
