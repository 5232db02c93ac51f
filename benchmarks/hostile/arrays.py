"""Bad ``.npz`` files, of rows and of recorded answers."""

import io
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hostile.case import Case, Holds
from hostile.ingredients import ROWS, answers, audit, labels, network, pictures, report, rows, values, zeros

HUGE = 6 << 30


def _with(**given: Any) -> Callable[[], list[str]]:
    return lambda: audit(network(), rows(**given))


def _pictured(**given: Any) -> Callable[[], list[str]]:
    return lambda: audit(network(shape=("n", 3, 8, 8)), rows(**{"inputs": pictures(), **given}))


def _raw(change: Callable[[bytes], bytes]) -> Callable[[], list[str]]:
    def build() -> list[str]:
        path = Path(rows())
        path.write_bytes(change(path.read_bytes()))
        return audit(network(), str(path))

    return build


def _member(name: str, data: bytes, size: int | None = None) -> Callable[[], list[str]]:
    """An ``.npz`` with one member in place of its inputs; ``size`` is what the file says of its length."""

    def build() -> list[str]:
        held = io.BytesIO()
        with zipfile.ZipFile(rows()) as given, zipfile.ZipFile(held, "w") as made:
            made.writestr("labels.npy", given.read("labels.npy"))
            made.writestr(name, data)
        raw = held.getvalue()
        if size is not None:
            raw = bombed(data, name, size)
        Path("rows.npz").write_bytes(raw)
        return audit(network(), "rows.npz")

    return build


def bombed(packed: bytes, name: str, size: int) -> bytes:
    """A zip file of one member that is packed already; ``size`` is its length unpacked."""
    known = name.encode()
    extra = struct.pack("<HHQQ", 1, 16, size, len(packed))
    fields = (0, 8, 0, 0x21, 0, 0xFFFFFFFF, 0xFFFFFFFF, len(known), len(extra))
    local = struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 45, *fields) + known + extra + packed
    told = struct.pack(
        "<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 45, 45, *fields[:5], *fields[5:], 0, 0, 0, 0, 0
    )  # fmt: skip
    central = told + known + extra
    return local + central + struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, len(central), len(local), 0)


