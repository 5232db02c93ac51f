"""Terminal, JUnit and Markdown say what the report says, and nobody's names become markup, escapes or mentions."""

import io
import re
import runpy
import xml.etree.ElementTree as ET
from datetime import date
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from pfungst.accepted import Accepted
from pfungst.findings import Report
from pfungst.gating import gated
from pfungst.report.junit import junit
from pfungst.report.markdown import markdown
from pfungst.report.numbers import interval
from pfungst.report.terminal import plain, summary

SAMPLE = runpy.run_path(str(Path(__file__).parents[1] / "end_to_end" / "sample_report.py"))
HOSTILE = SAMPLE["HOSTILE"]


@pytest.fixture(scope="module")
def report() -> Report:
    return SAMPLE["sample_report"]()


def flat(text: str) -> str:
    return " ".join(text.split())


def test_the_last_screen_fits_80_columns(report: Report) -> None:
    assert max(map(len, plain(report, 80).splitlines())) <= 80


@pytest.mark.parametrize("width", [48, 60, 80, 120, 300])
def test_the_last_screen_holds_verdict_accuracy_and_skipped_at_any_width(report: Report, width: int) -> None:
    text = plain(report, width)
    assert "Does it generalize? NO" in text
    assert flat(report.verdict.sentence) in flat(text)
    for word in ("as tested", "0.977", "[0.965, 0.989]", "0.310", "chance", "feedback", "critical"):
        assert word in text


def test_severe_claims_stand_in_full_and_every_skipped_reason_too(report: Report) -> None:
    text = flat(plain(report, 120))
    for finding in report.fails("high"):
        assert f"{finding.severity} {interval(finding.effect)}" in text
    assert "no deployment log was given; `pfungst monitor LOG` reads one" in text
    assert "26 effects" in text


def test_each_finding_is_one_line_at_80_columns(report: Report) -> None:
    lines = plain(report, 80).splitlines()
    start, end = lines.index("Found"), lines.index("Could not be decided")
    found = [finding for finding in report.findings if finding.status == "found"]
    assert end - start - 2 == len(found)
    for line, finding in zip(lines[start + 1 :], found, strict=False):
        assert line.split()[0] == finding.severity
        assert interval(finding.effect) in line


def test_without_colour_there_are_no_escape_codes_and_names_bring_none(report: Report) -> None:
    text = plain(report)
    assert "\x1b" not in text
    assert "\x00" not in text
    assert "\u202e" not in text
    assert "[bold" in text, "square brackets of names are shown, not obeyed"


def test_in_colour_the_only_escape_codes_are_colours(report: Report) -> None:
    sheet = io.StringIO()
    console = Console(file=sheet, width=80, force_terminal=True, color_system="standard", _environ={})
    console.print(summary(report, 80))
    text = sheet.getvalue()
    assert "\x1b[" in text
    assert "\x1b" not in re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_consoles_that_know_only_ascii_get_ascii(report: Report) -> None:
    raw = io.BytesIO()
    sheet = io.TextIOWrapper(raw, encoding="ascii")
    Console(file=sheet, width=80, _environ={}).print(summary(report, 80))
    sheet.flush()
    assert b"chance" in raw.getvalue()


def test_an_audit_in_which_nothing_was_found_says_what_that_means(report: Report) -> None:
    empty = msgspec.structs.replace(report, findings=(), skipped=())
    text = flat(plain(empty))
    assert "nothing beyond its tolerance, among what was examined" in text
    assert "what no probe asks about was not examined" in text


def test_junit_has_one_case_per_probe_kind_and_subject_under_rule_r21(report: Report) -> None:
    suite = ET.fromstring(junit(gated(report))).find("testsuite")
    cases = suite.findall("testcase")
    assert len(cases) == len(report.findings) + len(report.skipped) == int(suite.get("tests"))
    for case, finding in zip(cases, report.findings, strict=False):
        fails = finding.status == "found" and finding.severity in {"critical", "high"}
        assert (case.find("failure") is not None) == fails
        assert (case.find("skipped") is not None) == (finding.status == "inconclusive")
        assert (case.find("system-out") is not None) == (
            finding.status == "absent" or (finding.status == "found" and not fails)
        )
    assert int(suite.get("failures")) == 3
    assert int(suite.get("skipped")) == 14 + len(report.skipped)
    assert all("not examined: " in case.find("skipped").get("message") for case in cases[len(report.findings) :])


