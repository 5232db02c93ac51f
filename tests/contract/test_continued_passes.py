"""A pass that goes on after another asks the rows behind it: the same answers, none asked twice."""

from dataclasses import replace

import numpy as np
import pytest

from pfungst.audits.request import resolve
from pfungst.audits.study import opened
from pfungst.engine.cache import Cache
from pfungst.engine.local import Inline
from pfungst.engine.plan import SHARD_ROWS, row_passes
from pfungst.engine.rounds import Rounds
from pfungst.errors import UnreadableRow
from pfungst.passes import Passes, Predict
from pfungst.statistics.sequential import FIRST, looks
from pfungst.summarised import Summarised, joined_answers, summarised

ROWS = 8000
ENDS = looks(3500)
SPANS = tuple(zip((0, *ENDS[:-1]), ENDS, strict=True))


def model(inputs):
    return np.stack([inputs.sum(axis=1), inputs[:, 0]], axis=1)


@pytest.fixture
def study():
    rng = np.random.default_rng(0)
    return opened(model, (rng.normal(size=(ROWS, 3)).astype(np.float32), rng.integers(0, 2, ROWS)), resolve(None, {}))


def spans():
    return [Predict(rows=end, after=start, half="confirmation") for start, end in SPANS]


def asked(study, passes, data=None, cache=None, heard=None):
    data = data or study.data
    rounds = Rounds(data, Inline(replace(study.sweep(), data=data)), cache)
    if heard is not None:
        rounds.listen = lambda event, facts: heard.append(facts["row_passes"]) if event == "round" else None
    return rounds, rounds.answer(dict.fromkeys(passes, ("test",)), Passes())


@pytest.mark.parametrize("ends", [(64, 128, 192), (100, SHARD_ROWS - 1, SHARD_ROWS + 60)])
def test_passes_go_on_within_a_shard_and_are_kept_and_found_again(study, tmp_path, ends):
    cache, heard = Cache(tmp_path, study.key), []
    some = [Predict(rows=end, after=start, half="discovery") for start, end in zip((0, *ends[:-1]), ends, strict=True)]
    assert row_passes(some, study.data) == ends[-1]
    whole = Predict(rows=ends[-1], half="discovery")
    rounds, done = asked(study, [*some, whole], None, cache, heard)
    parts = joined_answers([done[one] for one in some], study.data.labels)
    np.testing.assert_array_equal(parts.rows, done[whole].rows)
    np.testing.assert_array_equal(parts.logits, done[whole].logits)
    _, partly = asked(study, some, None, cache, heard)
    rounds.compact(done)
    _, again = asked(study, some, None, cache, heard)
    assert heard == [2 * ends[-1], 0, 0]
    for one in some:
        np.testing.assert_array_equal(again[one].logits, done[one].logits)
        np.testing.assert_array_equal(partly[one].rows, done[one].rows)


def test_spans_hold_the_rows_of_one_pass_with_their_answers(study):
    _, done = asked(study, [*spans(), Predict(rows=ENDS[-1], half="confirmation")])
    whole = done[Predict(rows=ENDS[-1], half="confirmation")]
    parts = joined_answers([done[one] for one in spans()], study.data.labels)
    np.testing.assert_array_equal(parts.rows, whole.rows)
    np.testing.assert_array_equal(parts.logits, whole.logits)
    assert len({one.key for one in done}) == len(SPANS) + 1
    assert [len(done[one]) for one in spans()] == [end - start for start, end in SPANS]


def test_more_rows_of_a_later_stage_ask_none_twice(study, tmp_path):
    cache, heard = Cache(tmp_path, study.key), []
    for limit in (1000, 3000, ROWS):
        data = study.data.limited(limit)
        have = sum(data.extent(half="confirmation").values())
        some = [one for one in spans() if one.after < have]
        rounds, done = asked(study, some, data, cache, heard)
    assert sum(heard) == ENDS[-1] == sum(record.rows for record in rounds.records.values())
    rounds.compact(done)
    heard.clear()
    _, again = asked(study, spans(), None, cache, heard)
    assert heard == [0]
    np.testing.assert_array_equal(again[spans()[1]].logits, done[spans()[1]].logits)


def test_a_span_of_which_no_row_is_answered_is_empty_and_ends_no_audit(study, tmp_path):
    late = set(study.data.sample(SPANS[1][1], "confirmation")[SPANS[1][0] :].tolist())
    known = study.data.read

    def read(rows):
        return [
            UnreadableRow("torn") if int(row) in late else item for row, item in zip(rows, known(rows), strict=True)
        ]

    torn = replace(study.data, read=read)
    cache = Cache(tmp_path, study.key)
    rounds, done = asked(study, spans(), torn, cache)
    assert [len(done[one]) for one in spans()] == [FIRST, 0, ENDS[2] - ENDS[1]]
    assert set(rounds.lost["test"]) == late
    rounds.compact(done)
    _, again = asked(study, spans(), torn, cache)
    assert len(again[spans()[1]]) == 0
    parts = joined_answers([done[one] for one in spans()], study.data.labels)
    assert len(parts) == ENDS[-1] - len(late)


def test_summaries_and_whole_answers_are_joined_as_summaries(study):
    _, done = asked(study, spans())
    whole = [done[one] for one in spans()]
    mixed = joined_answers(
        [whole[0], *(summarised(one, study.data.labels[one.rows]) for one in whole[1:])], study.data.labels
    )
    assert isinstance(mixed, Summarised)
    labels = study.data.labels[mixed.rows]
    np.testing.assert_allclose(
        mixed.probability_of(labels), joined_answers(whole, study.data.labels).probability_of(labels), rtol=1e-5
    )
