"""Mistakes: which errors the model makes, which of them make sense, on which rows, and whether the labels are right."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from pfungst.datasets.dataset import Dataset
from pfungst.errors import TooFew
from pfungst.findings import Finding, Skipped
from pfungst.methods.label_errors import FEWEST, LabelErrors, label_errors
from pfungst.passes import Passes, Predict
from pfungst.probe import Labelled, Probe, labelled, probes
from pfungst.probes.confusions import Seen, confusions
from pfungst.probes.error_reasons import reasons
from pfungst.probes.error_slices import error_slices, errors_of
from pfungst.probes.wrong_labels import wrong_labels
from pfungst.task import Task

_CLEAN = Predict()
_FEATURES = Predict(rows=4096, features=True)
"""Features are wide; slices are looked for in a sample of the rows."""


@probes
@dataclass(frozen=True, kw_only=True)
class Mistakes(Probe):
    """Confusions, the errors nobody would make, slices with more errors than the rest, and wrong labels.

    A confusion is the share of one label's rows that got one other answer; it is claimed where the interval lies beyond
    the tolerance and at least five rows show it. A slice is mined on the discovery rows and judged on the others.
    ``label_tolerance`` is the share of wrong labels that is taken for granted: test sets in wide use average 3.3 %
    (Northcutt et al. 2021, arXiv:2103.14749). ``kinds`` are classes the user calls alike.
    """

    topic: ClassVar[str] = "mistakes"
    question: ClassVar[str] = "Which errors does it make, which of them make sense, and are the labels right?"
    finds: ClassVar[Mapping[str, str]] = {
        "confusion": "One class is often answered as another.",
        "slice": "A part of the rows is answered worse than the rest.",
        "label-error": "Labels are wrong more often than is taken for granted.",
    }
    tolerance: float = 0.05
    label_tolerance: float = 0.03
    kinds: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def for_task(self, task: Task) -> Self:
        """This probe with the kinds of classes the task file names."""
        return replace(self, kinds=tuple(sorted(task.task.kinds.items())))

    def needs(self, data: Dataset, done: Passes) -> Iterator[Predict]:
        """The rows as they are, some of them with features."""
        del data, done
        yield _CLEAN
        yield _FEATURES

    def judge(self, data: Dataset, done: Passes) -> Iterator[Finding | Skipped]:
        """Confusions, slices and labels, in this order."""
        rows = labelled(data, done[_CLEAN])
        if rows is None:
            yield Skipped(probe=self.topic, kind="confusion", reason="the rows carry no labels")
            return
        labels = self._labels(data, rows)
        suspects = np.zeros(0, np.int64) if isinstance(labels, Skipped) else labels.suspects
        why = reasons(data, rows, suspects, dict(self.kinds))
        yield from confusions(data, Seen(rows, why, _CLEAN), self.tolerance)
        if isinstance(labels, Skipped):
            yield labels
        else:
            yield wrong_labels(data, rows, labels, _CLEAN, self.label_tolerance)
        yield from self._slices(data, done)

    def _labels(self, data: Dataset, rows: Labelled) -> LabelErrors | Skipped:
        """Estimated label errors, or why there is no estimate."""
        few = TooFew(
            f"{len(rows.labels)} labelled rows are too few to read off a share of wrong labels; {FEWEST} are needed"
        )
        top = "only the answer's probability was recorded, and wrong labels are read off the two highest"
        if len(rows.labels) >= FEWEST and rows.outputs.complete:
            return label_errors(rows.outputs, rows.labels, rows.units)
        reason = top if len(rows.labels) >= FEWEST else few
        return Skipped(probe=self.topic, kind="label-error", subject=data.name, reason=reason)

    def _slices(self, data: Dataset, done: Passes) -> Iterator[Finding | Skipped]:
        rows = labelled(data, done[_FEATURES])
        if rows is None:
            return
        enough = len(rows.labels) >= FEWEST and rows.outputs.complete
        expected = (
            label_errors(rows.outputs, rows.labels, rows.units).expected if enough else np.full(len(rows.labels), 0.0)
        )
        yield from error_slices(data, errors_of(data, _FEATURES, rows, expected), self.tolerance)
