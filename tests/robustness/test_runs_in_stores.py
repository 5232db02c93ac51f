"""A RUN at an s3:// address is what it would be on a disk, whoever is killed, refused or late."""

import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pfungst.stored
from pfungst.audit_result import saved
from pfungst.auditing import audit
from pfungst.cli import main
from pfungst.demo import demo_files
from pfungst.engine import cache as cache_module
from pfungst.errors import InputError
from pfungst.runs.mirrored import Mirror
from pfungst.runs.places import reading
from pfungst.runs.writers import STALE, WRITERS, Writer
from pfungst.tables import answers
from pfungst.viewing.view import View

ASKED = {"only": ("calibration", "shift"), "rows": 200}
SCRIPT = """
import sys, time
from pfungst.auditing import audit

def slow(event, facts):
    if event == "shard":
        time.sleep(10)

asked = {"only": ("calibration", "shift"), "rows": 200}
audit(sys.argv[1], sys.argv[2], out=sys.argv[3], explicit_out=True, listen=slow, **asked)
"""
"""An audit that rests behind each shard, so that it is put and the process is killed before it ends."""


@pytest.fixture(scope="module")
def demo():
    files = demo_files()
    return str(files.model), str(files.data)


@pytest.fixture
def store(store, monkeypatch, tmp_path):
    """A store with an empty bucket, and the address of a RUN in it."""
    monkeypatch.chdir(tmp_path)
    store.objects["bucket"] = {}
    store.run = f"s3://bucket/runs/a{store.options}"
    return store


@pytest.fixture
def moved(monkeypatch, tmp_path):
    """Go to another machine, which has no copy of anything."""

    def move(name="elsewhere"):
        monkeypatch.setattr(pfungst.stored, "CACHE", tmp_path / name)

    return move


def files(store):
    """What the store holds of the RUN; objects without content that end in a slash stand for folders."""
    return {
        key.removeprefix("runs/a/"): data
        for key, data in store.objects["bucket"].items()
        if not key.endswith("/") and WRITERS not in key
    }


def claims(store):
    return [key for key in store.objects["bucket"] if f"/{WRITERS}/" in key and not key.endswith("/")]


def timeless(report):
    report = json.loads(report)
    report.pop("created")
    for record in report["passes"]:
        record.pop("seconds")
    return report


def asked_anew(*args, **options):
    """The audit, and how many rows it showed the model."""
    rows = []
    result = audit(
        *args, listen=lambda event, facts: rows.append(facts["row_passes"]) if event == "shard" else None, **options
    )
    return result, sum(rows)


@pytest.mark.parametrize("workers", [1, 2])
def test_audit_into_a_store_equals_that_onto_a_disk_and_a_second_one_asks_nothing(
    demo, store, tmp_path, moved, workers
):
    audit(*demo, out=tmp_path / "run", **ASKED)
    audit(*demo, out=store.run, explicit_out=True, workers=workers, **ASKED)
    here = {path.relative_to(tmp_path / "run").as_posix(): path for path in (tmp_path / "run").rglob("*.*")}
    there = files(store)
    assert there.keys() == here.keys()
    assert timeless(there["audit.json"]) == timeless(here["audit.json"].read_bytes())
    for name in there:
        if name.endswith(".parquet"):
            assert pq.read_table(io.BytesIO(there[name])).equals(pq.read_table(here[name])), name
    for go in (lambda: None, moved):
        go()
        store.asked.clear()
        again, rows = asked_anew(*demo, out=store.run, explicit_out=True, **ASKED)
        assert rows == 0
        assert all(record.cached for record in again.passes)
        assert not [key for method, key in store.asked if method == "PUT" and "/answers/" in key]


def answered_rows(store):
    """Rows whose answers are there: of passes that were made whole already, of the parts of the others."""
    parts, whole = {}, {}
    for name, data in files(store).items():
        if not name.startswith("answers/"):
            continue
        rows = pq.read_metadata(io.BytesIO(data)).num_rows
        if "/.parts/" in name:
            parts[name.split("/")[2]] = parts.get(name.split("/")[2], 0) + rows
        else:
            whole[name.split(".")[-2]] = rows
    return sum((parts | whole).values())


def killed(process, store, after):
    """SIGKILL a process when so many parts are in the store; the rows that they answer."""
    deadline = time.monotonic() + 120
    while len([name for name in files(store) if ".parts/" in name]) < after:
        assert process.poll() is None, "the audit ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(0.2)
    return answered_rows(store)


