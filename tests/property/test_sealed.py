"""Answers that were kept are read as they were written or not at all, whichever byte of their file has changed."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pfungst.engine import cache
from pfungst.engine.sealed import check_seal, sealed, write_sealed
from pfungst.errors import InputError
from pfungst.load import from_arrays
from pfungst.outputs import Outputs
from pfungst.task import Task

ROWS = 6
RNG = np.random.default_rng(3)


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    path = tmp_path_factory.mktemp("sealed") / "part.parquet"
    data = from_arrays({"inputs": np.zeros((ROWS, 2)), "labels": np.arange(ROWS) % 2}, Task(), source="rows")
    answers = Outputs(RNG.normal(size=(ROWS, 2)).astype(np.float32), rows=np.arange(ROWS))
    about = {"key": "key", "lost": {"3": "it is damaged"}, "rows": ROWS, "sizes": []}
    cache._write(path, answers, data, about, redact=False)
    assert cache._read(path, "key", ROWS).answers.logits.tolist() == answers.logits.tolist()
    return path


def test_any_byte_that_is_another_makes_the_file_damaged(part, tmp_path):
    whole, path = part.read_bytes(), tmp_path / "part.parquet"
    footer = int.from_bytes(whole[-8:-4], "little")
    assert len(whole) - footer > 500, "both pages and footer are tried"
    for at in range(len(whole)):
        raw = bytearray(whole)
        raw[at] ^= 1 << RNG.integers(8)
        path.write_bytes(raw)
        assert cache._read(path, "key", ROWS) is None, at
    path.write_bytes(whole)
    assert cache._read(path, "key", ROWS) is not None


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_cut_lengthened_or_overwritten_files_are_refused(part, tmp_path_factory, data):
    whole = part.read_bytes()
    start = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(start, len(whole)))
    raw = whole[:start] + data.draw(st.binary(max_size=64)) + whole[stop:]
    path = tmp_path_factory.mktemp("cut") / "part.parquet"
    path.write_bytes(raw)
    if raw == whole:
        check_seal(path)
        return
    assert cache._read(path, "key", ROWS) is None
    with pytest.raises(InputError, match="audit again"):
        cache.kept_answers(path)


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.text(max_size=20))), st.booleans())
@settings(max_examples=50, deadline=None)
def test_other_tools_read_a_sealed_file_as_ever(tmp_path_factory, rows, dictionary):
    path = tmp_path_factory.mktemp("other") / "a.parquet"
    columns = {"a": pa.array([a for a, _ in rows], pa.int64()), "b": pa.array([b for _, b in rows], pa.string())}
    table = pa.table(columns).replace_schema_metadata({b"about": b"rows"})
    write_sealed(path, [table], use_dictionary=dictionary)
    assert sealed(path).read().equals(table, check_metadata=True)
    assert pq.read_table(path).equals(table)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_databases_and_frames_read_a_sealed_file_as_ever(part):
    expected = pq.read_table(part)["confidence"].to_pylist()
    duckdb, polars = pytest.importorskip("duckdb"), pytest.importorskip("polars")
    found = duckdb.sql(f"select confidence from read_parquet('{part}') order by \"row\"").fetchall()
    assert [one for (one,) in found] == expected
    assert polars.read_parquet(part)["confidence"].to_list() == expected
