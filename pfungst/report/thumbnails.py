"""Thumbnails: small WebP pictures of evidence rows, kept in one zip beside the report."""

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from pfungst.arrays import Array
from pfungst.errors import damage
from pfungst.packed import checked_zip

QUALITY = 70


def webp(image: Array, longest: int = 96) -> bytes:
    """An image of shape (height, width[, channels]) as WebP, its longest side about ``longest`` pixels.

    ``uint8``, or floats in [0, 1]; one channel is grey, three RGB, four RGB and opacity, any other number is shown by
    its first channel. Images of at most half that side are enlarged by a whole factor without smoothing, so that
    people see the pixels the model saw. Bytes depend on the pixels alone, and carry no metadata.

    Raises:
        ValueError: if the array is no image.

    >>> webp(np.zeros((28, 28, 1), np.uint8))[8:12]
    b'WEBP'
    """
    picture = Image.fromarray(_bytes(image))
    side = max(picture.size)
    # One factor for pixels as for strokes: a fractional factor would make some of them wider than others.
    factor = longest // side
    if factor >= 2:
        picture = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
    elif side > longest:
        width, height = (max(1, round(edge * longest / side)) for edge in picture.size)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    packed = io.BytesIO()
    picture.save(packed, "WEBP", quality=QUALITY, method=4)
    return packed.getvalue()


def heated(image: Array, heat: Array) -> Array:
    """An image with a map laid over it: what carried the answer keeps its colours under a red tint, the rest pales.

    ``image`` is (height, width[, channels]); ``heat`` (any height, any width) is scaled by its largest value, and what
    speaks against the answer counts as nothing. Returns (height, width, 3) uint8.
    """
    pixels = _bytes(image)
    grey = pixels if pixels.ndim == 2 else np.asarray(Image.fromarray(pixels).convert("L"))
    height, width = grey.shape
    weight = np.nan_to_num(np.clip(np.asarray(heat, np.float32), 0, None))
    weight = weight / max(float(weight.max()), 1e-9)
    resized = Image.fromarray(weight).resize((width, height), Image.Resampling.BILINEAR)
    share = np.asarray(resized)[:, :, None]
    pale = np.repeat(128 + 0.5 * grey[:, :, None].astype(np.float32), 3, axis=2)
    tint = 0.5 * np.array([216.0, 27.0, 96.0]) + 0.5 * grey[:, :, None]
    return np.asarray((1 - share) * pale + share * tint).round().clip(0, 255).astype(np.uint8)


def _bytes(image: Array) -> Array:
    pixels = np.asarray(image)
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or 0 in pixels.shape:
        raise ValueError(f"an image has height, width and channels; this array has shape {pixels.shape}")
    if pixels.dtype != np.uint8:
        pixels = np.nan_to_num(np.clip(np.asarray(pixels, np.float64), 0, 1) * 255).round().astype(np.uint8)
    return pixels if pixels.shape[2] in {3, 4} else pixels[:, :, 0]


def write_zip(path: str | Path, pictures: Mapping[str, bytes]) -> None:
    """Write pictures under their names, stored as they are; the file appears whole or not at all."""
    target = Path(path)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for name, picture in pictures.items():
                archive.writestr(zipfile.ZipInfo(name), picture)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def read_zip(path: str | Path) -> dict[str, bytes]:
    """Pictures by name; none where there is no such file (a table or text has no pictures).

    Raises:
        InputError: if the file is no complete zip.
    """
    target = Path(path)
    if not target.exists():
        return {}
    then = "delete it and run the same `pfungst audit` command again"
    checked_zip(target, "is no complete zip", then=then)
    with damage(f"{target} is no complete zip", then), zipfile.ZipFile(target) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
