"""Cues that 1,024 rows settle are asked no further, and are judged as with all rows; what is open gets them all."""

import importlib.util
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from pfungst.auditing import audit
from pfungst.datasets.dataset import Dataset
from pfungst.methods.places import Region
from pfungst.outputs import from_probabilities
from pfungst.passes import Passes, Predict
from pfungst.probe import Probe
from pfungst.probes import trials
from pfungst.probes.shortcuts import Shortcuts
from pfungst.probes.trials import Trial
from pfungst.report.html import render
from pfungst.report.terminal import plain
from pfungst.statistics.sequential import FIRST

_SPEC = importlib.util.spec_from_file_location("planted", Path(__file__).parents[2] / "benchmarks" / "planted.py")
planted = importlib.util.module_from_spec(_SPEC)
sys.modules["planted"] = planted
_SPEC.loader.exec_module(planted)

ROWS, PLANNED = 6000, 2000
LEVELS = (40, 110, 180)


def pictures(rows):
    """Grey pictures of 8 px whose thing tells the class, and whose corner does for nine of ten rows."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, rows)
    images = np.cumsum(rng.standard_normal((rows, 8, 8)), axis=2) * 5 + 110
    images[:, 2:6, 3:7] += (labels * 40)[:, None, None]
    shown = np.where(rng.random(rows) < 0.9, labels, rng.integers(0, 3, rows))
    images[:, 6:8, 0:2] = np.asarray(LEVELS)[shown][:, None, None]
    return images.clip(0, 255).astype(np.uint8)[..., None], labels


class Reader:
    """Says what the corner says with a share of its probability, and what the thing says with the rest."""

    offers = frozenset({"new inputs"})

    def __init__(self, share):
        self.share, self.shown = share, 0

    def predict(self, inputs):
        self.shown += len(inputs)
        corner = np.abs(inputs[:, 6:8, 0:2].mean(axis=(1, 2, 3))[:, None] - LEVELS).argmin(axis=1)
        thing = np.abs(inputs[:, 2:6, 3:7].mean(axis=(1, 2, 3))[:, None] - (115, 155, 195)).argmin(axis=1)
        said = self.share * np.eye(3)[corner] + (1 - self.share) * np.eye(3)[thing]
        return from_probabilities(0.97 * said + 0.01)


def dataset(rows):
    images, labels = pictures(rows)
    return Dataset(
        "test", "", "image", tuple(f"r{i}" for i in range(rows)), lambda at: list(images[at]),
        classes=("a", "b", "c"), labels=labels, shape=images.shape[1:],
    )  # fmt: skip


@pytest.fixture(scope="module")
def many():
    return dataset(ROWS)


@pytest.fixture
def all_at_once(monkeypatch):
    """Judges with one look at all rows."""

    def judged(share, data):
        with monkeypatch.context() as patch:
            patch.setattr(trials, "looks", lambda rows: (rows,))
            model = Reader(share)
            return planted.audited(model, data, Shortcuts()), model.shown

    return judged


def verdicts(findings):
    return {(one.kind, one.subject, one.status, one.severity) for one in findings}


def test_a_strong_cue_and_clean_ones_are_judged_alike_from_half_the_rows(many, all_at_once):
    model = Reader(0.9)
    early = planted.audited(model, many, Shortcuts())
    late, shown = all_at_once(0.9, many)
    assert {(one.status, one.severity) for one in early if one.subject == "region:bottom-left"} == {
        ("found", "critical")
    }
    cues = [one for one in early if one.kind == "cue"]
    assert len(cues) >= 6
    assert {one.effect.rows for one in cues} == {FIRST}
    assert {one.effect.rows for one in late if one.kind == "cue"} == {PLANNED}
    assert verdicts(early) == verdicts(late)
    assert shown - model.shown == 2 * (PLANNED - FIRST) * len(cues)
    assert model.shown < 0.8 * shown


def test_a_cue_at_the_tolerance_is_asked_about_all_rows_and_a_clear_one_is_not(many):
    corner, asked = Region((6 / 8, 0.0, 1.0, 2 / 8)), {}
    for share in (0.0, 0.0575, 0.06, 0.9):
        trial, done, shown = Trial(corner, "swap", PLANNED, "confirmation"), Passes(), []
        while not (trial := trial.followed(many, done, 0.05)).ran(done):
            new = {one: planted.answered(Reader(share), many, one) for one in trial.passes if one not in done}
            shown += [len(outputs) for outputs in new.values()]
            done = done.with_(new)
        asked[share] = shown, trial.spared(many), trial.reliance(many, done).against(0.05)
    rest = PLANNED - FIRST
    assert asked == {
        0.0: ([FIRST] * 2, rest, "absent"),
        0.0575: ([FIRST] * 2 + [rest] * 2, 0, "inconclusive"),
        0.06: ([FIRST] * 2 + [rest] * 2, 0, "found"),
        0.9: ([FIRST] * 2, rest, "found"),
    }


def test_a_look_that_saw_few_labels_does_not_end_it(many):
    sparse = replace(many, labels=np.where(np.arange(ROWS) % 4 == 0, many.labels, -1))
    trial, done = Trial(Region((6 / 8, 0.0, 1.0, 2 / 8)), "swap", PLANNED, "confirmation"), Passes()
    while not (trial := trial.followed(sparse, done, 0.05)).ran(done):
        done = done.with_({one: planted.answered(Reader(0.9), sparse, one) for one in trial.passes if one not in done})
    assert trial.spared(sparse) == 0
    assert trial.reliance(sparse, done).rows < FIRST / 2


def test_data_with_one_look_are_asked_in_one_pass_and_stages_of_larger_data_in_the_same_ones(many):
    trial = Trial(Region((6 / 8, 0.0, 1.0, 2 / 8)), "swap", PLANNED, "confirmation")
    assert trial.followed(dataset(2600), Passes(), 0.05) == trial
    assert {one.rows for one in trial.passes} == {PLANNED}
    for limit, spans in ((900, {(0, FIRST)}), (2600, {(0, FIRST), (FIRST, PLANNED)}), (ROWS, {(0, FIRST)})):
        some = many.limited(limit)
        assert {(one.after, one.rows) for one in trial.followed(some, Passes(), 0.05).passes} == spans, limit


def test_nothing_changes_where_the_first_look_holds_all_rows(all_at_once):
    data = dataset(700)
    model = Reader(0.9)
    early = planted.audited(model, data, Shortcuts())
    late, shown = all_at_once(0.9, data)
    assert early == late
    assert model.shown == shown


@dataclass(frozen=True)
class Sparing(Probe):
    """Asks for some rows and says that they were enough."""

    topic = "shift"
    question = "Were they enough?"
    enough = Predict(rows=60, half="confirmation")

    def needs(self, data, done):
        del data, done
        yield Predict()
        yield self.enough

    def judge(self, data, done):
        del data, done
        return iter(())

    def spared(self, data, done):
        del data, done
        return {self.enough: 1940}


def test_the_report_says_what_was_not_asked():
    inputs, labels = pictures(200)
    report = audit(lambda rows: np.zeros((len(rows), 3)), (inputs, labels), probes=[Sparing()]).report
    assert [(one.rows, one.spared) for one in report.passes] == [(200, 0), (60, 1940)]
    told = "1 pass settled early: 1,940 of 2,200 rows were not shown"
    assert " ".join(plain(report).split()).endswith(f"{told}.")
    assert told in render(report)
    assert "<td>60 of 2,000</td>" in render(report)
    alone = msgspec.structs.replace(report, passes=report.passes[:1])
    assert "early" not in plain(alone) + render(alone)
