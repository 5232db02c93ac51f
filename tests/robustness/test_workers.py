"""Processes that die or hang cost the rows that kill them, and nothing else."""

import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from pfungst.engine.handout import Handout, Part, together
from pfungst.engine.local import Inline, Processes, Shared
from pfungst.engine.plan import Piece, Shard
from pfungst.engine.rounds import Rounds
from pfungst.errors import InputError
from pfungst.passes import Passes, Predict

ROWS = 1500


def answered(executor, data, heard=None):
    """Answers of the plain pass, and all rounds know."""
    rounds = Rounds(data, executor, listen=lambda event, facts: None if heard is None else heard.append((event, facts)))
    with closing(executor):
        return rounds.answer({Predict(): ("test",)}, Passes())[Predict()], rounds


def test_rows_that_kill_are_left_out_and_no_other(poisonous):
    data, heard = poisonous.rows(ROWS), []
    kills = (700,)
    executor = Shared(Processes(poisonous.prepare(ROWS, kills=kills), 2), data)
    got, rounds = answered(executor, data, heard)
    assert sorted(rounds.lost["test"]) == list(kills)
    assert all("died" in why for why in rounds.lost["test"].values())
    whole, _ = answered(Inline(poisonous.prepare(ROWS)()), data)
    kept = ~np.isin(whole.rows, kills)
    assert np.array_equal(got.rows, whole.rows[kept])
    assert np.array_equal(got.logits, whole.logits[kept])
    events = [event for event, _ in heard]
    assert events.count("worker-lost") == 3 * len(kills)
    assert sorted(facts["row"] for event, facts in heard if event == "quarantine") == sorted(
        data.ids[row] for row in kills
    )


def test_row_that_kills_is_asked_about_in_one_round_only(poisonous):
    data, heard = poisonous.rows(200), []
    rounds = Rounds(
        data,
        Shared(Processes(poisonous.prepare(200, kills=(123,)), 1), data),
        listen=lambda event, _: heard.append(event),
    )
    with closing(rounds.executor):
        done = rounds.answer({Predict(): ("test",)}, Passes())
        deaths = heard.count("worker-lost")
        again = rounds.answer({Predict(features=True): ("test",)}, done)
    assert deaths == heard.count("worker-lost") == 3
    assert len(again[Predict(features=True)]) == 199


def test_greeting_that_nobody_read_is_not_taken_for_an_answer(poisonous):
    crew = Processes(poisonous.prepare(40), 1)
    with closing(crew):
        crew.start(0)
        ticket = crew.start(0)
        assert crew.ready([ticket], 60.0) == [0]
        assert crew.answer(ticket) is None
        work = [Piece(Predict(), Shard("test", 0, "discovery"), 10)]
        assert len(crew.answer(crew.ask(0, work)).answers[Predict()]) == 10


def test_row_that_hangs_is_left_out(poisonous):
    data = poisonous.rows(300)
    executor = Shared(Processes(poisonous.prepare(300, hangs=(123,)), 1), data, hanging=(0.5, 20.0, 2.0))
    got, rounds = answered(executor, data)
    assert list(rounds.lost["test"]) == [123]
    assert "gave no answer in time" in rounds.lost["test"][123]
    assert len(got) == 299


PARENT = """
import sys, time
import poisonous
from pfungst.engine.local import Processes
from pfungst.engine.plan import Piece, Shard
from pfungst.passes import Predict
if __name__ == "__main__":
    crew = Processes(poisonous.prepare(40, hangs=tuple(range(40)), ids=sys.argv[1]), 1)
    assert crew.answer(crew.start(0)) is None
    crew.ask(0, [Piece(Predict(), Shard("test", 0, "discovery"), 10)])
    print("asked", flush=True)
    time.sleep(600)
"""


