"""Traces of files: size, format and origin of a picture's file, which the model is not shown but labels may follow."""

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, TypeAlias

import numpy as np
from PIL import Image

from pfungst.arrays import Array, IntArray
from pfungst.datasets.files import Files
from pfungst.errors import UnreadableRow

Trace: TypeAlias = int | float | str | bool | None

NAMES = (
    "size",
    "width",
    "height",
    "aspect",
    "bytes-a-pixel",
    "format",
    "mode",
    "jpeg-quality",
    "exif",
    "camera",
    "software",
)
_EXIF, _MAKE, _MODEL, _SOFTWARE = 0x8769, 0x010F, 0x0110, 0x0131

_LUMINANCE = np.fromstring(
    "16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62 18 22 37 56 68 109"
    " 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99",
    sep=" ",
)
"""The example table of ITU-T T.81, annex K.1, row by row; encoders scale it by their quality."""


@dataclass(frozen=True, eq=False)
class Traces:
    """Traces of files by position, read from their headers."""

    files: Files
    names: tuple[str, ...]

    def __call__(self, rows: IntArray) -> Sequence[Mapping[str, Trace]]:
        """One mapping a row, with all of ``NAMES``; what is not known is None."""
        return [self._one(self.names[row]) for row in rows]

    def _one(self, name: str) -> dict[str, Trace]:
        found = self.files.opened(name)
        if isinstance(found, UnreadableRow):
            return dict.fromkeys(NAMES)
        stream, size = found
        with stream:
            return traces(stream, size)


def traces(source: bytes | IO[bytes], size: int | None = None) -> dict[str, Trace]:
    """What a picture's file tells beside its pixels, which are not read; None for what it does not tell.

    ``size`` and the sides are in bytes and pixels as stored, ``aspect`` is width over height, ``jpeg-quality`` that of
    the scale from 1 to 100 whose table is nearest, ``exif`` whether there is any.

    >>> traces(b"no picture")["size"], traces(b"no picture")["width"]
    (10, None)
    """
    found: dict[str, Trace] = dict.fromkeys(NAMES)
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    found["size"] = len(source) if isinstance(source, bytes) else size
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(stream) as image:
                found |= _shape(image, found["size"])
                found |= _origin(image)
    except Exception:  # noqa: BLE001 - a broken file makes Pillow raise nearly anything; what was read so far stands
        return found
    return found


def quality(table: Array) -> int:
    """The quality, from 1 to 100, whose quantisation table is nearest; T.81's table scaled as libjpeg does.

    >>> quality(np.full(64, 1)), quality(_scaled()[49])
    (100, 50)
    """
    return int(np.abs(_scaled() - np.asarray(table, np.float64)).sum(axis=1).argmin()) + 1


def _scaled() -> Array:
    """The tables of qualities 1 to 100, (100, 64)."""
    asked = np.arange(1, 101, dtype=np.float64)[:, None]
    scale = np.where(asked < 50, np.floor(5000 / asked), 200 - 2 * asked)
    return np.floor((_LUMINANCE[None] * scale + 50) / 100).clip(1, 255)


def _shape(image: Image.Image, size: Trace) -> dict[str, Trace]:
    width, height = image.size
    return {
        "width": width,
        "height": height,
        "aspect": round(width / height, 6),
        "bytes-a-pixel": round(size / (width * height), 6) if isinstance(size, int) else None,
        "format": image.format,
        "mode": image.mode,
    }


def _origin(image: Image.Image) -> dict[str, Trace]:
    tables = getattr(image, "quantization", None)
    table = tables.get(0) if isinstance(tables, dict) else None
    found: dict[str, Trace] = {"jpeg-quality": quality(np.array(table)) if table and len(table) == 64 else None}
    # Pillow reads all of a PNG to look for EXIF behind its pixels.
    if image.format == "PNG" and "exif" not in image.info:
        return found | {"exif": False, "software": _said(image.info.get("Software"))}
    exif = image.getexif()
    own = {_EXIF, _MAKE, _MODEL} if image.format == "TIFF" else set(exif)
    camera = " ".join(said for tag in (_MAKE, _MODEL) if (said := _said(exif.get(tag))))
    return found | {
        "exif": bool(own & set(exif)),
        "camera": camera or None,
        "software": _said(exif.get(_SOFTWARE)),
    }


def _said(value: object) -> str | None:
    """Text without padding, cut to what fits a table."""
    return str(value).strip(" \0\n\t")[:100] or None if isinstance(value, str) else None
