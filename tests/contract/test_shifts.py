"""What every registered shift promises: five severities, words that tell them apart, nothing done at rest."""

import re

import numpy as np
import pytest

from pfungst.canonical import canonical
from pfungst.datasets.dataset import Batch, Dataset
from pfungst.errors import InputError
from pfungst.methods.shifts import Shifted, maker, shifts
from pfungst.methods.text_shifts import vocabulary_of

KINDS = pytest.mark.parametrize("kind", list(shifts.values()), ids=list(shifts))
WITHOUT_PICTURES = [kind for kind in shifts.values() if kind.modality != "image"]
LEVELS = range(1, 6)
TEXTS = [
    "Win a free prize now, call today or text back!", "see you at lunch, my dear", "free prize, call now",
    "the dear old lunch at home", "prize money waits; call free", "my dear, lunch is at home",
] * 20  # fmt: skip


def data_of(modality):
    rng = np.random.default_rng(0)
    if modality == "text":
        rows = np.array(TEXTS, object)
    else:
        rows = np.column_stack([rng.normal(5, 2, 120), rng.integers(0, 2, 120), rng.normal(100, 30, 120)])
    ids = tuple(f"row {at}" for at in range(120))
    return Dataset("test", "", modality, ids, lambda at: list(rows[at]), classes=("spam", "ham"),
                   labels=np.arange(120) % 2, shape=() if modality == "text" else (3,))  # fmt: skip


def both(kind):
    data = data_of(kind.modality)
    batch, _ = data.batch(np.arange(120))
    return batch, maker(kind.name, data)


@KINDS
def test_five_severities_of_as_many_parameters_as_at_rest(kind):
    assert len(kind.table) == len(LEVELS)
    assert {len(row) for row in kind.table} == {len(kind.rest)}
    assert len(set(kind.table)) == len(LEVELS)
    assert kind.modality in {"image", "text", "table"}


@KINDS
def test_the_middle_is_meant_where_none_is_named(kind):
    assert Shifted(kind.name) == Shifted(kind.name, 3)


@KINDS
@pytest.mark.parametrize("words", ["name", "parameter"])
def test_words_tell_severities_apart(kind, words):
    assert len({getattr(Shifted(kind.name, level), words) for level in LEVELS}) == len(LEVELS)
    assert not re.search(r"[{}]", getattr(Shifted(kind.name), words))


def test_spellings_tell_all_shifts_and_severities_apart():
    every = [Shifted(name, level) for name in shifts for level in LEVELS]
    assert len({canonical(one) for one in every}) == len(set(every)) == len(every)


@KINDS
@pytest.mark.parametrize("severity", [0, -1, 6, 2.5, True, "3"])
def test_severity_that_does_not_exist_is_refused_in_a_sentence(kind, severity):
    with pytest.raises(InputError, match=rf"{kind.name} was asked for at severity .*1, 2, 3, 4 and 5"):
        Shifted(kind.name, severity=severity)


@pytest.mark.parametrize("kind", WITHOUT_PICTURES, ids=lambda kind: kind.name)
def test_texts_and_tables_are_as_they_were_at_rest_and_change_more_with_severity(kind):
    batch, make = both(kind)
    rest = Shifted(kind.name, strength=0.0, known=make(severity=1).known)(batch)
    assert np.array_equal(rest, batch.inputs) or [one.strip() for one in rest] == batch.inputs.tolist()
    done = [make(severity=level)(batch) for level in LEVELS]
    changed = [far(batch.inputs, one) for one in done]
    assert changed == sorted(changed)
    assert 0 < changed[0] < changed[4]
    assert all(one.dtype == batch.inputs.dtype and one.shape == batch.inputs.shape for one in done)


def far(before, after):
    """How far rows were moved: of tables the sum of moves, of texts the letters that differ in place or in number."""
    if before.dtype != object:
        return float(np.abs(after - before).sum())
    pairs = list(zip(before, after, strict=True))
    return sum(abs(len(a) - len(b)) + sum(x != y for x, y in zip(a, b, strict=False)) for a, b in pairs)


@pytest.mark.parametrize("kind", WITHOUT_PICTURES, ids=lambda kind: kind.name)
def test_texts_and_tables_are_the_same_for_any_batch_and_order(kind):
    batch, make = both(kind)
    whole, order = make(severity=4)(batch), np.random.default_rng(1).permutation(120)
    assert np.array_equal(make(severity=4)(batch.take(order)), whole[order])
    parts = [make(severity=4)(batch.take(np.arange(at, at + 30))) for at in range(0, 120, 30)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_codes_have_no_unit_and_do_not_drift():
    batch, make = both(shifts["column-drift"])
    assert np.array_equal(make(severity=5)(batch)[:, 1], batch.inputs[:, 1])
    moved = make(severity=4)(batch)[:, 0] - batch.inputs[:, 0]
    assert np.allclose(np.abs(moved), batch.inputs[:, 0].std(), rtol=0.2)
    assert np.ptp(moved) < 1e-9, "all rows drift alike"


def test_good_words_are_those_of_the_other_class():
    batch, make = both(shifts["good-words"])
    appended = make(severity=3)(batch)[1].removeprefix(batch.inputs[1]).split()
    assert len(appended) == 3
    assert set(appended) <= {
        "free",
        "prize",
        "call",
        "now",
        "win",
        "a",
        "today",
        "or",
        "text",
        "back",
        "money",
        "waits",
    }


def test_good_words_are_written_as_they_mostly_come():
    texts = np.array(["Fine weather" if row % 2 else "Buy now SPONSORED" for row in range(120)], object)
    data = Dataset("test", "", "text", tuple(map(str, range(120))), lambda at: list(texts[at]),
                   classes=("ad", "talk"), labels=np.arange(120) % 2)  # fmt: skip
    assert set(vocabulary_of(data).words[0]) == {"Buy", "now", "SPONSORED"}


def test_objects_and_missing_values_of_tables_are_taken():
    rows = np.array([[1.5, "a", None], [2.5, "b", 3.0], [float("nan"), None, 4.0]] * 40, object)
    data = Dataset("test", "", "table", tuple(map(str, range(120))), lambda at: list(rows[at]), shape=(3,))
    batch = Batch(data.ids, np.arange(120), rows, np.full(120, -1))
    for kind in WITHOUT_PICTURES:
        if kind.modality == "table":
            assert maker(kind.name, data)(severity=5)(batch).shape == rows.shape
