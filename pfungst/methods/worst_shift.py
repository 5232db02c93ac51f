"""The worst of some shifts for each row: what breaks it, if anything of a whole set does."""

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.attacked import Proposed
from pfungst.datasets.dataset import Batch
from pfungst.methods.cues import unit
from pfungst.methods.shifts import Shifted, named, shifts
from pfungst.methods.threats import STAGES, begin, threats

PUBLISHED = ("gaussian-noise", "defocus-blur", "fog", "contrast", "pixelate", "jpeg-compression")
"""Corruptions of ImageNet-C, one or two of each of its groups, that are tried beside the usual shifts."""


@threats
@dataclass(frozen=True)
class CorruptionSearch:
    """Every usual shift of pictures and six published corruptions, at one severity; a row falls to the first one.

    What an unlucky day can do, where an average over corruptions hides that each breaks other rows. Each is drawn once.
    """

    name: ClassVar[str] = "corruption"
    severity: int = 3

    @property
    def budgets(self) -> tuple[float, ...]:
        """One: the whole set."""
        return (1.0,)

    @property
    def tried(self) -> tuple[str, ...]:
        """Names of the shifts, in the order in which they are tried."""
        return (*(name for name in named(("usual",)) if shifts[name].modality == "image"), *PUBLISHED)

    @property
    def stages(self) -> tuple[str, ...]:
        """What broke a row, by number: the shifts follow on the parts of all attacks."""
        return (*STAGES, *self.tried)

    def __call__(self, model: Any, batch: Batch) -> Proposed:
        """One shift after the other, for rows that stand."""
        begun = begin(model, batch)
        for number, name in enumerate(self.tried, start=len(STAGES)):
            rows = begun.search.standing
            if not len(rows):
                break
            some = batch.take(rows)
            shown = unit(Shifted(name, self.severity)(some))
            begun.run(1.0, number, partial(begun.search.show, rows, shown))
        return begun.proposed()

    def kept_to(self, originals: Array, inputs: Array, budget: FloatArray) -> Array:
        """As they come: they were made from the originals by the shifts."""
        del originals, budget
        return inputs

    def distance(self, originals: Array, inputs: Array) -> FloatArray:
        """One: a row falls to one of the set or not."""
        del inputs
        return np.ones(len(originals))
