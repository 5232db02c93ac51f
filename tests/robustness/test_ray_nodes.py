"""Two nodes of a Ray cluster share the work, and say what one process says."""

import json
from contextlib import closing

import numpy as np
import pytest

from pfungst.auditing import audit
from pfungst.demo import demo_files
from pfungst.engine.local import Inline, Shared
from pfungst.engine.rounds import Rounds
from pfungst.passes import Passes, Predict

ray = pytest.importorskip("ray", reason="the executor is an extra: pip install pfungst[ray]")
from pfungst.engine.ray import Actors  # noqa: E402 - only where ray is there

ONLY = ("calibration",)


@pytest.fixture(scope="module")
def cluster(poisonous):
    """Two nodes of one CPU each on this machine; the head's address."""
    from ray.cluster_utils import Cluster

    assert poisonous
    node = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 80 * 2**20}
    nodes = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    nodes.add_node(**node)
    yield nodes.address
    ray.shutdown()
    nodes.shutdown()


def answered(executor, data, heard):
    rounds = Rounds(data, executor, listen=lambda event, facts: heard.append((event, facts)))
    return rounds.answer({Predict(): ("test",)}, Passes())[Predict()]


def test_both_nodes_share_the_work_and_are_compared(cluster, poisonous, tmp_path):
    count, heard = 6000, []
    data = poisonous.rows(count)
    crew = Actors(poisonous.prepare(count, pause=0.01, ids=str(tmp_path)), 2, address=cluster)
    executor = Shared(crew, data)
    with closing(executor):
        got = answered(executor, data, heard)
        where = [actor.__ray_call__.remote(lambda _: ray.get_runtime_context().get_node_id()) for actor in
                 crew.actors.values()]  # fmt: skip
        assert len(set(ray.get(where))) == 2
    assert len(list(tmp_path.iterdir())) == 2
    facts = [facts for event, facts in heard if event == "crosscheck"]
    assert [(one["workers"], one["rows"], one["apart"]) for one in facts] == [(2, 64, 0.0)]
    whole = answered(Inline(poisonous.prepare(count)()), data, [])
    assert np.array_equal(got.rows, whole.rows)
    assert np.array_equal(got.logits, whole.logits)


def test_audit_on_two_nodes_equals_that_of_one_process(cluster, tmp_path):
    files = demo_files()
    asked = str(files.model), str(files.data)
    audit(*asked, out=tmp_path / "here", only=ONLY)
    audit(*asked, out=tmp_path / "there", only=ONLY, executor="ray", workers=2, address=cluster)
    assert timeless(tmp_path / "there") == timeless(tmp_path / "here")


def timeless(out):
    report = json.loads((out / "audit.json").read_text())
    report.pop("created")
    for record in report["passes"]:
        record.pop("seconds")
    return report
