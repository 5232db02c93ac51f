"""Arrays in files hold what arrays in memory hold; no file is left, and a folder without room ends nothing."""

import errno
import os
import tempfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pfungst import paged
from pfungst.datasets.columns import ParquetColumns, read_table
from pfungst.engine import resident
from pfungst.models.recorded import _stacked, load_recorded
from pfungst.outputs import from_logits, from_top
from pfungst.task import Task

NUMBERS = arrays(
    np.float32, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9), elements=st.floats(-9, 9, width=32)
)


@pytest.fixture
def in_files(monkeypatch, tmp_path):
    monkeypatch.setattr(paged, "LARGE", 1)
    monkeypatch.setattr(paged, "PART", 4)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def lies_in_a_file(values):
    return isinstance(values.base, np.memmap)


@given(NUMBERS, st.randoms(use_true_random=False))
def test_rows_taken_joined_and_widened_are_those_of_numpy(values, random):
    index = np.array([random.randrange(len(values)) for _ in range(7)])
    mask = index[: len(values)] % 2 == 0 if len(values) <= 7 else np.arange(len(values)) % 2 == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paged, "LARGE", 1)
        patch.setattr(paged, "PART", 4)
        for at in (index, mask, slice(1, None, 2)):
            np.testing.assert_array_equal(paged.taken(values, at), values[at])
        np.testing.assert_array_equal(paged.chained([values, values[:1]]), np.concatenate([values, values[:1]]))
        np.testing.assert_array_equal(paged.widened(values), values.astype(np.float64))


def test_outputs_in_files_are_those_in_memory_bit_by_bit(in_files, monkeypatch):
    scores = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    found = from_logits(scores)
    assert lies_in_a_file(found.logits)
    assert lies_in_a_file(found.confidence)
    top = from_top(np.arange(5) % 3, np.linspace(0.2, 1, 5), 3)
    monkeypatch.undo()
    for name in ("logits", "predictions", "confidence", "log_sum_exp"):
        np.testing.assert_array_equal(getattr(found, name), getattr(from_logits(scores), name))
    np.testing.assert_array_equal(top.logits, from_top(np.arange(5) % 3, np.linspace(0.2, 1, 5), 3).logits)
    assert not list(in_files.iterdir()), "a file without a name cannot be left behind"


def test_where_the_folder_has_no_room_memory_is_taken(in_files, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(paged, "_made_room", full)
    held = paged.paged((4, 2))
    assert held.base is None
    monkeypatch.setattr(tempfile, "tempdir", str(in_files / "nowhere"))
    assert paged.paged((4, 2)).base is None


@pytest.mark.usefixtures("in_files")
def test_room_is_made_without_the_system_call_as_well(monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    held = paged.paged((4, 2))
    held[:] = 7
    assert lies_in_a_file(held)
    assert held.sum() == 56


def test_a_file_is_read_as_it_was_however_it_changes(in_files):
    path = in_files / "some"
    path.write_bytes(bytes(range(200)))
    held = paged.file_bytes(path)
    path.write_bytes(b"")
    assert bytes(held) == bytes(range(200))
    assert len(paged.file_bytes(path)) == 0


def test_columns_of_parquet_one_at_a_time_are_those_of_the_whole_table(in_files, refused):
    path = in_files / "a.parquet"
    columns = {
        "logit_10": np.array([1, 2, 3], np.float16), "id": ["a", "b", None], "logit_2": pa.array([1.5, 2.5, 0.1]),
        "v1.x": pa.array([1, None, 3]), "label": pa.array(["x", "y", "x"]).dictionary_encode(),
    }  # fmt: skip
    pq.write_table(pa.table(columns), path, row_group_size=2)
    whole, one = read_table(path.read_bytes(), ".parquet", "a"), ParquetColumns(path.read_bytes(), "a")
    one._side = 1
    assert list(whole) == list(one)
    for name, values in whole.items():
        np.testing.assert_array_equal(one[name], values)
        assert one[name].dtype == values.dtype
    assert load_recorded(path, Task()).outputs.logits[:, 0].tolist() == [1, 2, 3]
    table = {"logit_0": np.ones(3, np.float32), "logit_1": np.zeros(3, np.float16)}
    assert _stacked(table, {"logit_0": 1, "logit_1": 0}).dtype == np.float32
    assert _stacked({**table, "logit_2": np.arange(3)}, {"logit_0": 1, "logit_2": 0}).tolist() == [
        [0, 1],
        [1, 1],
        [2, 1],
    ]
    path.write_bytes(b"PAR1 and nothing else PAR1")
    refused(lambda: load_recorded(path, Task()), "cannot be read as parquet")


@pytest.mark.skipif(not resident.STATUS.exists(), reason="the system does not tell")
def test_memory_that_is_held_is_told_apart_from_pages_of_files(in_files):
    before = resident.now()
    kept = np.ones(60_000_000, np.uint8)
    more = resident.now()
    lies = paged.paged(150_000_000, np.uint8)
    lies[:] = 1
    after = resident.now()
    assert more["anonymous_mb"] > before["anonymous_mb"] + 50
    assert after["anonymous_mb"] < more["anonymous_mb"] + 50, "what lies in a file is not counted as memory"
    assert after["files_mb"] > more["files_mb"] + 100
    assert int(kept[0]) + int(lies[-1]) == 2
    assert not list(in_files.iterdir())


def test_where_the_system_does_not_tell_nothing_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(resident, "STATUS", tmp_path / "none")
    assert resident.now() == {}