def header(words: str, body: bytes = b"") -> bytes:
    """An array file whose header is as given."""
    padded = words + " " * (63 - (len(words) + 10) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode() + body


def _flipped(raw: bytes) -> bytes:
    changed = bytearray(raw)
    changed[200] ^= 0xFF
    return bytes(changed)


def _changed(array: np.ndarray, at: Any, value: Any) -> np.ndarray:
    changed = np.array(array)
    changed[at] = value
    return changed


def judged(count: int) -> Holds:
    """Holds if so many rows stand behind the accuracy as tested."""

    def holds(_: str) -> str:
        tested = report()["headline"][0]["accuracy"]
        have = tested["rows"]
        return "" if have == count else f"{have} rows were judged and {count} should be"

    return holds


def left_out(row: int) -> Holds:
    """Whether all rows but one were judged, and the report says that this one has no answer."""

    def holds(out: str) -> str:
        told = {one["subject"] for one in report()["skipped"] if "the model" in one["reason"]}
        return judged(ROWS - 1)(out) or ("" if str(row) in told else f"it says that {sorted(told)} have no answer")

    return holds


def _right(share: float) -> Holds:
    def holds(_: str) -> str:
        found = report()["headline"][0]["accuracy"]["value"]
        return "" if abs(found - share) < 1e-12 else f"the accuracy is {found} and should be {share}"

    return holds


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _files()
    yield from _arrays()
    yield from _images()
    yield from _answers()


def _files() -> Iterator[Case]:
    fake = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 4), }"
    code = "__import__('os').system('touch owned')"
    each: list[tuple[str, Callable[[], list[str]], tuple[str, ...]]] = [
        ("text", _raw(lambda _: b"hello"), ("zip",)),
        ("empty", _raw(lambda _: b""), ("zip",)),
        ("cut in half", _raw(lambda raw: raw[: len(raw) // 2]), ("zip",)),
        ("a flipped byte", _raw(_flipped), ("cannot be read as .npz",)),
        ("header of a billion rows over no bytes", _member("inputs.npy", header(fake)), (".npz",)),
        ("header of a negative shape",
         _member("inputs.npy", header("{'descr': '<f4', 'fortran_order': False, 'shape': (-4, 4), }")), (".npz",)),
        ("header that is code", _member("inputs.npy", header(code)), (".npz",)),
        ("header that is no dictionary", _member("inputs.npy", header("[1, 2, 3]")), (".npz",)),
        ("header of objects", _member("inputs.npy", header("{'descr': '|O', 'fortran_order': False, 'shape': (4,), }")),
         ("pickled objects",)),
        ("member that is no array", _member("inputs.npy", b"no array"), ("no array",)),
        ("bomb of 6 GiB", _member("inputs.npy", zeros(64 << 20), HUGE), ("unpack",)),
        ("member that climbs out", _member("../inputs.npy", header(fake)), ()),
        ("pickled objects", _with(inputs=np.array([{"a": 1}] * ROWS, dtype=object)), ("pickled objects",)),
    ]  # fmt: skip
    for name, build, says in each:
        yield Case("npz file", name, build, says)


def _arrays() -> Iterator[Case]:
    short, wrong = labels()[:-1], labels().astype(np.float64)
    structured = np.zeros(ROWS, dtype=[("a", "<f4"), ("b", "<f4")])
    refused: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
        ("no inputs", {"inputs": None}, ("no array `inputs`",)),
        ("no rows", {"inputs": values()[:0], "labels": labels()[:0]}, ("no rows",)),
        ("a single number as inputs", {"inputs": np.float32(3)}, ("no rows",)),
        ("five axes", {"inputs": np.zeros((ROWS, 2, 2, 2, 2), np.float32)}, ("shape",)),
        ("complex numbers", {"inputs": values() + 1j}, ()),
        ("records", {"inputs": structured}, ()),
        ("days as inputs", {"inputs": np.zeros((ROWS, 4), "datetime64[D]")}, ()),
        ("too few columns for the network", {"inputs": values()[:, :3]}, ("4",)),
        ("no columns", {"inputs": values()[:, :0]}, ()),
        ("one label too few", {"labels": short}, ("one a row",)),
        ("labels of two axes", {"labels": np.stack([labels()] * 2, 1)}, ("shape",)),
        ("label 99", {"labels": _changed(labels(), 7, 99)}, ("classes",)),
        ("label -5", {"labels": _changed(labels(), 7, -5)}, ("-5",)),
        ("label of half", {"labels": _changed(wrong, 7, 0.5)}, ("0.5",)),
        ("label of infinity", {"labels": _changed(wrong, 7, np.inf)}, ("inf",)),
        ("label beyond 2^62", {"labels": _changed(labels(), 7, 2**62 + 1)}, (str(2**62 + 1),)),
        ("complex labels", {"labels": labels() + 1j}, ()),
        ("words that are no classes", {"labels": np.array(["cat", "dog", "cow", "pig"] * 10)}, ()),
        ("ids given twice", {"ids": np.zeros(ROWS, np.int64)}, ("id",)),
        ("more classes than the network has", {"classes": np.array(["a", "b", "c"]), "labels": labels() + 1}, ()),
        ("two classes of one name", {"classes": np.array(["a", "a"])}, ("a",)),
        ("votes of one axis", {"label_counts": labels()}, ("votes",)),
        ("votes below zero", {"label_counts": np.full((ROWS, 2), -1), "labels": None}, ()),
        ("votes that are no numbers", {"label_counts": np.full((ROWS, 2), np.nan), "labels": None}, ()),
    ]  # fmt: skip
    for name, given, says in refused:
        yield Case("arrays", name, _with(**given), says)
    unanswered: list[tuple[str, Any]] = [
        ("NaN in row 7", _changed(values(), 7, np.nan)),
        ("infinity in row 7", _changed(values(), (7, 0), np.inf)),
        ("numbers beyond float32", _changed(values().astype(np.float64), 7, 1e300)),
    ]
    for name, inputs in unanswered:
        yield Case("arrays", name, _with(inputs=inputs), holds=left_out(7))
    yield Case("arrays", "a row without label", _with(labels=_changed(wrong, 7, np.nan)), holds=judged(ROWS - 1))
    yield Case("arrays", "a column of infinities", _with(site=np.full(ROWS, np.inf)), holds=judged(ROWS))


def _images() -> Iterator[Case]:
    refused: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
        ("seven channels", {"inputs": np.zeros((ROWS, 8, 8, 7), np.uint8)}, ("channels",)),
        ("floats up to 255", {"inputs": pictures().astype(np.float32)}, ("uint8",)),
        ("floats that are not finite", {"inputs": _changed(pictures() / np.float32(255), 7, np.nan)}, ("nan",)),
        ("negative pixels", {"inputs": pictures().astype(np.int16) - 9}, ("uint8",)),
        ("pictures without pixels", {"inputs": pictures()[:, :0]}, ()),
        ("words as pictures", {"inputs": np.full((ROWS, 8, 8, 3), "x")}, ("uint8",)),
        ("masks of another size", {"masks": np.zeros((ROWS, 4, 4), bool)}, ("masks",)),
        ("masks for other rows", {"masks": np.zeros((3, 8, 8), bool)}, ("masks",)),
    ]
    for name, given, says in refused:
        yield Case("arrays of pictures", name, _pictured(**given), says)


def _answers() -> Iterator[Case]:
    sure = np.stack([values()[:, 0] < 0, values()[:, 0] >= 0], axis=1).astype(np.float64)
    logits = np.stack([-values()[:, 0], values()[:, 0]], axis=1)
    none = {"logits": None}
    refused: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
        ("probabilities that sum to 1.2", {**none, "probs": sure * 1.2}, ("sum",)),
        ("one row that sums to 0.5", {**none, "probs": _changed(sure, 7, 0.25)}, ("7",)),
        ("probabilities below zero", {**none, "probs": _changed(sure, 7, (-1.0, 2.0))}, ("7",)),
        ("NaN in row 7", {"logits": _changed(logits, 7, np.nan)}, ("7",)),
        ("plus infinity in row 7", {"logits": _changed(logits, (7, 0), np.inf)}, ("7",)),
        ("minus infinity everywhere", {"logits": np.full((ROWS, 2), -np.inf)}, ()),
        ("words as scores", {"logits": np.full((ROWS, 2), "high")}, ()),
        ("complex scores", {"logits": logits + 1j}, ()),
        ("scores of three axes", {"logits": np.stack([logits, logits], 2)}, ()),
        ("no rows", {"logits": logits[:0], "labels": labels()[:0]}, ("no answers",)),
        ("label 7 of two classes", {"labels": _changed(labels(), 0, 7)}, ("7",)),
        ("labels for other rows", {"labels": labels()[:5]}, ()),
        ("no scores at all", none, ("holds no answers",)),
        ("confidence above one", {**none, "prediction": labels(), "confidence": np.full(ROWS, 1.5)}, ()),
        ("confidence that is no number", {**none, "prediction": labels(), "confidence": np.full(ROWS, np.nan)}, ()),
        ("confidence in words", {**none, "prediction": labels(), "confidence": np.full(ROWS, "sure")}, ()),
        ("confidence for other rows", {**none, "prediction": labels(), "confidence": np.full(3, 0.5)}, ()),
        ("names for three classes of two", {"classes": np.array(["a", "b", "c"])}, ()),
        ("pickled objects", {"site": np.array([{}] * ROWS, dtype=object)}, ("pickled objects",)),
    ]
    for name, given, says in refused:
        yield Case("recorded answers", name, lambda given=given: audit(answers(**given)), says)  # type: ignore[misc]
    yield Case("recorded answers", "answers to fewer rows than the data has", _fewer, ("rows",))
    yield Case("recorded answers", "answers to rows with other labels", _otherwise, ("label",))
    right = float(((values()[:, 0] >= 0) == labels()).mean())
    yield Case("recorded answers", "both classes equally likely", _tied, holds=_right(float((labels() == 0).mean())))
    yield Case("recorded answers", "logits of 1e30", lambda: audit(answers(logits=logits * 1e30)), holds=_right(right))


def _fewer() -> list[str]:
    return audit(answers(logits=np.zeros((5, 2)), labels=None), rows())


def _otherwise() -> list[str]:
    return audit(answers(), rows(labels=1 - labels()))


def _tied() -> list[str]:
    return audit(answers(logits=np.zeros((ROWS, 2))))
