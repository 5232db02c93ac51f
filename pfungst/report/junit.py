"""JUnit: one test case per probe, kind and subject, for the test tab of a continuous integration server."""

import xml.etree.ElementTree as ET

from pfungst.findings import Finding, Report
from pfungst.report.markup import clean
from pfungst.report.numbers import interval, plain, rows
from pfungst.statistics.estimate import Severity


def junit(report: Report, fail_at: Severity = "high", accept: tuple[str, ...] = ()) -> str:
    """The report as JUnit XML.

    Found at or above ``fail_at`` and not accepted is a failure; inconclusive and not examined are skipped, with the
    reason; excluded passes; so does found below the gate, with its claim as output.
    """
    failing = {id(finding) for finding in report.fails(fail_at, accept)}
    suite = ET.Element("testsuite", name="pfungst audit", timestamp=clean(report.created, 40))
    for finding in report.findings:
        case = _case(suite, finding.probe, finding.kind, finding.subject)
        said = f"{finding.claim} {_numbers(finding)}"
        if id(finding) in failing:
            failure = ET.SubElement(case, "failure", type=finding.severity, message=clean(finding.claim, 500))
            failure.text = clean("\n".join(part for part in (said, finding.remedy, finding.reproduce) if part))
        elif finding.status == "inconclusive":
            ET.SubElement(case, "skipped", message=clean(f"undecided: {said}", 800))
        else:
            ET.SubElement(case, "system-out").text = clean(f"{finding.status}, {finding.severity}: {said}")
    for entry in report.skipped:
        case = _case(suite, entry.probe, entry.kind, entry.subject)
        ET.SubElement(case, "skipped", message=clean(f"not examined: {entry.reason}", 800))
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(len(failing)))
    suite.set("errors", "0")
    suite.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    ET.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"


def _case(suite: ET.Element, probe: str, kind: str, subject: str) -> ET.Element:
    name = ":".join(part for part in (kind, subject) if part) or probe
    return ET.SubElement(suite, "testcase", classname=f"pfungst.{clean(probe, 80)}", name=clean(name, 300))


def _numbers(finding: Finding) -> str:
    tolerated = "" if finding.tolerance is None else f", tolerated {plain(finding.tolerance)}"
    return f"({finding.effect.name} {interval(finding.effect)}, {rows(finding.effect)}{tolerated})"
