"""Known rows: what scores of strangeness are fitted on, each fit made once and only when asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pfungst.arrays import FloatArray, IntArray
from pfungst.errors import InputError
from pfungst.methods.known_features import (
    ClassGaussians,
    Head,
    Neighbours,
    VirtualLogit,
    class_gaussians,
    head_of,
    neighbours,
    virtual_logit,
)
from pfungst.outputs import Outputs

CLIPPED = 90
"""Percentile of the known rows' features at which ReAct clips."""


@dataclass(frozen=True, eq=False)
class Known:
    """Answers about known rows, with features where the model offers them, and their labels (rows,), -1 for none.

    ``head`` is the last layer; where it could not be recovered, ``headless`` says why.
    """

    outputs: Outputs
    labels: IntArray
    head: Head | None = None
    headless: str = ""

    @property
    def features(self) -> FloatArray:
        """The features. Raises InputError if there are none."""
        if self.outputs.features is None:
            raise InputError("features of known rows were asked for; this model offers none: use scores of its answers")
        return self.outputs.features

    @property
    def layer(self) -> Head:
        """The last layer. Raises InputError if there is none."""
        if self.head is None:
            raise InputError(self.headless or "the last layer is not known")
        return self.head

    @cached_property
    def gaussians(self) -> ClassGaussians:
        """One Gaussian a class."""
        return class_gaussians(self.features, self.labels, self.outputs.classes)

    @cached_property
    def neighbours(self) -> Neighbours:
        """The rows to be near to."""
        return neighbours(self.features)

    @cached_property
    def virtual_logit(self) -> VirtualLogit:
        """The directions in which they hardly vary."""
        return virtual_logit(self.features, self.outputs.logits, self.layer)

    @cached_property
    def clip(self) -> float:
        """The value above which a feature is clipped."""
        return float(np.percentile(self.features, CLIPPED))

    @cached_property
    def centre(self) -> FloatArray:
        """Mean of the features, (width,)."""
        return np.asarray(self.features.mean(axis=0, dtype=np.float64))

    @cached_property
    def patterns(self) -> FloatArray:
        """Mean features of the rows rightly answered with each class, (classes, width); of all rows where none is."""
        right = (self.labels >= 0) & (self.outputs.predictions == self.labels)
        found = np.repeat(self.centre[None], self.outputs.classes, axis=0)
        for label in np.unique(self.labels[right]):
            found[label] = self.features[right & (self.labels == label)].mean(axis=0, dtype=np.float64)
        return found


def known_rows(outputs: Outputs, labels: IntArray, others: Sequence[Outputs] = ()) -> Known:
    """Known rows with the last layer, recovered from them and ``others``, answers of any kind with features.

    >>> rows = known_rows(Outputs(np.zeros((2, 2), np.float32)), np.array([0, 1]))
    >>> rows.headless
    'the model offers no features'
    """
    every = [outputs, *others]
    features = [one.features for one in every if one.features is not None]
    if len(features) < len(every):
        return Known(outputs, labels, headless="the model offers no features")
    try:
        logits = np.concatenate([one.logits for one in every])
        head = head_of(np.concatenate(features), logits, normalised=outputs.normalised)
    except InputError as error:
        return Known(outputs, labels, headless=str(error))
    return Known(outputs, labels, head)
