"""What lies outside the object: found where it carries the answer as a whole, and not where the object does."""

import numpy as np
import pytest

import pfungst
from pfungst.datasets.dataset import Batch
from pfungst.methods.joint_occlusion import JointOcclusion, share_beyond
from pfungst.methods.places import Border
from pfungst.outputs import from_logits

ROWS, SIDE = 80, 24
RING = Border().inside(SIDE, SIDE)


def scene(seed=0):
    """A bright or dark square at any place, a frame and a mark in the corner that agree with it; labels, outlines."""
    rng = np.random.default_rng(seed)
    labels = np.arange(ROWS) % 2
    pictures, masks = rng.normal(120, 8, (ROWS, SIDE, SIDE, 1)), np.zeros((ROWS, SIDE, SIDE), bool)
    for row, label in enumerate(labels):
        down, across = rng.integers(6, 14, 2)
        masks[row, down : down + 5, across : across + 5] = True
        pictures[row][masks[row] | RING] += (80, -80)[label]
        pictures[row, 2:5, 2:5] += (80, -80)[label]
    return pictures.clip(0, 255).astype(np.uint8), labels, masks


def margin(lean):
    return np.stack([lean, -lean], axis=1)


def saturated(shown, part):
    """Few pixels of the part decide as surely as all of it, as where a network reads a whole frame."""
    return margin(6 * np.tanh((shown[..., 0] / 255.0 - 0.47)[:, part].mean(axis=1) * 30))


def frame_reader(shown):
    return saturated(shown, RING)


def mark_reader(shown):
    corner = np.zeros((SIDE, SIDE), bool)
    corner[2:5, 2:5] = True
    return saturated(shown, corner)


def thing_reader(shown):
    lean = shown[:, 5:20, 5:20, 0].astype(float) - 120
    return margin(np.where(np.abs(lean) > 40, lean, 0).sum(axis=(1, 2)) / 400)


def said(model, *, outlined=True, seed=0):
    pictures, labels, masks = scene(seed)
    data = {"inputs": pictures, "labels": labels} | ({"masks": masks} if outlined else {})
    asked = pfungst.probes.attribution(methods=("occlusion",))
    audit = pfungst.audit(model, data, outputs="logits", probes=[asked], images=False)
    return {one.subject: one for one in audit.findings if one.kind == "outside-object"}


@pytest.mark.parametrize("seed", range(3))
def test_a_network_that_reads_a_frame_is_found_with_and_without_outlines(seed):
    assert said(frame_reader, outlined=False, seed=seed)["border"].status == "found"
    assert {subject: one.status for subject, one in said(frame_reader, seed=seed).items()} == {
        "border": "found", "background": "found",
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_a_mark_beside_a_small_object_is_found_in_the_background(seed):
    found = said(mark_reader, seed=seed)
    assert found["background"].status == "found"
    assert found["border"].status == "absent"


@pytest.mark.parametrize("seed", range(3))
def test_a_network_that_reads_the_object_is_not_accused(seed):
    assert {one.status for one in said(thing_reader, seed=seed).values()} == {"absent"}


def test_nothing_is_said_where_the_answer_loses_nothing():
    one = said(lambda shown: np.tile([3.0, -3.0], (len(shown), 1)))["border"]
    assert one.status == "inconclusive"
    assert (one.effect.low, one.effect.high) == pytest.approx((-RING.mean(), 1 - RING.mean()))


class Linear:
    def __init__(self, weights):
        self.weights = weights

    def predict(self, inputs):
        return from_logits(margin((inputs[..., 0] * self.weights).sum(axis=(1, 2))))


def test_a_part_of_a_linear_model_carries_the_sum_of_its_weights():
    rng = np.random.default_rng(0)
    weights, inputs = rng.random((SIDE, SIDE)) / 99, rng.random((6, SIDE, SIDE, 1)).astype(np.float32)
    masks = np.zeros((6, SIDE, SIDE), bool)
    masks[1:, 8:12, 8:12] = True
    batch = Batch(tuple("abcdef"), np.arange(6), inputs, np.zeros(6, int), masks=masks)
    carried = JointOcclusion()(Linear(weights), batch).values[:, 0]
    lost = 2 * weights * (inputs[..., 0] - inputs.mean(axis=(1, 2, 3))[:, None, None])
    for part, at in ((np.tile(RING, (6, 1, 1)), 0), (~masks, 3)):
        known = part.any(axis=(1, 2)) & ~part.all(axis=(1, 2))
        np.testing.assert_allclose(carried[known, at], (lost * part).sum(axis=(1, 2))[known], atol=1e-4)
        np.testing.assert_allclose(carried[known, at + 1], (lost * ~part).sum(axis=(1, 2))[known], atol=1e-4)
        np.testing.assert_allclose(carried[known, at + 2], part.mean(axis=(1, 2))[known], atol=1e-6)
    assert np.isnan(carried[0, 3:]).all()


def test_the_interval_of_a_share_holds_the_truth():
    held = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        part, rest = rng.normal(1, 1, 40), rng.normal(3, 2, 40)
        share = share_beyond(part, rest, np.full(40, 0.1), None)
        held += share.low <= 0.15 <= share.high
    assert held >= 180
