"""Mistakes: which errors the model makes, how often, and how sure it was."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pfungst.arrays import IntArray
from pfungst.datasets.dataset import Dataset
from pfungst.findings import AnyEvidence, Confusion, Confusions, Examples, Finding, Skipped
from pfungst.passes import Passes, Predict
from pfungst.probe import Labelled, Probe, labelled, probes, shot
from pfungst.statistics.estimate import Estimate, severity
from pfungst.statistics.intervals import proportion
from pfungst.statistics.significance import binomial_exact

_CLEAN = Predict()


@probes
@dataclass(frozen=True)
class Mistakes(Probe):
    """Confusions with Wilson intervals, and the most confident wrong answers.

    A confusion is the share of one label's rows that got one other answer. It is claimed where the interval lies beyond
    the tolerance and at least ``fewest`` rows show it; the p-value is the exact binomial test of "share <= tolerance",
    corrected with all other tests of the audit.
    """

    topic: ClassVar[str] = "mistakes"
    question: ClassVar[str] = "Which errors does it make, and how sure is it of them?"
    tolerance: float = 0.05
    fewest: int = 5
    most: int = 5
    shown: int = 12

    def needs(self, data: Dataset, done: Passes) -> Iterator[Predict]:
        """The rows as they are."""
        del data, done
        yield _CLEAN

    def judge(self, data: Dataset, done: Passes) -> Iterator[Finding | Skipped]:
        """One finding for each confusion beyond the tolerance, or one that says none is."""
        rows = labelled(data, done[_CLEAN])
        if rows is None:
            yield Skipped(probe=self.topic, kind="confusion", reason="the rows carry no labels")
            return
        counts = np.zeros((len(data.classes), len(data.classes)), np.int64)
        np.add.at(counts, (rows.labels, rows.outputs.predictions), 1)
        cells = self._cells(counts, data.classes)
        beyond = [cell for cell in cells if cell.rows >= self.fewest and cell.share.low > self.tolerance]
        evidence: tuple[AnyEvidence, ...] = (self._matrix(counts, data.classes, cells), *self._surest(data, rows))
        for cell in beyond[: self.most]:
            yield self._found(cell, counts, data.classes, evidence if cell is beyond[0] else ())
        if not beyond:
            yield self._none(cells, rows, evidence)

    def _cells(self, counts: IntArray, classes: tuple[str, ...]) -> list[Confusion]:
        wrong = counts.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:50]
        cells = [(int(at) // len(classes), int(at) % len(classes)) for at in order]
        found = [
            Confusion(
                label=classes[label],
                answer=classes[answer],
                rows=int(wrong[label, answer]),
                share=proportion(int(wrong[label, answer]), int(counts[label].sum()), name="share of the label's rows"),
            )
            for label, answer in cells
            if wrong[label, answer]
        ]
        return sorted(found, key=lambda cell: -cell.share.low)

    def _matrix(self, counts: IntArray, classes: tuple[str, ...], cells: list[Confusion]) -> Confusions:
        whole = tuple(tuple(int(n) for n in row) for row in counts) if len(classes) <= 30 else ()
        top = tuple(sorted(cells, key=lambda cell: -cell.rows)[:20])
        return Confusions(title="Where the answers went", classes=classes, top=top, counts=whole)

    def _surest(self, data: Dataset, rows: Labelled) -> Iterator[Examples]:
        wrong = np.flatnonzero(~rows.correct)
        order = wrong[np.argsort(-rows.outputs.confidence[wrong], kind="stable")][: self.shown]
        if len(order):
            shots = tuple((shot(data, _CLEAN, rows.outputs, int(i)),) for i in order)
            yield Examples(title="The most confident wrong answers", items=shots)

    def _found(
        self, cell: Confusion, counts: IntArray, classes: tuple[str, ...], evidence: tuple[AnyEvidence, ...]
    ) -> Finding:
        of = int(counts[classes.index(cell.label)].sum())
        share = cell.share
        return Finding(
            probe=self.topic,
            kind="confusion",
            subject=f"{cell.label} -> {cell.answer}",
            status="found",
            severity=severity(share, "loss", self.tolerance),
            claim=f"Of {of} rows labelled {cell.label}, {share.value:.1%} [{share.low:.1%}, {share.high:.1%}] "
            f"are answered {cell.answer}.",
            effect=share,
            tolerance=self.tolerance,
            p_value=binomial_exact(cell.rows, of, self.tolerance, "greater"),
            evidence=evidence,
            remedy=f"look at the pictures first: are the labels right, does a {cell.label} look like a {cell.answer}? "
            "If not, collect rows on which the two differ only in what should decide",
        )

    def _none(self, cells: list[Confusion], rows: Labelled, evidence: tuple[AnyEvidence, ...]) -> Finding:
        worst = max(cells, key=lambda cell: cell.share.value, default=None)
        share = worst.share if worst else self._no_error(rows)
        status = share.against(self.tolerance)
        name = f"{worst.label} answered {worst.answer}" if worst else "any"
        interval = f"{share.value:.1%} [{share.low:.1%}, {share.high:.1%}]"
        claim = f"The largest confusion, {name}, takes {interval} of its label's rows"
        settle = f"; about {share.rows_needed(self.tolerance)} rows of the label would settle it"
        return Finding(
            probe=self.topic,
            kind="confusion",
            subject="",
            status="absent" if status == "absent" else "inconclusive",
            severity="none",
            claim=f"{claim}{'' if status == 'absent' else settle} (tolerance {self.tolerance:.0%}).",
            effect=share,
            tolerance=self.tolerance,
            evidence=evidence,
        )

    def _no_error(self, rows: Labelled) -> Estimate:
        return proportion(0, len(rows.labels), name="share of wrong answers")
