"""Proofs in the adversarial chapter: what they let it say, and what it does when one is contradicted."""

from dataclasses import replace

import numpy as np
import pytest

import pfungst
from pfungst.attacked import Attacked
from pfungst.datasets.bound import bind
from pfungst.engine.cache import Cache
from pfungst.engine.plan import pieces
from pfungst.engine.sweep import Sweep
from pfungst.load import load_data, load_model
from pfungst.methods.threats import Norm
from pfungst.passes import Passes, Prove
from pfungst.probes.proofs import ContradictionError, open_question, proof_beside, proven_radius
from pfungst.proven import Proven

torch = pytest.importorskip("torch")
SIDE = 6


def network(last=None):
    """Two classes, told by the mean grey of the halves; its margin at contrast c is 2c, and linf e takes 4e of it."""
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(SIDE * SIDE, 2), torch.nn.ReLU())
    half = torch.ones(SIDE, SIDE)
    half[:, SIDE // 2 :] = -1
    with torch.no_grad():
        net[1].weight[0], net[1].weight[1] = half.ravel() / half.numel() * 2, -half.ravel() / half.numel() * 2
        net[1].bias.fill_(4.0)
    return torch.nn.Sequential(net, last).eval() if last is not None else net.eval()


def data(rows=120, contrast=0.2, seed=0):
    """Pictures whose halves differ by ``contrast`` either way."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, rows)
    images = np.full((rows, SIDE, SIDE, 1), 0.5)
    images[:, :, : SIDE // 2] += (contrast * (1 - 2 * labels)).reshape(-1, 1, 1, 1) / 2
    images[:, :, SIDE // 2 :] -= (contrast * (1 - 2 * labels)).reshape(-1, 1, 1, 1) / 2
    return np.clip(np.rint(images * 255), 0, 255).astype(np.uint8), labels


def audited(model, rows, **adversarial):
    audit = pfungst.audit(model, rows, task={"adversarial": adversarial}, only=("adversarial",))
    return {one.subject: one for one in audit.findings if one.kind == "fragile"}, audit


def test_a_proof_lets_it_say_absent_and_only_as_far_as_it_reaches():
    known, audit = audited(network(), data(contrast=0.2), linf=[0.02, 0.15])
    near, far = known["linf:0.02"], known["linf:0.15"]
    assert near.status == "absent"
    assert "A proof covers 120 of the rows" in near.claim
    assert "at most 0.0%" in near.claim
    assert far.status == "found"
    assert "A proof covers 0 of the rows" in far.claim
    named = {one.condition: one.accuracy.value for one in audit.report.headline}
    assert named["proven within linf:0.02"] == 1.0
    assert "proven within linf:0.15" not in named
    (curve,) = [one for one in far.evidence if type(one).__name__ == "SeverityCurve"]
    proven = {step.parameter: step.proven.value for step in curve.steps if step.proven is not None}
    assert proven["0.02"] == 1.0
    assert proven["0.15"] == 0.0
    assert all(step.proven.value <= step.accuracy.value for step in curve.steps if step.proven is not None)


def test_where_nothing_can_be_proven_the_reason_is_named_and_nothing_is_absent():
    known, audit = audited(network(torch.nn.GELU()), data(contrast=0.2), linf=[0.02])
    assert known["linf:0.02"].status == "inconclusive"
    (reason,) = [one.reason for one in audit.report.skipped if one.subject == "proven within linf"]
    assert "gelu" in reason


def test_no_proof_is_asked_where_the_attack_decides():
    _, audit = audited(network(), data(contrast=0.05), linf=[0.1])
    assert not [one for one in audit.report.passes if one.name.startswith("proven")]


def attacked(broken, budget):
    zero = np.zeros(len(broken), np.int64)
    return Attacked(
        np.array(broken), np.array(budget), np.array(budget), zero, np.array(broken), zero, zero + 0.5, zero + 1.0,
        zero + 0.0, zero, np.zeros((len(broken), 2, 2, 1), np.uint8), np.arange(len(broken)),
    )  # fmt: skip


def test_a_row_both_broken_and_proven_raises():
    threat = Norm("linf", (0.1, 0.2))
    asked = proof_beside(threat, 3)
    found = attacked([True, False, True], [0.2, np.inf, 0.0])
    shown = Proven(np.array([0.1, 0.2, 0.0]), np.zeros(3, bool), np.ones(3), np.arange(3))
    assert proven_radius(Passes({asked: shown}), threat, found, 3).tolist() == [0.1, 0.2, 0.0]
    bold = replace(shown, radius=np.array([0.2, 0.2, 0.0]))
    with pytest.raises(ContradictionError, match="row 0 is one"):
        proven_radius(Passes({asked: bold}), threat, found, 3)
    refuted = replace(shown, refuted=np.array([False, True, False]))
    with pytest.raises(ContradictionError, match="row 1 is one"):
        proven_radius(Passes({asked: refuted}), threat, found, 3)
    assert proven_radius(Passes(), threat, found, 3) is None
    assert proof_beside(Norm("l0", (3.0,)), 3) is None


def test_a_contradiction_is_told_by_the_audit(monkeypatch):
    """A model whose proofs claim everything is found out by its own attacks."""
    monkeypatch.setattr(
        "pfungst.models.torch.proof",
        lambda model, inputs, *_: model.__class__ and _everything(inputs),
    )
    _, audit = audited(network(), data(contrast=0.2), linf=[0.02, 0.15])
    reasons = [one.reason for one in audit.report.skipped]
    assert any("ContradictionError" in one and "no attack of this run is to be believed" in one for one in reasons)


def _everything(inputs):
    from pfungst.models.model import Proof

    return Proof(np.ones(len(inputs)), inputs, np.ones(len(inputs)))


def test_an_open_question_is_one_that_the_attack_left():
    threat = Norm("linf", (0.1,))
    assert not open_question(threat, attacked([True] * 60, [0.1] * 60), 0.05)
    assert open_question(threat, attacked([False] * 60, [np.inf] * 60), 0.05)


def test_proofs_are_kept_and_come_back_whatever_the_batches(tmp_path):
    model = load_model(network())
    rows = bind(model, load_data(data(40, contrast=0.1)))
    asked = Prove("linf", (0.01, 0.04, 0.2), rows=40)
    some = list(pieces(asked, rows))
    found = {}
    for size in (64, 7):
        swept = [Sweep(model, rows, size)([piece]) for piece in some]
        found[size] = np.concatenate([one.answers[asked].radius for one in swept])
    assert found[64].tolist() == found[7].tolist()
    assert set(found[7]) == {0.04}
    cache = Cache(tmp_path, "run")
    cache.save(some[:1], swept[0], rows)
    kept, lost, *_ = cache.load(some[0], rows)
    assert kept.radius.tolist() == swept[0].answers[asked].radius.tolist()
    assert not kept.refuted.any()
    assert not lost
