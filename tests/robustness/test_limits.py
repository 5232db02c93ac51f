"""Limits: what is refused as an attack by default is read where the task file allows it, and the other way round."""

import gzip
import io
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pfungst.errors import InputError
from pfungst.load import load_data, load_model
from pfungst.task import Limits, Task, task_of

ROWS = 40_000
FEW = Task(limits=Limits(unpacked=100_000))


def table(folder, name):
    path = folder / name
    constant = pa.table({"a": np.zeros(ROWS), "label": np.zeros(ROWS, np.int64)})
    lines = ("a,label\n" + "0,0\n" * ROWS).encode()
    if name.endswith(".parquet"):
        pq.write_table(constant, path, compression="zstd")
    elif name.endswith(".npz"):
        np.savez_compressed(path, inputs=np.zeros((ROWS, 4)), labels=np.zeros(ROWS, int))
    elif name.endswith(".gz"):
        path.write_bytes(gzip.compress(lines))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("rows.csv", lines)
    return path


@pytest.mark.parametrize("name", ["rows.parquet", "rows.npz", "rows.csv.gz", "rows.zip"])
def test_what_packs_a_hundred_times_is_read_up_to_the_limit_of_the_task(tmp_path, name):
    path = table(tmp_path, name)
    assert len(load_data(path)) == ROWS
    with pytest.raises(InputError, match=r"would unpack to .* raise `unpacked` under \[limits\]"):
        load_data(path, task=FEW)


def test_recorded_answers_keep_to_the_limit(tmp_path):
    path = tmp_path / "answers.npz"
    np.savez_compressed(path, logits=np.zeros((ROWS, 2), np.float32))
    assert len(load_model(path)) == ROWS
    with pytest.raises(InputError, match="would unpack"):
        load_model(path, task=FEW)


def test_parquet_of_a_billion_equal_rows_is_refused_unread(tmp_path):
    path = tmp_path / "rows.parquet"
    part = pa.table({"a": pa.DictionaryArray.from_arrays(pa.array(np.zeros(1 << 20, np.int8)), pa.array([0.5]))})
    with pq.ParquetWriter(path, part.schema, compression="zstd") as file:
        for _ in range(200):
            file.write_table(part)
    with pytest.raises(InputError, match="would unpack to"):
        load_data(path)


def test_members_of_shards_keep_to_the_limit(tmp_path):
    with tarfile.open(tmp_path / "s.tar", "w") as archive:
        for key, size in (("a", 10), ("b", 5000)):
            body = b"x" * size
            info = tarfile.TarInfo(f"{key}.txt")
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    assert len(load_data(tmp_path / "s.tar").read(np.arange(2))) == 2
    with pytest.raises(InputError, match="5,000 bytes, more than 1,000"):
        load_data(tmp_path / "s.tar", task=Task(limits=Limits(unpacked=1000)))


@pytest.mark.parametrize("name", ["unpacked", "pixels"])
def test_a_limit_is_a_positive_number(name):
    with pytest.raises(InputError, match=name):
        task_of({"limits": {name: 0}})
