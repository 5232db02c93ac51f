"""An audit that is killed, repeated, split or damaged ends with the same numbers."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pfungst.auditing import audit
from pfungst.demo import demo_files
from pfungst.engine import cache as cache_module
from pfungst.errors import InputError

TIMES = ("created",)
SCRIPT = """
import sys
from pfungst.auditing import audit
audit(sys.argv[1], sys.argv[2], out=sys.argv[3], ood={"letters": sys.argv[4]}, explicit_out=True)
"""


@pytest.fixture(scope="module")
def demo():
    files = demo_files()
    return str(files.model), str(files.data), {name: str(path) for name, path in files.strangers.items()}


@pytest.fixture(scope="module")
def whole(demo, tmp_path_factory):
    """An uninterrupted audit."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    model, data, ood = demo
    audit(model, data, ood=ood, out=out)
    return out


def timeless(out: Path) -> dict:
    """audit.json without what is time."""
    report = json.loads((out / "audit.json").read_text())
    for name in TIMES:
        report.pop(name)
    for record in report["passes"]:
        record.pop("seconds")
    return report


def test_second_audit_runs_no_pass_and_says_the_same(demo, whole):
    model, data, ood = demo
    before = timeless(whole)
    audit(model, data, ood=ood, out=whole)
    after = timeless(whole)
    assert all(record["cached"] for record in after["passes"])
    assert not any(record["cached"] for record in before["passes"])
    for report in (before, after):
        for record in report["passes"]:
            record.pop("cached")
    assert before == after
    for out in (whole,):  # the folder is whole again for the other tests
        events = [json.loads(line)["event"] for line in (out / "events.jsonl").read_text().splitlines()]
        assert events.count("finished") == 2


