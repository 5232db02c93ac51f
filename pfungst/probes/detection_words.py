"""The finding about detection: its claim, the table of scores, the guard's promise and what to look at."""

from collections.abc import Iterator

import numpy as np

from pfungst.datasets.dataset import Dataset
from pfungst.findings import AnyEvidence, Estimates, Examples, Finding, Shot, Table
from pfungst.probe import shot
from pfungst.probes.detection import Detection, Scored, shifted_scores
from pfungst.statistics.estimate import Estimate, Severity
from pfungst.statistics.intervals import proportion_of
from pfungst.statistics.thresholds import average_precision, precision, realised, threshold
from pfungst.statistics.units import numbered

LIKEST = 24
"""Strangers shown that look most like known rows."""

TWINS = 12

SHARES = (0.01, 0.1)
"""Shares of strangers among all rows at which the guard's precision is told, beside the one asked for."""


def undetectable(
    data: Dataset, found: Detection, *, tolerance: float, promised: float, share_of_strangers: float
) -> Finding:
    """Strangers that the best score lets through, with all scores, the threshold card and likeness to known rows."""
    through = found.best.through
    status = "inconclusive" if found.like_known else through.against(tolerance)
    return Finding(
        probe="unknowns",
        kind="undetectable",
        subject=found.some.subject,
        status=status,
        severity=missed(through) if status == "found" else "none",
        claim=" ".join(_claim(found, tolerance, unsettled=status == "inconclusive")),
        effect=through,
        tolerance=tolerance,
        evidence=tuple(_evidence(data, found, promised, share_of_strangers)),
        remedy=_remedy(found) if status != "absent" else "",
    )


def missed(through: Estimate) -> Severity:
    """How severe it is that so many strangers are let through."""
    # Nobody has promised a guard yet: a score that fails is a missed chance, not a fault of the answers.
    return "medium" if through.low >= 0.5 else "low"


def _remedy(found: Detection) -> str:
    if found.like_known and found.some.made:
        return "bring strangers of your own with --ood NAME=DATA"
    if found.like_known:
        return "look at the strangers that look most like known rows; remove those that are known and audit again"
    return f"set a threshold on {found.best.name} with known rows, and abstain beyond it"


def _claim(found: Detection, tolerance: float, *, unsettled: bool) -> Iterator[str]:
    best, some, area, through = found.best, found.some, found.best.area, found.best.through
    if found.like_known:
        yield (
            f"These look like known rows: {best.name}, the score that looked best on half of {some.words}, does not "
            f"tell the other half from known rows (AUROC {area:.3f}), so whether they are strangers at all is not "
            "settled."
        )
    else:
        yield (
            f"The score that looked best on half of {some.words}, {best.name}, lets {through:.1%} of the other "
            f"half through at the threshold that keeps 95 % of known rows (AUROC {area:.3f}; tolerance "
            f"{tolerance:.0%})."
        )
        if found.by_looks and found.looks:
            yield (
                f"They are told apart by {_looks(found)}, not by the model: {found.looks.name} alone reach AUROC "
                f"{found.looks.area.value:.3f}."
            )
        if unsettled:
            yield f"{through.settled_by(tolerance, 'strangers').capitalize()}."
    if found.twins:
        twins = len({stranger for stranger, _, _ in found.twins})
        yield f"{twins} of {found.compared} compared are near-duplicates of known rows."


def _looks(found: Detection) -> str:
    assert found.looks is not None, "looks were measured"
    return "brightness and texture" if found.looks.name == "pixel statistics" else found.looks.name


def _evidence(data: Dataset, found: Detection, promised: float, share_of_strangers: float) -> Iterator[AnyEvidence]:
    ordered = (*([found.looks] if found.looks else []), *found.scores)
    yield Estimates(
        title="How well each score tells strangers from known rows",
        items=tuple(one.area for one in ordered),
        reference=0.5,
        reference_name="no better than a coin",
    )
    yield _scores(found, ordered)
    yield _card(found, promised, share_of_strangers)
    if not found.some.made:
        yield from _likest(data, found)


