"""Confounding of label and site in words: what was found, what it rests on, and what these rows cannot tell."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pfungst.findings import AnyEvidence, Estimates, Finding, Table
from pfungst.methods.site_features import Kept
from pfungst.methods.site_pairs import A_CELL, Area, Decomposition, Moved, PairTest
from pfungst.methods.site_tests import A_SIDE, Association, Inseparable, Sited, from_influence
from pfungst.probes.site_gaps import spelled
from pfungst.statistics.estimate import Estimate, Severity, Status, severity
from pfungst.statistics.proportions import proportion_of
from pfungst.statistics.significance import p_at_most

OWED = 0.03
"""Area under the curve that may be owed to the site."""

ORDER = 0.05
"""How far above one half the order of answers given the label may go with the site."""

WEAK = 0.1
"""Cramer's V below which label and site do not go together to speak of."""

SHOWN, SHOWN_CLASSES = 12, 6


@dataclass(frozen=True, eq=False)
class Confounding:
    """What is known of a column: how it goes with the label, with the model's answers, and whether that can be told.

    ``alone`` is the area of the column alone, ``why`` says why label and site cannot be told apart.
    """

    column: str
    classes: tuple[str, ...]
    sited: Sited
    link: Association
    alone: Area
    why: Inseparable
    parts: Decomposition
    moved: Moved | None
    tests: tuple[PairTest, ...]
    metadata: Area | None

    @property
    def associated(self) -> bool:
        """Whether label and site go together, beyond chance and to speak of."""
        return self.link.p_value <= 0.05 and self.link.cramers_v >= WEAK

    @property
    def measurable(self) -> bool:
        """Whether any site holds enough rows of a class and of others for an area within sites."""
        return bool(self.sited.areas.any()) and self.parts.within.pairs > 0

    @property
    def owed(self) -> Estimate | None:
        """Pooled area less that of pairs from one site."""
        return self.parts.excess(self.sited.units) if self.measurable and not self.why else None


def confounded(one: Confounding, known: tuple[Kept, ...], tolerance: float) -> Finding:
    """The finding on a column; ``known`` says how well features tell the site."""
    evidence = tuple(_evidence(one, known))
    if one.why:
        return _inseparable(one, evidence)
    effect, bound, status = _verdict(one, tolerance)
    found = status == "found"
    return Finding(
        probe="sites",
        kind="confounded",
        subject=one.column,
        status=status,
        severity=_severity(one, effect, bound) if found else "none",
        claim=" ".join(part for part in _claim(one, known, effect, bound, status) if part),
        effect=effect,
        tolerance=bound,
        p_value=min(1.0, 2 * p_at_most(effect, 0.0)) if one.associated else None,
        evidence=evidence,
        remedy=f"collect both classes at each {one.column}, weight rows so that it and the label are independent, "
        "retrain the last layer, and report accuracy within sites"
        if found
        else "",
    )


def _verdict(one: Confounding, tolerance: float) -> tuple[Estimate, float, Status]:
    """The effect, what it is held against, and the status."""
    owed, moved = one.owed, one.moved
    if not one.associated:
        if owed is None:
            return _alone(one), OWED, "inconclusive"
        return owed, OWED, "absent" if owed.against(OWED) == "absent" else "inconclusive"
    if moved is not None and moved.estimate.low > tolerance and moved.p_value <= 0.05:
        return moved.estimate, tolerance, "found"
    if owed is not None and owed.low > OWED:
        return owed, OWED, "found"
    if moved is not None and moved.order.low > ORDER and moved.p_value <= 0.05:
        return moved.order, ORDER, "found"
    if moved is not None:
        status = moved.estimate.against(tolerance)
        return moved.estimate, tolerance, "inconclusive" if status == "found" else status
    if owed is None:
        return _alone(one), OWED, "inconclusive"
    return owed, OWED, owed.against(OWED)


def _severity(one: Confounding, effect: Estimate, bound: float) -> Severity:
    """On the common scale; an order of answers that hardly moves any probability is low."""
    return "low" if one.moved is not None and effect is one.moved.order else severity(effect, "loss", bound)


def _alone(one: Confounding) -> Estimate:
    area = one.alone.estimate("AUC of the site alone, above guessing", one.sited.units)
    return Estimate(
        name=area.name, value=area.value - 0.5, low=area.low - 0.5, high=area.high - 0.5, rows=area.rows, unit=area.unit
    )


