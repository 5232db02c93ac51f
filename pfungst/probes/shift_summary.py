"""All shifts side by side: accuracy at each severity, where it breaks, the worst class, whether confidence notices."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from pfungst.findings import Condition, Finding, Table
from pfungst.probe import Labelled
from pfungst.statistics.estimate import Estimate

MIDDLE = 3
FEWEST = 10
"""Rows of a class below which it is not called the worst."""

ALEXNET = {
    "gaussian-noise": 0.886428, "shot-noise": 0.894468, "impulse-noise": 0.922640, "defocus-blur": 0.819880,
    "glass-blur": 0.826268, "imagenet-c:motion-blur": 0.785948, "zoom-blur": 0.798360, "snow": 0.866816,
    "frost": 0.826572, "fog": 0.819324, "imagenet-c:brightness": 0.564592, "contrast": 0.853204,
    "elastic-transform": 0.646056, "pixelate": 0.717840, "jpeg-compression": 0.606500,
}  # fmt: skip
"""Mean error of AlexNet under each, by which mCE divides (Hendrycks and Dietterich 2019, arXiv:1903.12261)."""

ALEXNET_CLEAN = 0.435


@dataclass(frozen=True)
class Judged:
    """What was found under one shift; ``levels`` are the answers at severities 1 to 5, ``before`` those to the rows."""

    name: str
    condition: Condition
    fragile: Finding
    overconfident: Finding
    breaks: Estimate | None
    before: Labelled
    levels: tuple[Labelled, ...]


def summary(judged: Sequence[Judged], classes: tuple[str, ...]) -> Iterator[Finding | Condition]:
    """Conditions and findings of all shifts; the one that costs most carries the table of all."""
    worst = max(judged, key=lambda one: one.fragile.effect.value, default=None)
    for one in judged:
        yield one.condition
        if one is worst and len(judged) > 1:
            tables = (_table(judged, classes), *_mean_errors(judged))
            yield msgspec.structs.replace(one.fragile, evidence=(*one.fragile.evidence, *tables))
        else:
            yield one.fragile
        yield one.overconfident


def _table(judged: Sequence[Judged], classes: tuple[str, ...]) -> Table:
    order = sorted(judged, key=lambda one: -one.fragile.effect.value)
    return Table(
        title=f"All {len(judged)} shifts, the costliest at severity 3 first: accuracy, and what the confidence does",
        columns=(
            "shift", *(f"at {level}" for level in range(1, 6)),
            "lost at 3", "ten points gone at", "worst class at 3", "confidence",
        ),
        rows=tuple(_row(one, classes) for one in order),
    )  # fmt: skip


def _row(one: Judged, classes: tuple[str, ...]) -> tuple[str, ...]:
    lost = one.fragile.effect
    return (
        one.name,
        *(f"{level.correct.mean():.3f}" for level in one.levels),
        f"{lost:+.3f}",
        "never" if one.breaks is None else f"{one.breaks.value:.1f}",
        _worst(one, classes),
        _notices(one),
    )


def _worst(one: Judged, classes: tuple[str, ...]) -> str:
    """The class that loses most, with its accuracy before and after."""
    after = one.levels[MIDDLE - 1]
    shares = {}
    for label in np.unique(after.labels):
        of_class = after.labels == label
        if of_class.sum() >= FEWEST:
            shares[int(label)] = (float(one.before.correct[of_class].mean()), float(after.correct[of_class].mean()))
    if not shares:
        return f"none has {FEWEST} rows"
    label = min(shares, key=lambda label: shares[label][1] - shares[label][0])
    return f"{classes[label]}: {shares[label][0]:.2f} → {shares[label][1]:.2f}"


def _notices(one: Judged) -> str:
    if one.overconfident.status == "found":
        return "does not notice"
    if one.fragile.status != "found":
        return "has nothing to notice" if one.fragile.status == "absent" else "undecided"
    return "falls with it" if one.overconfident.status == "absent" else "undecided"


def _mean_errors(judged: Sequence[Judged]) -> Iterator[Table]:
    """Mean corruption error, plain and divided by AlexNet's, where all fifteen were asked."""
    errors = {one.name: 1 - float(np.mean([level.correct.mean() for level in one.levels])) for one in judged}
    if not set(ALEXNET) <= set(errors):
        return
    clean = 1 - float(judged[0].before.correct.mean())
    plain = float(np.mean([errors[name] for name in ALEXNET]))
    divided = float(np.mean([errors[name] / peer for name, peer in ALEXNET.items()]))
    relative = float(np.mean([(errors[name] - clean) / (peer - ALEXNET_CLEAN) for name, peer in ALEXNET.items()]))
    yield Table(
        title="Mean error under the fifteen corruptions; not comparable with figures printed for ImageNet-C's files",
        columns=("what", "value"),
        rows=(
            ("mean error, plain", f"{plain:.3f}"),
            ("mean error of the rows as they are", f"{clean:.3f}"),
            ("mCE: each divided by AlexNet's on ImageNet-C", f"{100 * divided:.1f}"),
            ("relative mCE: growth divided by AlexNet's growth", f"{100 * relative:.1f}"),
        ),
    )