def test_killed_audit_goes_on_on_another_machine_and_equals_the_uninterrupted_one(demo, store, tmp_path, moved):
    words = [sys.executable, "-c", SCRIPT, *demo, store.run]
    answered = killed(subprocess.Popen(words), store, 3)
    assert "audit.json" not in files(store)
    moved()
    result, rows = asked_anew(*demo, out=store.run, explicit_out=True, **ASKED)
    assert rows == sum(record.rows for record in result.passes) - answered
    audit(*demo, out=tmp_path / "whole", **ASKED)
    assert timeless(files(store)["audit.json"]) == timeless((tmp_path / "whole" / "audit.json").read_bytes())
    assert not [name for name in files(store) if ".parts" in name]


def test_at_every_moment_the_store_holds_what_its_audit_speaks_of(demo, store, monkeypatch):
    monkeypatch.setattr("pfungst.runs.mirrored.PAUSE", 0.0)
    seen = [frozenset()]
    store.refuse = lambda *_: seen.append(frozenset(files(store))) or 0
    audit(*demo, out=store.run, explicit_out=True, **ASKED)
    passes = json.loads(files(store)["audit.json"])["passes"]
    assert len(passes) > 3
    for before, now in pairwise(seen):
        whole = {name.split(".")[-2] for name in now if name.startswith("answers/") and "/.parts/" not in name}
        assert "audit.json" not in now or {record["key"] for record in passes} <= whole
        for name in before - now:
            assert name.split("/")[2] in whole, "a part goes when the whole pass is there"
    assert any("/.parts/" in name for now in seen for name in now)
    assert not [name for now in seen for name in now if name.rpartition("/")[2].startswith(".")]


def claimed(store, by, age=0.0):
    key = f"runs/a/{WRITERS}/other"
    store.objects["bucket"][key] = json.dumps(by).encode()
    store.times["bucket", key] = time.time() - age


def test_two_writers_at_once_are_refused_until_the_other_shows_no_sign_of_life(demo, store, capsys):
    claimed(store, {"host": "elsewhere", "pid": 7})
    words = ["audit", *demo, "--out", store.run, "--only", "calibration", "--rows", "200", "--quiet"]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "another audit (process 7 on elsewhere) is at work in s3://bucket/runs/a" in said
    assert len(said.splitlines()) == 1
    assert files(store) == {}
    assert len(claims(store)) == 1
    claimed(store, {"host": "elsewhere", "pid": 7}, age=STALE / 1e9 + 5)
    assert main(words) in {0, 1}
    assert f"runs/a/{WRITERS}/other" not in store.objects["bucket"]
    assert f"s3://bucket/runs/a/audit.json{store.options}" in capsys.readouterr().out


@pytest.mark.parametrize("by", [{"host": os.uname().nodename, "pid": 2**22 + 1}, {}, [], {"host": 3}])
def test_claim_of_a_process_that_is_gone_holds_nobody_up(store, by):
    claimed(store, by)
    with Mirror(store.run):
        assert len(claims(store)) == 1


def test_an_audit_that_was_taken_over_ends(store, monkeypatch):
    monkeypatch.setattr("pfungst.runs.mirrored.BEAT", 0.01)
    deadline = time.monotonic() + 20

    def wait_for_it():
        with Mirror(store.run) as mirror:
            (first,) = claims(store)
            claimed(store, {"host": "elsewhere", "pid": 7})
            while time.monotonic() < deadline:
                # Again and again: a sign of life that was under way puts the claim back.
                store.objects["bucket"].pop(first, None)
                time.sleep(0.01)
                mirror.check()

    with pytest.raises(InputError, match=r"took s3://bucket/runs/a.* over"):
        wait_for_it()
    assert claims(store) == [f"runs/a/{WRITERS}/other"]


def test_a_sign_of_life_under_way_at_the_takeover_does_not_hide_it_for_long(store):
    sleeper = Writer(store.run)
    sleeper.begin()
    sleeper.rest()
    (first,) = claims(store)
    claim = store.objects["bucket"][first]
    store.times["bucket", first] -= STALE / 1e9 + 5
    other = Writer(store.run)
    other.forget(other.begin())
    other.rest()
    store.objects["bucket"][first], store.times["bucket", first] = claim, time.time()
    sleeper.live()
    other.live()
    with pytest.raises(InputError, match=r"took s3://bucket/runs/a.* over"):
        sleeper.live()
    other.live()
    assert claims(store) == [f"runs/a/{WRITERS}/{other.token}"]


