"""What is written into a file is what is read from it, whatever stands in the cells, in every form of data."""

import csv
import io
import json
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from pfungst.errors import InputError
from pfungst.load import load_data

ODD = st.sampled_from(
    ["", " ", '"', "''", ",", ";", "\n", "\r\n", "\\", "nan", "ß", "日本", "\u202e", "e\u0301", "\U0001f40e", "=1+1"]
)
# A letter in front: what is a number in a text file is a number. NumPy's texts lose what is 0 at their end.
TEXTS = st.builds(
    "s{}{}".format, ODD, st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=6)
)
LINES = TEXTS.map(lambda text: " ".join(text.replace("\t", " ").split()))
NUMBERS = st.one_of(st.floats(width=32), st.none(), st.sampled_from([0.1, -0.0, 1e30, 1e-40]))


@st.composite
def tables(draw, texts=TEXTS):
    rows = draw(st.integers(1, 6))
    some = lambda cells, **more: draw(st.lists(cells, min_size=rows, max_size=rows, **more))  # noqa: E731 - a short word
    return {
        "id": some(texts, unique=True), "label": some(texts), "a": some(NUMBERS), "site": some(texts),
        "n": some(st.integers(-(2**53), 2**53)), "z": [0.5] * rows,
    }  # fmt: skip


def records(table):
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


def as_csv(table, **how):
    sheet = io.StringIO(newline="")
    writer = csv.writer(sheet, lineterminator="\n", **how)
    writer.writerow(table)
    writer.writerows([["" if cell is None else cell for cell in row] for row in zip(*table.values(), strict=True)])
    return sheet.getvalue().encode()


def as_lines(table):
    sound = [
        {k: v for k, v in row.items() if not (isinstance(v, float) and not np.isfinite(v))} for row in records(table)
    ]
    return "\n".join(json.dumps(row, ensure_ascii=at % 2 == 0) for at, row in enumerate(sound)).encode()


def as_parquet(table):
    sheet = io.BytesIO()
    pq.write_table(pa.table(table), sheet)
    return sheet.getvalue()


