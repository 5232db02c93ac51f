"""Rows on which the model fails cost themselves and no other; a model that fails on all is one sentence."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from pfungst.auditing import audit
from pfungst.datasets.dataset import Batch
from pfungst.engine.isolation import Isolation
from pfungst.engine.local import Inline, Processes, Shared
from pfungst.engine.rounds import Rounds
from pfungst.engine.watch import Watch
from pfungst.errors import InputError, Unanswered
from pfungst.outputs import NotFinite
from pfungst.passes import Passes, Predict

ROWS = 200


@pytest.fixture(autouse=True)
def _interruptible():
    """Shells start what runs in the background with interrupts ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def answered(executor, data, heard=None, asked=None):
    rounds = Rounds(data, executor, listen=lambda event, facts: None if heard is None else heard.append((event, facts)))
    with closing(executor):
        return rounds.answer(dict.fromkeys(asked or (Predict(),), ("test",)), Passes()), rounds


@pytest.mark.parametrize("workers", [0, 2])
def test_rows_that_raise_or_answer_nan_are_left_out_and_the_others_are_as_ever(poisonous, workers):
    data, heard = poisonous.rows(ROWS), []
    prepare = poisonous.prepare(ROWS, raises=(7, 8, 150), nans=(9,))
    executor = Shared(Processes(prepare, workers), data) if workers else Inline(prepare())
    done, rounds = answered(executor, data, heard)
    whole, _ = answered(Inline(poisonous.prepare(ROWS)()), data)
    got, want = done[Predict()], whole[Predict()].take(~np.isin(whole[Predict()].rows, (7, 8, 9, 150)))
    assert np.array_equal(got.rows, want.rows)
    assert np.array_equal(got.logits, want.logits)
    assert rounds.lost["test"] == {
        **dict.fromkeys((7, 8, 150), "the model gave no answer: ValueError: no such number"),
        9: "the model answered NaN or infinity",
    }
    assert sorted(facts["row"] for event, facts in heard if event == "quarantine") == ["150", "7", "8", "9"]


@pytest.mark.parametrize("fault", ["raises", "nans"])
@pytest.mark.parametrize("workers", [0, 1])
def test_model_that_fails_on_every_row_is_one_sentence_after_a_few(poisonous, fault, workers):
    data = poisonous.rows(ROWS)
    prepare = poisonous.prepare(ROWS, **{fault: tuple(range(ROWS))})
    with pytest.raises(InputError, match="of the first 64 rows asked have no answer"):
        answered(Shared(Processes(prepare, workers), data) if workers else Inline(prepare()), data)


def test_row_for_which_a_worker_lacks_memory_is_left_out(poisonous):
    data = poisonous.rows(ROWS)
    executor = Shared(Processes(poisonous.prepare(ROWS, raises=(7,), error=MemoryError), 1), data)
    done, rounds = answered(executor, data)
    assert list(rounds.lost["test"]) == [7]
    assert rounds.lost["test"][7].startswith("the model gave no answer: memory does not hold one row in the model")
    assert len(done[Predict()]) == ROWS - 1


def test_model_that_fails_on_every_row_of_few_is_one_sentence(poisonous):
    data = poisonous.rows(10)
    with pytest.raises(InputError, match="none of the 10 rows"):
        answered(Inline(poisonous.prepare(10, raises=tuple(range(10)))()), data)


def test_two_passes_that_show_alike_rows_do_not_take_each_others_answers(poisonous):
    # Rows 0 to 62 of a shard, and 0 to 63 without one that fails, begin alike and are as many.
    data = poisonous.rows(ROWS)
    few = Predict(rows=63, half="discovery")
    order = data.sample(64, "discovery")
    done, _ = answered(Inline(poisonous.prepare(ROWS, raises=(float(order[5]),))()), data, asked=(Predict(), few))
    assert done[few].rows.tolist() == [row for row in order[:63].tolist() if row != order[5]]
    assert np.array_equal(done[few].logits, done[Predict()].at(done[few].rows).logits)


def answers(shown):
    return np.stack([-shown[:, 0], shown[:, 1]], 1)


