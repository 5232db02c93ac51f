"""Labels, sites and ids mean what is written in the file, not what a number, a place or an encoding makes of it."""

import gzip

import numpy as np
import pytest

from pfungst.datasets.columns import read_table
from pfungst.load import load_data
from pfungst.task import Columns, Task


def labels_of(data):
    return [data.classes[k] if k >= 0 else None for k in data.labels]


# leading zeros


@pytest.mark.parametrize("form", ["csv", "tsv", "quoted", "packed"])
def test_leading_zeros_make_text_of_a_column(tmp_path, form):
    lines = ["id,a,site,label", "007,0.5,01,02", "08,0,1,02", "9,-0.5,001,03", "10,1e3,,"]
    text = "\r\n".join(lines) + "\r\n"
    if form == "quoted":
        text = text.replace("007", '"007"').replace(",01,", ',"01",').replace(",02", ', "02"').replace(' "', '"')
    path = tmp_path / f"rows.{'tsv' if form == 'tsv' else 'csv'}{'.gz' * (form == 'packed')}"
    data = (text.replace(",", "\t") if form == "tsv" else text).encode()
    path.write_bytes(gzip.compress(data) if form == "packed" else data)
    found = load_data(path, task=Task(columns=Columns(site=("site",))))
    assert found.ids == ("007", "08", "9", "10")
    assert labels_of(found) == ["02", "02", "03", None]
    assert found.columns["site"].tolist() == ["01", "1", "001", ""]
    # As inputs they are the numbers that they were.
    assert found.features == ("a", "site")
    np.testing.assert_array_equal(found.batch(np.arange(3))[0].inputs, np.float32([[0.5, 1], [0, 1], [-0.5, 1]]))


def test_other_numbers_stay_numbers():
    text = b"whole,part,power,zero,below,when\n1,0.5,1e3,0,-1,2024-01-05 08:30\n20,1.50,0.07,0,0,2024-01-06 09:00\n"
    found = read_table(text, ".csv", "a")
    assert [found[name].dtype.kind for name in list(found)[:5]] == ["i", "f", "f", "i", "i"]
