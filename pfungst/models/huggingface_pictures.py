"""Preprocessing of transformers' image processors as our own, held against theirs on one picture."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pfungst.arrays import Array
from pfungst.errors import InputError, first_line
from pfungst.models.preprocess import Preprocess
from pfungst.models.preprocess_files import from_transformers

AGREEMENT = 0.02
"""Mean difference between their pixels and ours, as a share of theirs' range, up to which they are the same."""
_STEPS = ("do_resize", "do_center_crop", "do_rescale", "do_normalize")
_FILES = ("preprocessor_config.json", "processor_config.json")


def picture_preprocessing(transformers: Any, folder: Path, source: str) -> Preprocess | None:
    """What the model's own image processor does, in our terms; None where the folder holds none.

    Raises:
        InputError: if it cannot be opened, or does something that cannot be said in our terms.
    """
    if not any((folder / name).is_file() for name in _FILES):
        return None
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
    except Exception as error:
        raise InputError(
            f"the image processor of {source} could not be opened by transformers {transformers.__version__} "
            f"({first_line(error)}); give file.py:factory, with the preprocessing in the task file"
        ) from error
    known = _told(processor.to_dict(), str(folder))
    off = _difference(processor, known)
    if off > AGREEMENT:
        raise InputError(
            f"the image processor of {source} ({type(processor).__name__}) does something that pfungst does not: "
            f"pixels differ by {off:.2f} of their range; give file.py:factory, with the preprocessing in the task file"
        )
    return known


def _told(raw: Mapping[str, Any], where: str) -> Preprocess:
    kind = str(raw.get("image_processor_type", ""))
    size = raw.get("size")
    edge = size.get("shortest_edge") if isinstance(size, Mapping) else None
    if kind.startswith("Levit") and edge is not None:
        raw = {**raw, "size": {"shortest_edge": int(256 / 224 * edge)}}
    # A step of which a processor says nothing is a step that it leaves out.
    given = dict.fromkeys(_STEPS, False) | {name: value for name, value in raw.items() if value is not None}
    known = from_transformers(given, where)
    if raw.get("include_top") and kind.startswith("EfficientNet"):
        # What is normalised is divided by the deviations once more before the top layer.
        known = replace(known, std=tuple(each * each for each in known.std))
    return replace(known, bgr=True) if raw.get("do_flip_channel_order") else known


def _difference(processor: Any, known: Preprocess) -> float:
    picture = _picture()
    try:
        theirs = np.asarray(processor(images=Image.fromarray(picture), return_tensors="pt")["pixel_values"][0])
    except Exception as error:
        raise InputError(f"{type(processor).__name__} could not be tried on a picture: {first_line(error)}") from error
    ours = known(replace(known.frame, channels=3)(picture)[None])[0]
    if theirs.shape != ours.shape:
        return float("inf")
    return float(np.abs(theirs - ours).mean() / max(float(np.ptp(theirs)), 1e-9))


def _picture() -> Array:
    """A picture (91, 123, 3) whose colours and sides differ, smooth enough for every way of resizing."""
    down, right = np.mgrid[0:91, 0:123] / 123
    return np.stack([255 * right, 200 * down + 40, 120 * np.abs(np.sin(3 * (down + right)))], axis=2).astype(np.uint8)
