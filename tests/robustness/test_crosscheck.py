"""Workers on several machines are asked about the same rows; what lies apart stands in the report."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pfungst.audits.steadiness import Steadiness
from pfungst.engine.handout import WorkerDied
from pfungst.engine.local import Shared
from pfungst.engine.plan import Shard
from pfungst.engine.rounds import Rounds
from pfungst.passes import Passes, Predict


@pytest.fixture
def poisonous(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import poisonous

    return poisonous


class Machines:
    """Workers of this process that pretend to lie on machines; the last one's model sees every row a little moved."""

    ahead, scattered = 1, True

    def __init__(self, sweep, workers, moved=0.0, dies=()):
        self.sweep, self.workers, self.moved, self.dies, self.asked = sweep, workers, moved, dies, []

    def start(self, worker):
        return "start", worker, len(self.asked)

    def ask(self, worker, work):
        self.asked.append((worker, tuple(work)))
        return "ask", worker, len(self.asked) - 1

    def ready(self, tickets, seconds):
        assert seconds > 0
        return tickets

    def answer(self, ticket):
        kind, worker, at = ticket
        if kind == "start":
            return None
        work = self.asked[at][1]
        if worker in self.dies and work[0].rows == 64:
            raise WorkerDied
        swept = replace(self.sweep(work), where=f"machine {worker}")
        if worker == self.workers - 1 and self.moved:
            step = np.array([self.moved, 0])
            moved = {one: replace(said, logits=said.logits + step) for one, said in swept.answers.items()}
            swept = replace(swept, answers=moved)
        return swept

    def end(self, worker):
        raise AssertionError(worker)

    def close(self):
        pass


def heard(poisonous, crew, doomed=()):
    data, told = poisonous.rows(300), []
    data = replace(data, limit=200)
    executor = Shared(crew, data, doomed={("test", int(row)): "it kills" for row in doomed})
    rounds = Rounds(data, executor, listen=lambda event, facts: told.append((event, facts)))
    done = rounds.answer({Predict(): ("test",)}, Passes())
    rounds.answer({Predict(features=True): ("test",)}, done)
    return [facts for event, facts in told if event == "crosscheck"]


def test_workers_that_agree_are_compared_once(poisonous):
    crew = Machines(poisonous.prepare(300)(), 2)
    assert heard(poisonous, crew) == [{"workers": 2, "rows": 64, "apart": 0.0, "between": ["", ""]}]


def test_workers_that_do_not_agree_are_named_in_the_report(poisonous):
    (facts,) = heard(poisonous, Machines(poisonous.prepare(300)(), 2, moved=0.1))
    assert 0.01 < facts["apart"] < 0.05
    assert facts["between"] == ["machine 0", "machine 1"]
    steadiness, told = Steadiness(None), []
    steadiness.before(lambda *event: told.append(event))("crosscheck", facts)
    assert told == [("crosscheck", facts)]
    (entry,) = steadiness.seen(Passes())
    assert entry.kind == "scattered"
    assert "2 workers" in entry.reason
    assert "machine 0 and machine 1" in entry.reason


def test_small_differences_of_hardware_are_none(poisonous):
    (facts,) = heard(poisonous, Machines(poisonous.prepare(300)(), 2, moved=1e-4))
    assert 0 < facts["apart"] < 1e-3
    steadiness = Steadiness(None)
    steadiness.heard("crosscheck", facts)
    assert steadiness.seen(Passes()) == []


def test_worker_that_dies_meanwhile_is_not_compared(poisonous):
    crew = Machines(poisonous.prepare(300)(), 2, dies=(1,))
    assert heard(poisonous, crew) == []


def test_rows_that_kill_are_not_asked_for_it(poisonous):
    data = replace(poisonous.rows(300), limit=200)
    order = Shard("test", 0, "discovery").rows(data)
    crew = Machines(poisonous.prepare(300)(), 2)
    (facts,) = heard(poisonous, crew, doomed=order[20:22])
    assert facts["rows"] == 20
    assert heard(poisonous, Machines(poisonous.prepare(300)(), 2), doomed=order[:1]) == []
