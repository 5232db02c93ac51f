"""Calibration by class and against labellers, and the remedy that exports a calibrated model."""

import numpy as np
import onnxruntime
import pytest

import pfungst
from pfungst.demo import demo_files
from pfungst.load import load_model
from pfungst.task import Task

CLASSES = ("cat", "dog", "fox", "owl")


def people(rows=3000, seed=0, votes=40, sureness=1.0, off=None):
    """Answers of a model that states what labellers say; ``off`` names a class whose answers are stated too surely."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.6, (rows, 4))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    counts = np.array([rng.multinomial(votes, each) for each in shares])
    stated = logits * sureness
    if off is not None:
        chosen = logits.argmax(axis=1) == CLASSES.index(off)
        stated[chosen] *= 3
    return {"logits": stated.astype(np.float32), "label_counts": counts, "labels": counts.argmax(axis=1),
            "classes": np.array(CLASSES)}  # fmt: skip


def audited(path, answers):
    np.savez(path, **answers)
    return {(one.kind, one.subject): one for one in pfungst.audit(str(path), only=("calibration",)).findings}


def test_a_model_that_states_what_labellers_say_is_calibrated_to_them_and_not_to_their_majority(tmp_path):
    found = audited(tmp_path / "a.npz", people())
    assert found["humans", ""].status in {"absent", "inconclusive"}
    assert abs(found["humans", ""].effect.value) < 0.01
    assert found["underconfident", ""].status == "found"


def test_a_sure_model_is_found_to_outrun_its_labellers(tmp_path):
    one = audited(tmp_path / "a.npz", people(sureness=3.0))["humans", ""]
    assert (one.status, one.severity) == ("found", "critical")
    titles = [each.title for each in one.evidence]
    assert any(title.startswith("Labellers split, the model is sure") for title in titles)


def test_a_temperature_fitted_to_labels_is_shown_to_cost_labellers(tmp_path):
    one = audited(tmp_path / "a.npz", people(rows=2000))["humans", ""]
    (table,) = [each for each in one.evidence if each.title.startswith("What a temperature does")]
    plain, hard, soft = ([float(cell) for cell in row[1:]] for row in table.rows[:3])
    assert hard[0] < plain[0]
    assert hard[2] > plain[2] + 0.02
    assert soft[2] == pytest.approx(plain[2], abs=0.003)


def test_rows_on_which_nobody_voted_are_left_out_against_labellers_and_nowhere_else(tmp_path):
    answers = people(rows=2000)
    every = audited(tmp_path / "every.npz", answers)
    half = np.arange(2000) % 2 == 0
    some = audited(tmp_path / "some.npz", {**answers, "label_counts": answers["label_counts"] * half[:, None]})
    alone = {name: held if name == "classes" else held[half] for name, held in answers.items()}
    # In another order, which the last bits of sums depend on.
    apart, effect = audited(tmp_path / "alone.npz", alone)["humans", ""].effect, some["humans", ""].effect
    assert (effect.value, effect.rows) == (pytest.approx(apart.value), apart.rows)
    assert (effect.low, effect.high) == pytest.approx((apart.low, apart.high), rel=1e-12)
    assert some["overconfident", ""].effect == every["overconfident", ""].effect
    (bought,) = [one for one in some["overconfident", ""].evidence if one.title.startswith("What recalibration buys")]
    assert bought.columns[-1] == "cross-entropy to labellers"
    assert float(bought.rows[0][-1]) > 0


def test_votes_on_no_row_are_no_votes(tmp_path):
    answers = people(rows=300)
    np.savez(tmp_path / "a.npz", **{**answers, "label_counts": answers["label_counts"] * 0})
    audit = pfungst.audit(str(tmp_path / "a.npz"), only=("calibration",))
    assert [one.reason for one in audit.skipped if one.kind == "humans"] == [
        "there are no votes on any of the labelled rows"
    ]
    assert {one.kind for one in audit.findings} >= {"overconfident", "underconfident"}


def test_the_class_that_is_off_is_named_and_no_other(tmp_path):
    answers = people(rows=4000, off="fox", votes=1)
    answers.pop("label_counts")
    found = audited(tmp_path / "a.npz", answers)
    named = {subject for kind, subject in found if kind == "classwise" and found[kind, subject].status == "found"}
    assert "fox" in named
    assert max(found.values(), key=lambda one: one.effect.value if one.kind == "classwise" else -1).subject == "fox"


def test_no_class_is_named_where_none_is_off(tmp_path):
    named = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        logits = rng.normal(0, 2, (1500, 4))
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        labels = (shares.cumsum(axis=1) < rng.random((1500, 1))).sum(axis=1).clip(0, 3)
        answers = {"logits": logits.astype(np.float32), "labels": labels, "classes": np.array(CLASSES)}
        found = audited(tmp_path / f"{seed}.npz", answers)
        named += any(one.kind == "classwise" and one.status == "found" for one in found.values())
    assert named == 0


def overconfident(tmp_path, times):
    files = demo_files()
    model = load_model(str(files.model), task=Task())
    weight, bias = model.last_layer()
    path = tmp_path / "model.onnx"
    path.write_bytes(model.with_last_layer(weight * times, bias * times))
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes((files.model.parent / name).read_bytes())
    return path, files.data


def test_the_exported_model_states_what_is_so_and_answers_as_before(tmp_path):
    path, data = overconfident(tmp_path, 4.0)
    out = tmp_path / "calibrated.onnx"
    done = pfungst.remedy("temperature", str(path), str(data), out=out)
    lines = {line.name: line for line in done.lines}
    assert lines["log-loss"].after.value < 0.8 * lines["log-loss"].before.value
    assert abs(lines["confidence less accuracy"].after.value) < 0.015
    accuracy = lines["accuracy on rows nobody fitted on"]
    assert accuracy.before == accuracy.after
    assert "no answer changed" in done.sentence
    loaded, other = (onnxruntime.InferenceSession(str(each)) for each in (path, out))
    shape = [1 if not isinstance(side, int) else side for side in loaded.get_inputs()[0].shape]
    given = {loaded.get_inputs()[0].name: np.random.default_rng(0).random(shape, dtype=np.float32)}
    one, two = loaded.run(None, given)[0], other.run(None, given)[0]
    factor = one / two
    assert factor.std() < 1e-3
    assert 3 < factor.mean() < 5.5


def test_votes_that_are_not_there_are_missed(tmp_path):
    files = demo_files()
    with pytest.raises(pfungst.InputError, match="holds no votes"):
        pfungst.remedy("temperature", str(files.model), str(files.data), out=tmp_path / "m.onnx", votes=True)
