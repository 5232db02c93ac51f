"""What the model states about strangers: the share above 0.9, beside the 1/K that an honest answer would state."""

from collections.abc import Iterator

import msgspec
import numpy as np

from pfungst.datasets.dataset import Dataset
from pfungst.findings import Estimates, Finding, Histogram, Series
from pfungst.methods.unknownness import unknownness_scores
from pfungst.outputs import Outputs
from pfungst.probes.stranger_sets import StrangerSet, gallery
from pfungst.statistics.estimate import Estimate, Severity, severity
from pfungst.statistics.intervals import mean, proportion_of

EDGES = tuple(np.round(np.linspace(0, 1, 21), 2).tolist())

UNEVEN = 0.3
"""Share of the commonest class from which on, if it is twice its due as well, a model may rightly prefer it."""


def confident(
    data: Dataset, known: Outputs, some: StrangerSet, *, tolerance: float, sure: float, shown: int
) -> Finding:
    """How sure the model is of strangers, with the picture of it, numbers, and strangers to look at."""
    strangers = some.plain
    due = 1 / strangers.classes
    share = stated_surely(some, sure)
    numbers = tuple(_numbers(data, known, some, share, sure))
    status = share.against(tolerance)
    line = f"an honest shrug, 1/{strangers.classes}"
    histogram = Histogram(
        title="What it states about known rows and about strangers",
        edges=EDGES,
        series=(_series("known rows", known), _series(some.subject, strangers)),
        line=due,
        line_name=line,
        axis="stated confidence",
    )
    return Finding(
        probe="unknowns",
        kind="confident",
        subject=some.subject,
        status=status,
        severity=weight(data, some, share, tolerance) if status == "found" else "none",
        claim=_claim(data, some, share, numbers, (tolerance, sure))
        + (f" {share.settled_by(tolerance, 'strangers').capitalize()}." if status == "inconclusive" else ""),
        effect=share,
        tolerance=tolerance,
        evidence=(
            histogram,
            Estimates(title="Stated confidence", items=numbers, reference=due, reference_name=line),
            *gallery(data, some, shown),
        ),
        remedy="give it a way to say none of these: abstain below a threshold set on known rows, train with "
        "outlier exposure, or average an ensemble",
    )


def _claim(
    data: Dataset, some: StrangerSet, share: Estimate, numbers: tuple[Estimate, ...], bounds: tuple[float, float]
) -> str:
    tolerance, sure = bounds
    stated, usual, taken = numbers[2], numbers[3], numbers[-1]
    favourite = data.classes[_favourite(some.plain)]
    return (
        f"Shown {len(some.plain)} {some.words}, the model stated {stated.value:.2f} on average where "
        f"{_due(some.plain.classes)} was due, and more than {sure} on {share:.1%} "
        f"of them (tolerance {tolerance:.0%}; on its own test rows it states {usual.value:.2f}). "
        f"It takes them mostly for {favourite} ({taken.value:.0%})."
    )


def _due(classes: int) -> str:
    return f"{1 / classes:.2f}" if classes <= 100 else f"{1 / classes:.1g}"


def _numbers(data: Dataset, known: Outputs, some: StrangerSet, share: Estimate, sure: float) -> Iterator[Estimate]:
    """The numbers under the picture; mean confidences come third and fourth, the favourite class last."""
    strangers, units = some.plain, some.units
    known_units = None if data.units is None or known.rows is None else data.units[known.rows]
    stated = some.estimated(
        lambda level: mean(strangers.confidence, units, "mean stated confidence, strangers", (0.0, 1.0), level=level)
    )
    yield share
    yield proportion_of(known.confidence > sure, known_units, f"known rows stated above {sure}")
    yield stated
    yield mean(known.confidence, known_units, "mean stated confidence, known rows", bounds=(0.0, 1.0))
    due = 1 / strangers.classes
    yield msgspec.structs.replace(
        stated, name=f"stated beyond 1/{strangers.classes}, strangers", value=stated.value - due,
        low=stated.low - due, high=stated.high - due,
    )  # fmt: skip
    if strangers.complete:
        spread = unknownness_scores["entropy"](strangers) / np.log(strangers.classes)
        name = "entropy over log of classes, strangers"
        yield some.estimated(lambda level: mean(spread.clip(0, 1), units, name, (0.0, 1.0), level=level))
    if data.labels is not None and (data.labels >= 0).any():
        labels = data.labels[data.labels >= 0]
        largest = np.bincount(labels).argmax()
        if np.mean(labels == largest) > max(UNEVEN, 2 * due):
            yield proportion_of(labels == largest, None, f"test rows of the commonest class, {data.classes[largest]}")
    favourite = _favourite(strangers)
    taken, name = strangers.predictions == favourite, f"strangers taken for {data.classes[favourite]}"
    yield some.estimated(lambda level: proportion_of(taken, units, name, level=level))


def _favourite(strangers: Outputs) -> int:
    return int(np.bincount(strangers.predictions, minlength=strangers.classes).argmax())


def stated_surely(some: StrangerSet, sure: float) -> Estimate:
    """The share of strangers stated above ``sure``."""
    hits, name = some.plain.confidence > sure, f"strangers stated above {sure}"
    return some.estimated(lambda level: proportion_of(hits, some.units, name, level=level))


def weight(data: Dataset, some: StrangerSet, share: Estimate, tolerance: float) -> Severity:
    """How severe such a share is; at most medium where the strangers were made."""
    found = severity(share, "strangers", tolerance)
    if not some.made or found not in {"critical", "high", "medium"}:
        return found
    # Nobody named these; and shuffled columns may make a row that could well exist.
    return "low" if data.modality == "table" else "medium"


def _series(name: str, outputs: Outputs) -> Series:
    counts, _ = np.histogram(outputs.confidence.clip(0, 1), bins=np.array(EDGES))
    return Series(name=name, shares=tuple((counts / len(outputs)).round(5).tolist()), rows=len(outputs))
