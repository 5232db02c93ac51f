"""Answers with many classes: what a summary keeps is exact, and what it does not keep is refused, never guessed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pfungst
from pfungst.engine import sweep
from pfungst.errors import InputError
from pfungst.outputs import Outputs, from_top
from pfungst.summarised import KEPT, joined_summaries, summarised


def answers(rows=60, classes=40, seed=0, *, ties=False):
    rng = np.random.default_rng(seed)
    logits = rng.integers(0, 3, (rows, classes)) if ties else rng.normal(size=(rows, classes)) * 3
    return Outputs(logits.astype(np.float32), rows=rng.permutation(rows)), rng.integers(0, classes, rows)


@given(st.integers(0, 10), st.booleans(), st.integers(2, 40))
def test_what_is_kept_is_what_the_whole_says(seed, ties, classes):
    outputs, labels = answers(30, classes, seed, ties=ties)
    some = summarised(outputs, labels)
    assert np.array_equal(some.predictions, outputs.predictions)
    assert some.classes == outputs.classes
    assert some.confidence == pytest.approx(outputs.confidence, rel=1e-5)
    assert some.probability_of(labels) == pytest.approx(outputs.probability_of(labels), rel=1e-5)
    assert some.log_sum_exp == pytest.approx(outputs.log_sum_exp, rel=1e-6, abs=1e-6)
    highest = -np.sort(-outputs.log_probabilities, axis=1)[:, : min(KEPT, classes)]
    assert some.logits == pytest.approx(highest, rel=1e-5, abs=1e-5)
    assert some.probability_of(some.top[:, -1]) == pytest.approx(np.exp(highest[:, -1]), rel=1e-5)


def test_rows_are_taken_and_joined_like_whole_answers():
    outputs, labels = answers()
    some = summarised(outputs, labels)
    again = joined_summaries([some.take(np.arange(20)), some.take(slice(20, None))])
    rows = np.array([7, 3, 11])
    assert np.array_equal(again.at(rows).predictions, outputs.at(rows).predictions)
    assert np.array_equal(again.own, some.own)
    assert np.array_equal(again.top, some.top)


def test_what_is_not_kept_is_refused():
    outputs, labels = answers()
    some = summarised(outputs, np.where(np.arange(60) < 5, -1, labels))
    worst = outputs.logits.argmin(axis=1)
    with pytest.raises(InputError, match="a class was asked for that was not kept"):
        some.probability_of(worst)
    with pytest.raises(InputError, match="of 40 classes the 5 likeliest were kept"):
        _ = some.probabilities
    with pytest.raises(InputError, match="not known in full"):
        summarised(from_top(np.array([1]), np.array([0.5]), 3), np.array([0]))
    assert not some.complete


def audited(folder, **options):
    rng = np.random.default_rng(1)
    inputs = rng.integers(0, 256, (120, 8, 8, 3)).astype(np.uint8)
    weights = rng.normal(size=(192, 50)).astype(np.float32)

    def model(images):
        return images.reshape(len(images), -1) / np.float32(255) @ weights

    labels = model(inputs.astype(np.float32)).argmax(axis=1)
    task = {"outputs": "logits", "task": {"classes": [f"c{i}" for i in range(50)]}}
    only = ["shift", "calibration"]
    return pfungst.audit(model, (inputs, labels), task=task, out=folder, only=only, images=False, **options)


def numbers(report):
    """Every finding but the table that needs all classes."""
    return {(f.kind, f.subject): (f.status, f.severity, round(f.effect.value, 5)) for f in report.findings}


@pytest.mark.filterwarnings("ignore:.*")
def test_an_audit_of_summaries_finds_the_same_says_what_it_lacks_and_is_read_again(tmp_path, monkeypatch):
    whole = audited(tmp_path / "whole").report
    monkeypatch.setattr(sweep, "MOST_SCORES", 1000)
    few = audited(tmp_path / "few").report
    assert len(numbers(few)) > 10
    assert numbers(few) == numbers(whole)
    assert any("5 likeliest were kept" in sentence for sentence in few.settings["assumed"])
    assert any(one.subject == "a temperature under shift" for one in few.skipped)
    again = audited(tmp_path / "few").report
    assert all(one.cached for one in again.passes)
    assert numbers(again) == numbers(few)
    sizes = [sum(f.stat().st_size for f in (tmp_path / name / "answers").iterdir()) for name in ("few", "whole")]
    assert sizes[0] < sizes[1]


def test_answers_kept_in_full_go_on_as_summaries_when_more_rows_are_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "MOST_SCORES", 5000)
    stopped = audited(tmp_path / "run", rows=80).report
    more = audited(tmp_path / "run").report
    assert not any("likeliest were kept" in sentence for sentence in stopped.settings["assumed"])
    assert numbers(more) == numbers(audited(tmp_path / "other").report)
