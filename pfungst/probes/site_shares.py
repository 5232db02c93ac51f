"""Prevalence by site: how common each class is at each site, and whether anything else differs there."""

from collections.abc import Iterator

import numpy as np

from pfungst.arrays import BoolArray, IntArray
from pfungst.errors import InputError, TooFew
from pfungst.findings import Finding, Skipped, Table
from pfungst.methods.label_shift import LabelShift, label_shift
from pfungst.methods.site_pairs import PairTest
from pfungst.probe import Labelled
from pfungst.probes.calibration_by_part import outward
from pfungst.probes.prevalence import calibrated
from pfungst.probes.site_gaps import FEWEST, AtSites
from pfungst.statistics.estimate import Status
from pfungst.statistics.multiplicity import holm
from pfungst.statistics.significance import p_at_most

ESTIMATED, ROWS = 8, 2000
"""Sites whose shares are estimated, and rows of them, and of the others, that this is done with."""


def shares(at: AtSites, tests: tuple[PairTest, ...], tolerance: float) -> Iterator[Finding | Skipped]:
    """Whether a class is commoner at one site than at the others; ``tests`` say what else depends on the site."""
    judged, classes = at.compared(), at.sited.compared
    if not judged or not len(classes):
        reason = TooFew(f"no site has {FEWEST} labelled rows, as many elsewhere, and classes with ten rows")
        yield Skipped(probe="sites", kind="prevalence", subject=at.column, reason=reason)
        return
    many = len(judged) * len(classes)
    tried = [
        (site, int(k), outward(at.apart(at.rows.labels == k, at.inside(site), "share of the class apart", many)))
        for site in judged
        for k in classes
    ]
    corrected = holm([min(1.0, 2 * p_at_most(one, 0.0)) for *_, one in tried])
    place = max(range(many), key=lambda i: tried[i][2].low)
    site, k, effect = tried[place]
    clean = all(one.against(tolerance) == "absent" for *_, one in tried)
    status: Status = "found" if effect.low > tolerance else "absent" if clean else "inconclusive"
    inside = at.inside(site)
    table, said = _estimated(at, judged, tests)
    settle = f" {effect.settled_by(tolerance, f'{effect.unit}s').capitalize()}." if status == "inconclusive" else ""
    yield Finding(
        probe="sites",
        kind="prevalence",
        subject=at.column,
        status=status,
        severity="low" if status == "found" else "none",
        claim=f"{at.data.classes[k]} makes up {np.mean(at.rows.labels[inside] == k):.3f} of the rows at "
        f"{at.column}={at.sited.names[site]} and {np.mean(at.rows.labels[~inside] == k):.3f} elsewhere: "
        f"{effect:.3f} apart (tolerance {tolerance}; the furthest of {many}).{settle}{said}",
        effect=effect,
        tolerance=tolerance,
        p_value=float(corrected[place]),
        evidence=table,
        remedy="set thresholds and recalibrate by site" if status == "found" else "",
    )


def _estimated(at: AtSites, judged: list[int], tests: tuple[PairTest, ...]) -> tuple[tuple[Table, ...], str]:
    """Shares at each site as they are, and as the answers there tell, where nothing else is shown to differ."""
    largest = sorted(judged, key=lambda site: -int(at.sited.counts[site].sum()))[:ESTIMATED]
    found = {site: one for site in largest if (one := _shift(at, at.inside(site))) is not None}
    if not found:
        return (), ""
    assumed = dict(zip(found, holm([one.assumption for one in found.values()]).tolist(), strict=True))
    for test in tests:
        for site in set(test.sites) & set(assumed):
            assumed[site] = min(assumed[site], test.p_value)
    broken = [at.sited.names[site] for site, p in assumed.items() if p <= 0.05]
    table = Table(
        title="Shares of the classes, estimated from the answers as if only they differed (inverted confusion matrix; "
        "likelihood)",
        columns=(at.column, "rows", "class", "elsewhere", "there", "inverted", "likeliest", "nothing else differs"),
        rows=tuple(_line(at, site, found[site], p) for site, p in assumed.items()),
    )
    if not broken:
        return (table,), " Nothing else is shown to differ between sites."
    named = ", ".join(broken[:3]) + (" and others" if len(broken) > 3 else "")
    return (table,), f" More than the shares differs at {named}: shares there are not estimated from the answers."


def _line(at: AtSites, site: int, found: LabelShift, p: float) -> tuple[str, ...]:
    counts = at.sited.counts[site]
    rest = at.sited.counts.sum(axis=0) - counts
    here, elsewhere = counts / counts.sum(), rest / rest.sum()
    k = int(np.abs(here - elsewhere).argmax())
    guesses = ("", "") if p <= 0.05 else (f"{found.inverted[k]:.3f}", f"{found.likeliest[k]:.3f}")
    said = "assumption broken" if p <= 0.05 else "not rejected"
    given = (at.sited.names[site], str(counts.sum()), at.data.classes[k], f"{elsewhere[k]:.3f}", f"{here[k]:.3f}")
    return (*given, *guesses, f"{said}, p = {p:.2g}")


def _shift(at: AtSites, inside: BoolArray) -> LabelShift | None:
    """Shares at a site, estimated with labelled rows of the others; None where that is refused."""
    outputs = at.rows.outputs
    if not outputs.complete:
        return None
    known, new = (_some(np.flatnonzero(part)) for part in (~inside, inside))
    before = Labelled(outputs.take(known), at.rows.labels[known], at.units(known))
    try:
        return label_shift(
            before.outputs, before.labels, outputs.take(new), at.data.classes, (before.units, at.units(new)),
            calibrate=calibrated(before), seed=at.data.seed,
        )  # fmt: skip
    except InputError:
        return None


def _some(rows: IntArray) -> IntArray:
    return rows[:: max(1, len(rows) // ROWS)][:ROWS]
