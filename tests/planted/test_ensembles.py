"""Members of an ensemble: what averaging them buys is found where it is there, and nothing is sold where it is not."""

import itertools

import numpy as np
import pytest

import pfungst
from pfungst.errors import InputError
from pfungst.methods.ensembles import averaged, last_one_bought, sizes
from pfungst.outputs import Outputs, from_logits


def members(count, noise, rows=2000, classes=5, seed=0):
    """Networks that see the same evidence, each with noise of its own; labels are drawn from the evidence."""
    rng = np.random.default_rng(seed)
    evidence = rng.normal(0, 2, (rows, classes))
    p = np.exp(evidence) / np.exp(evidence).sum(axis=1, keepdims=True)
    labels = (rng.random((rows, 1)) > p.cumsum(axis=1)).sum(axis=1)
    return [from_logits(evidence + rng.normal(0, noise, (rows, classes))) for _ in range(count)], labels


def test_the_mean_is_that_of_probabilities_and_sums_to_one():
    some, _ = members(4, 1.0)
    together = averaged(some)
    want = np.mean([one.probabilities for one in some], axis=0)
    assert np.allclose(together.probabilities, want, atol=1e-6)
    assert np.abs(together.probabilities.sum(axis=1) - 1).max() < 1e-6


def test_more_members_lose_less_and_grow_less_confident():
    some, labels = members(6, 2.0)
    curve = sizes(some, labels)
    assert [one.members for one in curve] == [1, 2, 3, 4, 5, 6]
    losses, gaps = [one.log_loss for one in curve], [one.gap for one in curve]
    assert all(b < a for a, b in itertools.pairwise(losses))
    assert gaps[0] > gaps[-1]
    assert curve[0].disagreement == curve[0].information == 0.0 or abs(curve[0].information) < 1e-9
    assert curve[-1].information > 0.1


def test_the_last_point_is_the_average_of_all():
    some, labels = members(3, 1.0, rows=400)
    together, last = averaged(some), sizes(some, labels)[-1]
    assert last.accuracy == pytest.approx((together.predictions == labels).mean())
    assert last.log_loss == pytest.approx(-np.log(together.probability_of(labels)).mean(), rel=1e-5)


def test_chunks_change_nothing(monkeypatch):
    some, labels = members(4, 1.0, rows=300)
    whole = sizes(some, labels)
    monkeypatch.setattr("pfungst.methods.ensembles.CHUNK", 64)
    assert sizes(some, labels) == whole


def test_a_copy_buys_nothing():
    some, labels = members(1, 1.0)
    saved, gained = last_one_bought([some[0], some[0]], labels)
    assert np.allclose(saved, 0)
    assert not gained.any()


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ([], "no members"),
        ([from_logits(np.zeros((3, 2))), from_logits(np.zeros((4, 2)))], "same rows"),
        ([Outputs(np.zeros((2, 3), np.float32), complete=False)] * 2, "all classes"),
    ],
)
def test_what_cannot_be_averaged_is_refused(broken, words):
    with pytest.raises(InputError, match=words):
        averaged(broken)


def recorded(path, outputs, labels):
    np.savez(path, logits=outputs.logits, labels=labels)
    return str(path)


def audited(tmp_path, some, labels):
    files = [recorded(tmp_path / f"one{i}.npz", one, labels) for i, one in enumerate(some)]
    report = pfungst.audit(files[0], None, members=files[1:], only=("calibration",)).report
    return next(finding for finding in report.findings if finding.kind == "ensemble")


def test_an_ensemble_that_helps_is_found(tmp_path):
    found = audited(tmp_path, *members(4, 2.0))
    assert found.status == "found"
    assert found.severity == "low"
    assert "3 other members" in found.claim


def test_an_ensemble_of_equals_is_not_sold(tmp_path):
    """Networks that are right up to a hair's breadth: nothing is to be had, and the interval says so."""
    found = audited(tmp_path, *members(3, 0.01))
    assert found.status == "absent"


def test_a_temperature_that_hurts_labellers_is_named(tmp_path):
    """Labels are the majority's, so they are surer than people; fitting to them makes the mean too sure for people."""
    rng = np.random.default_rng(4)
    some, _ = members(3, 0.3, rows=3000)
    evidence = np.log(averaged(some).probabilities)
    p = np.exp(evidence)
    counts = np.stack([rng.multinomial(30, one / one.sum()) for one in p])
    data = {"inputs": np.zeros((3000, 2), np.float32), "labels": p.argmax(axis=1), "label_counts": counts}
    files = [recorded(tmp_path / f"m{i}.npz", one, p.argmax(axis=1)) for i, one in enumerate(some)]
    report = pfungst.audit(files[0], data, members=files[1:], only=("calibration",)).report
    found = next(finding for finding in report.findings if finding.kind == "ensemble")
    assert "hurts: labellers are met less well" in found.claim
