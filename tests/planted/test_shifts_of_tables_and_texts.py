"""Shifts of tables and texts: what a model rests on breaks it, what it does not leaves it, and nothing is made up."""

import numpy as np
import pytest

import pfungst
from pfungst.probes.shift_summary import ALEXNET, ALEXNET_CLEAN, Judged, summary


def by_subject(audit, kind="fragile"):
    return {one.subject: one for one in audit.findings if one.kind == kind}


def table(rows=1200, seed=0, *, fails_where_high):
    """Labels follow the sign of the first column; where the second is high the answers are noise, or are not."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(rows, 4))
    labels = (inputs[:, 0] > 0).astype(int)

    def model(some):
        wrong = (some[:, 1] > 1) & (np.sin(1e4 * some[:, 2]) > 0) & fails_where_high
        score = np.where(wrong, -1, 1) * np.sign(some[:, 0]) * 3
        return np.stack([-score, score], axis=1)

    return model, inputs, labels


def test_the_column_is_found_whose_high_values_are_answered_badly():
    model, inputs, labels = table(fails_where_high=True)
    audit = pfungst.audit(model, (inputs, labels), only=("shift",))
    finding = by_subject(audit)["resampled:column 1"]
    assert finding.status == "found"
    weights = np.exp(np.clip((inputs[:, 1] - inputs[:, 1].mean()) / inputs[:, 1].std(), -3, 3))
    right = model(inputs).argmax(axis=1) == labels
    assert finding.effect.low < right.mean() - np.average(right, weights=weights) < finding.effect.high
    assert "high values" in finding.claim


def test_where_errors_are_anywhere_no_column_is_accused():
    accused = 0
    for seed in range(40):
        _, inputs, labels = table(600, seed, fails_where_high=False)
        coin = np.random.default_rng(seed + 1000).random(600) < 0.2

        def model(some, labels=labels, coin=coin):
            answers = np.where(coin, 1 - labels, labels)[: len(some)]
            return np.eye(2)[answers] * 3

        audit = pfungst.audit(
            model, (inputs, labels), only=("shift",), batch_size=600, task={"shift": {"kinds": ("missing",)}}
        )
        accused += any(
            name.startswith("resampled") and one.status == "found" for name, one in by_subject(audit).items()
        )
    assert accused <= 5, "at 5 % of 40 this many have a chance of 1.4 %"


def test_texts_of_a_model_that_counts_words_break_by_good_words_and_not_by_capitals():
    rng = np.random.default_rng(0)
    words = {label: [f"{kind}{letter}" for letter in "abcdefghijkl"] for label, kind in enumerate(("prize", "dear"))}
    labels = np.arange(600) % 2
    texts = np.array([" ".join(rng.choice(words[label], 6)) for label in labels], object)

    def model(some):
        counts = [[sum(text.lower().split().count(word) for word in words[label]) for label in (0, 1)] for text in some]
        return np.array(counts, float)

    task = {"shift": {"kinds": ("field",)}}
    found = by_subject(pfungst.audit(model, (texts, labels), only=("shift",), task=task))
    assert found["casing"].status == "absent"
    assert found["good-words"].effect.value == pytest.approx(0, abs=0.05), "3 words do not outweigh 6"
    at_five = [step.accuracy.value for step in found["good-words"].evidence[0].steps][-1]
    assert at_five < 0.1, "10 do, where there are as many"


def test_a_shift_for_other_rows_is_skipped_with_its_reason():
    model, inputs, labels = table(300, fails_where_high=False)
    audit = pfungst.audit(model, (inputs, labels), only=("shift",), task={"shift": {"kinds": ("fog", "missing")}})
    assert {one.subject: one.reason for one in audit.report.skipped}[
        "fog"
    ] == "made for image rows; these are table rows"
    assert "missing" in by_subject(audit)


def test_mean_corruption_error_is_what_the_paper_defines():
    class Rows:
        def __init__(self, share):
            self.correct = np.arange(100) >= 100 * share
            self.labels = np.zeros(100, int)

    model, inputs, labels = table(300, fails_where_high=False)
    finding = pfungst.audit(model, (inputs, labels), only=("shift",)).findings[0]
    judged = [
        Judged(name, None, finding, finding, None, Rows(0.1), tuple(Rows(share) for share in (0.2, 0.3, 0.4, 0.5, 0.6)))
        for name in ALEXNET
    ]
    tables = [e for one in summary(judged, ("a",)) if hasattr(one, "evidence") for e in one.evidence]
    values = dict(next(e for e in tables if e.title.startswith("Mean error under")).rows)
    assert values["mean error, plain"] == "0.400"
    expected = 100 * np.mean([0.4 / peer for peer in ALEXNET.values()])
    assert float(values["mCE: each divided by AlexNet's on ImageNet-C"]) == pytest.approx(expected, abs=0.06)
    relative = 100 * np.mean([0.3 / (peer - ALEXNET_CLEAN) for peer in ALEXNET.values()])
    assert float(values["relative mCE: growth divided by AlexNet's growth"]) == pytest.approx(relative, abs=0.06)