def zipped(members):
    sheet = io.BytesIO()
    with zipfile.ZipFile(sheet, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return sheet.getvalue()


def tarred(members):
    sheet = io.BytesIO()
    with tarfile.open(fileobj=sheet, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return sheet.getvalue()


FORMS = {
    "rows.csv": (TEXTS, as_csv),
    "rows.tsv": (LINES, lambda table: as_csv(table, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None)),
    "rows.jsonl": (TEXTS, as_lines),
    "rows.parquet": (TEXTS, as_parquet),
    "rows.zip": (TEXTS, lambda table: zipped({"rows.csv": as_csv(table)})),
}


def loaded(folder, name, data):
    (folder / name).write_bytes(data)
    return load_data(folder / name)


def same_numbers(found, given):
    """Equal as float32, missing where nothing stood; infinite ones are left out of JSON."""
    wanted = np.array([np.nan if one is None else one for one in given], np.float64).astype(np.float32)
    found = np.array([np.nan if one is None else one for one in found], np.float64).astype(np.float32)
    infinite = np.isinf(wanted) & np.isnan(found)
    np.testing.assert_array_equal(found[~infinite], wanted[~infinite])


@pytest.mark.parametrize("name", FORMS)
@given(data=st.data())
@settings(max_examples=30)
def test_a_table_comes_back(name, tmp_path_factory, data):
    texts, written = FORMS[name]
    table = data.draw(tables(texts))
    found = loaded(tmp_path_factory.mktemp("rows"), name, written(table))
    rows = np.arange(len(table["id"]))
    inputs = found.batch(rows)[0].inputs
    assert list(found.ids) == table["id"]
    assert [found.classes[one] for one in found.labels] == table["label"]
    assert list(found.columns["site"]) == table["site"]
    columns = {feature: inputs[:, at] for at, feature in enumerate(found.features)}
    assert list(columns["site"]) == table["site"]
    same_numbers(columns["n"], table["n"])
    if "a" in columns:  # a column of which no row says anything is none in JSON
        same_numbers(columns["a"], table["a"])


@given(table=tables())
@settings(max_examples=30)
def test_arrays_come_back(tmp_path_factory, table):
    inputs = np.array(
        [[np.nan if a is None else a, n] for a, n in zip(table["a"], table["n"], strict=True)], np.float32
    )
    sheet = io.BytesIO()
    np.savez(
        sheet, inputs=inputs, labels=np.array(table["label"]), ids=np.array(table["id"]), site=np.array(table["site"])
    )
    found = loaded(tmp_path_factory.mktemp("rows"), "rows.npz", sheet.getvalue())
    np.testing.assert_array_equal(found.batch(np.arange(len(inputs)))[0].inputs, inputs)
    assert list(found.ids) == table["id"]
    assert [found.classes[one] for one in found.labels] == table["label"]
    assert list(found.columns["site"]) == table["site"]


@given(texts=st.lists(TEXTS, min_size=1, max_size=6), data=st.data())
@settings(max_examples=30)
def test_samples_of_shards_come_back(tmp_path_factory, texts, data):
    labels = data.draw(st.lists(LINES, min_size=len(texts), max_size=len(texts)))
    sites = data.draw(st.lists(TEXTS, min_size=len(texts), max_size=len(texts)))
    members = {}
    for at, (text, label, site) in enumerate(zip(texts, labels, sites, strict=True)):
        parts = {"txt": text.encode(), "cls": label.encode(), "json": json.dumps({"site": site, "at": at}).encode()}
        members |= {f"{at}.{end}": held for end, held in parts.items()}
    found = loaded(tmp_path_factory.mktemp("rows"), "rows.tar", tarred(members))
    assert list(found.batch(np.arange(len(texts)))[0].inputs) == texts
    assert list(found.ids) == [str(at) for at in range(len(texts))]
    assert [found.classes[one] for one in found.labels] == labels
    assert list(found.columns["site"]) == sites
    assert found.columns["at"].tolist() == list(range(len(texts)))


def png(pixels):
    sheet = io.BytesIO()
    Image.fromarray(pixels).save(sheet, "PNG")
    return sheet.getvalue()


@given(
    pixels=hnp.arrays(np.uint8, st.tuples(st.integers(2, 4), st.integers(1, 6), st.integers(1, 6), st.just(3))),
    form=st.sampled_from(["folder", "zip", "tar", "npz", "parquet of records", "parquet of bytes"]),
)
@settings(max_examples=40)
def test_pictures_come_back(tmp_path_factory, pixels, form):
    folder = tmp_path_factory.mktemp("rows")
    names = [f"{'ab'[at % 2]}/{at}.png" for at in range(len(pixels))]
    if form == "folder":
        for name, one in zip(names, pixels, strict=True):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(png(one))
        found = load_data(folder)
    elif form == "zip":
        found = loaded(folder, "rows.zip", zipped({name: png(one) for name, one in zip(names, pixels, strict=True)}))
    elif form == "tar":
        parts = {f"{at}.png": png(one) for at, one in enumerate(pixels)}
        found = loaded(
            folder, "rows.tar", tarred(parts | {f"{at}.cls": b"ab"[at % 2 :][:1] for at in range(len(pixels))})
        )
    elif form.startswith("parquet"):
        cells = [png(one) for one in pixels]
        records = [{"bytes": cell, "path": name} for cell, name in zip(cells, names, strict=True)]
        table = {"image": records if form.endswith("records") else cells, "label": [name[0] for name in names]}
        found = loaded(folder, "rows.parquet", as_parquet(table | {"id": names}))
    else:
        sheet = io.BytesIO()
        np.savez(sheet, inputs=pixels, labels=np.array([name[0] for name in names]), ids=np.array(names))
        found = loaded(folder, "rows.npz", sheet.getvalue())
    rows = np.argsort([int(one.rpartition("/")[2].partition(".")[0]) for one in found.ids])
    np.testing.assert_array_equal(found.batch(rows)[0].inputs, pixels)
    assert [found.classes[one] for one in found.labels[rows]] == [name[0] for name in names]


@pytest.mark.parametrize("name", FORMS)
def test_an_id_that_stands_twice_is_refused_in_every_form(name, tmp_path, refused):
    table = {"id": ["s1", "s2", "s1"], "label": ["x", "y", "x"], "a": [1.0, 2.0, 3.0]}
    refused(lambda: loaded(tmp_path, name, FORMS[name][1](table)), "two rows with the id 's1'")


def read_or_refused(folder, name, data):
    """The rows, or None where they are refused in a sentence that names the file."""
    try:
        return loaded(folder, name, data)
    except InputError as error:
        said = str(error)
    assert said.startswith(str(folder / name))
    assert "\n" not in said
    return None


@pytest.mark.parametrize("number", [2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64, 10**30, -(10**300), 10**400])
@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv", "rows.jsonl", "rows.zip", "rows.tar"])
def test_a_huge_whole_number_is_read_as_near_as_can_be_or_refused(name, number, tmp_path):
    table = {"id": ["s1", "s2"], "label": ["x", "y"], "a": [number, 1], "text": ["one", "two"]}
    samples = {
        f"{at}.{end}": held
        for at, row in enumerate(records(table))
        for end, held in (("txt", b"text"), ("json", json.dumps({"a": row["a"]}).encode()))
    }
    written = tarred(samples) if name == "rows.tar" else FORMS[name][1](table)
    found = read_or_refused(tmp_path, name, written)
    if found is None:
        return
    read = found.columns["a"][0]
    if abs(number) < 1 << 63:
        assert int(read) == number
    assert float(read) == float(number) if abs(number) < 1 << 1023 else str(read) in {str(number), "inf"}


@pytest.mark.parametrize("cells", [[1, "x"], [True, 2], [[1], 2], [{"b": 1}, 3], ["2026-11-27", 5], [None, {}]])
def test_cells_of_several_kinds_are_read_or_refused_in_a_sentence(cells, tmp_path):
    lines = "\n".join(json.dumps({"a": cell, "z": 1, "label": "x"}) for cell in cells)
    samples = {f"{at}.{end}": held for at, cell in enumerate(cells)
               for end, held in (("txt", b"text"), ("json", json.dumps({"a": cell}).encode()))}  # fmt: skip
    for name, data in (("rows.jsonl", lines.encode()), ("rows.tar", tarred(samples))):
        found = read_or_refused(tmp_path, name, data)
        assert found is None or len(found.batch(np.arange(2))[0]) == 2
