"""Wrong labels: how many labels even the surest answers contradict, which rows they are, and what speaks against it."""

from collections.abc import Iterator

import numpy as np

from pfungst.datasets.dataset import Dataset
from pfungst.findings import AnyEvidence, Examples, Finding, Table
from pfungst.methods.label_errors import LabelErrors
from pfungst.passes import Predict
from pfungst.probe import Labelled, shot
from pfungst.statistics.estimate import Severity
from pfungst.statistics.significance import p_at_most

SHOWN, LISTED = 12, 50
BOUNDS: tuple[tuple[float, Severity], ...] = ((0.10, "high"), (0.05, "medium"), (0.0, "low"))
"""Severity by the lower bound of the share: a tenth of wrong labels makes most other numbers of an audit doubtful."""


def wrong_labels(data: Dataset, rows: Labelled, errors: LabelErrors, one: Predict, tolerance: float) -> Finding:
    """One finding about the data set."""
    share = errors.share
    status = share.against(tolerance)
    found = status == "found"
    claim = (
        f"About {share:.1%} of the labels of {data.name} look wrong: so many are contradicted however sure the answer"
    )
    caveat = "; it would look the same if the model followed something else than the labels mean"
    settle = f"; {share.settled_by(tolerance)}" if status == "inconclusive" else ""
    return Finding(
        probe="mistakes",
        kind="label-error",
        subject=data.name,
        status=status,
        severity=next(name for bound, name in BOUNDS if share.low >= bound) if found else "none",
        claim=f"{claim}{caveat if found else settle} (tolerance {tolerance:.0%}).",
        effect=share,
        tolerance=tolerance,
        p_value=p_at_most(share, tolerance),
        evidence=tuple(_evidence(data, rows, errors, one)),
        remedy="have the rows shown here labelled again by people who do not see the old label, likeliest first",
    )


def _evidence(data: Dataset, rows: Labelled, errors: LabelErrors, one: Predict) -> Iterator[AnyEvidence]:
    suspects = errors.suspects
    outputs, classes = rows.outputs, data.classes
    if not len(suspects):
        return
    assert outputs.rows is not None, "answers of a pass know their rows"
    shots = tuple((shot(data, one, outputs, int(at)),) for at in suspects[:SHOWN])
    yield Examples(title="Labels that are more likely wrong than right", items=shots)
    listed = tuple(
        (
            data.told(int(outputs.rows[at])),
            classes[int(rows.labels[at])],
            classes[int(outputs.predictions[at])],
            f"{errors.probability[at]:.2f}",
        )
        for at in suspects[:LISTED]
    )
    title = f"Rows to look at first ({len(suspects)} in all)"
    yield Table(title=title, columns=("row", "label", "answer", "probability that the label is wrong"), rows=listed)
    yield _noise(rows, errors, classes)


def _noise(rows: Labelled, errors: LabelErrors, classes: tuple[str, ...], most: int = 20) -> Table:
    """Which label stands where which other one seems due, by the expected number of wrong labels."""
    expected = np.zeros((len(classes), len(classes)))
    np.add.at(expected, (rows.labels, rows.outputs.predictions), errors.probability)
    counts = np.bincount(rows.labels, minlength=len(classes))
    order = [divmod(int(at), len(classes)) for at in np.argsort(-expected, axis=None, kind="stable")[:most]]
    cells = tuple(
        (
            classes[label],
            classes[due],
            f"{expected[label, due]:.1f} of {counts[label]}",
            f"{expected[label, due] / max(int(counts[label]), 1):.1%}",
        )
        for label, due in order
        if expected[label, due] >= 0.05
    )
    return Table(
        title="Estimated label noise", columns=("label", "seems due", "rows", "share of the label"), rows=cells
    )
