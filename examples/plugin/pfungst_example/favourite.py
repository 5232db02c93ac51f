"""Favourite: does the model give one answer more often than the labels have it?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pfungst.datasets.dataset import Dataset
from pfungst.findings import Finding, Skipped
from pfungst.passes import Passes, Predict
from pfungst.probe import Probe, labelled
from pfungst.statistics.estimate import severity
from pfungst.statistics.intervals import paired_mean


@dataclass(frozen=True)
class Favourite(Probe):
    """The share of one answer less the share of its label, paired by row.

    Which class is the favourite is chosen on the discovery half of the rows and judged on the other half.
    """

    topic: ClassVar[str] = "favourite"
    question: ClassVar[str] = "Does it give one answer more often than the labels have it?"
    finds: ClassVar[Mapping[str, str]] = {"favourite": "One answer is given more often than its label occurs."}
    tolerance: float = 0.05

    def needs(self, data: Dataset, done: Passes) -> Iterator[Predict]:
        """The rows of both halves, as they are."""
        del data, done
        yield Predict(half="discovery")
        yield Predict(half="confirmation")

    def judge(self, data: Dataset, done: Passes) -> Iterator[Finding | Skipped]:
        """One finding about the class that was the favourite among the discovery rows."""
        seen, judged = (labelled(data, done[Predict(half=half)]) for half in ("discovery", "confirmation"))
        if seen is None or judged is None:
            yield Skipped(probe=self.topic, kind="favourite", reason="the rows carry no labels")
            return
        many = len(data.classes)
        surplus = np.bincount(seen.outputs.predictions, minlength=many) - np.bincount(seen.labels, minlength=many)
        chosen = int(surplus.argmax())
        given = (judged.outputs.predictions == chosen).astype(float) - (judged.labels == chosen)
        effect = paired_mean(given, units=judged.units, name="share of answers less share of labels")
        status = effect.against(self.tolerance)
        yield Finding(
            probe=self.topic, kind="favourite", subject=data.classes[chosen], status=status, effect=effect,
            tolerance=self.tolerance,
            severity=severity(effect, "loss", self.tolerance) if status == "found" else "none",
            claim=f"It answers {data.classes[chosen]} to {effect.value:+.1%} of the rows more than have this label.",
            remedy="look at the rows that it takes for this class, and at the classes' shares in training",
        )  # fmt: skip
