"""The gate from the command line: baselines, dated acceptances, files for servers, audits that repeat byte by byte."""

import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pfungst
from pfungst.cli import main

ROWS = 600
EVIL = "::error title=taken::over"


def answers(folder, name, *, sure, classes=("cat", "dog")):
    """Recorded answers that are right as often as honest ones, and ``sure`` times as sure."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, ROWS)
    margin = sure * 0.5 * (rng.normal(size=ROWS) + 0.5 * (2 * labels - 1))
    path = folder / f"{name}.npz"
    np.savez(
        path, logits=np.stack([-margin, margin], axis=1).astype(np.float32), labels=labels, classes=np.array(classes)
    )
    return str(path)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """An audit that found the answers of ``good`` well calibrated, one that found those of ``bad`` far too sure."""
    folder = tmp_path_factory.mktemp("gate")
    for name, sure in (("good", 1.0), ("bad", 6.0)):
        main(
            [
                "audit",
                answers(folder, name, sure=sure),
                "--only",
                "calibration",
                "--out",
                str(folder / f"run-{name}"),
                "--quiet",
            ]
        )
    return folder


def audit(base, name, out, *more):
    return main(
        ["audit", str(base / f"{name}.npz"), "--only", "calibration", "--out", str(out), "--quiet", *map(str, more)]
    )


def test_baseline_lets_pass_what_it_has_and_nothing_else(base, tmp_path, capsys):
    assert audit(base, "bad", tmp_path / "run") == 1
    assert audit(base, "bad", tmp_path / "run", "--baseline", base / "run-good") == 1
    assert "not in the baseline" in capsys.readouterr().out
    assert audit(base, "bad", tmp_path / "run", "--baseline", base / "run-bad" / "audit.json") == 0
    assert "known from the baseline" in capsys.readouterr().out
    assert audit(base, "good", tmp_path / "good", "--baseline", base / "run-bad") == 0
    assert "note: calibration.overconfident, high in the baseline, is" in capsys.readouterr().out


def test_task_file_names_baseline_and_acceptances_and_the_flag_wins(base, tmp_path, capsys):
    task = tmp_path / "task.toml"
    task.write_text(f'[gate]\nbaseline = "{base / "run-bad"}"\n')
    assert audit(base, "bad", tmp_path / "run", "--task", task) == 0
    assert audit(base, "bad", tmp_path / "run", "--task", task, "--baseline", base / "run-good") == 1
    classes = '"calibration.classwise:cat", "calibration.classwise:dog"'
    accept = f'accept = [{classes}, {{finding = "calibration.overconfident", reason = "known", until = %s}}]'
    for until, code in (("2999-01-01", 0), ("2020-01-01", 1)):
        task.write_text(f"[gate]\n{accept % until}\n")
        capsys.readouterr()
        assert audit(base, "bad", tmp_path / "run", "--task", task) == code
        assert ("warning: calibration.overconfident is not accepted any more" in capsys.readouterr().out) == (code == 1)


@pytest.mark.parametrize(
    "gate_and_word",
    [
        ('accept = ["calibration.overconfidant"]', "did you mean 'calibration.overconfident'"),
        ('accept = [{finding = "calibration.overconfident", untill = 2027-01-31}]', "untill"),
        ('baseline = "nowhere"', "nowhere"),
    ],
)
def test_gate_that_cannot_be_held_is_exit_2_before_anything_is_written(base, tmp_path, capsys, gate_and_word):
    gate, word = gate_and_word
    task = tmp_path / "task.toml"
    task.write_text(f"[gate]\n{gate}\n")
    assert audit(base, "bad", tmp_path / "run", "--task", task) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert word in said.err
    assert not (tmp_path / "run").exists()


def test_baseline_that_the_audit_itself_will_write_is_refused(base, tmp_path, capsys):
    run = tmp_path / "run"
    assert audit(base, "bad", run) == 1
    before = (run / "audit.json").read_bytes()
    for baseline in (run, run / "audit.json"):
        assert audit(base, "bad", run, "--baseline", baseline) == 2
        assert "copy it elsewhere" in capsys.readouterr().err
    assert (run / "audit.json").read_bytes() == before
    (run / "accepted.json").write_bytes(before)
    assert audit(base, "bad", run, "--baseline", run / "accepted.json") == 0


def test_names_from_outside_are_printed_only_while_the_runner_listens_to_nothing(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "step.md"))
    (tmp_path / "step.md").write_text("# Before\n")
    model = answers(tmp_path, "evil", sure=6.0, classes=(EVIL, "%0A::warning::x"))
    out = tmp_path / "run"
    words = ["audit", model, "--only", "calibration,mistakes", "--out", str(out), "--format", "github,sarif,junit"]
    assert main(words) == 1
    lines = capfd.readouterr().out.splitlines()
    token = lines[0].removeprefix("::stop-commands::")
    assert re.fullmatch("[0-9a-f]{32}", token)
    end = lines.index(f"::{token}::")
    assert any(EVIL.split(maxsplit=1)[0] in line for line in lines[:end]), "the last screen names the class"
    heard = lines[end + 1 :]
    assert all(re.fullmatch(r"::(error|warning|notice) (file|title)=[^:]*::.*", line) for line in heard)
    assert not any("taken::over" in line.split("::", 2)[1] for line in heard)
    step = (tmp_path / "step.md").read_text()
    assert step.startswith("# Before\n## Does it generalize?")
    assert (out / "summary.md").read_text() in step
    assert main([*words[:-1], "junit", "--quiet"]) == 1
    assert "::stop-commands" not in capfd.readouterr().out


def test_step_summary_that_cannot_be_written_is_told_and_changes_no_answer(base, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    assert audit(base, "good", tmp_path / "run", "--format", "github") == 0
    assert "::warning title=pfungst::the step summary cannot be written" in capsys.readouterr().out
    assert (tmp_path / "run" / "summary.md").exists()


def test_comparison_writes_every_format_and_agrees_with_its_exit_code(base, tmp_path, capsys):
    for first, second, code in (("good", "bad", True), ("bad", "good", False)):
        out = tmp_path / first
        words = ["compare", str(base / f"run-{first}"), str(base / f"run-{second}"), "--out", str(out), "--quiet"]
        assert main([*words, "--format", "junit,sarif,github,markdown"]) == code
        new = json.loads((out / "compare.json").read_text())["findings"]["new"]
        grave = sum(one["b"]["severity"] in {"critical", "high"} for one in new)
        assert bool(grave) == code
        assert int(ET.parse(out / "junit.xml").getroot().get("failures")) == grave
        results = json.loads((out / "findings.sarif").read_text())["runs"][0]["results"]
        assert sum(one["properties"]["fails"] for one in results) == grave
        assert (out / "summary.md").read_text().startswith(f"## What is new? {grave} finding")
        assert capsys.readouterr().out.count("\n::error ") == grave
    assert main(["compare", str(base / "run-good"), str(base / "run-bad"), "--format", "pdf"]) == 2


def test_monitor_writes_every_format_and_takes_a_baseline(base, tmp_path):
    rng = np.random.default_rng(1)
    stated = rng.uniform(0.5, 1, 1200)
    table = {"prob_cat": stated, "prob_dog": 1 - stated, "ward": np.repeat([0.0, 3.0], 600) + rng.normal(size=1200)}
    pq.write_table(pa.table(table), tmp_path / "log.parquet")
    words = [
        "monitor",
        str(tmp_path / "log.parquet"),
        "--reference",
        str(base / "run-good"),
        "--window",
        "200",
        "--quiet",
        "--fail-at",
        "low",
    ]
    first = main([*words, "--out", str(tmp_path / "one"), "--format", "junit,sarif,github,markdown"])
    assert first == 1
    for name in ("junit.xml", "findings.sarif", "summary.md"):
        assert (tmp_path / "one" / name).stat().st_size > 0
    again = [*words, "--out", str(tmp_path / "two"), "--baseline", str(tmp_path / "one"), "--format", "junit"]
    assert main(again) == 0
    assert ET.parse(tmp_path / "two" / "junit.xml").getroot().get("failures") == "0"


def test_same_seed_and_inputs_give_the_same_bytes_but_for_the_time(tmp_path):
    """A gate that flickers gets switched off."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 300)
    inputs = rng.normal(size=(300, 4)).astype(np.float32) + (2 * labels - 1)[:, None] * np.array([1.0, 0.2, 0, 0.6])

    def net(rows):
        margin = rows @ np.array([2.0, 0.4, 0.0, 1.2])
        return np.stack([-margin, margin], axis=1)

    written = []
    for name in ("one", "two"):
        pfungst.audit(
            net, (inputs, labels), only=("shortcuts", "shift", "calibration", "mistakes"), out=tmp_path / name
        )
        raw = (tmp_path / name / "audit.json").read_text()
        written.append(re.sub(r'"(created|seconds)": [^\n]*?(,?)\n', r'"\1": 0\2\n', raw))
    assert written[0] == written[1]
    assert written[0].count('"seconds": 0') > 5
