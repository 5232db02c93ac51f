"""Clocks that jump and models that change between calls: nothing is lost, nothing is believed that does not hold."""

import json
import os
import time

import numpy as np
import pytest

from pfungst.auditing import audit


def rows(count=300):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(count, 2)).astype(np.float32)
    return inputs, (inputs[:, 0] > 0).astype(np.int64)


def answers(shown):
    return np.stack([-shown[:, 0], shown[:, 0]], 1)


@pytest.fixture
def jumping(monkeypatch):
    """A wall clock that is a day earlier, then a day later, whenever it is read."""
    real, read = time.time, []

    def jump():
        read.append(1)
        return real() + 86_400 * (-1) ** len(read)

    strftime = time.strftime
    monkeypatch.setattr(time, "time", jump)
    monkeypatch.setattr(time, "strftime", lambda form: strftime(form, time.localtime(jump())))
    return read


@pytest.mark.parametrize("budget", [None, "1h"])
def test_clock_that_jumps_changes_nothing(jumping, tmp_path, budget):
    asked = {"only": ("calibration", "mistakes"), "budget": budget}
    there = audit(answers, rows(), out=tmp_path / "run", **asked)
    assert jumping, "the clock was read"
    here = audit(answers, rows(), only=asked["only"])
    assert [(one.id, one.effect) for one in there.findings] == [(one.id, one.effect) for one in here.findings]
    assert there.report.complete
    events = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert [one["clock"] for one in events] == sorted(one["clock"] for one in events)
    assert events[-1]["event"] == "finished"
    assert set(events[-1]["memory"]) <= {"anonymous_mb", "files_mb"}
    assert not (tmp_path / "run" / ".lock").exists()


def test_files_of_tomorrow_are_used_as_those_of_today(tmp_path):
    audit(answers, rows(), out=tmp_path / "run", only=("calibration",))
    for path in tmp_path.rglob("*"):
        os.utime(path, (time.time() + 86_400, time.time() + 86_400))
    again = audit(answers, rows(), out=tmp_path / "run", only=("calibration",))
    assert all(record.cached for record in again.passes)


@pytest.mark.parametrize("workers_see", ["another version", "every other answer turned"])
def test_model_that_changes_between_calls_is_reported(workers_see):
    calls = []

    def changing(shown):
        calls.append(len(shown))
        late = len(calls) > 5 if workers_see == "another version" else len(calls) % 2
        return answers(shown) * (0.2 if late else 1.0)

    result = audit(changing, rows(), only=("calibration",))
    (entry,) = [one for one in result.skipped if one.kind == "unsteady"]
    assert "asked twice about the same rows" in entry.reason
