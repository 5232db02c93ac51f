"""Changes that keep a file's frame whole, so that fuzzing reaches what lies behind checksums and packing.

Each takes bytes, a source of chance and ``mutate(bytes, most bytes)``, and gives other bytes.
"""

import gzip
import io
import random
import tarfile
import zipfile
import zlib
from collections.abc import Callable

Mutate = Callable[[bytes, int], bytes]
MOST = 1 << 16
"""Bytes that a packed part may grow to."""
_PNG = b"\x89PNG\r\n\x1a\n"


def changed(kind: str, data: bytes, most: int, dice: random.Random, mutate: Mutate) -> bytes:
    """Bytes changed in a way that fits their kind, or just anywhere."""
    if kind in KEEPING and dice.random() < 0.8:
        try:
            found = KEEPING[kind](data, dice, mutate)
        except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError):
            found = mutate(data, most)
        if len(found) <= most:
            return found
    return mutate(data, most)


def _zip(data: bytes, dice: random.Random, mutate: Mutate) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(one.filename, archive.read(one)) for one in archive.infolist() if one.file_size < MOST]
    if not members:
        return mutate(data, MOST)
    at = dice.randrange(len(members))
    name, held = members[at]
    what = dice.random()
    if what < 0.7:
        members[at] = (name, mutate(held, MOST))
    elif what < 0.8:
        members[at] = (mutate(name.encode("utf-8", "replace"), 200).decode("utf-8", "replace"), held)
    elif what < 0.9:
        del members[at]
    else:
        members.append((dice.choice(members)[0] + dice.choice(["", "x", "/", ".npy"]), held))
    sheet = io.BytesIO()
    with zipfile.ZipFile(sheet, "w") as archive:
        for each, content in members:
            info = zipfile.ZipInfo(each)
            info.compress_type = zipfile.ZIP_DEFLATED if dice.random() < 0.8 else zipfile.ZIP_STORED
            archive.writestr(info, content)
    return sheet.getvalue()


def _gzip(data: bytes, dice: random.Random, mutate: Mutate) -> bytes:
    del dice
    return gzip.compress(mutate(gzip.decompress(data), MOST), 1, mtime=0)


def _tar(data: bytes, dice: random.Random, mutate: Mutate) -> bytes:
    """Changed anywhere, then every header gets the checksum that it should have; empty blocks are left out."""
    del dice
    found = bytearray(mutate(data.rstrip(b"\0"), MOST))
    found += bytes(-len(found) % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)
    for at in range(0, len(found), tarfile.BLOCKSIZE):
        if found[at + 257 : at + 262] == b"ustar":
            block = found[at : at + tarfile.BLOCKSIZE]
            block[148:156] = b" " * 8
            found[at + 148 : at + 156] = b"%06o\0 " % sum(block)
    return bytes(found)


def _png(data: bytes, dice: random.Random, mutate: Mutate) -> bytes:
    """Changed inside one chunk, whose checksum is put right; its pixels are unpacked before and packed again."""
    if not data.startswith(_PNG):
        return mutate(data, MOST)
    chunks, at = [], len(_PNG)
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    place = dice.randrange(len(chunks))
    kind, held = chunks[place]
    if kind == b"IDAT":
        held = zlib.compress(mutate(zlib.decompress(held), MOST))
    elif dice.random() < 0.1:
        kind = mutate(kind, 4).ljust(4, b"x")
    else:
        held = mutate(held, MOST)
    chunks[place] = (kind, held)
    parts = (len(h).to_bytes(4, "big") + k + h + zlib.crc32(k + h).to_bytes(4, "big") for k, h in chunks)
    return _PNG + b"".join(parts)


KEEPING = {"zip": _zip, "gzip": _gzip, "tar": _tar, "png": _png}
