"""JUnit: one test case per probe, kind and subject, for the test tab of a continuous integration server."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Literal, TypeAlias

from pfungst.findings import Finding
from pfungst.gating import Gated
from pfungst.report.markup import clean
from pfungst.report.thresholds import numbers

Outcome: TypeAlias = tuple[Literal["failure", "skipped", "passed"], ET.Element]
ORDER = ("failure", "skipped", "passed")


def junit(gate: Gated) -> str:
    """The report at a gate as JUnit XML.

    Found at or above the gate, and neither accepted nor in the baseline, is a failure; inconclusive and not examined
    are skipped, with the reason; excluded passes; so does what was found and does not fail, with its claim as output.
    What stands twice under one name is one case, with the gravest outcome.
    """
    cases: dict[tuple[str, str, str], Outcome] = {}
    for key, outcome in _outcomes(gate):
        first = cases.setdefault(key, outcome)
        if ORDER.index(outcome[0]) < ORDER.index(first[0]):
            cases[key] = outcome
    tally = {name: str(sum(one[0] == name for one in cases.values())) for name in ORDER}
    about = {"tests": str(len(cases)), "failures": tally["failure"], "errors": "0"}
    top = ET.Element("testsuites", {"name": "pfungst", **about})
    more = {"skipped": tally["skipped"], "timestamp": clean(gate.report.created, 40)}
    suite = ET.SubElement(top, "testsuite", {"name": "pfungst audit", **about, **more})
    for (probe, kind, subject), (_, element) in cases.items():
        name = ":".join(part for part in (kind, subject) if part) or probe
        case = ET.SubElement(suite, "testcase", classname=f"pfungst.{clean(probe, 80)}", name=clean(name, 300))
        case.append(element)
    told = "\n".join((gate.verdict, *gate.warnings, *gate.notes))
    ET.SubElement(suite, "system-out").text = clean(told)
    ET.indent(top)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(top, encoding="unicode") + "\n"


def _outcomes(gate: Gated) -> Iterator[tuple[tuple[str, str, str], Outcome]]:
    failing = {id(one) for one in gate.failing}
    for one in gate.report.findings:
        fails = id(one) in failing
        yield (one.probe, one.kind, one.subject), _failure(one, gate) if fails else _other(one, gate)
    for entry in gate.report.skipped:
        skipped = ET.Element("skipped", message=clean(f"not examined: {entry.reason}", 800))
        yield (entry.probe, entry.kind, entry.subject), ("skipped", skipped)


def _failure(one: Finding, gate: Gated) -> Outcome:
    before = gate.before(one)
    worse = f"{before} in the baseline, {one.severity} now." if before else ""
    said = f"{one.claim} {numbers(one, gate.at)}"
    element = ET.Element("failure", type=one.severity, message=clean(f"{one.claim} {worse}".strip(), 500))
    element.text = clean("\n".join(part for part in (said, worse, one.remedy, one.reproduce) if part))
    return "failure", element


def _other(one: Finding, gate: Gated) -> Outcome:
    said = f"{one.claim} {numbers(one, gate.at)}"
    if one.status == "inconclusive":
        return "skipped", ET.Element("skipped", message=clean(f"undecided: {said}", 800))
    let = gate.accepted.get(one.id)
    why = f" (accepted{f': {let.reason}' if let.reason else ''})" if let and one.status == "found" else ""
    why = why or (" (known from the baseline)" if one in gate.known else "")
    element = ET.Element("system-out")
    element.text = clean(f"{one.status}, {one.severity}{why}: {said}")
    return "passed", element
