"""Answers of every kind come back from the folder as they were written, and some damage to them is always noticed."""

import dataclasses

import numpy as np
import pyarrow.parquet as pq
import pytest

from pfungst.attacked import Attacked
from pfungst.engine import cache
from pfungst.errors import InputError
from pfungst.load import from_arrays
from pfungst.maps import Maps
from pfungst.outputs import Outputs
from pfungst.proven import Proven
from pfungst.summarised import summarised
from pfungst.task import Columns, Task

KEY, ROWS = "key", 9
RNG = np.random.default_rng(4)
AT = np.array([7, 2, 5, 0])
"""Positions of the rows that were answered."""


def floats(*shape):
    return RNG.normal(size=(len(AT), *shape)).astype(np.float32)


def bits():
    return RNG.integers(0, 2, len(AT)).astype(bool)


def numbers():
    return RNG.integers(0, 9, len(AT))


def attacked(left):
    return Attacked(
        broken=bits(), budget=np.array([0.1, np.inf, 0.0, 1 / 3]), distance=RNG.random(4), stage=numbers(),
        stored=bits(), answers=numbers(), confidence=RNG.random(4), forwards=RNG.random(4) * 90,
        backwards=RNG.random(4), signs=numbers(), left=left, rows=AT,
    )  # fmt: skip


TEXTS = np.array(["a", "ä\u202e\0", "", 'say "no"'], object)
TABLE = np.array([[1.5, "A"], [None, "B"], [np.float32(0.25), ""], [3, "é"]], object)
KINDS = {
    "outputs": Outputs(floats(3), rows=AT),
    "probabilities with features": Outputs(floats(3), floats(5), AT, normalised=True),
    "no rows": Outputs(np.zeros((0, 3), np.float32), rows=np.zeros(0, np.int64)),
    "summaries": summarised(Outputs(floats(12), rows=AT), AT % 3),
    "maps": Maps(floats(4, 6), numbers(), np.array([0.1, np.nan, 0.0, 2.0]), RNG.random(4), AT),
    "proofs": Proven(np.array([0.0, 0.5, 1 / 3, 2.0]), bits(), RNG.random(4), AT),
    "attacked pictures": attacked(RNG.integers(0, 256, (4, 3, 2, 1)).astype(np.uint8)),
    "attacked texts": attacked(TEXTS),
    "attacked rows of a table": attacked(TABLE),
    "attacked numbers": attacked(floats(3)),
}


def rows(units=None):
    held = {"inputs": np.zeros((ROWS, 2)), "labels": np.arange(ROWS) % 3}
    task = Task() if units is None else Task(columns=Columns(unit="who"))
    return from_arrays(held | ({} if units is None else {"who": units}), task, source="rows")


def written(path, answers, data):
    about = {"key": KEY, "lost": {"3": "it is damaged"}, "rows": ROWS, "sizes": [4, 2]}
    cache._write(path, answers, data, about, redact=False)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_comes_back_field_by_field(kind, tmp_path):
    path, answers = tmp_path / "part.parquet", KINDS[kind]
    written(path, answers, rows())
    kept = cache._read(path, KEY, ROWS)
    assert type(kept.answers) is type(answers)
    assert (kept.lost, kept.rows, kept.sizes) == ({3: "it is damaged"}, ROWS, (4, 2))
    for field in dataclasses.fields(answers):
        here, there = getattr(answers, field.name), getattr(kept.answers, field.name)
        if isinstance(here, np.ndarray):
            assert here.shape == there.shape, field.name
            assert here.dtype.kind == there.dtype.kind, field.name
        np.testing.assert_array_equal(there, here, err_msg=field.name)


@pytest.mark.parametrize("kind", KINDS)
def test_of_every_kind_damage_is_noticed(kind, tmp_path):
    path = tmp_path / "part.parquet"
    written(path, KINDS[kind], rows())
    whole = path.read_bytes()
    for at in RNG.choice(len(whole), 40, replace=False):
        raw = bytearray(whole)
        raw[at] ^= 1 << RNG.integers(8)
        path.write_bytes(raw)
        assert cache._read(path, KEY, ROWS) is None


def test_answers_in_several_groups_come_back_and_units_are_numbered_over_all_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr("pfungst.engine.sealed.GROUP", 3)
    units = np.array(["c", "a", "b", "a", "c", "d", "b", "a", "a"])
    data = rows(units)
    answers = Outputs(RNG.normal(size=(ROWS, 3)).astype(np.float32), rows=RNG.permutation(ROWS))
    written(tmp_path / "part.parquet", answers, data)
    assert pq.ParquetFile(tmp_path / "part.parquet").num_row_groups == 3
    back = cache._read(tmp_path / "part.parquet", KEY, ROWS).answers
    assert np.array_equal(back.logits, answers.logits)
    assert np.array_equal(back.rows, answers.rows)
    assert cache.kept_units(tmp_path / "part.parquet").tolist() == [ord(units[row]) - 97 for row in answers.rows]


def test_answers_of_another_audit_or_of_rows_that_are_not_there_are_none(tmp_path):
    path = tmp_path / "part.parquet"
    written(path, KINDS["outputs"], rows())
    assert cache._read(path, "another", ROWS) is None
    assert cache._read(path, KEY, AT.max()) is None
    assert cache._read(path, KEY, AT.max() + 1) is not None


def test_only_plain_answers_are_compared(tmp_path):
    path = tmp_path / "part.parquet"
    written(path, KINDS["outputs"], rows())
    found, labels, ids = cache.kept_answers(path)
    np.testing.assert_array_equal(found.logits, KINDS["outputs"].logits)
    assert (labels.tolist(), ids) == ((AT % 3).tolist(), tuple(map(str, AT)))
    assert cache.kept_units(path) is None
    written(path, KINDS["maps"], rows())
    with pytest.raises(InputError, match="holds no plain answers"):
        cache.kept_answers(path)


def test_rows_of_one_unit_have_one_number(tmp_path):
    path = tmp_path / "part.parquet"
    written(path, KINDS["outputs"], rows(np.array(list("aabbccdda"))))
    assert cache.kept_answers(path)[0].rows.tolist() == AT.tolist()
    seven, two, five, none = cache.kept_units(path)
    assert len({seven, two, five, none}) == 4
    written(path, KINDS["outputs"], rows(np.array(list("xaxxxaaxa"))))
    seven, two, five, none = cache.kept_units(path)
    assert seven == two == none != five
