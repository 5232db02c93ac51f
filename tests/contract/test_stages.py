"""With a budget a first answer stands soon and is refined in place; no row is asked twice for it."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from pfungst.auditing import audit
from pfungst.audits import budget as budget_module
from pfungst.audits.request import resolve
from pfungst.audits.study import opened
from pfungst.engine import sweep as sweep_module
from pfungst.engine.cache import Cache
from pfungst.engine.local import Inline
from pfungst.engine.rounds import Rounds
from pfungst.passes import Passes, Predict
from pfungst.report.files import read_audit

ROWS, CLASSES = 6000, 3
SECONDS_A_ROW = 0.01


@pytest.fixture
def rows():
    """Pictures of 8 px whose brightest third names their class, a tenth of them wrongly."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, ROWS)
    inputs = rng.integers(0, 100, (ROWS, 8, 9, 3)).astype(np.uint8)
    shown = np.where(rng.random(ROWS) < 0.1, (labels + 1) % CLASSES, labels)
    for k in range(CLASSES):
        inputs[shown == k, :, 3 * k : 3 * k + 3] += 80
    return inputs, labels


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only while the model is asked."""
    now = SimpleNamespace(at=0.0)
    read = SimpleNamespace(monotonic=lambda: now.at, perf_counter=lambda: now.at)
    monkeypatch.setattr(budget_module, "time", read)
    monkeypatch.setattr(sweep_module, "time", read)
    return now


def slow(clock):
    def model(inputs):
        clock.at += SECONDS_A_ROW * len(inputs)
        means = inputs.astype(np.float32).mean(axis=(1, 3)).reshape(len(inputs), CLASSES, 3).mean(axis=2)
        return means / 10

    return model


def test_first_answer_stands_within_a_minute_and_is_refined_until_the_budget_ends(rows, clock, tmp_path):
    heard, asked = [], []

    def listen(event, facts):
        if event == "judged":
            heard.append((clock.at, facts["complete"], read_audit(tmp_path)))
        if event == "shard":
            asked.append(facts["row_passes"])

    only = ("calibration", "mistakes", "shift")
    result = audit(slow(clock), rows, out=tmp_path, budget="400s", only=only, listen=listen)
    assert len(heard) >= 3
    assert heard[0][0] <= 60
    assert [complete for _, complete, _ in heard] == [False] * (len(heard) - 1) + [True]
    assert 0.5 * 400 < clock.at <= 400

    tested = [report["headline"][0]["accuracy"] for report in (one for _, _, one in map(_plain, heard))]
    assert [one["rows"] for one in tested] == sorted(one["rows"] for one in tested)
    assert tested[-1]["high"] - tested[-1]["low"] < 0.9 * (tested[0]["high"] - tested[0]["low"])
    judged_first = {finding["id"] for finding in _plain(heard[0])[2]["findings"]}
    assert judged_first <= {finding.id for finding in result.findings} | _of_parts(_plain(heard[0])[2])
    assert {finding.probe for finding in result.findings} >= {"calibration", "shift"}
    assert sum(asked) <= 1.02 * sum(record.rows for record in result.passes), "what was asked is not asked again"


def _plain(heard):
    return heard[0], heard[1], json.loads(heard[2])


def _of_parts(report):
    """Slices, confusions and classes are named after what stands out, which more rows may change."""
    return {one["id"] for one in report["findings"] if one["kind"] in {"slice", "confusion", "classwise"}}


def test_a_budget_that_is_ample_asks_everything_at_once(rows, clock, tmp_path):
    heard = []
    result = audit(
        slow(clock), rows, out=tmp_path, budget="2h", only=("calibration",),
        listen=lambda event, facts: heard.append(facts["complete"]) if event == "judged" else None,
    )  # fmt: skip
    assert result.report.headline[0].accuracy.rows == ROWS
    assert not [entry for entry in result.skipped if entry.probe == "budget"]
    assert heard[-1] is True


def test_a_larger_sample_asks_only_the_rows_that_are_new(rows, clock, tmp_path):
    study = opened(slow(clock), rows, resolve(None, {}))
    cache = Cache(tmp_path, study.key)
    counted = []

    def answers(limit, cache=cache):
        data = study.data.limited(limit)
        sweep = replace(study.sweep(), data=data)
        few = Rounds(data, Inline(sweep), cache, listen=lambda _, facts: counted.append(facts["row_passes"]))
        return few.answer({Predict(): ("test",)}, Passes())[Predict()]

    few, more = answers(300), None
    counted.clear()
    more = answers(1000)
    assert counted[0] == 700
    whole = answers(1000, None)
    np.testing.assert_array_equal(more.rows, whole.rows)
    np.testing.assert_array_equal(more.logits, whole.logits)
    np.testing.assert_array_equal(few.logits, whole.at(few.rows).logits)


@pytest.mark.parametrize("shares", [(0.9, 0.08, 0.02), (0.34, 0.33, 0.33)])
def test_every_prefix_holds_each_class_at_its_share(shares):
    rng = np.random.default_rng(1)
    labels = rng.choice(3, 4000, p=shares)
    data = opened(
        lambda inputs: np.zeros((len(inputs), 3)), (np.zeros((4000, 4), np.float32), labels), resolve(None, {})
    )
    for half, order in data.data.halves.items():
        mine = labels[order]
        for rows in (100, 500, 1500):
            expected = rows * np.bincount(mine, minlength=3) / len(mine)
            assert np.abs(np.bincount(mine[:rows], minlength=3) - expected).max() <= 1.01, half
