"""Bad tables: comma-separated, JSON lines, Parquet, packed."""

import gzip
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hostile.arrays import judged, left_out
from hostile.case import Case
from hostile.ingredients import ESCAPE, ROWS, audit, deep, labels, network, report, rng, table, values

Lines = Callable[[list[str]], list[str]]


def _lines(changed: Lines, *more: str) -> Callable[[], list[str]]:
    return lambda: audit(network(), table(changed=changed), *more)


def _bytes(data: bytes, name: str = "rows.csv") -> Callable[[], list[str]]:
    def build() -> list[str]:
        Path(name).write_bytes(data)
        return audit(network(), name)

    return build


def _text(changed: Callable[[str], bytes]) -> Callable[[], list[str]]:
    def build() -> list[str]:
        path = Path(table())
        path.write_bytes(changed(path.read_text("utf-8")))
        return audit(network(), str(path))

    return build


def _cell(row: int, column: int, value: str) -> Lines:
    def changed(lines: list[str]) -> list[str]:
        cells = lines[row + 1].split(",")
        cells[column] = value
        return [*lines[: row + 1], ",".join(cells), *lines[row + 2 :]]

    return changed


def _packed(data: bytes, name: str = "rows.csv.gz") -> Callable[[], list[str]]:
    return _bytes(data, name)


def _gzip_bomb() -> list[str]:
    block = gzip.compress(bytes(8 << 20), 9)
    with Path("rows.csv.gz").open("wb") as file:
        file.writelines(block for _ in range(300))
    return audit(network(), "rows.csv.gz")


def _parquet(change: Callable[[bytes], bytes]) -> Callable[[], list[str]]:
    def build() -> list[str]:
        held = {name: values()[:, i] for i, name in enumerate("abcd")}
        pq.write_table(pa.table({**held, "label": labels()}), "rows.parquet", compression=None)
        path = Path("rows.parquet")
        path.write_bytes(change(path.read_bytes()))
        return audit(network(), "rows.parquet")

    return build


def _columns(**columns: pa.Array) -> Callable[[], list[str]]:
    def build() -> list[str]:
        held = {name: pa.array(values()[:, i]) for i, name in enumerate("abcd")}
        pq.write_table(pa.table({**held, "label": pa.array(labels()), **columns}), "rows.parquet")
        return audit(network(), "rows.parquet")

    return build


def _pictured(name: str) -> Callable[[], list[str]]:
    def build() -> list[str]:
        Path("rows.csv").write_text(f"image,label\n{name},0\n{name},1\n", "utf-8")
        return audit(network(shape=("n", 3, 8, 8)), "rows.csv")

    return build


def _with(words: str, head: str) -> Lines:
    """A column of texts in which one is a formula."""
    return lambda lines: [f"{lines[0]},{head}", *(f"{line},{words}" for line in lines[1:])]


def _answered(changed: Lines) -> Callable[[], list[str]]:
    def build() -> list[str]:
        drawn = rng().uniform(0.1, 0.9, ROWS)
        lines = ["id,prob_cat,prob_dog,label"]
        lines += [f"{i},{p:.6f},{1 - p:.6f},{'cat' if p > 0.3 else 'dog'}" for i, p in enumerate(drawn)]
        Path("answers.csv").write_text("\n".join(changed(lines)) + "\n", "utf-8")
        return audit("answers.csv")

    return build


def cases() -> Iterator[Case]:
    """All of them."""
    for name, build, says in (*_texts(), *_others(), *_answers()):
        yield Case("tables", name, build, says)
    yield Case("tables", "a byte order mark", _text(lambda text: b"\xef\xbb\xbf" + text.encode()), holds=judged(ROWS))
    yield Case("tables", "formulas in a column", _lines(_with("=HYPERLINK(1)", "note")), holds=judged(ROWS))
    yield Case("tables", "escapes in a column's name", _lines(_with("x", ESCAPE)), holds=judged(ROWS))
    yield Case("tables", "a column named <script>", _lines(_with("x", "<script>alert(1)</script>")), holds=_no_script)
    nul = _text(lambda text: text.replace("a,b", "a\0,b").encode())
    yield Case("tables", "bytes of zero in the header", nul, holds=judged(ROWS))
    for word in ("nan", "inf"):
        yield Case("tables", f"{word} in row 7", _lines(_cell(7, 0, word)), holds=left_out(7))
    yield Case("tables", "a line without its label", _lines(_cell(7, 4, "")), holds=judged(ROWS - 1))


def _no_script(_: str) -> str:
    assert report(), "there is a report"
    return "the page holds a script of the table's" if "<script>alert" in Path("run/report.html").read_text() else ""


