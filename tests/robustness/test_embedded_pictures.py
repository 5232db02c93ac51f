"""Pictures in the cells of a Parquet file: the same inputs as from files, broken ones named, bombs not unpacked."""

import io
import pickle
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pfungst.datasets.columns import ParquetColumns, read_table
from pfungst.load import load_data
from pfungst.task import Columns, Limits, Task

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 5, 3), np.uint8)
LABELS = ["cat", "dog"] * 2
RECORD = pa.struct({"bytes": pa.binary(), "path": pa.string()})


def coded(pixels, form="PNG"):
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, form)
    return held.getvalue()


CELLS = [coded(one, form) for one, form in zip(PIXELS, ("PNG", "JPEG", "WEBP", "PNG"), strict=True)]


def records(cells, paths=None):
    paths = paths or [f"{row}.png" for row in range(len(cells))]
    return pa.array([{"bytes": cell, "path": path} for cell, path in zip(cells, paths, strict=True)], RECORD)


def written(folder, column, name="image", labels=LABELS, **more):
    path = folder / "rows.parquet"
    pq.write_table(pa.table({name: column, "label": labels[: len(column)], **more}), path)
    return path


LAYOUTS = {
    "records": records(CELLS),
    "records in chunks": pa.chunked_array([records(CELLS[:1]), records(CELLS[1:])]),
    "bytes": pa.array(CELLS, pa.binary()),
    "large bytes": pa.array(CELLS, pa.large_binary()),
    "repeated bytes": pa.array(CELLS, pa.binary()).dictionary_encode(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_inputs_and_traces_are_those_of_the_same_pictures_as_files(tmp_path, layout):
    lines = ["image,label,site"]
    for row, cell in enumerate(CELLS):
        (tmp_path / f"{row}.png").write_bytes(cell)
        lines.append(f"{row}.png,{LABELS[row]},{'AB'[row // 2]}")
    (tmp_path / "files.csv").write_text("\n".join(lines))
    files = load_data(tmp_path / "files.csv")
    cells = load_data(written(tmp_path, LAYOUTS[layout], site=["A", "A", "B", "B"]))
    rows = np.array([3, 1, 0, 2])
    np.testing.assert_array_equal(cells.batch(rows)[0].inputs, files.batch(rows)[0].inputs)
    assert cells.traces(rows) == files.traces(rows)
    assert (cells.modality, cells.classes, cells.labels.tolist()) == ("image", ("cat", "dog"), [0, 1, 0, 1])
    assert list(cells.columns) == ["site"]
    assert cells.roles == files.roles
    moved = pickle.loads(pickle.dumps(cells.read))
    np.testing.assert_array_equal(moved(rows)[0], PIXELS[3])


def test_nothing_is_decoded_while_loading(tmp_path, monkeypatch):
    def never(*_):
        raise AssertionError("decoded")

    monkeypatch.setattr("pfungst.datasets.folder.decode", never)
    assert len(load_data(written(tmp_path, records(CELLS)))) == 4


def test_paths_are_ids_where_each_row_has_its_own(tmp_path):
    assert load_data(written(tmp_path, records(CELLS))).ids == ("0.png", "1.png", "2.png", "3.png")
    for paths in (["a", "a", "b", "c"], ["a", None, "b", "c"]):
        assert list(load_data(written(tmp_path, records(CELLS, paths))).ids) == list("0123")
    assert load_data(written(tmp_path, records(CELLS), id=list("wxyz"))).ids == tuple("wxyz")
    assert list(load_data(written(tmp_path, pa.array(CELLS))).ids) == list("0123")


def test_broken_and_lacking_pictures_are_rows_that_are_named(tmp_path):
    (tmp_path / "beside.png").write_bytes(CELLS[3])
    paths = [None, "gone.png", "beside.png", "/not/asked/for.png", None]
    column = records([b"no picture", None, None, CELLS[0], None], paths)
    data = load_data(written(tmp_path, column, labels=[*LABELS, "cat"]))
    batch, bad = data.batch(np.arange(5))
    assert bad == {0: "not an image that can be read", 1: "the file is not there", 4: "the row holds no picture"}
    np.testing.assert_array_equal(batch.inputs, PIXELS[[3, 0]])
    assert data.traces(np.array([4]))[0]["size"] is None
    before = data.fingerprint
    (tmp_path / "beside.png").write_bytes(CELLS[3] + b"more")
    assert load_data(tmp_path / "rows.parquet").fingerprint != before


def test_a_path_without_bytes_may_not_leave_the_folder(tmp_path, refused):
    for path in ("/etc/passwd", "../a.png"):
        refused(lambda path=path: load_data(written(tmp_path, records([None], [path]))), "leaves the folder")


def test_img_is_the_input_and_other_records_of_files_are_not(tmp_path, refused):
    data = load_data(written(tmp_path, records(CELLS), "img", mask=records(CELLS)))
    assert "pictures are taken from column img" in data.notes
    assert (data.modality, dict(data.columns)) == ("image", {})
    sounds = load_data(written(tmp_path, records(CELLS), "audio", text=["a", "b", "c", "d"]))
    assert sounds.modality == "text"
    refused(lambda: load_data(written(tmp_path, records(CELLS), "photo")), "no column of inputs", "`image`")
    pq.write_table(pa.table({"image": records(CELLS)}), tmp_path / "alone.parquet")
    assert load_data(tmp_path / "alone.parquet", task=Task(columns=Columns())).labels is None


def test_too_many_pixels_are_not_decoded(tmp_path):
    path = written(tmp_path, pa.array(CELLS))
    _, bad = load_data(path, task=Task(limits=Limits(pixels=29))).batch(np.arange(4))
    assert len(bad) == 4
    assert bad[0] == "the image has 5 x 6 pixels, more than 29: it was not decoded"


def test_a_picture_that_every_row_repeats_is_refused_before_it_is_unpacked(tmp_path, refused):
    once = b"\x89PNG" + bytes(100_000)
    cells = pa.DictionaryArray.from_arrays(pa.array(np.zeros(20_000, np.int32)), pa.array([once]))
    path = tmp_path / "rows.parquet"
    pq.write_table(
        pa.table({"image": cells, "label": np.zeros(20_000, int)}), path, compression="zstd", store_schema=False
    )
    assert path.stat().st_size < 100_000
    refused(lambda: load_data(path, task=Task(limits=Limits(unpacked=10_000_000))), "would unpack to", "[limits]")


def parquet():
    held = io.BytesIO()
    pq.write_table(pa.table({name: np.arange(500.0) for name in "abcdef"} | {"image": CELLS[:1] * 500}), held)
    return held.getvalue()


def lines(form):
    return "".join([form % (row, row) for row in range(500)]).encode()


HELD = {
    ".parquet": parquet(), ".csv": b"a,b\n" + lines("%d,s%d\n"), ".jsonl": lines('{"a": %d, "b": "s%d"}\n')
}  # fmt: skip


@pytest.mark.parametrize("suffix", [*HELD, "columns"])
def test_nobody_holds_the_bytes_of_a_table_once_it_is_read(suffix):
    """A thread of Arrow's that lets go of them after Python has ended aborts the process."""
    for _ in range(150):
        data = bytes(bytearray(HELD.get(suffix, HELD[".parquet"])))
        before = sys.getrefcount(data)
        if suffix == "columns":
            columns = ParquetColumns(data, "a")
            assert len(columns["a"]) == 500
            del columns
        else:
            assert len(read_table(data, suffix, "a")["a"]) == 500
        assert sys.getrefcount(data) == before