def _scores(found: Detection, ordered: tuple[Scored, ...]) -> Table:
    known, strange = len(found.best.report), len(found.best.judged)
    kind = "far: looks alone give them away" if found.far else "near"
    return Table(
        title=f"Every score, on {known} known rows and {strange} strangers ({kind})" if found.looks else "Every score",
        columns=(
            "score",
            "AUROC",
            "accepted at 95 % of known",
            "known rejected at 95 % of strangers",
            f"AUPR at {known} : {strange}",
        ),
        rows=tuple(
            (
                f"{one.name}, without the model" if not one.model else one.name,
                f"{one.area.value:.3f}",
                f"{one.through:.1%}",
                f"{one.back:.1%}",
                f"{average_precision(one.report, one.judged):.3f}" if one.model else "",
            )
            for one in ordered
        ),
    )


def _card(found: Detection, promised: float, share_of_strangers: float) -> Table:
    best, parts = found.best, found.parts
    at = threshold(best.threshold, promised)
    rejected = proportion_of(best.report > at, parts.report_units, "known rows rejected")
    units = None if found.some.scored_units is None else found.some.scored_units[found.judged]
    through = found.some.estimated(
        lambda level: proportion_of(best.judged <= at, units, "strangers let through", level=level)
    )
    rows = len(best.threshold)
    independent = rows if parts.threshold_units is None else numbered(parts.threshold_units, rows)[1]
    low, high = realised(max(independent, round(1 / promised)), promised)
    lines = [
        ("score", best.name),
        ("threshold: reject above", f"{at:.4g}, set on {rows} known rows, no stranger among them"),
        ("known rows rejected, promised", f"{promised:.1%}; such thresholds reject {low:.1%} to {high:.1%}"),
        ("known rows rejected, on others", f"{rejected:.1%}"),
        ("strangers let through", f"{through:.1%}"),
    ]
    for share in sorted({*SHARES, share_of_strangers}):
        right = precision(share, through.value, rejected.value)
        lines.append((f"strangers among the rejected, where {share:.0%} of rows are strangers", f"{right:.1%}"))
    lines += _shifted(found, promised)
    return Table(title="What a guard with this score would do", columns=("", "value"), rows=tuple(lines))


def _shifted(found: Detection, promised: float) -> Iterator[tuple[str, str]]:
    """Slightly shifted known rows that a guard would reject, by the best score and by the stated probability."""
    for one in dict.fromkeys((found.best, *(score for score in found.scores if score.name == "max-probability"))):
        told = shifted_scores(found, one)
        if told:
            at = threshold(one.threshold, promised)
            shares = {name: float(np.mean(scores > at)) for name, scores in told.items()}
            worst = max(shares, key=lambda name: shares[name])
            words = f"{np.mean(list(shares.values())):.1%}; most under {worst}, {shares[worst]:.1%}"
            yield f"known rows, slightly shifted, rejected by {one.name}", words


def _likest(data: Dataset, found: Detection) -> Iterator[Examples]:
    some = found.some
    order = np.argsort(found.best.every, kind="stable")[:LIKEST]
    title = f"The strangers that look most like known rows, by {found.best.name}: are they strangers?"
    yield Examples(title=title, items=some.shots(data, order, scored=True))
    pairs: list[tuple[Shot, Shot]] = []
    seen: set[int] = set()
    for stranger, part, place in found.twins:
        if stranger not in seen and len(pairs) < TWINS:
            seen.add(stranger)
            one, outputs = found.parts.passes[part]
            pairs.append((some.shots(data, np.array([stranger]), scored=True)[0][0], shot(data, one, outputs, place)))
    if pairs:
        yield Examples(title="Strangers beside the known rows they repeat", items=tuple(pairs))
