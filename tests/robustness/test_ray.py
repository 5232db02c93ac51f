"""Ray's actors give what this process gives; what dies costs nothing but the rows that kill."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing

import numpy as np
import pytest

from pfungst.auditing import audit
from pfungst.cli import main
from pfungst.demo import demo_files
from pfungst.engine.local import Inline, Shared
from pfungst.engine.rounds import Rounds
from pfungst.passes import Passes, Predict

ray = pytest.importorskip("ray", reason="the executor is an extra: pip install pfungst[ray]")
from pfungst.engine.ray import Actors  # noqa: E402 - only where ray is there

ONLY = ("calibration", "unknowns")


@pytest.fixture(scope="module")
def cluster(poisonous):
    """One Ray of two CPUs for the whole file; its address."""
    assert poisonous
    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
    ray.init("local", num_cpus=2, num_gpus=0, object_store_memory=100 * 2**20, **quiet)
    yield ray.get_runtime_context().gcs_address
    ray.shutdown()


@pytest.fixture(scope="module")
def demo():
    files = demo_files()
    return str(files.model), str(files.data), {name: str(path) for name, path in files.strangers.items()}


@pytest.fixture(scope="module")
def here(demo, tmp_path_factory):
    """What one process says."""
    model, data, ood = demo
    out = tmp_path_factory.mktemp("here")
    audit(model, data, ood=ood, out=out, only=ONLY)
    return timeless(out)


def timeless(out):
    """audit.json without what is time and what stood in the cache."""
    report = json.loads((out / "audit.json").read_text())
    report.pop("created")
    for record in report["passes"]:
        record.pop("seconds")
        record.pop("cached")
    return report


def answered(executor, data, heard):
    rounds = Rounds(data, executor, listen=lambda event, facts: heard.append((event, facts)))
    with closing(executor):
        return rounds.answer({Predict(): ("test",)}, Passes())[Predict()], rounds


@pytest.mark.usefixtures("cluster")
def test_audit_equals_the_local_one(demo, here, tmp_path):
    model, data, ood = demo
    audit(model, data, ood=ood, out=tmp_path / "there", only=ONLY, executor="ray", workers=2)
    assert timeless(tmp_path / "there") == here


@pytest.mark.usefixtures("cluster")
def test_audit_into_a_store_equals_the_local_one(demo, here, store, tmp_path):
    model, data, ood = demo
    store.objects["bucket"] = {}
    audit(model, data, ood=ood, out=f"s3://bucket/run{store.options}", only=ONLY, executor="ray", workers=2)
    (tmp_path / "audit.json").write_bytes(store.objects["bucket"]["run/audit.json"])
    assert timeless(tmp_path) == here


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(
    ("more", "said"), [(["--workers", "3"], "need 3 CPUs, and Ray has 2"), (["--gpus", "0.5"], "need 0.5 GPUs")]
)
def test_too_few_machines_is_exit_2_and_leaves_nothing(demo, tmp_path, capsys, more, said):
    model, data, _ = demo
    out = tmp_path / "run"
    assert main(["audit", model, data, "--out", str(out), "--executor", "ray", *more]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert not out.exists()


def test_address_where_no_ray_is_is_exit_2(demo, tmp_path):
    model, data, _ = demo
    words = [sys.executable, "-m", "pfungst.cli", "audit", model, data, "--out", str(tmp_path / "run")]
    done = subprocess.run(
        [*words, "--executor", "ray", "--address", "127.0.0.1:1"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "there is no Ray at 127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_options_of_ray_without_ray_are_refused(demo, capsys):
    assert main(["audit", *demo[:2], "--address", "auto"]) == 2
    assert "give --executor ray" in capsys.readouterr().err


@pytest.mark.usefixtures("cluster")
def test_killed_worker_loses_nothing_and_doubles_nothing(poisonous, tmp_path):
    count = 6000
    data, heard = poisonous.rows(count), []
    killed = []

    def listen(event, facts):
        heard.append((event, facts))
        if event == "shard" and not killed:
            killed.append(int(next(tmp_path.iterdir()).name))
            os.kill(killed[0], signal.SIGKILL)

    executor = Shared(Actors(poisonous.prepare(count, pause=0.02, ids=str(tmp_path)), 2), data)
    rounds = Rounds(data, executor, listen=listen)
    with closing(executor):
        got = rounds.answer({Predict(): ("test",)}, Passes())[Predict()]
    events = [event for event, _ in heard]
    assert events.count("worker-lost") == 1
    assert "quarantine" not in events
    whole, _ = answered(Inline(poisonous.prepare(count)()), data, [])
    assert np.array_equal(got.rows, whole.rows)
    assert np.array_equal(got.logits, whole.logits)


@pytest.mark.usefixtures("cluster")
def test_row_that_kills_is_left_out_and_no_other(poisonous):
    count, heard = 1500, []
    data = poisonous.rows(count)
    executor = Shared(Actors(poisonous.prepare(count, kills=(700,)), 2), data)
    got, rounds = answered(executor, data, heard)
    assert list(rounds.lost["test"]) == [700]
    assert sorted(got.rows.tolist()) == [row for row in range(count) if row != 700]
    events = [event for event, _ in heard]
    assert events.count("worker-lost") == 3
    assert [facts["row"] for event, facts in heard if event == "quarantine"] == [data.ids[700]]


@pytest.mark.usefixtures("cluster")
def test_row_that_hangs_is_left_out(poisonous):
    data = poisonous.rows(100)
    executor = Shared(Actors(poisonous.prepare(100, hangs=(23,)), 1), data, hanging=(0.5, 20.0, 1.0))
    got, rounds = answered(executor, data, [])
    assert list(rounds.lost["test"]) == [23]
    assert len(got) == 99


@pytest.mark.usefixtures("cluster")
def test_row_for_which_the_model_raises_is_left_out(poisonous):
    data, heard = poisonous.rows(200), []
    got, rounds = answered(Shared(Actors(poisonous.prepare(200, raises=(3,), nans=(7,)), 1), data), data, heard)
    here, same = answered(Inline(poisonous.prepare(200, raises=(3,), nans=(7,))()), data, [])
    assert rounds.lost == same.lost
    assert sorted(rounds.lost["test"]) == [3, 7]
    assert np.array_equal(got.rows, here.rows)
    assert np.array_equal(got.logits, here.logits)
    assert "worker-lost" not in [event for event, _ in heard]


def test_killed_driver_goes_on_where_it_was(demo, here, tmp_path, cluster):
    model, data, ood = demo
    out = tmp_path / "run"
    words = [sys.executable, "-m", "pfungst.cli", "audit", model, data, "--out", str(out), "--only", ",".join(ONLY)]
    words += ["--ood", f"letters={ood['letters']}", "--executor", "ray", "--address", cluster]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(out.glob("answers/.parts/*/*.parquet")) and time.monotonic() < deadline:
        assert process.poll() is None, "the audit ended before it could be killed"
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert list(out.glob("answers/.parts/*/*.parquet"))
    heard = []
    result = audit(model, data, ood=ood, out=out, only=ONLY, executor="ray", listen=lambda *event: heard.append(event))
    again = sum(facts["row_passes"] for event, facts in heard if event == "shard")
    assert 0 < again < sum(record.rows for record in result.passes)
    assert timeless(out) == here
