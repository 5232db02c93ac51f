"""What is said while an audit runs: how far it is, what was lost, and nothing that a terminal would obey."""

import io

import pytest
from rich.console import Console

from pfungst import progress

EVENTS = [
    ("round", {"row_passes": 4000, "shards": 2}),
    ("shard", {"row_passes": 1000}),
    ("memory", {"rows": 16}),
    ("quarantine", {"row": "a\x1b[2J.png", "why": "it is damaged"}),
    ("worker-lost", {"rows": (100, 300), "how": "died", "on": "test"}),
    ("judged", {"complete": False, "report": "run/report.html", "rows": 500}),
    ("judged", {"complete": True, "report": "run/report.html", "rows": 4000}),
    ("round", {"row_passes": 0, "shards": 0}),
]
SAID = (
    "memory did not hold a whole batch; the model is shown 16 rows at once",
    "row a",
    "is left out: it is damaged",
    "a worker died on 200 rows of test; they are asked again",
    "run/report.html holds a first answer from",
)


def told(monkeypatch, events, *, terminal, quiet=False):
    sheet = io.StringIO()
    monkeypatch.setattr(progress, "Console", lambda **_: Console(file=sheet, force_terminal=terminal, width=200))
    with progress.heard(quiet=quiet) as listen:
        for event, facts in events:
            listen(event, facts)
    return sheet.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_everything_that_happens_is_told_once_and_without_escapes(monkeypatch, terminal):
    found = told(monkeypatch, EVENTS, terminal=terminal)
    assert all(found.count(words) == 1 for words in SAID), found
    assert "\x1b[2J" not in found


def test_a_log_says_how_much_is_left_now_and_then(monkeypatch):
    now = iter(range(0, 10_000, 40))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(now)))
    found = told(monkeypatch, [EVENTS[0], *[EVENTS[1]] * 2], terminal=False)
    assert "asking the model about 4,000 rows, all conditions together" in found
    assert "1,000 of 4,000 rows, about " in found
    assert "2,000 of 4,000 rows, about " in found


def test_a_log_is_not_filled_with_every_shard(monkeypatch):
    found = told(monkeypatch, [EVENTS[0], *[EVENTS[1]] * 3], terminal=False)
    assert found.count("\n") == 1


def test_quiet_is_quiet(monkeypatch):
    assert told(monkeypatch, EVENTS, terminal=True, quiet=True) == ""


@pytest.mark.parametrize("quiet", [True, False])
def test_a_model_that_hangs_ends_the_process_with_a_sentence(monkeypatch, capsys, quiet):
    ended = []
    monkeypatch.setattr(progress.os, "_exit", ended.append)
    told(monkeypatch, [("stuck", {"why": "the model hangs\x1b[2J"})], terminal=False, quiet=quiet)
    assert ended == [2]
    said = capsys.readouterr().err
    assert said.startswith("pfungst: the model hangs")
    assert "\x1b" not in said
