"""The worst shift row by row: found where the answer rests on it, and told by name; nothing where it does not."""

import numpy as np

import pfungst
from pfungst.datasets.dataset import Batch
from pfungst.findings import Table
from pfungst.methods.threats import STAGES
from pfungst.methods.worst_shift import CorruptionSearch
from pfungst.passes import Attack


def pictures(rows=160, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % 2
    inputs = rng.normal(20, 5, (rows, 24, 24, 1))
    inputs[labels == 1, :, :12] += 215
    inputs[labels == 0, :, 12:] += 215
    return np.clip(inputs, 0, 255).astype(np.uint8), labels


def shares(shown):
    return np.asarray(shown, np.float32) / (255 if shown.dtype == np.uint8 else 1)


def by_side(shown):
    """Which half is brighter, whatever the light."""
    values = shares(shown)
    lead = np.median(values[:, :, :12], axis=(1, 2, 3)) - np.median(values[:, :, 12:], axis=(1, 2, 3))
    return np.stack([-lead, lead], axis=1) * 50


def by_light(shown):
    """Which half is brighter, but never the second class where it is light."""
    scores = by_side(shown)
    scores[shares(shown).mean(axis=(1, 2, 3)) > 0.65, 1] = -99
    return scores


def audited(model):
    task = {"adversarial": {"corruption": True}}
    audit = pfungst.audit(model, pictures(), only=("adversarial",), task=task)
    return next(one for one in audit.findings if one.subject == "corruption")


def test_rows_fall_to_the_shift_that_the_answer_rests_on():
    finding = audited(by_light)
    assert finding.status == "found"
    shown = next(one for one in finding.evidence if isinstance(one, Table))
    counts = {name: int(count) for name, count in shown.rows}
    assert counts["brightness"] > 50
    assert "worst of 12 shifts" in finding.claim


def test_a_model_that_no_shift_moves_is_left_in_peace():
    assert audited(by_side).effect.value < 0.05


def test_what_a_row_meets_depends_on_no_other_row():
    class Model:
        offers = frozenset({"new inputs"})

        def predict(self, inputs):
            from pfungst.outputs import from_logits

            return from_logits(by_light(inputs))

    inputs, labels = pictures(40)
    batch = Batch(tuple(map(str, range(40))), np.arange(40), inputs, labels)
    whole = Attack(CorruptionSearch()).run(Model(), batch)
    parts = [Attack(CorruptionSearch()).run(Model(), batch.take(np.arange(at, at + 10))) for at in range(0, 40, 10)]
    assert np.array_equal(np.concatenate([part.stage for part in parts]), whole.stage)
    assert set(whole.stage[whole.broken & (whole.budget > 0)]) <= set(
        range(len(STAGES), len(CorruptionSearch().stages))
    )
    assert (whole.forwards <= 3 + len(CorruptionSearch().tried) + 2).all()
