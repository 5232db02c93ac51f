"""The gap between sites: the accuracy at the worst against the others, and what it would be were all sites alike."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np

from pfungst.arrays import Array, BoolArray, IntArray
from pfungst.datasets.dataset import Dataset
from pfungst.findings import AnyEvidence, Condition, Estimates, Finding, Skipped, Table
from pfungst.methods.accuracy_gap import AccuracyGap, decomposed
from pfungst.methods.site_balance import Balanced, balanced
from pfungst.methods.site_features import left_out
from pfungst.methods.site_tests import SMALL, Sited
from pfungst.probe import Labelled
from pfungst.probes.calibration_by_part import outward
from pfungst.statistics.estimate import Estimate, Status, severity
from pfungst.statistics.multiplicity import holm
from pfungst.statistics.proportions import difference_of_shares, proportion_of
from pfungst.statistics.significance import p_at_most

FEWEST, SHOWN = 30, 20
"""Rows of a site from which its accuracy is compared, sites that are shown."""


@dataclass(frozen=True, eq=False)
class AtSites:
    """The labelled rows of a set and the site of each by one column; small sites are one."""

    data: Dataset
    rows: Labelled
    column: str
    sited: Sited

    def compared(self) -> list[int]:
        """Sites that are compared with all others."""
        sizes = self.sited.counts.sum(axis=1)
        enough = (sizes >= FEWEST) & (len(self.rows.labels) - sizes >= FEWEST)
        return [int(at) for at in np.flatnonzero(enough) if self.sited.names[at] != SMALL]

    def inside(self, site: int) -> BoolArray:
        """Which rows come from a site."""
        return np.asarray(self.sited.sites == site)

    def units(self, chosen: BoolArray | IntArray) -> Array | None:
        """The units of some rows."""
        return None if self.rows.units is None else self.rows.units[chosen]

    def apart(self, hits: BoolArray, inside: BoolArray, name: str, many: int) -> Estimate:
        """The share of hits of some rows less that of the others; intervals of ``many`` of them hold at once."""
        return difference_of_shares(
            hits[inside], hits[~inside], self.units(inside), self.units(~inside), name, level=1 - 0.05 / many
        )


def gaps(
    at: AtSites, features: tuple[Sited, Labelled] | None, tolerance: float
) -> Iterator[Finding | Skipped | Condition]:
    """The accuracy lost at the worst site, in two parts, and what is left where site and label are independent.

    ``features`` are the rows whose features are known, with their sites.
    """
    judged = [site for site in at.compared() if at.sited.areas[site] and _shared(at.sited, site)]
    if not judged:
        reason = (
            "no site holds ten rows of a class and ten of others, of classes that are seen elsewhere too: accuracy by "
            "site is accuracy by class"
        )
        few = not at.compared() or any((at.sited.counts[site] > 0).sum() > 1 for site in at.compared())
        yield Skipped(probe="sites", kind="gap", subject=at.column, reason=reason, too_few=few)
        return
    losses = [at.apart(~at.rows.correct, at.inside(site), "accuracy lost", len(judged)) for site in judged]
    place = max(range(len(judged)), key=lambda i: (max(0.0, losses[i].low), losses[i].value))
    inside = at.inside(judged[place])
    even = balanced(at.sited, at.rows.correct)
    yield Condition(
        condition=f"{at.column}={at.sited.names[judged[place]]}",
        accuracy=proportion_of(at.rows.correct[inside], at.units(inside), "accuracy"),
    )
    if isinstance(even, Balanced):
        yield Condition(condition=f"{at.column} independent of the label", accuracy=even.accuracy)
    finding = _finding(at, judged, losses, place, tolerance=tolerance)
    more = (*finding.evidence, *_left_out(at, features))
    yield msgspec.structs.replace(finding, claim=finding.claim + _evenly(even), evidence=more)


def _shared(sited: Sited, site: int, least: float = 0.5) -> bool:
    """Whether most rows of a site are of classes that are seen at other sites too."""
    here = sited.counts[site]
    return bool(here[sited.counts.sum(axis=0) > here].sum() >= least * here.sum())


def _finding(at: AtSites, judged: list[int], losses: list[Estimate], place: int, *, tolerance: float) -> Finding:
    inside = at.inside(judged[place])
    name, loss = f"{at.column}={at.sited.names[judged[place]]}", losses[place]
    clean = all(one.against(tolerance) == "absent" for one in losses)
    status: Status = "found" if loss.low > tolerance else "absent" if clean else "inconclusive"
    here = proportion_of(at.rows.correct[inside], at.units(inside), "accuracy")
    parts = _parts(at, inside)
    remedy = f"collect and train on more rows like those of {name}, or do not let the model answer there"
    return Finding(
        probe="sites",
        kind="gap",
        subject=at.column,
        status=status,
        severity=severity(loss, "loss", tolerance) if status == "found" else "none",
        claim=f"At {name} the accuracy is {here.value:.3f} ({_many(here)}), {_apart(loss)} than at the others "
        f"(tolerance {tolerance}{_worst(judged)})." + _explained(parts, loss, status, tolerance),
        effect=loss,
        tolerance=tolerance,
        p_value=float(holm([min(1.0, 2 * p_at_most(one, 0.0)) for one in losses])[place]),
        evidence=(
            _accuracies(at, judged),
            Estimates(title=f"What is lost at {name}", items=tuple(parts), reference=0.0),
        ),
        remedy=remedy if status == "found" else "",
    )


def _many(one: Estimate) -> str:
    return f"{one.rows} {one.unit}" + ("s" if one.rows != 1 else "")


def _apart(loss: Estimate) -> str:
    """Accuracy lost in words; a gain where the worst site is better than the others."""
    return f"{loss:.3f} lower" if loss.value >= 0 else f"{outward(loss):.3f} higher"


def _worst(judged: list[int]) -> str:
    if len(judged) == 1:
        return "; the only one that can be compared"
    return f"; the worst of {len(judged)} compared, intervals hold for all at once"


def _parts(at: AtSites, inside: BoolArray) -> AccuracyGap:
    sides = (~inside, inside)
    return decomposed(
        (at.rows.correct[sides[0]], at.rows.correct[sides[1]]), (at.rows.labels[sides[0]], at.rows.labels[sides[1]]),
        (at.units(sides[0]), at.units(sides[1])), seed=at.data.seed,
    )  # fmt: skip


def _explained(parts: AccuracyGap, loss: Estimate, status: Status, tolerance: float) -> str:
    if status == "inconclusive":
        return f" {loss.settled_by(tolerance, f'{loss.unit}s').capitalize()}."
    if status == "absent":
        return ""
    return (
        f" How common each class is there explains {parts.prevalence:.3f} of it; {parts.within:.3f} is lost "
        "within classes."
    )


def _evenly(even: Balanced | str) -> str:
    if isinstance(even, str):
        return f" What the accuracy would be if site and label were independent is not estimated: {even}."
    return (
        f" If site and label were independent the accuracy would be {even.accuracy:.3f} (the weighted rows are "
        f"worth {even.effective:.0f})."
    )


def _accuracies(at: AtSites, judged: list[int]) -> Estimates:
    """Accuracy by site, the worst first; those that are not compared come last."""
    level = 1 - 0.05 / len(at.sited.names)
    every = [
        (site not in judged, proportion_of(at.rows.correct[here], at.units(here), name, level=level))
        for site, name in enumerate(at.sited.names)
        if (here := at.inside(site)).any()
    ]
    ordered = sorted(every, key=lambda one: (one[0], one[1].value))[:SHOWN]
    return Estimates(title="Accuracy by site (intervals hold for all at once)", items=tuple(one for _, one in ordered))


def _left_out(at: AtSites, features: tuple[Sited, Labelled] | None) -> Iterator[AnyEvidence]:
    """A last layer refitted on the features without each site."""
    if features is None or features[1].outputs.features is None:
        return
    sited, rows = features
    found = left_out(sited, features[1].outputs.features, seed=at.data.seed)
    if found:
        yield Table(
            title="A last layer refitted on the features, with rows of the site (on other folds) and without any",
            columns=(at.column, "the model", "refitted with", "refitted without"),
            rows=tuple(
                (
                    sited.names[one.site], f"{rows.correct[sited.sites == one.site].mean():.3f}",
                    f"{one.fitted_with:.3f}", f"{one.fitted_without:.3f}",
                )
                for one in found
            ),
        )  # fmt: skip