def _texts() -> Iterator[tuple[str, Callable[[], list[str]], tuple[str, ...]]]:
    yield "empty", _bytes(b""), ("rows.csv",)
    yield "a header alone", _lines(lambda lines: lines[:1]), ("no rows",)
    yield "blank lines alone", _bytes(b"\n\n\n"), ("rows.csv",)
    yield "one line too long", _lines(_cell(7, 1, "1,2,3")), ("rows.csv",)
    yield "one line cut short", _lines(lambda lines: [*lines, "1,2"]), ("rows.csv",)
    yield "an open quotation mark", _lines(_cell(7, 1, '"1')), ("rows.csv",)
    yield "two columns of one name", _lines(lambda lines: ["a,a,c,d,label", *lines[1:]]), ("two columns",)
    yield "UTF-16", _text(lambda text: text.encode("utf-16")), ("rows.csv",)
    yield "Latin-1", _lines(_cell(7, 4, "cat")), ()
    yield "noise", _bytes(bytes(rng().integers(0, 256, 4000, np.uint8))), ("rows.csv",)
    yield "a word among numbers", _lines(_cell(7, 0, "many")), ("text",)
    yield "a formula among numbers", _lines(_cell(7, 0, "=1+1")), ("text",)
    yield "a label that climbs out of a terminal", _lines(_cell(7, 4, ESCAPE)), ()
    yield "a label of 99", _lines(_cell(7, 4, "99")), ()
    yield "a label of infinity", _lines(_cell(7, 4, "inf")), ("inf",)
    yield "a label of half", _lines(_cell(7, 4, "0.5")), ("0.5",)
    yield "ten thousand columns", _lines(lambda lines: [line + ",1" * 9_000 for line in lines]), ()
    yield "a cell of four megabytes", _lines(_cell(7, 4, "x" * (4 << 20))), ()
    yield "semicolons", _lines(lambda lines: [line.replace(",", ";") for line in lines]), ()
    yield "ids given twice", _lines(_with("1", "id")), ("id",)
    yield "no inputs beside the label", _lines(lambda lines: [line.rpartition(",")[2] for line in lines]), ()


def _others() -> Iterator[tuple[str, Callable[[], list[str]], tuple[str, ...]]]:
    yield "packed and cut in half", _packed(gzip.compress(b"a,b,c,d,label\n1,2,3,4,0\n" * 200)[:60]), ("gzip",)
    yield "packed noise", _packed(b"\x1f\x8b" + bytes(range(256))), ("gzip",)
    yield "packed bomb of 2.4 GiB", _gzip_bomb, ("unpack",)
    yield "JSON lines cut in half", _bytes(b'{"a": 1, "label": 0}\n{"a": 2, "la', "rows.jsonl"), ("rows.jsonl",)
    yield "JSON lines that are a list", _bytes(b"[1, 2, 3]\n", "rows.jsonl"), ("rows.jsonl",)
    yield "JSON lines of many depths", _bytes(f'{{"a": {deep()}}}\n'.encode(), "rows.jsonl"), ("rows.jsonl",)
    yield "JSON lines of several kinds", _bytes(b'{"a": 1, "label": 0}\n{"a": "x", "label": 1}\n', "rows.jsonl"), ()
    yield (
        "JSON lines of records",
        _bytes(b"\n".join(json.dumps({"a": {"b": i}, "label": i % 2}).encode() for i in range(20)), "rows.jsonl"),
        (),
    )
    yield "Parquet cut in half", _parquet(lambda raw: raw[: len(raw) // 2]), ("rows.parquet",)
    yield "Parquet with a flipped footer", _parquet(_flipped), ("rows.parquet",)
    yield "Parquet of noise", _parquet(lambda raw: raw[:4] + bytes(len(raw) - 8) + raw[-4:]), ("rows.parquet",)
    yield "Parquet that is empty", _parquet(lambda _: b""), ("rows.parquet",)
    yield "Parquet of lists", _columns(a=pa.array([[1.0, 2.0]] * ROWS)), ()
    yield "Parquet of nulls", _columns(a=pa.nulls(ROWS)), ()
    yield "Parquet of labels in lists", _columns(label=pa.array([[0]] * ROWS)), ()
    yield "pictures above the folder", _pictured("../../secret.png"), ("leaves the folder",)
    yield "pictures at the root", _pictured("/etc/secret.png"), ("leaves the folder",)
    yield "pictures that are not there", _pictured("none.png"), ("not there",)
    yield "a pipe", _pipe, ("pipe",)
    yield "a folder named like a table", _folder, ()


def _answers() -> Iterator[tuple[str, Callable[[], list[str]], tuple[str, ...]]]:
    yield "answers that sum to 1.5", _answered(_cell(7, 1, "1.2")), ("7",)
    yield "answers that are words", _answered(_cell(7, 1, "high")), ("prob_cat",)
    yield "answers with an empty cell", _answered(_cell(7, 1, "")), ()
    yield "answers of one class alone", _answered(lambda lines: [line.split(",")[1] for line in lines]), ()
    yield "answers to classes that no label has", _answered(_cell(7, 3, "cow")), ("cow",)
    yield "answers with a formula", _answered(_cell(7, 1, "=0.5")), ("prob_cat",)


def _flipped(raw: bytes) -> bytes:
    changed = bytearray(raw)
    changed[-60] ^= 0xFF
    changed[-40] ^= 0xFF
    return bytes(changed)


def _pipe() -> list[str]:
    os.mkfifo("rows.csv")
    return audit(network(), "rows.csv")


def _folder() -> list[str]:
    Path("rows.csv").mkdir()
    return audit(network(), "rows.csv")