@pytest.mark.parametrize("after_parts", [1, 20])
def test_killed_audit_goes_on_and_equals_the_uninterrupted_one(demo, whole, tmp_path, after_parts):
    model, data, ood = demo
    out = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, model, data, str(out), ood["letters"]])
    deadline = time.monotonic() + 120
    while len(list(out.glob("answers/.parts/*/*.parquet"))) < after_parts and time.monotonic() < deadline:
        assert process.poll() is None, "the audit ended before it could be killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = {path: path.stat().st_mtime_ns for path in out.glob("answers/.parts/*/*.parquet")}
    assert kept, "a killed audit leaves the parts that were finished"
    for path in kept:
        pq.read_table(path)
    ran = []
    result = audit(model, data, ood=ood, out=out, listen=lambda event, facts: ran.append((event, facts)))
    rows = sum(facts["row_passes"] for event, facts in ran if event == "shard")
    total = sum(record.rows for record in result.passes)
    assert rows < total, "what was kept did not run again"
    reference = timeless(whole)
    for record in reference["passes"]:
        record["cached"] = False
    assert timeless(out) == reference


@pytest.mark.parametrize("place", [1 / 3, 0.98], ids=["in a page", "in the footer"])
def test_damaged_answers_are_recomputed(demo, tmp_path, place):
    model, data, ood = demo
    out = tmp_path / "damaged"
    audit(model, data, ood=ood, out=out, only=("calibration",))
    file = next(iter(sorted((out / "answers").glob("test.*.parquet"))))
    raw = bytearray(file.read_bytes())
    raw[int(place * len(raw))] ^= 0xFF
    file.write_bytes(raw)
    before = timeless(out)
    again = audit(model, data, ood=ood, out=out, only=("calibration",))
    assert [record.cached for record in again.passes].count(False) == 1
    after = timeless(out)
    assert before["findings"] == after["findings"]


def test_two_workers_give_the_same_audit(demo, whole, tmp_path):
    model, data, ood = demo
    out = tmp_path / "two"
    audit(model, data, ood=ood, out=out, workers=2)
    one, two = timeless(whole), timeless(out)
    for report in (one, two):
        for record in report["passes"]:
            record.pop("cached")
    assert one == two


def test_batch_sizes_give_the_same_verdicts(demo):
    model, data, ood = demo
    small, large = (audit(model, data, ood=ood, batch_size=size) for size in (16, 256))
    assert [(f.id, f.status, f.severity) for f in small.findings] == [
        (f.id, f.status, f.severity) for f in large.findings
    ]
    for one, other in zip(small.findings, large.findings, strict=True):
        assert one.effect.value == pytest.approx(other.effect.value, abs=1e-4)


def test_another_audits_folder_is_refused_unless_named(demo, tmp_path):
    model, data, _ = demo
    out = tmp_path / "taken"
    audit(model, data, out=out, only=("calibration",))
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="another model or other data"):
        audit(model, data, out=out, explicit_out=False, only=("calibration",), seed=1)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    audit(model, data, out=out, only=("calibration",), seed=1)


def test_two_writers_at_once_are_refused(demo, tmp_path):
    model, data, _ = demo
    out = tmp_path / "busy"
    out.mkdir()
    (out / ".lock").write_text(json.dumps({"host": os.uname().nodename, "pid": os.getpid()}))
    with pytest.raises(InputError, match="at work"):
        audit(model, data, out=out, only=("calibration",))
    (out / ".lock").write_text(json.dumps({"host": os.uname().nodename, "pid": 2**22 + 1}))
    audit(model, data, out=out, only=("calibration",))


def test_refused_audit_leaves_nothing_behind(demo, tmp_path):
    model, _, _ = demo
    out = tmp_path / "none"
    bad = tmp_path / "bad.npz"
    np.savez(bad, inputs=np.zeros((4, 32, 32, 3), np.uint8), labels=np.array([0, 1, 2, 99]))
    with pytest.raises(InputError, match="99"):
        audit(model, str(bad), out=out)
    assert not out.exists()


def test_disk_full_in_mid_run_is_one_sentence_and_keeps_what_was_finished(demo, whole, tmp_path, monkeypatch):
    model, data, ood = demo
    out = tmp_path / "full"
    real, written = cache_module.write_sealed, []

    def full(where, tables, **options):
        if len(written) == 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(where)
        real(where, tables, **options)

    monkeypatch.setattr(cache_module, "write_sealed", full)
    with pytest.raises(InputError, match=r"No space left on device.*same command"):
        audit(model, data, ood=ood, out=out)
    monkeypatch.undo()
    assert len(list(out.glob("answers/.parts/*/*.parquet"))) == 5
    audit(model, data, ood=ood, out=out)
    reference = timeless(whole)
    for record in reference["passes"]:
        record["cached"] = False
    assert timeless(out) == reference


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_run_is_refused(demo, tmp_path):
    model, data, _ = demo
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot be written"):
        audit(model, data, out=tmp_path / "run")


def test_run_that_is_a_file_is_refused(demo, tmp_path):
    model, data, _ = demo
    (tmp_path / "run").write_text("a file")
    with pytest.raises(InputError, match="cannot be written"):
        audit(model, data, out=tmp_path / "run")
    assert (tmp_path / "run").read_text() == "a file"


def test_interrupt_is_exit_130_and_the_same_command_goes_on(demo, tmp_path):
    model, data, _ = demo
    out = tmp_path / "interrupted"
    words = [
        sys.executable,
        "-m",
        "pfungst.cli",
        "audit",
        model,
        data,
        "--out",
        str(out),
        "--skip",
        "shortcuts",
        "--quiet",
    ]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(out.glob("answers/.parts/*/*.parquet")) and time.monotonic() < deadline:
        assert process.poll() is None, "the audit ended before it could be interrupted"
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on" in err
    assert "Traceback" not in err
    assert "interrupted" in (out / "events.jsonl").read_text().splitlines()[-1]
    assert not (out / ".lock").exists()
    assert subprocess.run(words, check=False, capture_output=True).returncode in {0, 1}
    assert json.loads((out / "audit.json").read_text())["complete"]


def test_the_command_that_repeats_a_finding_names_the_task_file(tmp_path):
    (tmp_path / "task.toml").write_text('[task]\nquestion = "Which half?"\n', "utf-8")
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(120, 2)), rng.integers(0, 2, 120)
    audited = audit(lambda some: some, rows, only=("calibration",), task=tmp_path / "task.toml", rows=110)
    assert all(f"--task {tmp_path / 'task.toml'} --rows 110" in one.reproduce for one in audited.findings)


