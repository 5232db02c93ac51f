"""Calibration under shift: from the passes that were asked anyway, no shifted row cooled by its own fold's label."""

from functools import partial

import numpy as np
import pytest

from pfungst.datasets.dataset import Dataset, Roles
from pfungst.methods.recalibrators import temperature
from pfungst.methods.shifts import Shifted
from pfungst.outputs import Outputs, from_logits
from pfungst.passes import Passes, Predict
from pfungst.probe import Labelled, labelled
from pfungst.probes.calibration_under_shift import under_shift

ROWS, NOISE, BRIGHTNESS = 1500, partial(Shifted, "noise"), partial(Shifted, "brightness")


def world(seed=0, *, patients=False):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (ROWS, 4))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (shares.cumsum(axis=1) < rng.random((ROWS, 1))).sum(axis=1).clip(0, 3)
    columns = {"patient": np.arange(ROWS) // 3} if patients else {}
    data = Dataset("test", "", "image", tuple(f"r{at}" for at in range(ROWS)), lambda _: [], classes=tuple("abcd"),
                   labels=labels, columns=columns, roles=Roles(unit="patient" if patients else None))  # fmt: skip
    asked = {Predict(): 2 * logits}
    for severity in range(1, 6):
        asked[Predict(NOISE(severity), rows=500)] = (2 * logits + severity * rng.normal(0, 1, logits.shape))[::3]
    done = {one: Outputs(z.astype(np.float32), None, np.arange(ROWS)[:: ROWS // len(z)]) for one, z in asked.items()}
    return data, done


def table(data, done):
    rows = labelled(data, done[Predict()])
    assert isinstance(rows, Labelled)
    found = list(under_shift(data, rows, Passes(done)))
    return found[0] if found else None


@pytest.mark.parametrize("patients", [False, True])
def test_quartiles_over_the_shifts_plain_and_cooled(patients):
    found = table(*world(patients=patients))
    assert found.title.startswith("Calibration under 5 shifts")
    plain, cooled = ([float(cell) for cell in row[1:]] for row in found.rows)
    assert plain[0] > 0.1
    assert cooled[0] < 0.04, "rows as they are are mended"
    assert plain[1] < plain[2] < plain[3], "stronger noise, more error"
    assert cooled[2] < plain[2]
    assert cooled[3] > 3 * cooled[0], "what was mended as it is does not stay mended"
    assert all(one > 0 for one in plain[4:])


def test_the_temperature_is_of_the_other_folds():
    data, done = world()
    one = Predict(NOISE(3), rows=500)
    found = table(data, {each: done[each] for each in (Predict(), one)})
    folds, gaps = np.arange(ROWS) % 5, []
    for fold in range(5):
        value = temperature(done[Predict()].take(folds != fold), data.labels[folds != fold]).value
        mine = done[one].take(folds[done[one].rows] == fold)
        cooled = from_logits(mine.logits / np.float32(value))
        gaps.append(cooled.confidence - (cooled.predictions == data.labels[mine.rows]))
    assert float(found.rows[1][6]) == pytest.approx(np.concatenate(gaps).mean(), abs=1e-4)


def test_what_is_no_shift_or_has_no_scores_or_another_member_is_left_out():
    data, done = world()
    clean = done[Predict()]
    assert table(data, {Predict(): clean}) is None
    others = {Predict(): clean, Predict(NOISE(1), by="other"): clean, Predict(on="train"): clean}
    assert table(data, others) is None
    top = Outputs(clean.logits, None, clean.rows, complete=False)
    assert table(data, {Predict(): clean, Predict(BRIGHTNESS(1)): top}) is None
    few = clean.take(np.arange(50))
    assert table(data, {Predict(): clean, Predict(BRIGHTNESS(1)): few}) is None
