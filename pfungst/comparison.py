"""Comparison: what is new, fixed and persisting between two audits, and what cannot be compared; ``compare.json``."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from pfungst.findings import SEVERITIES, Finding, Report
from pfungst.statistics.estimate import Estimate, Severity
from pfungst.statistics.paired import Change

SCHEMA = "pfungst/compare/1"

CHOSEN = frozenset({"adversarial", "drift", "feedback", "shift", "sites", "unknowns"})
"""Probes whose subjects are conditions that somebody chose: silence about one means that it was not asked. The others
name what they find: silence means that there was nothing of this name."""

FlipKind = Literal["right to wrong", "wrong to right", "wrong to other wrong", "changed, no label"]
FLIPS: tuple[FlipKind, ...] = ("right to wrong", "wrong to right", "wrong to other wrong", "changed, no label")


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two audits."""

    model: str
    data: str
    model_fingerprint: str
    data_fingerprint: str
    created: str
    rows: int
    generalizes: str
    sentence: str


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """How the rows of both were paired; ``relabelled`` ones have another label in B and are left out of everything."""

    rows: int
    labelled: int
    only_a: int
    only_b: int
    relabelled: int
    unit: str
    notes: tuple[str, ...] = ()


class Stand(msgspec.Struct, frozen=True, kw_only=True):
    """Where a finding stands in one audit; ``judged_as`` is the wider subject under which it was judged, if any."""

    status: Literal["found", "absent", "inconclusive", "not named"]
    severity: Severity = "none"
    effect: Estimate | None = None
    claim: str = ""
    judged_as: str = ""


class Matched(msgspec.Struct, frozen=True, kw_only=True):
    """One finding, found in one audit at least, and where it stands in each."""

    id: str
    probe: str
    kind: str
    subject: str
    a: Stand
    b: Stand
    tolerance: float | None = None

    @property
    def status(self) -> Literal["found"]:
        """Always found, in one of them."""
        return "found"


class NotComparable(msgspec.Struct, frozen=True, kw_only=True):
    """Something found in one audit that the other did not look for."""

    id: str
    probe: str
    kind: str
    subject: str
    found_in: Literal["A", "B"]
    severity: Severity
    effect: Estimate
    claim: str
    reason: str

    @property
    def status(self) -> Literal["found"]:
        """Found, in the one that looked for it."""
        return "found"


class Matches(msgspec.Struct, frozen=True, kw_only=True):
    """The findings of two audits, each list gravest first."""

    new: tuple[Matched, ...]
    fixed: tuple[Matched, ...]
    persisting: tuple[Matched, ...]
    not_comparable: tuple[NotComparable, ...]

    def at_or_above(self, level: Severity) -> tuple[Matched, ...]:
        """What is at or above a severity in B and was not in A: new findings, and persisting ones that rose."""
        bound = SEVERITIES.index(level)
        new = [one for one in self.new if SEVERITIES.index(one.b.severity) <= bound]
        rose = [
            one
            for one in self.persisting
            if SEVERITIES.index(one.b.severity) <= bound < SEVERITIES.index(one.a.severity)
        ]
        return (*new, *rose)


class Flip(msgspec.Struct, frozen=True, kw_only=True):
    """A row that A and B answer differently; ``label`` is None where it has none."""

    id: str
    kind: FlipKind
    label: str | None
    answer_a: str
    confidence_a: float
    answer_b: str
    confidence_b: float


class Churn(msgspec.Struct, frozen=True, kw_only=True):
    """The share of shared rows whose answer flipped, in all and by kind, and which rows these are."""

    flipped: Estimate
    kinds: tuple[Estimate, ...]
    rows: tuple[Flip, ...]


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A setting that differs between the audits."""

    name: str
    a: str
    b: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two audits on the rows they share; encoded as JSON it is ``compare.json``. Differences are B less A."""

    schema: str = SCHEMA
    a: Side
    b: Side
    shared: Shared
    changes: tuple[Change, ...]
    findings: Matches
    churn: Churn
    settings: tuple[Setting, ...]
    fail_at: Severity = "high"

    @property
    def failing(self) -> tuple[Matched, ...]:
        """What is at or above ``fail_at`` in B and was not in A."""
        return self.findings.at_or_above(self.fail_at)