def _claim(one: Confounding, known: tuple[Kept, ...], effect: Estimate, bound: float, status: Status) -> Iterator[str]:
    size = spelled(effect)
    together = f"(Cramér's V {one.link.cramers_v:.2f}, p = {one.link.p_value:.2g}; {one.column} alone has an AUC of "
    together += f"{one.alone.value:.3f})"
    if not one.associated:
        yield f"Label and {one.column} are not shown to go together {together}, so that no answer profits from it."
        yield f"The {effect.name} is {size} (at most {bound})."
    elif one.moved is not None and effect is one.moved.estimate:
        yield f"Label and {one.column} go together {together}."
        yield _by_answers(one, size, bound, status)
    elif one.moved is not None and effect is one.moved.order:
        yield f"Label and {one.column} go together {together}."
        yield _by_order(one.moved, one.column, bound)
    elif one.owed is not None:
        yield f"Label and {one.column} go together {together}; {size} of the AUC is owed to that (at most {bound})."
    else:
        yield f"Label and {one.column} go together {together}."
    if status == "inconclusive":
        yield _needed(one, effect, bound)
    if one.measurable and one.associated:
        yield _areas(one)
    if one.associated:
        yield _detector(one, status)
        yield _in_features(one, known)
    if status == "found":
        yield f"Cases of one label may also differ by {one.column}; the shortcut chapter hides the cue."


def _by_answers(one: Confounding, size: str, bound: float, status: Status) -> str:
    what = f"what is commoner at a {one.column} is stated with {size} more probability there (tolerance {bound})"
    if status == "found":
        return f"The answer follows it: among rows of one label, {what}."
    if status == "absent":
        return f"The answer does not follow it: among rows of one label, {what}. The {one.column} is a latent cue."
    return f"Whether the answer follows it is open: among rows of one label, {what}."


def _by_order(moved: Moved, column: str, bound: float) -> str:
    order = moved.order
    cases = f"{0.5 + order.value:.3f} [{0.5 + order.low:.3f}, {0.5 + order.high:.3f}]"
    return (
        f"The order of the answers follows it, if hardly any probability ({spelled(moved.estimate)}): of two rows of "
        f"one label, the one from the {column} where a class is commoner has the higher odds of it in {cases} of the "
        f"cases (0.5: no; tolerance {bound})."
    )


def _areas(one: Confounding) -> str:
    pooled, within = one.parts.pooled.value, one.parts.within.estimate("", one.sited.units)
    return (
        f"The AUC of all pairs, {pooled:.3f}, is {within.value:.3f} [{within.low:.3f}, {within.high:.3f}] within sites "
        f"and {one.parts.across.value:.3f} across them ({one.parts.share:.0%} of the pairs come from one site)."
    )


def _detector(one: Confounding, status: Status = "found") -> str:
    """Whether the model's area exceeds that of the site alone, paired by row."""
    difference = one.parts.pooled.value - one.alone.value
    influence = one.parts.pooled.influence - one.alone.influence
    beyond = from_influence("beyond the site alone", difference, influence, one.sited.units)
    if beyond.low > 0:
        return ""
    if status == "absent":
        return f"Whoever knew the {one.column} alone would do as well on these rows."
    return (
        f"By its AUC of {one.parts.pooled.value:.3f} the model cannot be told apart from a {one.column} detector, "
        f"which has {one.alone.value:.3f}."
    )


def _in_features(one: Confounding, known: tuple[Kept, ...]) -> str:
    if not known:
        return ""
    best = max(known, key=lambda each: each.accuracy.low - each.chance)
    there = f"balanced accuracy {best.accuracy.value:.2f} among {one.classes[best.label]}, chance {best.chance:.2f}"
    if any(each.found for each in known):
        return f"The features of the last layer still tell the {one.column} given the label ({there})."
    return f"The features of the last layer are not shown to tell the {one.column} given the label ({there})."


def _needed(one: Confounding, effect: Estimate, bound: float) -> str:
    if not one.measurable and one.moved is None:
        return (
            f"No {one.column} holds {A_SIDE} rows of a class and {A_SIDE} of others; that many at two sites are "
            "the least that can tell."
        )
    return f"{effect.settled_by(bound, f'{effect.unit}s').capitalize()}."


_REASONS = {
    "sites": "no {column} holds rows of two classes",
    "labels": "no class is seen at two sites",
    "nearly": "no {column} holds ten rows of a class and ten of others, and the {column} all but names the label",
}