def test_two_writers_of_one_process_are_refused_too(store):
    with Mirror(store.run):
        with pytest.raises(InputError, match=rf"process {os.getpid()} .* is at work in s3://"):
            Mirror(store.run).__enter__()
        assert len(claims(store)) == 1


def test_sign_of_life_is_renewed(store, monkeypatch):
    monkeypatch.setattr("pfungst.runs.mirrored.BEAT", 0.01)
    with Mirror(store.run):
        (mine,) = claims(store)
        store.times["bucket", mine] = 0
        deadline = time.monotonic() + 20
        while store.times["bucket", mine] == 0:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_store_that_refuses_in_mid_run_is_one_sentence_and_nothing_is_lost(demo, store, tmp_path, monkeypatch):
    monkeypatch.setattr("pfungst.runs.mirrored.PAUSE", 0.0)
    shards, refused = [], threading.Event()

    def refuse(method, _):
        if not shards or method not in {"PUT", "POST"}:
            return 0
        refused.set()
        return 403

    def slow(event, facts):
        if event == "shard":
            shards.append(facts["row_passes"])
            assert refused.wait(60)
            time.sleep(0.2)

    store.refuse = refuse

    with pytest.raises(InputError, match=r"^s3://\S+ could not be written .*ACCESS_DENIED.*goes on$"):
        audit(*demo, out=store.run, explicit_out=True, listen=slow, **ASKED)
    answers = (
        one for way in (".parts/*/*", "*.parquet") for one in pfungst.stored.CACHE.glob(f"work-*/run/answers/{way}")
    )
    kept = sum(pq.read_metadata(one).num_rows for one in answers)
    assert kept >= sum(shards) > 0
    store.refuse = lambda *_: 0
    result, rows = asked_anew(*demo, out=store.run, explicit_out=True, **ASKED)
    assert rows == sum(record.rows for record in result.passes) - kept
    audit(*demo, out=tmp_path / "whole", **ASKED)
    assert timeless(files(store)["audit.json"]) == timeless((tmp_path / "whole" / "audit.json").read_bytes())


def test_a_full_disk_is_told_by_the_folder_that_it_does_not_hold(demo, store, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache_module, "write_sealed", full)
    with pytest.raises(
        InputError, match=r"^writing to /.*/run, which stands here for s3://.* \(No space left on device"
    ):
        audit(*demo, out=store.run, explicit_out=True, **ASKED)


def test_a_bucket_that_is_not_there_is_said_before_anything_is_asked(demo, store, capsys):
    words = ["audit", *demo, "--only", "calibration", "--rows", "100", "--out"]
    assert main([*words, f"s3://none/run{store.options}"]) == 2
    assert "s3://none/run" in capsys.readouterr().err
    assert main([*words, "s3://key:secret@bucket/run"]) == 2
    said = capsys.readouterr().err
    assert "the address holds a key" in said
    assert "secret" not in said


def test_a_run_that_was_deleted_in_the_store_does_not_come_back(demo, store):
    audit(*demo, out=store.run, explicit_out=True, **ASKED)
    store.objects["bucket"].clear()
    _, rows = asked_anew(*demo, out=store.run, explicit_out=True, **ASKED)
    assert rows > 0


def test_what_another_machine_wrote_since_is_what_counts(demo, store, moved):
    first = audit(*demo, out=store.run, explicit_out=True, only=("calibration",), rows=100)
    moved()
    audit(*demo, out=store.run, explicit_out=True, only=("calibration",), rows=300)
    moved("home/.cache/pfungst")
    again, rows = asked_anew(*demo, out=store.run, explicit_out=True, only=("calibration",), rows=300)
    assert rows == 0
    assert again.report.settings["rows"] != first.report.settings["rows"]


def test_another_audits_run_is_refused_unless_named(demo, store):
    audit(*demo, out=store.run, explicit_out=True, only=("calibration",), rows=100)
    before = files(store)
    with pytest.raises(
        InputError, match=rf"^{re.escape(store.run)} holds the audit of another .* --out {re.escape(store.run)} "
    ):
        audit(*demo, out=store.run, explicit_out=False, only=("calibration",), rows=100, seed=1)
    assert files(store) == before
    audit(*demo, out=store.run, explicit_out=True, only=("calibration",), rows=100, seed=1)