def matched(a: Report, b: Report) -> Matches:
    """Findings of two audits by id: found in B only, found in A only, in both, or looked for in one of them only."""
    pairs, lone = list(_pairs(a, b)), list(_lone(a, b))
    new = [one for one in pairs if one.a.status != "found"]
    fixed = [one for one in pairs if one.b.status != "found"]
    both = [one for one in pairs if one.a.status == one.b.status]
    return Matches(
        new=tuple(sorted(new, key=lambda one: (SEVERITIES.index(one.b.severity), one.id))),
        fixed=tuple(sorted(fixed, key=lambda one: (SEVERITIES.index(one.a.severity), one.id))),
        persisting=tuple(sorted(both, key=lambda one: (SEVERITIES.index(one.b.severity), one.id))),
        not_comparable=tuple(sorted(lone, key=lambda one: (SEVERITIES.index(one.severity), one.id))),
    )


def _pairs(a: Report, b: Report) -> Iterator[Matched]:
    """Everything found in one at least and looked for in both."""
    found = {one.id: one for report in (a, b) for one in reversed(report.findings) if one.status == "found"}
    for one in found.values():
        if any(_relied_upon(one, report) for report in (a, b)):
            continue
        first, second = (stand(one, report) for report in (a, b))
        if first is not None and second is not None:
            yield Matched(
                id=one.id, probe=one.probe, kind=one.kind, subject=one.subject, a=first, b=second,
                tolerance=one.tolerance,
            )  # fmt: skip


def _lone(a: Report, b: Report) -> Iterator[NotComparable]:
    sides: tuple[tuple[Literal["A", "B"], str, Report, Report], ...] = (("A", "B", a, b), ("B", "A", b, a))
    for name, other_name, own, other in sides:
        for one in own.findings:
            if one.status == "found" and stand(one, other) is None and not _relied_upon(one, other):
                yield NotComparable(
                    id=one.id, probe=one.probe, kind=one.kind, subject=one.subject, found_in=name,
                    severity=one.severity, effect=one.effect, claim=one.claim,
                    reason=_why(one, other) or f"{other_name} was not asked about it",
                )  # fmt: skip


def stand(one: Finding, report: Report) -> Stand | None:
    """Where a finding of another audit stands in this one; None if this one did not look for it.

    Searches that come out empty are reported under a wider subject (``region`` for ``region:top-left``, none for a
    class or slice); that is where such a finding then stands.
    """
    alike = {other.subject: other for other in reversed(report.findings) if _kind(other) == _kind(one)}
    if one.subject in alike:
        return _stand(alike[one.subject])
    if _why(one, report) is not None:
        return None
    for wider in (one.subject.partition(":")[0], ""):
        if wider in alike and alike[wider].status != "found":
            return _stand(alike[wider], judged_as=wider or "all subjects")
    return None if one.probe in CHOSEN else Stand(status="not named")


def _relied_upon(one: Finding, report: Report) -> bool:
    """Whether a cue that one audit only calls latent is the same that the other found to be relied upon.

    Then the cue itself is new or fixed, and that it no longer lies idle is neither.
    """
    return one.kind == "latent-cue" and any(
        (other.probe, other.kind, other.subject, other.status) == (one.probe, "cue", one.subject, "found")
        for other in report.findings
    )


def _stand(one: Finding, judged_as: str = "") -> Stand:
    return Stand(status=one.status, severity=one.severity, effect=one.effect, claim=one.claim, judged_as=judged_as)


def _kind(one: Finding) -> tuple[str, str]:
    return one.probe, one.kind


def _why(one: Finding, report: Report) -> str | None:
    """Why an audit could not have found what another one did, None if it could."""
    asked = report.settings.get("probes")
    ran = {other.probe for other in report.findings}
    kinds = {_kind(other) for other in report.findings}
    for entry in report.skipped:
        if entry.probe == one.probe and (
            (entry.kind in {"", one.kind} and entry.subject == one.subject != "")
            or (entry.subject == "" and entry.kind == one.kind)
            or (entry.subject == entry.kind == "" and _kind(one) not in kinds)
        ):
            return entry.reason
    if one.probe not in ran and one.probe not in (asked or ()):
        return f"the probe {one.probe} did not run there"
    named = one.subject.removeprefix("column:").partition("=")[0]
    columns = report.data.get("columns")
    if columns is not None and (one.subject.startswith("column:") or "=" in one.subject) and named not in columns:
        return f"its rows have no column {named!r}"
    return None