def _inseparable(one: Confounding, evidence: tuple[AnyEvidence, ...]) -> Finding:
    counts = one.sited.counts
    by_site = one.why != "labels"
    commonest = counts.argmax(axis=1)[one.sited.sites] if by_site else counts.argmax(axis=0)[one.sited.labels]
    hits = commonest == (one.sited.labels if by_site else one.sited.sites)
    reason = _REASONS[one.why].format(column=one.column)
    name = f"rows whose {one.column} tells the label" if by_site else f"rows whose label tells the {one.column}"
    effect = proportion_of(np.asarray(hits), one.sited.units, name)
    return Finding(
        probe="sites",
        kind="confounded",
        subject=one.column,
        status="found",
        severity="high",
        claim=f"These data cannot separate the label from the {one.column}: {reason}. Whatever "
        "the accuracy on them, a model that only knows where a row was recorded may have it too: collect both "
        f"classes at one {one.column}. {_detector(one)}".rstrip(),
        effect=effect,
        tolerance=None,
        evidence=evidence,
        remedy=f"collect rows of both classes at one {one.column}, or test where all classes come from the same place",
    )


def _evidence(one: Confounding, known: tuple[Kept, ...]) -> Iterator[AnyEvidence]:
    units = one.sited.units
    items = [one.parts.pooled.estimate("the model, all pairs of rows", units)]
    if one.measurable and not one.why:
        items.append(one.parts.within.estimate("the model, pairs from one site", units))
        items.append(one.parts.across.estimate("the model, pairs from two sites", units))
    items.append(one.alone.estimate(f"{one.column} alone", units))
    if one.metadata is not None:
        some = None if units is None else units[: len(one.metadata.right)]
        items.append(one.metadata.estimate("width, height and file alone", some))
    yield Estimates(
        title="Area under the curve, one class against the others", items=tuple(items), reference=0.5,
        reference_name="guessing",
    )  # fmt: skip
    yield _counts(one)
    if one.tests:
        yield _pairs(one)
    if known:
        yield Table(
            title=f"Is the {one.column} still in the features? Told from them among rows of one label, on other folds",
            columns=("label", "sites", "rows", "balanced accuracy", "chance", "p", ""),
            rows=tuple(
                (
                    one.classes[each.label], str(each.sites), str(each.accuracy.rows), spelled(each.accuracy),
                    f"{each.chance:.3f}", f"{each.p_value:.3f}", "kept" if each.found else "not shown",
                )
                for each in known[:SHOWN]
            ),
        )  # fmt: skip


def _counts(one: Confounding) -> Table:
    counts = one.sited.counts
    order = np.argsort(-counts.sum(axis=1), kind="stable")[:SHOWN]
    shown = np.argsort(-counts.sum(axis=0), kind="stable")[:SHOWN_CLASSES]
    more = counts.shape[1] > len(shown)
    others = counts.sum(axis=1) - counts[:, shown].sum(axis=1)
    return Table(
        title=f"Rows of each {one.column} and class ({one.link.bits:.2f} bits in common, log-loss of the "
        f"{one.column} alone {one.link.log_loss.value:.3f})",
        columns=(one.column, "rows", *(one.classes[k] for k in shown), *(("other classes",) if more else ())),
        rows=tuple(
            (
                one.sited.names[at], str(counts[at].sum()), *(str(counts[at, k]) for k in shown),
                *((str(others[at]),) if more else ()),
            )
            for at in order
        ),
    )  # fmt: skip


def _pairs(one: Confounding) -> Table:
    order = sorted(one.tests, key=lambda each: -abs(each.area.value - 0.5))[:SHOWN]

    def says(each: PairTest) -> str:
        if each.p_value > 0.05:
            return "no difference shown"
        return "differs" if each.area.low > 0.55 or each.area.high < 0.45 else "differs a little"

    return Table(
        title=f"Do answers depend on the {one.column}, given the label? How often a row of the first site has more "
        f"odds of what is commoner there (0.5: no; {A_CELL} rows each; Holm over {len(one.tests)} tests)",
        columns=("label", "sites", "rows", "AUC", "p, corrected", ""),
        rows=tuple(
            (
                one.classes[each.label], " and ".join(one.sited.names[at] for at in each.sites), str(each.area.rows),
                spelled(each.area), f"{each.p_value:.3f}", says(each),
            )
            for each in order
        ),
    )  # fmt: skip
