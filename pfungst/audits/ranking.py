"""Ranking: correct for many tests, order the findings, and say in one sentence whether the model generalizes."""

from collections.abc import Iterator, Sequence

import msgspec

from pfungst.canonical import fingerprint
from pfungst.findings import SEVERITIES, Finding, Skipped, Verdict
from pfungst.probe import probes as registry
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.multiplicity import holm

DECISIVE = ("shortcuts", "shift", "attribution", "sites", "selection", "feedback", "adversarial")
"""Topics whose findings say that the model answers from something other than what was meant; causes come first."""

DOUBTFUL = tuple(topic for topic in DECISIVE if topic != "adversarial")
"""Topics in which a medium finding leaves the verdict open; every ordinary network falls to an attacker unasked."""

NEEDED = ("shortcuts", "shift")
"""Topics without which nobody may say that a model generalizes."""

BARELY = 0.1
"""A model that can be no more than this better than always giving the commonest label learned nothing to speak of."""

_STATUSES = ("found", "inconclusive", "absent")


def rank(findings: Sequence[Finding], command: str, level: float = 0.05) -> tuple[Finding, ...]:
    """Findings with id, corrected p-value and the command that repeats them; gravest first, causes before effects.

    Holm's correction runs once over all tests of the audit. What was found but does not survive it is inconclusive.
    """
    tested = [finding for finding in findings if finding.p_value is not None]
    adjusted = iter(holm([finding.p_value or 0.0 for finding in tested]))
    ranked = [_finished(finding, adjusted, command, level) for finding in findings]
    return tuple(sorted(ranked, key=_order))


def _finished(finding: Finding, adjusted: Iterator[float], command: str, level: float) -> Finding:
    finding = msgspec.structs.replace(
        finding,
        id=fingerprint(finding.probe, finding.kind, finding.subject),
        reproduce=command if finding.probe in OF_LOGS else f"{command} --only {finding.probe}",
        p_adjusted=None if finding.p_value is None else float(next(adjusted)),
    )
    if finding.status == "found" and finding.p_adjusted is not None and finding.p_adjusted > level:
        unsettled = f"After correction for all tests of this audit it is not settled (p = {finding.p_adjusted:.2g})."
        claim = f"{finding.claim} {unsettled}"
        finding = msgspec.structs.replace(finding, status="inconclusive", severity="none", claim=claim)
    return finding


def _order(finding: Finding) -> tuple[int, int, int, float, str]:
    near = max(finding.effect.low, -finding.effect.high, 0.0)
    cause = DECISIVE.index(finding.probe) if finding.probe in DECISIVE else len(DECISIVE)
    return _STATUSES.index(finding.status), SEVERITIES.index(finding.severity), cause, -near, finding.id


OF_LOGS = ("drift", "feedback")
"""Probes of deployment logs: an audit before deployment does not lack them."""


def verdict(
    findings: Sequence[Finding], skipped: Sequence[Skipped], tested: Estimate | None = None, guess: float = 0.0
) -> Verdict:
    """The answer to the audit's question, with what it covers and what it does not in the same sentence.

    ``tested`` is the accuracy as tested, ``guess`` that of always giving the commonest label.
    """
    if findings and all(finding.probe in OF_LOGS for finding in findings):
        return _of_log(findings)
    if tested is not None and tested.low <= guess:
        useless = tested.high <= guess + BARELY
        sentence = (
            f"{'It does not generalize' if useless else 'Undecided'}: its accuracy, {tested:.3f}, "
            f"is not shown to exceed the {guess:.3f} of always giving the "
            "commonest label."
        )
        return Verdict(generalizes="no" if useless else "undecided", sentence=sentence)
    found = [finding for finding in findings if finding.status == "found"]
    grave = [finding for finding in found if finding.severity in {"critical", "high"}]
    decisive = sorted((one for one in grave if _shows_a_trick(one)), key=lambda one: DECISIVE.index(one.probe))
    examined = list(dict.fromkeys(finding.probe for finding in findings))
    lacking = [topic for topic in NEEDED if topic not in examined]
    unseen = sorted({entry.probe for entry in skipped if entry.probe in registry} - {*examined, *lacking, *OF_LOGS})
    without = f"; not examined: {', '.join(unseen)}" if unseen else ""
    if decisive:
        others = len(grave) - 1
        more = f" {others} more {'finding is' if others == 1 else 'findings are'} high or critical." if others else ""
        return Verdict(generalizes="no", sentence=f"It does not generalize. {decisive[0].claim}{more}")
    open_ = [finding for finding in findings if finding.probe in NEEDED and finding.status == "inconclusive"]
    medium = [finding for finding in found if finding.probe in DOUBTFUL and finding.severity == "medium"]
    if lacking or open_ or medium or grave:
        why = "; ".join(_reasons(lacking, open_, medium, grave))
        return Verdict(generalizes="undecided", sentence=f"Undecided: {why}{without}.")
    attacked = [finding for finding in found if finding.probe == "adversarial" and finding.severity == "medium"]
    covered = ", ".join(topic for topic in examined if topic != "adversarial" or not attacked)
    falls = (
        f"; to an attacker it falls ({', '.join(dict.fromkeys(one.subject for one in attacked))})" if attacked else ""
    )
    sentence = f"Within what was examined it generalizes: nothing above low was found in {covered}{falls}{without}."
    return Verdict(generalizes="yes", sentence=sentence)


def _of_log(findings: Sequence[Finding]) -> Verdict:
    """What a deployment log says: only an accuracy that is known to have fallen answers the audit's question."""
    found = [finding for finding in findings if finding.status == "found"]
    fallen = [finding for finding in found if finding.kind == "accuracy"]
    if fallen:
        return Verdict(generalizes="no", sentence=f"In deployment it does not hold. {fallen[0].claim}")
    moved = f"moved or moving in the log: {_names(found)}" if found else "nothing was found to have moved in the log"
    return Verdict(generalizes="undecided", sentence=f"No loss of accuracy is shown; {moved}.")


def _shows_a_trick(finding: Finding) -> bool:
    """Whether it says what the answers rest on; data that cannot separate label and site only say that nobody knows."""
    unknown = finding.kind == "confounded" and finding.tolerance is None
    return finding.probe in DECISIVE and not unknown


def _reasons(
    lacking: Sequence[str], open_: Sequence[Finding], medium: Sequence[Finding], grave: Sequence[Finding]
) -> Iterator[str]:
    if lacking:
        yield f"{' and '.join(lacking)} {'were' if len(lacking) > 1 else 'was'} not examined"
    if medium:
        yield f"{_names(medium)} weighs medium"
    if grave:
        yield f"no trick was shown, but {_names(grave)} weighs high or critical"
    if open_:
        yield f"more rows are needed to settle {_names(open_)}"


def _names(findings: Sequence[Finding], most: int = 3) -> str:
    names = [f"{finding.probe} ({f'{finding.kind} {finding.subject}'.strip()})" for finding in findings[:most]]
    if len(findings) > most:
        return ", ".join(names) + f" and {len(findings) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
