"""Pickles, read as the small programs they are and never run: which names of Python do they call for?"""

import gzip
import io
import pickletools
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pfungst.errors import InputError
from pfungst.packed import gunzipped

SHOWN = 6


def names_in(pickle: bytes) -> tuple[str, ...]:
    """The names a pickle imports when it is opened, in order, each once; reading stops where it is damaged.

    It tells people what a file is about, and is no proof of what it does: a pickle may make names up while it runs.

    >>> import pickle
    >>> names_in(pickle.dumps(len))
    ('builtins.len',)
    """
    return tuple(dict.fromkeys(_imports(pickle)))


def _imports(pickle: bytes) -> Iterator[str]:
    texts: list[str] = []
    kept: dict[int, str] = {}
    try:
        for code, argument, _ in pickletools.genops(io.BytesIO(pickle)):
            if code.name in {"GLOBAL", "INST"}:
                yield str(argument).replace(" ", ".")
            elif code.name == "STACK_GLOBAL":
                yield ".".join(texts[-2:]) if len(texts) > 1 else "a name that is made up while it is opened"
            elif code.name in {"EXT1", "EXT2", "EXT4"}:
                yield "a name of copyreg's registry"
            elif isinstance(argument, str) and "UNICODE" in code.name:
                texts.append(argument)
            elif code.name == "MEMOIZE":
                kept[len(kept)] = texts[-1] if texts else ""
            elif code.name in {"BINPUT", "LONG_BINPUT", "PUT"}:
                kept[int(argument or 0)] = texts[-1] if texts else ""
            elif code.name in {"BINGET", "LONG_BINGET", "GET"}:
                texts.append(kept.get(int(argument or 0), ""))
    except Exception:  # noqa: BLE001 - hostile bytes; whatever was read so far is what there is to tell
        return


def names_in_file(path: Path) -> tuple[str, ...]:
    """The names that a file of pickles imports: bare, packed by gzip or zlib, or inside a zip archive of PyTorch's."""
    data = path.read_bytes()
    if zipfile.is_zipfile(path):
        return names_in_zip(path)
    try:
        if data[:2] == b"\x1f\x8b":
            return names_in(gunzipped(data, str(path)))
        if data[:1] == b"\x78":
            return names_in(zlib.decompressobj().decompress(data, 1 << 26))
    except (InputError, zlib.error, gzip.BadGzipFile):
        return ()
    return names_in(data)


def names_in_zip(file: Path | IO[bytes]) -> tuple[str, ...]:
    """The names that the pickles of a zip archive import; reading stops where it is damaged."""
    found: dict[str, None] = {}
    try:
        with zipfile.ZipFile(file) as archive:
            for one in archive.infolist():
                if one.filename.endswith(".pkl") and one.file_size < 1 << 26:
                    found |= dict.fromkeys(names_in(archive.read(one)))
    except Exception:  # noqa: BLE001 - hostile bytes; whatever was read so far is what there is to tell
        return tuple(found)
    return tuple(found)


def told(names: tuple[str, ...]) -> str:
    """A part of a sentence: what a pickle calls for.

    >>> told(("os.system", "builtins.eval"))
    'it calls for os.system, builtins.eval'
    """
    if not names:
        return "what it calls for cannot be told"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"it calls for {', '.join(name[:80] for name in names[:SHOWN])}{more}"
