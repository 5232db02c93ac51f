"""Mistakes: wrong labels are counted, slices found where they were planted, and neither where there are none."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

import pfungst
from pfungst.datasets.dataset import Dataset
from pfungst.methods import label_errors as label_errors_module
from pfungst.methods.label_errors import label_errors
from pfungst.methods.near_duplicates import near_duplicates
from pfungst.methods.slices import by_columns, worst
from pfungst.outputs import from_logits
from pfungst.probe import Labelled
from pfungst.probes.error_reasons import reasons
from pfungst.statistics import binning
from pfungst.statistics.intervals import wilson

CLASSES = ("ant", "bee", "cat", "dog", "eel")


def world(rows, classes, wrong, seed, sureness=1.0):
    """Logits whose softmax is the label's distribution, stated too surely by a factor; then labels drawn wrongly."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3.0, (rows, classes))
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    labels = (shares.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1).clip(0, classes - 1)
    mistaken = rng.random(rows) < wrong
    labels = np.where(mistaken, (labels + rng.integers(1, classes, rows)) % classes, labels)
    return from_logits((logits * sureness).astype(np.float32)), labels, mistaken


@pytest.mark.parametrize("sureness", [0.5, 1.0, 4.0])
def test_right_labels_are_not_called_wrong_however_sure_the_model_is(sureness):
    found = sum(
        label_errors(*world(rows, classes, 0.0, seed, sureness)[:2]).share.low > 0.03
        for rows in (200, 1000)
        for classes in (2, 10)
        for seed in range(10)
    )
    assert found <= 1


def test_the_share_of_wrong_labels_is_covered_and_found():
    covered, found, values = 0, 0, []
    for seed in range(40):
        outputs, labels, mistaken = world(2000, 4, 0.08, seed, 1 + seed % 3)
        share = label_errors(outputs, labels).share
        covered += share.low <= mistaken.mean() <= share.high
        found += share.low > 0.03
        values.append(share.value)
    assert wilson(covered / 40, 40)[1] >= 0.95
    assert found >= 20
    assert np.mean(values) == pytest.approx(0.08, abs=0.01)


def test_wrong_labels_are_found_where_all_answers_are_about_as_sure():
    found = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        answers, margin = rng.integers(0, 2, 1000), np.abs(rng.normal(7, 2, 1000))
        wrong = (rng.random(1000) * (1 + np.exp(margin)) < 1) ^ (rng.random(1000) < 0.12)
        logits = np.eye(2)[answers] * margin[:, None]
        found += label_errors(from_logits(logits), answers ^ wrong).share.low > 0.03
    assert found >= 11


@pytest.mark.parametrize("levels", [(60.0,), (60.0, 0.7), (60.0, 0.7, 0.0)], ids=["tree", "small leaves", "neighbours"])
def test_models_that_state_certainty_and_err_are_not_taken_for_wrong_labels(levels):
    """Full trees and near neighbours: one answer in four is wrong where they state certainty, more elsewhere."""
    found = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        answers, which = rng.integers(0, 4, 1000), rng.integers(0, len(levels), 1000)
        wrong = rng.random(1000) < np.array([0.25, 0.45, 0.6])[which]
        labels = np.where(wrong, (answers + rng.integers(1, 4, 1000)) % 4, answers)
        logits = np.eye(4)[answers] * np.array(levels)[which][:, None]
        found += label_errors(from_logits(logits), labels).share.low > 0.03
    assert found == 0


def test_the_likeliest_wrong_labels_are_wrong():
    outputs, labels, mistaken = world(2000, 4, 0.08, 7)
    suspects = label_errors(outputs, labels).suspects
    assert len(suspects) > 20
    assert mistaken[suspects[:20]].mean() >= 0.8


def test_of_very_many_rows_margins_are_counted_and_the_share_is_the_same(monkeypatch):
    outputs, labels, _ = world(20_000, 4, 0.08, 3)
    sorted_ones = label_errors(outputs, labels)
    for module in (label_errors_module, binning):
        monkeypatch.setattr(module, "MANY", 0)
    counted = label_errors(outputs, labels)
    for name in ("value", "low", "high"):
        assert getattr(counted.share, name) == pytest.approx(getattr(sorted_ones.share, name), abs=2e-3)
    assert len(counted.suspects) == pytest.approx(len(sorted_ones.suspects), rel=0.03)


