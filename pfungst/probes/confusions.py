"""Confusions: which label got which other answer how often, and whether anything excuses it."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np

from pfungst.arrays import IntArray
from pfungst.datasets.dataset import Dataset
from pfungst.findings import AnyEvidence, Confusion, Confusions, Examples, Finding, Shot, Table
from pfungst.paged import parts
from pfungst.passes import Predict
from pfungst.probe import Labelled, shot
from pfungst.probes.error_reasons import NO_REASON, REASONS, Reasons
from pfungst.probes.repeated_rows import repeated_rows
from pfungst.statistics.estimate import Estimate, severity
from pfungst.statistics.intervals import proportion
from pfungst.statistics.significance import binomial_exact

FEWEST = 5
"""Rows that must show a confusion before it is claimed."""

CLAIMED, SHOWN, CELLS = 5, 12, 50


@dataclass(frozen=True, eq=False)
class Seen:
    """Labelled rows, why each is wrong, and the pass that asked about them."""

    rows: Labelled
    why: Reasons
    asked: Predict


def confusions(data: Dataset, seen: Seen, tolerance: float) -> Iterator[Finding]:
    """One finding for each confusion beyond the tolerance, or one that says none is; the first carries the evidence."""
    counts = confusion_counts(seen.rows.labels, seen.rows.outputs.predictions, len(data.classes))
    cells = _cells(counts, data.classes)
    beyond = [cell for cell in cells if cell.rows >= FEWEST and cell.share.low > tolerance]
    evidence: tuple[AnyEvidence, ...] = (_matrix(counts, data.classes, cells), *_excuses(seen), *_surest(data, seen))
    evidence += tuple(repeated_rows(data, seen.rows))
    found = [
        _found(cell, int(counts[data.classes.index(cell.label)].sum()), _unexcused(data, seen, cell), tolerance)
        for cell in beyond[:CLAIMED]
    ] or [_none(cells, seen.rows, tolerance)]
    yield msgspec.structs.replace(found[0], evidence=evidence)
    yield from found[1:]


def confusion_counts(labels: IntArray, answers: IntArray, classes: int) -> IntArray:
    """How many rows of each label got each answer, (labels, answers); counts of two sets of rows add up.

    >>> confusion_counts(np.array([0, 1, 1]), np.array([0, 0, 1]), 2).tolist()
    [[1, 0], [1, 1]]
    """
    counts = np.zeros(classes**2, np.int64)
    for part in parts(labels):
        counts += np.bincount(labels[part] * classes + answers[part], minlength=classes**2)
    return counts.reshape(classes, classes)


def _cells(counts: IntArray, classes: tuple[str, ...]) -> list[Confusion]:
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:CELLS]
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


def _matrix(counts: IntArray, classes: tuple[str, ...], cells: list[Confusion]) -> Confusions:
    whole = tuple(tuple(int(n) for n in row) for row in counts) if len(classes) <= 30 else ()
    top = tuple(sorted(cells, key=lambda cell: -cell.rows)[:20])
    return Confusions(title="Where the answers went", classes=classes, top=top, counts=whole)


def _excuses(seen: Seen) -> Iterator[Table]:
    """How many errors each reason excuses."""
    errors = int((seen.why.codes >= 0).sum())
    if errors:
        counted = [(reason, seen.why.count(reason)) for reason in REASONS]
        rows = tuple((reason, str(count), f"{count / errors:.0%}") for reason, count in counted if count)
        yield Table(title="Which errors make sense", columns=("reason", "errors", "share of the errors"), rows=rows)


def _surest(data: Dataset, seen: Seen) -> Iterator[Examples]:
    """The most confident wrong answers, errors that nothing excuses first."""
    wrong = np.flatnonzero(seen.why.codes >= 0)
    order = wrong[np.lexsort((-seen.rows.outputs.confidence[wrong], -seen.why.codes[wrong]))][:SHOWN]
    if len(order):
        bare = seen.why.words(int(order[0])) == NO_REASON
        title = "Errors nobody would make, surest first" if bare else "Wrong answers, and what excuses them"
        yield Examples(title=title, items=tuple((_excused(data, seen, int(at)),) for at in order))


def _excused(data: Dataset, seen: Seen, at: int) -> Shot:
    return msgspec.structs.replace(shot(data, seen.asked, seen.rows.outputs, at), caption=seen.why.words(at))


def _unexcused(data: Dataset, seen: Seen, cell: Confusion) -> int:
    label, answer = data.classes.index(cell.label), data.classes.index(cell.answer)
    here = (seen.rows.labels == label) & (seen.rows.outputs.predictions == answer)
    return int((seen.why.codes[here] == REASONS.index(NO_REASON)).sum())


def _found(cell: Confusion, of: int, bare: int, tolerance: float) -> Finding:
    share = cell.share
    return Finding(
        probe="mistakes",
        kind="confusion",
        subject=f"{cell.label} -> {cell.answer}",
        status="found",
        severity=severity(share, "loss", tolerance),
        claim=f"Of {of} rows labelled {cell.label}, {share:.1%} "
        f"are answered {cell.answer}; {cell.rows - bare} of these {cell.rows} errors have an excuse.",
        effect=share,
        tolerance=tolerance,
        p_value=binomial_exact(cell.rows, of, tolerance, "greater"),
        remedy=f"look at the rows first: are the labels right, does a {cell.label} look like a {cell.answer}? "
        "If not, collect rows on which the two differ only in what should decide",
    )


def _none(cells: list[Confusion], rows: Labelled, tolerance: float) -> Finding:
    worst = max(cells, key=lambda cell: cell.share.value, default=None)
    share = worst.share if worst else _no_error(rows)
    status = share.against(tolerance)
    name = f"{worst.label} answered {worst.answer}" if worst else "any"
    claim = f"The largest confusion, {name}, takes {share:.1%} of its label's rows"
    settle = f"; {share.settled_by(tolerance, 'rows of the label')}"
    return Finding(
        probe="mistakes",
        kind="confusion",
        subject="",
        status="absent" if status == "absent" else "inconclusive",
        severity="none",
        claim=f"{claim}{'' if status == 'absent' else settle} (tolerance {tolerance:.0%}).",
        effect=share,
        tolerance=tolerance,
    )


def _no_error(rows: Labelled) -> Estimate:
    return proportion(0, len(rows.labels), name="share of wrong answers")