def test_sigterm_keeps_what_is_finished_and_the_same_command_goes_on(demo, tmp_path):
    model, data, _ = demo
    out = tmp_path / "ended"
    words = [
        sys.executable,
        "-m",
        "pfungst.cli",
        "audit",
        model,
        data,
        "--out",
        str(out),
        "--only",
        "mistakes,unknowns",
    ]
    process = subprocess.Popen([*words, "--quiet"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(out.glob("answers/.parts/*/*.parquet")) and time.monotonic() < deadline:
        assert process.poll() is None, "the audit ended before it could be ended"
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert err.startswith("pfungst: ended by a signal")
    assert len(err.splitlines()) == 1
    assert json.loads((out / "events.jsonl").read_text().splitlines()[-1])["event"] == "interrupted"
    assert not (out / ".lock").exists()
    assert list(out.glob("answers/**/*.parquet")), "what was finished is kept"


def rows_of_two_numbers(count=300):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(count, 2)).astype(np.float32)
    return inputs, (inputs[:, 0] > 0).astype(np.int64)


def unsteady(result):
    return [entry for entry in result.skipped if entry.kind == "unsteady"]


def test_a_model_that_answers_otherwise_each_time_is_reported():
    draws = np.random.default_rng(1)
    inputs, labels = rows_of_two_numbers()

    def shaken(shown):
        return np.stack([-shown[:, 0], shown[:, 0]], 1) + draws.normal(0, 0.5, (len(shown), 2))

    result = audit(shaken, (inputs, labels), only=("calibration",))
    assert len(unsteady(result)) == 1
    assert "asked twice" in unsteady(result)[0].reason


def test_a_graph_with_a_random_layer_says_so_when_it_is_only_read_again(tmp_path):
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("RandomNormalLike", ["input"], ["noise"], scale=1.0),
        helper.make_node("Add", ["input", "noise"], ["scores"]),
    ]
    sides = [helper.make_tensor_value_info(name, kind, ["n", 2]) for name in ("input", "scores")]
    graph = helper.make_graph(nodes, "shaken", sides[:1], sides[1:])
    path = tmp_path / "shaken.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    inputs, _ = rows_of_two_numbers()
    np.savez(tmp_path / "rows.npz", inputs=inputs, labels=(inputs[:, 1] > inputs[:, 0]).astype(np.int64))
    both = [audit(str(path), str(tmp_path / "rows.npz"), only=("calibration",), out=tmp_path / "run") for _ in range(2)]
    assert all(record.cached for record in both[1].passes)
    assert unsteady(both[0]) == unsteady(both[1]) != []


def test_a_steady_model_is_not_called_unsteady():
    inputs, labels = rows_of_two_numbers()
    assert not unsteady(audit(lambda shown: np.stack([-shown[:, 0], shown[:, 0]], 1), (inputs, labels)))


def test_a_model_that_fails_at_row_7_of_a_shard_is_asked_anew_when_mended(tmp_path):
    inputs, labels = rows_of_two_numbers()
    np.savez(tmp_path / "rows.npz", inputs=inputs, labels=labels)
    code = "import numpy as np, pathlib\ndef net():\n    def f(x):\n        s = np.stack([-x[:, 0], x[:, 0]], 1)\n"
    bad = "        s[np.isclose(x[:, 0], BAD)] = np.nan\n".replace("BAD", repr(float(inputs[7, 0])))
    (tmp_path / "model.py").write_text(f"{code}{bad}        return s\n    return f\n")
    asked = f"{tmp_path / 'model.py'}:net", str(tmp_path / "rows.npz")
    lame = audit(*asked, only=("calibration",), out=tmp_path / "run")
    assert [entry.subject for entry in lame.skipped if entry.kind == "unreadable"] == ["7"]
    (tmp_path / "model.py").write_text(f"{code}        return s\n    return f\n")
    mended = audit(*asked, only=("calibration",), out=tmp_path / "run")
    assert mended.headline[0].accuracy.value == 1.0
    assert not [entry for entry in mended.skipped if entry.kind == "unreadable"]
