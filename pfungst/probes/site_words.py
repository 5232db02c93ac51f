"""Confounding of label and site in words: what was found, what it rests on, and what these rows cannot tell."""

from collections.abc import Iterator

import numpy as np

from pfungst.findings import AnyEvidence, Estimates, Finding, Table
from pfungst.methods.site_features import Kept
from pfungst.methods.site_pairs import A_CELL, Moved, PairTest
from pfungst.methods.site_tests import A_SIDE
from pfungst.probes.calibration_by_part import outward
from pfungst.probes.site_verdict import Confounding, Verdict, verdict
from pfungst.statistics.estimate import Status
from pfungst.statistics.proportions import proportion_of

SHOWN, SHOWN_CLASSES = 12, 6


def confounded(one: Confounding, known: tuple[Kept, ...], tolerance: float) -> Finding:
    """The finding on a column; ``known`` says how well features tell the site."""
    evidence = tuple(_evidence(one, known))
    if one.why:
        return _inseparable(one, evidence)
    said = verdict(one, tolerance)
    return Finding(
        probe="sites",
        kind="confounded",
        subject=one.column,
        status=said.status,
        severity=said.severity,
        claim=" ".join(part for part in _claim(one, known, said) if part),
        effect=said.effect,
        tolerance=said.bound,
        p_value=said.p_value if one.associated else None,
        evidence=evidence,
        remedy=f"collect both classes at each {one.column}, weight rows so that it and the label are independent, "
        "retrain the last layer, and report accuracy within sites"
        if said.status == "found"
        else "",
    )


def _claim(one: Confounding, known: tuple[Kept, ...], said: Verdict) -> Iterator[str]:
    yield _together(one)
    if not one.associated:
        yield f"The {said.effect.name} is {said.effect:.3f} (at most {said.bound})."
        yield _all_the_same(one)
    elif said.rests == "answers":
        yield _by_answers(one.column, said)
    elif said.rests == "order" and one.moved is not None:
        yield _by_order(one.moved, one.column, said)
    elif said.rests == "area":
        yield f"Of the AUC, {said.effect:.3f} is owed to that (at most {said.bound})."
    if said.status == "inconclusive":
        yield _needed(one, said)
    if one.measurable and one.associated:
        yield _areas(one)
    if one.associated:
        yield _detector(one, said.status)
        yield _in_features(one, known)
    if said.status == "found":
        yield f"Cases of one label may also differ by {one.column}; the shortcut chapter hides the cue."


def _together(one: Confounding) -> str:
    how = f"(Cramér's V {one.link.cramers_v:.2f}, p = {one.link.p_value:.2g}; {one.column} alone has an AUC of "
    how += f"{one.alone.value:.3f})"
    if one.by_chance:
        return f"Label and {one.column} are not shown to go together {how}."
    return f"Label and {one.column} {'go' if one.associated else 'hardly go'} together {how}."


def _all_the_same(one: Confounding) -> str:
    """Answers that differ between sites though the sites hold the classes alike, where the label is the same."""
    apart = [each for each in one.tests if each.p_value <= 0.05 and (each.area.low > 0.55 or each.area.high < 0.45)]
    if not apart:
        return ""
    most = max(apart, key=lambda each: abs(each.area.value - 0.5))
    first, second = (one.sited.names[at] for at in most.sites)
    return (
        f"Answers depend on the {one.column} all the same: of two rows of {one.classes[most.label]}, {first} and "
        f"{second}, the first is the higher in {most.area:.3f} of the cases; elsewhere that may be a shortcut."
    )


def _by_answers(column: str, said: Verdict) -> str:
    less = "less" if said.against or said.effect.value < 0 else "more"
    what = f"what is commoner at a {column} is stated with {outward(said.effect):.3f} {less} probability there "
    what += f"(tolerance {said.bound:g})"
    if said.status == "absent":
        return f"The answer does not follow it: among rows of one label, {what}. The {column} is a latent cue."
    if said.status == "inconclusive":
        return f"Whether the answer follows it is open: among rows of one label, {what}."
    if said.against:
        return (
            f"The answer goes by the {column}, but against it: among rows of one label, {what}, as if it had been "
            "learned where the classes were commoner elsewhere."
        )
    return f"The answer follows it: among rows of one label, {what}."


def _by_order(moved: Moved, column: str, said: Verdict) -> str:
    order = moved.order
    cases = f"{0.5 + order.value:.3f} [{0.5 + order.low:.3f}, {0.5 + order.high:.3f}]"
    return (
        f"The order of the answers follows it, if hardly any probability ({moved.estimate:.3f}): of two rows of "
        f"one label, the one from the {column} where a class is commoner has the higher odds of it in {cases} of the "
        f"cases (0.5: no; tolerance {said.bound})."
    )


def _areas(one: Confounding) -> str:
    pooled, within = one.parts.pooled.value, one.parts.within.estimate("", one.sited.units)
    return (
        f"The AUC of all pairs, {pooled:.3f}, is {within:.3f} within sites "
        f"and {one.parts.across.value:.3f} across them ({one.parts.share:.0%} of the pairs come from one site)."
    )


def _detector(one: Confounding, status: Status = "found") -> str:
    """Whether the model's area exceeds that of the site alone, paired by row."""
    if one.beyond.low > 0:
        return ""
    if status == "absent":
        return f"Whoever knew the {one.column} alone would do as well on these rows."
    return (
        f"By its AUC of {one.parts.pooled.value:.3f} the model cannot be told apart from a detector of {one.column}, "
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


def _needed(one: Confounding, said: Verdict) -> str:
    if not one.measurable and one.moved is None:
        return (
            f"No {one.column} holds {A_SIDE} rows of a class and {A_SIDE} of others; that many at two sites are "
            "the least that can tell."
        )
    return f"{said.effect.settled_by(said.bound, f'{said.effect.unit}s').capitalize()}."


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
                    one.classes[each.label], str(each.sites), str(each.accuracy.rows), f"{each.accuracy:.3f}",
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
                f"{each.area:.3f}", f"{each.p_value:.3f}", says(each),
            )
            for each in order
        ),
    )  # fmt: skip