def test_worker_that_hangs_ends_with_its_parent(poisonous, tmp_path):
    del poisonous
    script, ids = tmp_path / "parent.py", tmp_path / "ids"
    script.write_text(PARENT)
    ids.mkdir()
    with subprocess.Popen([sys.executable, str(script), str(ids)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout.readline() == b"asked\n"
        (worker,) = (int(path.name) for path in ids.iterdir())
        os.kill(worker, 0)
        parent.kill()
    until = time.monotonic() + 20
    while _lives(worker) and time.monotonic() < until:
        time.sleep(0.1)
    assert not _lives(worker)


def _lives(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_model_that_dies_of_every_row_ends_the_audit(poisonous, monkeypatch):
    monkeypatch.setattr("pfungst.engine.handout.HOPELESS", (2, 0.02))
    data = poisonous.rows(40)
    with pytest.raises(InputError, match="2 of the first 2 rows ended the process"):
        answered(Shared(Processes(poisonous.prepare(40, kills=tuple(range(40))), 1), data), data)


def test_what_cannot_be_asked_at_all_is_raised_here(poisonous):
    data = poisonous.rows(40)
    with pytest.raises(InputError, match="another kind of rows"):
        answered(Shared(Processes(poisonous.prepare(40, refuses=True), 1), data), data)


def test_a_limit_for_one_batch_is_kept_where_nothing_of_its_kind_was_answered_yet(poisonous):
    data = poisonous.rows(100)
    executor = Shared(Processes(poisonous.prepare(100, hangs=(23,)), 1), data, limit=1.0)
    got, rounds = answered(executor, data)
    assert list(rounds.lost["test"]) == [23]
    assert len(got) == 99


def test_row_that_was_lost_later_is_left_out_of_what_was_answered_before(poisonous):
    data = poisonous.rows(40)
    sweep = poisonous.prepare(40)()
    rounds = Rounds(data, Inline(sweep))
    before = rounds.answer({Predict(): ("test",)}, Passes())
    rounds.lost["test"] = {7: "died of a condition"}
    after = rounds.answer({Predict(rows=20): ("test",)}, before)
    assert 7 in before[Predict()].rows
    assert 7 not in after[Predict()].rows
    assert len(after[Predict()]) == 39


def test_part_is_cut_down_to_batches_and_rows_and_asks_each_row_once():
    shard = Shard("test", 0, "discovery")
    work = [Piece(Predict(), shard, 200), Piece(Predict(rows=150), shard, 150, start=70)]
    part = Part(work, 0, 200)
    batches = part.smaller(64)
    assert [(one.first, one.last) for one in batches] == [(0, 64), (64, 128), (128, 192), (192, 200)]
    assert [len(one.cut) for one in batches] == [1, 2, 2, 1]
    for piece in work:
        asked = [row for one in batches for cut in one.cut if cut.asked == piece.asked for row in span(cut)]
        assert asked == span(piece)
    rows = batches[0].smaller(64)
    assert len(rows) == 64
    assert rows[0].smaller(64) == []


def span(piece):
    return list(range(piece.start, piece.rows))


def test_parts_of_a_shard_are_put_together_in_order(poisonous):
    sweep = poisonous.prepare(200)()
    work = [Piece(Predict(), Shard("test", 0, "discovery"), 90)]
    parts = [sweep(one.cut) for one in Part(work, 0, 90).smaller(64)]
    whole, pieced = sweep(work), together(parts)
    assert np.array_equal(whole.answers[Predict()].rows, pieced.answers[Predict()].rows)
    assert np.array_equal(whole.answers[Predict()].logits, pieced.answers[Predict()].logits)
    assert pieced.lost == {}


class Slow:
    """A crew whose second worker comes later than its first; nobody works before both are there."""

    workers, ahead, scattered = 2, 2, False

    def __init__(self, sweep):
        self.sweep, self.asked, self.calls = sweep, [], 0

    def start(self, worker):
        return "start", worker

    def ask(self, worker, work):
        self.asked.append(worker)
        return "ask", worker, tuple(work)

    def ready(self, tickets, seconds):
        self.calls += seconds > 0
        late = {("start", 0): 0, ("start", 1): 1}
        return [one for one in tickets if self.calls > late.get(one, 2)]

    def answer(self, ticket):
        return self.sweep(ticket[2]) if ticket[0] == "ask" else None


def test_worker_that_comes_first_leaves_work_for_the_other(poisonous):
    data = poisonous.rows(100)
    crew = Slow(poisonous.prepare(100)())
    work = [[Piece(Predict(), Shard("test", 0, half), 40)] for half in ("discovery", "confirmation")]
    assert len(list(Handout(crew, data, 64).map(work))) == 2
    assert crew.asked == [0, 1]