def test_junit_makes_one_case_of_what_stands_twice_with_the_gravest_outcome(report: Report) -> None:
    first = report.findings[0]
    again = msgspec.structs.replace(first, status="inconclusive", severity="none")
    for findings in ((first, again), (again, first)):
        twice = msgspec.structs.replace(report, findings=findings, skipped=())
        (case,) = ET.fromstring(junit(gated(twice))).findall("testsuite/testcase")
        assert case.find("failure") is not None


def test_junit_follows_the_gate_and_what_was_accepted(report: Report) -> None:
    def failures(*args: object) -> int:
        return int(ET.fromstring(junit(gated(report, *args))).get("failures"))

    assert failures("critical") == 1
    assert failures("low") == 20
    assert failures("high", ("shortcuts.cue:region:top-left",)) == 2


def test_junit_is_xml_for_every_hostile_name(report: Report) -> None:
    for name in (*HOSTILE, "\ud800", "\ufffe", "]]>"):
        first = msgspec.structs.replace(report.findings[0], subject=name, claim=name, remedy=name)
        suite = ET.fromstring(junit(gated(msgspec.structs.replace(report, findings=(first,)))).encode())
        assert suite.find("testsuite/testcase/failure") is not None


CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase", "system-out"},
    "testcase": {"failure", "skipped", "system-out"},
    "failure": set(),
    "skipped": set(),
    "system-out": set(),
}
ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "timestamp"},
    "testcase": {"classname", "name"},
    "failure": {"type", "message"},
    "skipped": {"message"},
    "system-out": set(),
}


def test_junit_has_the_elements_and_attributes_of_jenkins_schema_and_no_others(report: Report) -> None:
    for element in ET.fromstring(junit(gated(report))).iter():
        assert {child.tag for child in element} <= CHILDREN[element.tag]
        assert set(element.attrib) == ATTRIBUTES[element.tag]
        assert element.tag != "testcase" or len(element) == 1


def test_markdown_keeps_to_60_lines_and_names_what_is_left_out(report: Report) -> None:
    full = msgspec.structs.replace(report, headline=report.headline * 3, skipped=report.skipped * 3)
    ended = Accepted(finding="shift.fragile:fog", until=date(2026, 1, 31), reason="mended by then")
    text = markdown(gated(full, accept=[ended, *(f"shortcuts.cue:{n}" for n in range(9))], today=date(2026, 2, 1)))
    assert len(text.splitlines()) <= 60
    assert "**3 at or above high.**" in text
    assert "**shift.fragile:fog is not accepted any more; it was until 2026-01-31: mended by then**" in text
    assert "and 6 more notes in the report" in text
    assert "and 19 more conditions in the report" in text
    assert "and 11 more findings in the report" in text
    assert "and 19 more entries in the report" in text


def test_markdown_mentions_nobody_and_holds_no_markup_from_outside(report: Report) -> None:
    nasty = ("@everyone", "<img src=x>", "[a](https://example.org)", "a|b", "`code`", "# title", "www.example.org")
    for name in (*nasty, *HOSTILE):
        first = msgspec.structs.replace(report.findings[0], claim=name)
        text = markdown(gated(msgspec.structs.replace(report, findings=(first,), skipped=(), headline=())))
        (row,) = [line for line in text.splitlines() if line.startswith("| critical")]
        assert not re.search(r"@|<|https?://|www\.", row)
        assert len(re.findall(r"(?<!\\)\|", row)) == 5
        assert not re.search(r"(?<!\\)[`\[\]*_]", row.split("|")[2] if "\\|" not in row else "")


def test_markdown_of_a_report_where_all_was_judged_says_so(report: Report) -> None:
    assert "Every probe that was asked for could be judged." in markdown(
        gated(msgspec.structs.replace(report, skipped=()))
    )
