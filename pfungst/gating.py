"""Gating: what of an audit fails, what is known from a baseline or accepted, and what a baseline may now leave out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from pfungst.accepted import Accepted, accepted, entry, this_day
from pfungst.comparison import stand
from pfungst.findings import SEVERITIES, Finding, Report
from pfungst.statistics.estimate import Severity

GONE = {
    "absent": "is fixed: it lies within the tolerance now",
    "inconclusive": "is undecided now, which is not fixed",
    "not named": "is not named any more",
}


@dataclass(frozen=True, kw_only=True)
class Gated:
    """A report at a gate.

    ``failing`` fails; ``known`` would, but the baseline has it no less grave; ``accepted`` holds, by the finding's id,
    what the task file lets pass. ``ended`` are entries of ``accept`` whose last day is over, ``idle`` those that match
    nothing that was found. ``shrinkable`` says of what the baseline has at or above the gate what has become of it.
    """

    report: Report
    at: Severity
    failing: tuple[Finding, ...]
    known: tuple[Finding, ...] = ()
    accepted: Mapping[str, Accepted] = field(default_factory=dict)
    ended: tuple[Accepted, ...] = ()
    idle: tuple[Accepted, ...] = ()
    shrinkable: tuple[tuple[Finding, str], ...] = ()
    baseline: Report | None = None

    @property
    def verdict(self) -> str:
        """The gate in one sentence.

        It counts what fails, what is in the baseline, and what is accepted, each only where there is something.
        """
        new = "" if self.baseline is None else " that the baseline has not, or has less grave"
        said = f"{len(self.failing):,} at or above {self.at}{new}" if self.failing else f"nothing at or above {self.at}"
        let = [f"{len(self.known):,} known from the baseline"] if self.known else []
        let += [f"{len(self.accepted):,} accepted"] if self.accepted else []
        if not self.failing and let:
            said = f"nothing else at or above {self.at}"
        return "; ".join([said, *let])

    @property
    def warnings(self) -> tuple[str, ...]:
        """What somebody has to see to: acceptances that ended."""
        return tuple(
            f"{one.finding} is not accepted any more; it was until {one.until}{f': {one.reason}' if one.reason else ''}"
            for one in self.ended
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What somebody may want to tidy up."""
        return tuple(self._notes())

    def _notes(self) -> Iterator[str]:
        if self.baseline is not None:
            first, second = (one.data.get("fingerprint") for one in (self.baseline, self.report))
            # Rows of recorded answers are known by the answers alone, which another model changes.
            if first != second and self.report.data.get("modality") != "answers":
                yield "the baseline was audited on other rows than these"
        for one, word in self.shrinkable:
            yield f"{one.name}, {one.severity} in the baseline, {word}"
        for item in self.idle:
            yield f"{item.finding} is accepted, and nothing of this name was found: [gate] accept can do without it"

    def before(self, finding: Finding) -> Severity | None:
        """How grave the baseline has a finding; None if it has not, or there is no baseline."""
        return None if self.baseline is None else self.baseline.severities.get(finding.id)


def gated(
    report: Report,
    at: Severity = "high",
    accept: Sequence[str | Accepted] = (),
    baseline: Report | None = None,
    today: date | None = None,
) -> Gated:
    """Hold a report against a gate; ``today`` is the day on which acceptances may have ended."""
    day = today or this_day()
    entries = [entry(item) for item in accept]
    names = accepted(entries, day)
    grave = report.fails(at)
    found = {one.name for one in report.findings if one.status == "found"}
    reasons = {one.finding: one for one in entries if not one.expired(day)}
    failing = report.fails(at, entries, baseline, day)
    ids = {id(one) for one in failing}
    return Gated(
        report=report,
        at=at,
        failing=failing,
        known=tuple(one for one in grave if one.name not in names and id(one) not in ids),
        accepted={one.id: reasons[one.name] for one in grave if one.name in names},
        ended=tuple(one for one in entries if one.expired(day) and one.finding not in names),
        idle=tuple(one for one in entries if not one.expired(day) and one.finding not in found),
        shrinkable=() if baseline is None else tuple(_shrinkable(baseline, report, at)),
        baseline=baseline,
    )


def _shrinkable(baseline: Report, report: Report, at: Severity) -> Iterator[tuple[Finding, str]]:
    """What the baseline has at or above the gate and this audit has not, and why."""
    bound, now = SEVERITIES.index(at), report.severities
    for one in baseline.fails(at):
        if one.id in now:
            if SEVERITIES.index(now[one.id]) > bound:
                yield one, f"is {now[one.id]} now"
            continue
        where = stand(one, report)
        yield one, "was not looked for this time" if where is None else GONE.get(where.status, "is not found any more")
