"""Decode an image file into the array a person would see."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError, features

from pfungst.arrays import Array
from pfungst.errors import UnreadableRow
from pfungst.task import Limits

_ALWAYS = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm"}
_BUILT_IN = {"jpg_2000": {".jp2", ".j2k", ".jpx"}, "avif": {".avif"}}
"""What a Pillow decodes or not, as it was built."""
_THERE = {name for name in _BUILT_IN if name in {*features.modules, *features.codecs} and features.check(name)}
SUFFIXES = frozenset(_ALWAYS.union(*(_BUILT_IN[name] for name in _THERE)))
_ALPHA = frozenset({"LA", "RGBA", "PA", "La", "RGBa"})
MOST_PIXELS = Limits().pixels
"""Larger files are taken for decompression bombs, at Pillow's own limit (0.25 GiB of RGB), unless the task says so."""


def decode(data: bytes, most: int = MOST_PIXELS) -> Array | UnreadableRow:
    """An image of shape (height, width, 1 or 3) uint8, upright; or the reason why there is none.

    Grey stays grey; palettes and CMYK become RGB; transparent images are laid on white; 16 bits become 8 (over 257), as
    do floats from 0 to 1 (times 255); of animations the first frame is taken.

    >>> str(decode(b"no picture"))
    'not an image that can be read'
    """
    try:
        with _allowed(most), Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > most:
                return _bomb(f"{image.width} x {image.height}", most)
            image.load()
            return _array(ImageOps.exif_transpose(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return _bomb("too many", most)
    except UnidentifiedImageError:
        return UnreadableRow("not an image that can be read")
    except Exception as error:  # noqa: BLE001 - a broken file makes Pillow raise nearly anything
        return UnreadableRow(f"the image is damaged ({str(error)[:120] or type(error).__name__})")


def peculiarities(data: bytes) -> tuple[str, ...]:
    """What ``decode`` does to this image beyond reading its pixels, in words; its pixels are not read here."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            mode, turned = image.mode, image.getexif().get(0x0112, 1) not in {0, 1}
            alpha = mode in _ALPHA or "transparency" in image.info
            frames = getattr(image, "n_frames", 1) > 1
    except Exception:  # noqa: BLE001 - what cannot be read is reported when it is decoded
        return ()
    known = {
        "transparency is laid on white": alpha,
        "CMYK becomes RGB": mode == "CMYK",
        "16 bits become 8": mode.startswith("I"),
        "floats from 0 to 1 become 8 bits": mode == "F",
        "EXIF turns it upright": turned,
        "only the first frame is taken": frames,
    }
    return tuple(words for words, applies in known.items() if applies)


@contextmanager
def _allowed(most: int) -> Iterator[None]:
    """Pillow has one limit for the whole process and refuses twice as many pixels itself; it is raised if asked to."""
    if most <= MOST_PIXELS:
        yield
        return
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, most
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _bomb(size: str, most: int) -> UnreadableRow:
    return UnreadableRow(f"the image has {size} pixels, more than {most:,}: it was not decoded")


def _array(image: Image.Image) -> Array | UnreadableRow:
    if image.mode == "F" or image.mode.startswith("I"):
        return _eight_bits(np.asarray(image))
    if image.mode in {"1", "L"} and "transparency" not in image.info:
        return np.asarray(image.convert("L"))[:, :, None]
    if image.mode in _ALPHA or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        flat = Image.alpha_composite(white, rgba)
        grey = image.mode in {"L", "LA", "La", "1"}
        return np.asarray(flat.convert("L"))[:, :, None] if grey else np.asarray(flat.convert("RGB"))
    return np.asarray(image.convert("RGB"))


def _eight_bits(values: Array) -> Array | UnreadableRow:
    low, high = float(values.min()), float(values.max())
    floats = values.dtype.kind == "f"
    if not (low >= 0 and high <= (1 if floats else 65535)):
        meant = "floats, which are read from 0 to 1" if floats else "whole numbers, which are read from 0 to 65,535"
        return UnreadableRow(f"the image holds {meant}, and its values lie from {low:g} to {high:g}")
    scaled = values * 255.0 if floats else values / 257.0
    return np.asarray(np.rint(scaled).astype(np.uint8)[:, :, None])
