"""Bad folders of pictures, zip files and tar shards."""

import io
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from hostile.arrays import bombed, judged
from hostile.case import Case
from hostile.ingredients import ESCAPE, audit, deep, folder, network, pictures, png, report, zeros

Build = Callable[[], list[str]]
Says = tuple[str, ...]


def _of(data: str = "photos") -> list[str]:
    return audit(network(shape=("n", 3, 8, 8)), data)


def _folder(change: Callable[[Path], object]) -> Build:
    def build() -> list[str]:
        change(folder())
        return _of()

    return build


def _each(data: bytes) -> Build:
    """A folder in which every picture is this file."""

    def change(root: Path) -> None:
        for path in root.rglob("*.png"):
            path.write_bytes(data)

    return _folder(change)


def _one(data: bytes) -> Build:
    return _folder(lambda root: (root / "cat" / "3.png").write_bytes(data))


def _lost(count: int) -> Callable[[str], str]:
    def holds(_: str) -> str:
        found = report()["data"]["unreadable"]
        complete = judged(20 - count)("")
        return complete or ("" if found == count else f"{found} rows are said to be unreadable and {count} are")

    return holds


def huge_png(width: int, height: int) -> bytes:
    """The head of a picture that unpacks to very many pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(1 << 20), 9)), (b"IEND", b"")]
    chunks = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'


def cases() -> Iterator[Case]:
    """All of them."""
    for name, build, says in _folders():
        yield Case("folders", name, build, says)
    for name, build, says in _zips():
        yield Case("zip files", name, build, says)
    for name, build, says in _tars():
        yield Case("tar shards", name, build, says)
    for name, data in {
        "cut in half": png()[:60], "empty": b"", "a text": b"no picture", "SVG with a script": SVG,
        "of 65,500 x 65,500 pixels": huge_png(65_500, 65_500), "of no pixels": huge_png(0, 0),
        "whose sizes are lies": huge_png(9_000, 9_000), "a zip file": b"PK\x05\x06" + bytes(18),
    }.items():  # fmt: skip
        yield Case("pictures", f"one that is {name}" if name[:2] != "wh" else f"one {name}", _one(data), holds=_lost(1))
    yield Case("pictures", "one that is a zip file too", _one(png() + _zip_bytes({"a": b"b"})), holds=_lost(0))
    yield from _names()


def _names() -> Iterator[Case]:
    for name, words in {
        "escapes": ESCAPE, "lines": "a\nb", "from right to left": "a\u202eb", "HTML": "<img src=x onerror=alert(1)>",
        "quotes and commands": "$(touch owned) `x` '\"", "markup of the terminal": "[bold red]x[/]",
    }.items():  # fmt: skip

        def build(words: str = words) -> list[str]:
            folder((words.replace("/", "-"), "dog"))
            return _of()

        def looked(build: Build = build) -> list[str]:
            return ["doctor", *build()[1:3]]

        yield Case("names", f"a class of {name}", build, holds=_harmless)
        yield Case("names", f"doctor: a class of {name}", looked, holds=lambda _: "")
    yield Case("names", "a file of escapes", _folder(_renamed(f"{ESCAPE}.png".encode())), holds=_harmless)
    yield Case("names", "a file that is no UTF-8", _folder(_renamed(b"\xff\xfe.png")), holds=_harmless)
    yield Case("names", "a damaged file of escapes", _folder(_renamed(f"{ESCAPE}.png".encode(), b"")), holds=_lost(1))


def _renamed(name: bytes, data: bytes | None = None) -> Callable[[Path], object]:
    def change(root: Path) -> None:
        path = root / "cat" / "3.png"
        if data is not None:
            path.write_bytes(data)
        path.rename(path.with_name(os.fsdecode(name)))

    return change


def _harmless(_: str) -> str:
    page = Path("run/report.html").read_text("utf-8")
    hidden = [word for word in ("<img src=x", "\x1b", "\u202e") if word in page]
    return f"the page holds {hidden[0]!r}" if hidden else judged(20)("")


def _folders() -> Iterator[tuple[str, Build, Says]]:
    yield "empty", _empty, ("holds no images",)
    yield (
        "of texts",
        _folder(lambda root: [path.rename(path.with_suffix(".txt")) for path in root.rglob("*.png")]),
        ("holds no images",),
    )
    yield "of damaged pictures alone", _each(png()[:50]), ("could be read",)
    yield "of bombs alone", _each(huge_png(65_500, 65_500)), ("pixels",)
    yield "of pictures beside the classes", _folder(lambda root: (root / "9.png").write_bytes(png())), ("beside",)
    yield "of three classes for a network of two", _three, ("3",)
    yield "with a link to a file outside", _link("cat/3.png", "secret.png"), ("link", "--follow-links")
    yield "with a link to a folder outside", _link("cat/more", "outside"), ("link", "--follow-links")
    yield "with a link to the root", _link("cat/more", "/"), ("link", "--follow-links")
    yield "whose list climbs out", _listed("../secret.png,cat"), ("leaves the folder",)
    yield "whose list is absolute", _listed("/etc/passwd,cat"), ("leaves the folder",)
    yield "whose list names nothing that is there", _listed("none.png,cat"), ("is there",)
    yield "whose list names a file twice", _listed("cat/1.png,cat\ncat/1.png,cat"), ("cat/1.png",)
    yield "whose list has no file_name", _metadata("name,label\ncat/1.png,cat\n"), ("file_name",)
    yield "whose list is noise", _metadata("\x00\x01\x02"), ("metadata.csv",)
    yield "whose list is empty", _metadata("file_name,label\n"), ("no files",)


def _empty() -> list[str]:
    Path("photos").mkdir()
    return _of()


def _three() -> list[str]:
    folder(("cat", "cow", "dog"))
    return _of()


def _link(name: str, where: str) -> Build:
    def change(root: Path) -> None:
        Path("secret.png").write_bytes(png())
        Path("outside").mkdir()
        Path("outside/x.png").write_bytes(png())
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to(Path(where).absolute())

    return _folder(change)


def _metadata(words: str) -> Build:
    return _folder(lambda root: (root / "metadata.csv").write_text(words, "utf-8"))


def _listed(lines: str) -> Build:
    return _metadata(f"file_name,label\n{lines}\n")


def _zip_bytes(files: dict[str, bytes]) -> bytes:
    sheet = io.BytesIO()
    with zipfile.ZipFile(sheet, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return sheet.getvalue()


def _photos() -> dict[str, bytes]:
    return {f"{('cat', 'dog')[i % 2]}/{i}.png": png(pictures()[i]) for i in range(20)}


def _zip(change: Callable[[bytes], bytes], **more: bytes) -> Build:
    def build() -> list[str]:
        added = {name.replace("_up_", "../").replace("_root_", "/"): data for name, data in more.items()}
        Path("photos.zip").write_bytes(change(_zip_bytes({**_photos(), **added})))
        return _of("photos.zip")

    return build


def _encrypted(raw: bytes) -> bytes:
    changed = bytearray(raw)
    for sign, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = raw.find(sign)
        while start >= 0:
            changed[start + at] |= 1
            start = raw.find(sign, start + 1)
    return bytes(changed)


def _zips() -> Iterator[tuple[str, Build, Says]]:
    yield "that is none", _zip(lambda _: b"no archive"), ("zip",)
    yield "cut in half", _zip(lambda raw: raw[: len(raw) // 2]), ("zip",)
    yield "without members", _zip(lambda _: b"PK\x05\x06" + bytes(18)), ("holds no images",)
    yield "with a member that climbs out", _zip(lambda raw: raw, **{"_up_x.png": png()}), ("leaves the archive",)
    yield "with a member at the root", _zip(lambda raw: raw, **{"_root_x.png": png()}), ("leaves the archive",)
    yield "that is locked", _zip(_encrypted), ("could be read",)
    yield "of one table that unpacks to 6 GiB", _zip(lambda _: bombed(zeros(8 << 20), "rows.csv", 6 << 30)), ("unpack",)
    yield "of one picture that unpacks to 6 GiB", _zip(
        lambda _: bombed(zeros(8 << 20), "cat/x.png", 6 << 30)
    ), ("unpack",)  # fmt: skip


def _tar(change: Callable[[tarfile.TarFile], object], data: Callable[[bytes], bytes] = bytes) -> Build:
    def build() -> list[str]:
        sheet = io.BytesIO()
        with tarfile.open(fileobj=sheet, mode="w") as archive:
            for i in range(20):
                added(archive, f"{i}.png", png(pictures()[i]))
                added(archive, f"{i}.cls", str(i % 2).encode())
            change(archive)
        Path("photos.tar").write_bytes(data(sheet.getvalue()))
        return _of("photos.tar")

    return build


def added(
    archive: tarfile.TarFile, name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> None:
    """Add a member."""
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(data), kind, link
    archive.addfile(info, io.BytesIO(data))


def _nothing(_: tarfile.TarFile) -> None:
    """Leave a tar file as it is."""


def _gzipped(raw: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(raw) + packer.flush()


def _tars() -> Iterator[tuple[str, Build, Says]]:
    yield "that is none", _tar(_nothing, lambda _: b"no archive" * 99), ("tar",)
    yield "that is empty", _tar(_nothing, lambda _: b""), ("photos.tar",)
    yield "cut off in a member", _tar(_nothing, lambda raw: raw[: len(raw) // 2 + 700]), ("photos.tar",)
    yield "that is packed", _tar(_nothing, _gzipped), ("compressed",)
    yield "with a member that climbs out", _tar(lambda tar: added(tar, "../x.png", png())), ("leaves the archive",)
    yield "with a member at the root", _tar(lambda tar: added(tar, "/x.png", png())), ("leaves the archive",)
    yield (
        "with a symbolic link",
        _tar(lambda tar: added(tar, "x.png", kind=tarfile.SYMTYPE, link="/etc/passwd")),
        ("a link",),
    )
    yield "with a hard link", _tar(lambda tar: added(tar, "x.png", kind=tarfile.LNKTYPE, link="0.png")), ("a link",)
    yield "with a device", _tar(lambda tar: added(tar, "x.png", kind=tarfile.CHRTYPE)), ("device",)
    yield "with a member twice", _tar(lambda tar: added(tar, "0.png", png())), ("twice",)
    yield "with JSON of many depths", _tar(lambda tar: added(tar, "0.json", deep().encode())), ("JSON",)
    yield "with JSON that is a list", _tar(lambda tar: added(tar, "0.json", b"[1]")), ("JSON",)
    yield "with JSON of two megabytes", _tar(lambda tar: added(tar, "0.json", b" " * (2 << 20))), ("description",)
    yield "with a class that is no text", _tar(lambda tar: added(tar, "0.txt", b"\xff\xfe\x00")), ("UTF-8",)
    yield "with a class beyond all numbers", _tar(lambda tar: added(tar, "x.png", png()) or added(
        tar, "x.cls", b"9" * 40)), ()  # fmt: skip
    yield "with neither pictures nor texts", _only("x.bin"), ("neither",)
    yield "pattern of a billion shards", lambda: _of("s-{0..1000000000}.tar"), ("shards",)
    yield "pattern that fits nothing", lambda: _of("s-*.tar"), ("no shard",)


def _only(name: str) -> Build:
    def build() -> list[str]:
        with tarfile.open("photos.tar", "w") as archive:
            added(archive, name, bytes(np.zeros(9, np.uint8)))
        return _of("photos.tar")

    return build
