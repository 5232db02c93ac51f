"""Monitoring: planted drift is found, a quiet log is left in peace, windows are judged once, changes are refused."""

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression

import pfungst
from pfungst.errors import InputError
from pfungst.monitoring import monitor
from pfungst.statistics.streams import risen

TASK = {"columns": {"time": "when"}}


def world(rows, seed, *, moved=0.0, flipped=0.0):
    """Two classes told apart by the first column; ``moved`` shifts the second, ``flipped`` labels are turned."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, rows)
    inputs = rng.normal(0, 1, (rows, 3))
    inputs[:, 0] += 1.5 * (2 * labels - 1)
    inputs[:, 1] += moved
    return inputs, np.where(rng.random(rows) < flipped, 1 - labels, labels)


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    inputs, labels = world(2400, 0)
    model = LogisticRegression().fit(inputs[:1200], labels[:1200])
    run = tmp_path_factory.mktemp("reference") / "run"
    pfungst.audit(model, (inputs[1200:], labels[1200:]), only=("calibration",), out=run)
    return model, run


def log_of(model, parts, path, *, labels=True, shuffled=False):
    """A log of parts (inputs, labels) one after the other."""
    inputs, truth = (np.concatenate([part[at] for part in parts]) for at in (0, 1))
    shares = model.predict_proba(inputs)
    columns = {"when": np.arange(len(inputs)), "prob_0": shares[:, 0], "prob_1": shares[:, 1]}
    columns |= {f"x{at}": inputs[:, at] for at in range(3)}
    if labels:
        columns["label"] = truth
    order = np.random.default_rng(0).permutation(len(inputs)) if shuffled else np.arange(len(inputs))
    pq.write_table(pa.table({name: values[order] for name, values in columns.items()}), path)
    return path


def by_kind(audit):
    return {(one.kind, one.subject): one for one in audit.findings}


def test_a_column_that_moved_is_named_and_the_accuracy_that_held_is_not_accused(audited, tmp_path):
    model, run = audited
    parts = [world(1000, seed) for seed in range(1, 5)] + [world(1000, 9, moved=1.0)]
    found = by_kind(monitor(log_of(model, parts, tmp_path / "log.parquet"), reference=run, task=TASK,
                            window=1000, out=tmp_path / "out"))  # fmt: skip
    assert found["shifted", "x1"].status == "found"
    assert found["shifted", "x1"].severity == "low", "the model still holds"
    assert found["shifted", "x0"].status != "found"
    assert found["accuracy", ""].status != "found"


def test_errors_that_became_commoner_are_found_and_the_verdict_says_so(audited, tmp_path):
    model, run = audited
    parts = [world(1000, seed) for seed in range(1, 4)] + [world(1000, seed, flipped=0.3) for seed in range(4, 7)]
    audit = monitor(log_of(model, parts, tmp_path / "log.parquet"), reference=run, task=TASK, window=1000,
                    out=tmp_path / "out")  # fmt: skip
    found = by_kind(audit)["accuracy", ""]
    assert found.status == "found"
    assert found.severity in {"high", "critical"}
    assert "window 4" in found.claim
    assert audit.verdict.generalizes == "no"


def test_a_long_log_with_far_fewer_errors_is_no_alarm(audited, tmp_path):
    model, run = audited
    inputs, labels = world(12_000, 1)
    inputs[:, 0] *= 4 * np.sign(inputs[:, 0]) * (2 * labels - 1)
    log = log_of(model, [(inputs, labels)], tmp_path / "log.parquet")
    audit = monitor(log, reference=run, task=TASK, window=3000, out=tmp_path / "out")
    found = by_kind(audit)["accuracy", ""]
    assert found.status == "absent", found.claim
    assert found.effect.high < 0
    assert audit.verdict.generalizes != "no"


def test_without_outcomes_the_accuracy_is_estimated_and_never_found(audited, tmp_path):
    model, run = audited
    log = log_of(model, [world(1200, 1)], tmp_path / "log.parquet", labels=False)
    found = by_kind(monitor(log, reference=run, task=TASK, window=600, out=tmp_path / "out"))["accuracy", ""]
    assert (found.status, found.severity) == ("inconclusive", "none")
    assert "no outcomes" in found.claim


def test_windows_are_judged_once_and_in_the_order_of_time(audited, tmp_path, monkeypatch):
    import pfungst.monitoring as module

    model, run = audited
    judged = []
    whole = module.judged_window
    monkeypatch.setattr(module, "judged_window", lambda *given: judged.append(given[2]) or whole(*given))
    parts = [world(500, seed) for seed in range(1, 5)]
    for count, expected in ((2, [1, 2]), (3, [3]), (4, [4]), (4, [])):
        judged.clear()
        log = log_of(model, parts[:count], tmp_path / "log.parquet", shuffled=True)
        audit = monitor(log, reference=run, task=TASK, window=500, out=tmp_path / "out")
        assert judged == expected
    straight = monitor(log_of(model, parts, tmp_path / "other.parquet"), reference=run, task=TASK, window=500,
                       out=tmp_path / "again")  # fmt: skip
    assert {key: one.effect for key, one in by_kind(audit).items()} == {
        key: one.effect for key, one in by_kind(straight).items()
    }


def test_a_log_whose_judged_rows_changed_is_refused(audited, tmp_path):
    model, run = audited
    monitor(log_of(model, [world(500, 1)], tmp_path / "log.parquet"), reference=run, window=500, out=tmp_path / "out")
    other = log_of(model, [world(500, 2)], tmp_path / "log.parquet")
    with pytest.raises(InputError, match="are not those that were judged before"):
        monitor(other, reference=run, window=500, out=tmp_path / "out")


def labelled_later(audited, path, share):
    """A log whose second half is wrong half of the time, of which so large a share of the labels has come."""
    model, run = audited
    log = log_of(model, [world(1000, 1), world(1000, 2, flipped=0.5)], path)
    table = pq.read_table(log)
    come = np.random.default_rng(3).random(len(table)) < share
    labels = pa.array(table["label"].to_numpy(), mask=~come)
    pq.write_table(table.set_column(table.column_names.index("label"), "label", labels), log)
    return lambda **more: monitor(log, **{"reference": run, "task": TASK, "window": 500, **more})


def test_labels_that_come_later_count_once_each(audited, tmp_path):
    found = []
    for share in (0.0, 0.4, 0.4, 1.0):
        judged = labelled_later(audited, tmp_path / "log.parquet", share)(out=tmp_path / "out")
        found.append(by_kind(judged)["accuracy", ""])
    at_once = by_kind(labelled_later(audited, tmp_path / "log.parquet", 1.0)(out=tmp_path / "new"))["accuracy", ""]
    assert [one.status for one in found] == ["inconclusive", "found", "found", "found"]
    assert found[1] == found[2], "nothing came between them"
    assert found[-1].effect == at_once.effect
    kept = json.loads((tmp_path / "out" / "windows.json").read_text())
    counted = [sum(one["labelled"] for one in kept["outcomes"] if one["window"] == at) for at in range(1, 5)]
    assert counted == [one["labelled"] for one in kept["windows"]] == [500] * 4
    assert [one["window"] for one in kept["outcomes"]] == [1, 2, 3, 4] * 2


def test_labels_that_changed_and_another_window_are_refused(audited, tmp_path):
    model, run = audited
    inputs, labels = world(500, 1)
    asked = {"reference": run, "window": 500, "out": tmp_path / "out"}
    monitor(log_of(model, [(inputs, labels)], tmp_path / "log.parquet"), **asked)
    before = (tmp_path / "out" / "windows.json").read_bytes()
    with pytest.raises(InputError, match="rows 0 to 499 of the log have other labels than those that were judged"):
        monitor(log_of(model, [(inputs, np.roll(labels, 1))], tmp_path / "log.parquet"), **asked)
    log = log_of(model, [(inputs, labels)], tmp_path / "log.parquet")
    with pytest.raises(InputError, match="holds windows of 500 rows, and --window 250 asks for others; leave"):
        monitor(log, **{**asked, "window": 250})
    assert (tmp_path / "out" / "windows.json").read_bytes() == before
    monitor(log, **{**asked, "window": None})


def test_too_few_rows_and_folders_without_an_audit_are_refused(audited, tmp_path):
    model, run = audited
    log = log_of(model, [world(100, 1)], tmp_path / "log.parquet")
    with pytest.raises(InputError, match="holds 100 rows and a window takes 200"):
        monitor(log, reference=run, out=tmp_path / "out")
    with pytest.raises(InputError, match=r"there is no log \S*nix.csv; give the deployed model's answers as \.parquet"):
        monitor(tmp_path / "nix.csv", reference=audited[1], out=tmp_path / "out")
    with pytest.raises(InputError, match="there is no audit in"):
        monitor(log, reference=tmp_path / "nowhere", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_quiet_logs_raise_no_alarm(audited, tmp_path):
    model, run = audited
    alarms = 0
    for seed in range(20):
        parts = [world(400, 100 + 5 * seed + at) for at in range(3)]
        audit = monitor(log_of(model, parts, tmp_path / f"{seed}.parquet"), reference=run, task=TASK, window=400,
                        out=tmp_path / f"out{seed}")  # fmt: skip
        alarms += any(one.status == "found" for one in audit.findings)
    assert alarms <= 3, "at 5 % each, more than 3 of 20 have a chance of 1.6 %"


def test_the_stream_seldom_alarms_by_mistake_and_finds_a_doubled_rate():
    rng = np.random.default_rng(0)
    false = found = 0
    for _ in range(200):
        known = (int((rng.random(1000) < 0.1).sum()), 1000)
        quiet, louder = (rng.random(10_000) < 0.1), (rng.random(4000) < 0.2)
        steps = np.arange(1, 10_001)
        evidence, enough, _ = risen(np.cumsum(quiet), steps, known)
        false += bool((evidence >= enough).any())
        evidence, enough, _ = risen(np.cumsum(louder), steps[:4000], known)
        found += bool((evidence >= enough).any())
    assert false <= 17, "5 % of 200, and the chance of more than 17 is 1 %"
    assert found >= 190


def test_decisions_that_raise_the_outcome_move_the_world(audited, tmp_path):
    model, run = audited
    inputs, labels = world(4000, 5)
    shares = model.predict_proba(inputs)
    score = np.log(shares[:, 1] / shares[:, 0])
    for effect, expected in ((0.8, "found"), (0.0, None)):
        rng = np.random.default_rng(6)
        acted = score > 1
        withheld = acted & (rng.random(4000) < 0.2)
        outcome = 0.4 * np.tanh(score) + effect * (acted & ~withheld) + rng.normal(0, 1, 4000)
        columns = {
            "prob_0": shares[:, 0], "prob_1": shares[:, 1], "label": labels, "score": score, "outcome": outcome,
            "decision": (acted & ~withheld).astype(int), "arm": np.where(withheld, "withheld", "as decided"),
        }  # fmt: skip
        log = tmp_path / f"{effect}.parquet"
        pq.write_table(pa.table(columns), log)
        found = by_kind(monitor(log, reference=run, window=1000, out=tmp_path / f"out{effect}"))
        statuses = {found["moves-the-world", name].status for name in ("hold-out", "threshold")}
        assert (statuses == {"found"}) if expected else ("found" not in statuses)


def test_the_command_ends_with_the_codes_of_the_contract(audited, tmp_path):
    model, run = audited
    log = log_of(model, [world(600, 1), world(600, 2, flipped=0.4)], tmp_path / "log.parquet")
    command = [
        sys.executable,
        "-m",
        "pfungst.cli",
        "monitor",
        str(log),
        "--window",
        "600",
        "--out",
        str(tmp_path / "out"),
    ]
    done = subprocess.run([*command, "--reference", str(run)], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    report = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert {one["probe"] for one in report["findings"]} == {"drift"}
    assert (tmp_path / "out" / "report.html").exists()
    done = subprocess.run([*command, "--reference", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there is no audit in" in done.stderr