def test_labels_of_few_patients_are_known_less_surely():
    outputs, labels, _ = world(600, 3, 0.1, 1)
    alone = label_errors(outputs, labels).share
    shared = label_errors(outputs, labels, np.arange(600) // 20).share
    assert shared.unit == "unit"
    assert shared.rows == 30
    assert shared.high - shared.low >= 0.8 * (alone.high - alone.low)


def told(rows, seed, planted):
    """A model of five classes; at site B it errs ``planted`` more often. Labels, sites, answers' logits."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(CLASSES), rows)
    sites = rng.choice(["A", "B", "C", "D"], rows, p=(0.4, 0.2, 0.2, 0.2))
    wrong = rng.random(rows) < 0.06 + planted * (sites == "B")
    answers = np.where(wrong, (labels + 1) % len(CLASSES), labels)
    logits = rng.normal(0, 1, (rows, len(CLASSES)))
    logits[np.arange(rows), answers] += 4
    return labels, sites, logits, rng


def audited(rows, seed, planted, tmp_path):
    labels, sites, logits, rng = told(rows, seed, planted)
    path = tmp_path / f"answers-{seed}-{planted}.npz"
    ages = rng.normal(50, 10, rows)
    ages[::9] = np.nan
    given = {"labels": labels, "logits": logits.astype(np.float32), "classes": np.array(CLASSES)}
    np.savez(path, **given, site=sites, age=ages, code=np.arange(rows).astype(str))
    return pfungst.audit(str(path), only=("mistakes",))


def test_the_planted_slice_is_named(tmp_path):
    audit = audited(2000, 0, 0.25, tmp_path)
    found = {one.subject: one for one in audit.findings if one.kind == "slice" and one.status == "found"}
    assert "site=B" in found
    assert found["site=B"].effect.low <= 0.25 <= found["site=B"].effect.high
    assert found["site=B"].severity in {"high", "medium"}


def test_no_slice_is_named_where_none_was_planted(tmp_path):
    found = [
        one.subject
        for seed in range(12)
        for one in audited(800, seed, 0.0, tmp_path).findings
        if one.kind == "slice" and one.status == "found"
    ]
    assert len(found) <= 1


def test_slices_are_mined_without_looking_at_the_confirmation_rows():
    labels, sites, logits, rng = told(1000, 3, 0.3)
    wrong = (logits.argmax(axis=1) != labels).astype(float)
    discovery = rng.random(1000) < 0.5
    columns = {"site": sites.astype(object)}

    def named(errors):
        return [one.name for one in worst(by_columns(columns, {}, discovery), errors, discovery, 3)]

    assert named(wrong)[0] == "site=B"
    assert named(np.where(discovery, wrong, 1 - wrong)) == named(wrong)


def test_repeated_pictures_are_found_however_they_were_saved_and_others_are_not():
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)
    pictures = np.stack([cv2.resize(each, (40, 40), interpolation=cv2.INTER_CUBIC) for each in coarse])
    saved = [cv2.imdecode(cv2.imencode(".jpg", each, [1, 70])[1], 1) for each in pictures[:20]]
    again = np.stack([each[:, ::-1] if at % 2 else each for at, each in enumerate(saved)])
    assert near_duplicates(again, pictures).tolist() == [[at, at] for at in range(20)]
    assert near_duplicates(pictures).tolist() == []
    assert near_duplicates(np.concatenate([pictures, again])).tolist() == [[60 + at, at] for at in range(20)]
    assert near_duplicates(np.zeros((5, 9, 9, 1), np.uint8)).tolist() == []


def test_one_row_under_two_labels_and_rows_of_the_training_set_are_listed():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(300, 3)).astype(np.float32)
    labels = (inputs[:, 0] > 0).astype(int)
    inputs[200], labels[200] = inputs[10], 1 - labels[10]

    def model(rows):
        return np.stack([-rows[:, 0], rows[:, 0]], axis=1)

    train = {"inputs": np.concatenate([inputs[:50], inputs[:50] + 9]), "labels": np.concatenate([labels[:50]] * 2)}
    audit = pfungst.audit(
        model, {"inputs": inputs, "labels": labels}, train=train, only=("mistakes",), outputs="logits"
    )
    shown = {one.title: one for finding in audit.findings for one in finding.evidence}
    (conflicts,) = [one for title, one in shown.items() if title.startswith("One input, two labels")]
    assert {"10", "200"} in [{row[0], row[2]} for row in conflicts.rows]
    assert "51 of 300 rows of test stand in the training set too" in shown


def test_an_error_gets_the_first_excuse_that_holds():
    labels = np.array([0, 1, 2, 0, 1, 2])
    logits = np.full((6, 3), -9.0)
    answers = np.array([1, 2, 0, 1, 1, 1])
    logits[np.arange(6), answers] = 9.0
    logits[0, labels[0]] = 8.5
    votes = np.eye(3)[labels] * 10
    votes[2, answers[2]] = 4
    data = Dataset("test", "", "answers", tuple("abcdef"), list, CLASSES[:3], label_counts=votes)
    outputs = replace(from_logits(logits), rows=np.arange(6))
    why = reasons(data, Labelled(outputs, labels, None), np.array([3, 4]), {"insects": ("bee", "cat")})
    excuses = [why.words(row) if why.codes[row] >= 0 else "" for row in range(6)]
    assert excuses == [
        "near miss", "classes alike", "labellers disagree", "the label looks wrong", "", "classes alike",
    ]  # fmt: skip


def test_errors_without_excuse_are_shown_first(tmp_path):
    outputs, labels, _ = world(1500, 5, 0.0, 2)
    path = tmp_path / "answers.npz"
    np.savez(path, labels=labels, logits=outputs.logits, classes=np.array(CLASSES))
    audit = pfungst.audit(str(path), only=("mistakes",))
    (gallery,) = [each for one in audit.findings for each in one.evidence if each.title.startswith("Errors nobody")]
    shown = [item[0].caption for item in gallery.items]
    assert shown == sorted(shown, key=lambda words: words != "no reason")
    assert shown[0] == "no reason"


def test_kinds_of_the_task_file_excuse_errors_among_them(tmp_path):
    outputs, labels, _ = world(1000, 5, 0.0, 1)
    path = tmp_path / "answers.npz"
    np.savez(path, labels=labels, logits=outputs.logits, classes=np.array(CLASSES))
    task = {"task": {"kinds": {"insects": ["ant", "bee"]}}}
    audit = pfungst.audit(str(path), only=("mistakes",), task=task)
    (table,) = [each for one in audit.findings for each in one.evidence if each.title == "Which errors make sense"]
    counted = {row[0]: int(row[1]) for row in table.rows}
    assert counted["classes alike"] > 0
    assert counted["no reason"] > counted["classes alike"]