def table(without=()):
    rng = np.random.default_rng(3)
    inputs = rng.normal(size=(300, 2)).astype(np.float32)
    kept = np.array([row for row in range(300) if row not in without])
    labels = (answers(inputs) + rng.normal(size=(300, 2))).argmax(1)
    named = np.array([f"r{row}" for row in range(300)], dtype=object)
    columns = {"a": inputs[:, 0], "b": inputs[:, 1], "label": labels, "id": named}
    return inputs, {name: values[kept] for name, values in columns.items()}


@pytest.mark.parametrize("fault", ["raises", "nan", "memory"])
def test_audit_equals_that_of_the_rows_without_the_one_that_fails(fault, tmp_path):
    inputs, columns = table()
    bad = inputs[7, 0]

    def model(shown):
        shown = np.asarray(shown, np.float32)
        if fault != "nan" and (shown[:, 0] == bad).any():
            raise MemoryError("no room") if fault == "memory" else ValueError("row 7")
        return np.where((shown[:, 0] == bad)[:, None], np.nan, answers(shown))

    result = audit(model, columns, only=("calibration", "mistakes"), out=tmp_path / "run")
    want = audit(answers, table(without=(7,))[1], only=("calibration", "mistakes"))
    for one, other in zip(result.findings, want.findings, strict=True):
        assert (one.id, one.status, one.severity) == (other.id, other.status, other.severity)
        got, ought = ((each.value, each.low, each.high) for each in (one.effect, other.effect))
        assert got == pytest.approx(ought, abs=1e-12)  # rows are summed in another order
    assert result.headline[0] == want.headline[0]
    entries = [one for one in result.skipped if one.probe == "data"]
    assert [(one.kind, one.subject) for one in entries] == [("unreadable", "r7")]
    assert "the model" in entries[0].reason
    events = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert [one["row"] for one in events if one["event"] == "quarantine"] == ["r7"]


def test_rows_that_fail_under_what_is_not_asked_now_are_not_left_out(tmp_path):
    def model(shown):
        if ((shown[:, 1] > 60) & (shown[:, 1] != 100)).any():
            raise ValueError("one row was changed")
        return np.stack([-shown[:, 0], shown[:, 0]], axis=1)

    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(400, 3)).astype(np.float32)
    inputs[7, 1] = 100
    data = inputs, (inputs[:, 0] > rng.normal(size=400)).astype(int)
    asked = {"out": tmp_path / "run", "explicit_out": True}
    everything = audit(model, data, only=("calibration", "shift"), **asked)
    fresh, again = audit(model, data, only=("calibration",)), audit(model, data, only=("calibration",), **asked)
    assert everything.report.data["unreadable"] > 0
    assert again.report.data["unreadable"] == 0
    assert again.report.headline == fresh.report.headline
    assert all(one.cached for one in audit(model, data, only=("calibration",), **asked).report.passes)


def test_first_row_may_be_the_one_that_fails():
    inputs, columns = table()

    def model(shown):
        return np.where((shown[:, 0] == inputs[0, 0])[:, None], np.nan, answers(np.asarray(shown, np.float32)))

    result = audit(model, columns, only=("calibration",))
    assert [one.subject for one in result.skipped if one.probe == "data"] == ["r0"]


def test_loss_of_many_rows_is_spelled_out_by_class():
    inputs, columns = table()
    bad = inputs[columns["label"] == 1][:6, 0]

    def model(shown):
        return np.where(np.isin(shown[:, 0], bad)[:, None], np.nan, answers(np.asarray(shown, np.float32)))

    said = [one.reason for one in audit(model, columns, only=("calibration",)).skipped if one.kind == "lost"]
    assert len(said) == 1
    assert "6 of 300 rows (2.0%)" in said[0]
    assert f"1 6 of {(columns['label'] == 1).sum()}" in said[0]


def batch(count):
    numbers = np.arange(count)
    return Batch(tuple(map(str, numbers)), numbers + 100, numbers[:, None].astype(np.float32), np.zeros(count, int))


