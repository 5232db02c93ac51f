"""Sureness by hand: a few rows, counted whole, in parts and by level."""

import numpy as np
import pytest

from pfungst.errors import InputError
from pfungst.statistics import sureness
from pfungst.statistics.sureness import LEVELS, level_of, runs_of, sureness_of

CONFIDENCE = np.array([0.75, 0.5, 0.75, 1.0, 0.5])
WRONG = np.array([True, True, False, False, True])
RUNS = [[1.0, 0.75, 0.5], [1, 2, 2], [0, 1, 2]]


def spelled(runs):
    return [part.tolist() for part in runs]


def test_rows_are_counted_with_their_errors_the_surest_first():
    assert spelled(sureness_of(CONFIDENCE, WRONG).runs) == RUNS
    assert spelled(runs_of(CONFIDENCE, WRONG)) == RUNS


def test_counts_of_two_sets_add_up():
    both = sureness_of(CONFIDENCE[:2], WRONG[:2]) + sureness_of(CONFIDENCE[2:], WRONG[2:])
    assert spelled(both.runs) == RUNS


@pytest.mark.parametrize("part", [1, 2, 5])
def test_parts_are_the_whole(monkeypatch, part):
    monkeypatch.setattr(sureness, "_PART", part)
    assert spelled(sureness_of(CONFIDENCE, WRONG).runs) == RUNS


def test_the_least_sure_answer_has_the_last_level():
    assert level_of(np.array([0.0, 1.0])).tolist() == [LEVELS - 1, 0]
    counted = sureness_of(np.array([0.0]), np.array([True]))
    assert len(counted.rows) == LEVELS
    assert counted.rows[-1] == counted.wrong[-1] == 1


def test_beyond_many_rows_true_and_false_are_counted_by_level(monkeypatch):
    near = np.array([0.6, 0.6 - 1e-9, 0.2])
    errors = np.array([True, False, True])
    monkeypatch.setattr(sureness, "MANY", 3)
    assert spelled(runs_of(near, errors)) == [[0.6, 0.6 - 1e-9, 0.2], [1, 1, 1], [1, 0, 1]]
    monkeypatch.setattr(sureness, "MANY", 2)
    assert spelled(runs_of(near, errors)) == [[0.6 - 1e-9, 0.2], [2, 1], [1, 1]]
    shares = errors * 0.5
    assert spelled(runs_of(near, shares)) == [[0.6, 0.6 - 1e-9, 0.2], [1, 1, 1], [0.5, 0.0, 0.5]]


def test_what_does_not_fit_is_refused():
    for one, other in ((2, 1), (1, 2)):
        with pytest.raises(InputError, match=f"{one} confidences and {other} answers"):
            sureness_of(np.zeros(one), np.zeros(other, bool))
        with pytest.raises(InputError, match=f"{one} confidences and {other} answers"):
            runs_of(np.zeros(one), np.zeros(other, bool))
    with pytest.raises(InputError, match="0 confidences"):
        runs_of(np.zeros(0), np.zeros(0, bool))
    assert spelled(runs_of(np.array([0.5]), np.array([True]))) == [[0.5], [1], [1]]