def test_redaction_takes_names_out_of_the_store_too(store, local):
    asked = str(local / "model.onnx"), str(local / "photos")
    audit(*asked, out=store.run, explicit_out=True, only=("mistakes",))
    assert any(b"photos" in data for data in files(store).values())
    audit(*asked, out=store.run, explicit_out=True, only=("mistakes",), redact_paths=True, images=False)
    for name, data in files(store).items():
        words = str(pq.read_table(io.BytesIO(data)).to_pydict()).encode() if name.endswith(".parquet") else data
        assert b"photos" not in words, name
        assert b".png" not in words, name


def test_commands_read_a_run_from_its_address(demo, store, moved, capsys):
    other = f"s3://bucket/runs/b{store.options}"
    words = ["audit", *demo, "--only", "calibration", "--rows", "200", "--format", "junit", "--quiet"]
    assert main([*words, "--out", store.run]) in {0, 1}
    assert "junit.xml" in files(store)
    moved()
    assert main(["show", store.run]) == 0
    assert f"pfungst view '{store.run}'" in capsys.readouterr().out
    assert [key for key in store.gets() if "answers" in key] == []
    baseline = f"s3://bucket/runs/a/audit.json{store.options}"
    assert main([*words, "--out", other, "--baseline", baseline]) == 0
    assert "not in the baseline" in capsys.readouterr().out
    assert main([*words, "--out", store.run, "--baseline", baseline]) == 2
    assert main(["compare", store.run, other, "--out", f"s3://bucket/runs/c{store.options}"]) == 0
    assert "runs/c/compare.json" in store.objects["bucket"]
    assert main(["show", f"s3://bucket/runs/c{store.options}"]) == 2
    assert "there is no audit in s3://bucket/runs/c" in capsys.readouterr().err
    assert main(["export", store.run, "model-card"]) == 0
    assert "model-card.md" in files(store)
    assert f"the model card s3://bucket/runs/a/model-card.md{store.options} has" in capsys.readouterr().out
    assert answers(store.run)["as it is"].record.rows == 200
    assert saved(store.run).findings == saved(other).findings != ()
    assert not Path("s3:").exists()


def test_a_view_shows_a_run_in_a_store(demo, store, moved):
    audit(*demo, out=store.run, explicit_out=True, **ASKED)
    moved()
    with reading(store.run, "*") as folder:
        view = View([folder])
    assert len(view.run.conditions) == len(view.run.report.passes) - len(view.run.plain)


def test_a_log_is_monitored_against_a_run_in_a_store_and_kept_there(store, moved):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 900)
    sure = np.where(rng.random(900) < 0.9, labels, 1 - labels) * 0.6 + 0.2
    columns = {"prob_a": 1 - sure, "prob_b": sure, "label": np.array(["a", "b"])[labels]}
    for name, rows in (("before", 300), ("log", 600), ("longer", 900)):
        pq.write_table(pa.table({column: values[:rows] for column, values in columns.items()}), f"{name}.parquet")
    reference = f"s3://bucket/runs/before{store.options}"
    audit("before.parquet", out=reference, explicit_out=True)
    words = ["--reference", reference, "--out", store.run, "--window", "200", "--quiet"]
    assert main(["monitor", "log.parquet", *words]) in {0, 1}
    first = json.loads(files(store)["windows.json"])["windows"]
    moved()
    assert main(["monitor", "longer.parquet", *words]) in {0, 1}
    windows = json.loads(files(store)["windows.json"])["windows"]
    assert [len(first), len(windows)] == [3, 4]
    assert windows[:3] == first
    assert json.loads(files(store)["audit.json"])["complete"]


def test_a_remedy_puts_model_and_audits_into_the_store(store, local):
    store.put("bucket", local, "sets")
    model = f"s3://bucket/nets/mended.onnx{store.options}"
    words = ["remedy", "temperature", str(local / "model.onnx"), f"s3://bucket/sets/rows.npz{store.options}"]
    assert main([*words, "--out", model, "--quiet"]) in {0, 1}
    names = {key.removeprefix("nets/") for key in store.objects["bucket"] if key.startswith("nets/")}
    assert {"mended.onnx", "labels.txt", "mended-before/audit.json", "mended-after/audit.json"} <= names
    assert saved(f"s3://bucket/nets/mended-after{store.options}").report.model["source"] == model