@pytest.mark.parametrize("bad", [(), (0,), (63,), (3, 4, 40)])
@pytest.mark.parametrize("error", [Unanswered, ValueError, NotFinite])
def test_each_row_is_answered_once_or_named(bad, error):
    calls = []

    def ask(some):
        calls.append(len(some))
        here = np.flatnonzero(np.isin(some.inputs[:, 0], bad))
        if len(here):
            raise error(here) if error is NotFinite else error("no")
        return some.rows

    found, why = Isolation(asked=64).answered(ask, batch(64), "darker")
    assert np.concatenate(found).tolist() == [row for row in range(100, 164) if row - 100 not in bad]
    assert sorted(why) == [row + 100 for row in bad]
    assert all("(darker)" in reason for reason in why.values())
    assert len(calls) <= 1 + 12 * len(bad)


def test_what_is_wrong_with_the_request_is_raised_at_once():
    calls = []

    def ask(some):
        calls.append(some)
        raise InputError("two classes are named")

    with pytest.raises(InputError, match="two classes"):
        Isolation(asked=64).answered(ask, batch(64))
    assert len(calls) == 1


def test_hanging_model_is_interrupted_and_said(poisonous):
    began = time.monotonic()
    with pytest.raises(InputError, match=r"no answer within 0\.2 s to \d+ rows of test, as it is"):
        answered(Inline(poisonous.prepare(ROWS, hangs=(7,))(), limit=0.2), poisonous.rows(ROWS))
    assert time.monotonic() - began < 300


def test_interrupt_that_is_dropped_is_repeated(monkeypatch):
    monkeypatch.setattr("pfungst.engine.watch.GRACE", 0.2)
    watch, dropped = Watch(0.05, print), []

    def hang():
        watch.beat("3 rows")
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            dropped.append(1)
        time.sleep(60)

    with pytest.raises(InputError, match="no answer within"), watch.over():
        hang()
    assert dropped == [1]


def test_interrupt_by_the_user_stays_one():
    with pytest.raises(KeyboardInterrupt), Watch(60.0, print).over():
        raise KeyboardInterrupt


def test_another_thread_is_not_watched(poisonous):
    told = []

    def work():
        told.append(answered(Inline(poisonous.prepare(40, pause=0.1)(), limit=0.01), poisonous.rows(40))[0])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(told[0][Predict()]) == 40


STUCK = """
import time, numpy as np
def net():
    def answer(x):
        while (x[:, 0] == 7).any():
            try:
                time.sleep(60)
            except KeyboardInterrupt:
                pass
        return np.stack([-x[:, 0], x[:, 0]], 1)
    return answer
"""


def test_model_that_cannot_be_interrupted_ends_the_command_with_a_sentence(tmp_path):
    (tmp_path / "model.py").write_text(STUCK)
    numbers = np.arange(60)
    np.savez(tmp_path / "rows.npz", inputs=numbers[:, None].astype(np.float32), labels=numbers % 2)
    code = "import sys, pfungst.engine.watch as watch, pfungst.cli as cli; watch.GRACE = 0.2; sys.exit(cli.main())"
    words = [sys.executable, "-c", code]
    words += ["audit", "model.py:net", "rows.npz", "--only", "calibration", "--batch-timeout", "1"]
    path = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(words, cwd=tmp_path, env=path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "no answer within 1 s" in done.stderr
    # The lock of the one that ended is no audit, and holds nobody up.
    (tmp_path / "model.py").write_text(STUCK.replace("while", "if False and"))
    assert subprocess.run(words, cwd=tmp_path, env=path, capture_output=True, check=False).returncode in {0, 1}


def test_signals_that_nobody_hears_are_not_sent(monkeypatch):
    monkeypatch.setattr("pfungst.engine.watch.GRACE", 0.0)
    before, heard = signal.signal(signal.SIGINT, signal.SIG_IGN), []
    try:
        watch = Watch(0.05, lambda _, facts: heard.append(facts["why"]))
        with watch.over():
            watch.beat("3 rows")
            while not heard:
                time.sleep(0.01)
    finally:
        signal.signal(signal.SIGINT, before)
    assert "to 3 rows" in heard[0]
