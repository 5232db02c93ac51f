"""Where a model's preprocessing is written down: files beside it, the task file, or nowhere."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from pfungst.errors import InputError
from pfungst.frame import Frame
from pfungst.models.preprocess import Layout, Preprocess, Wanted
from pfungst.task import Preprocess as Section

MOST_SIDE = 16_384
"""Pixels along one side that a network may ask for."""


def preprocessing(folder: Path | None, section: Section | None, wanted: Wanted) -> Preprocess:
    """The preprocessing of an image model: from ``preprocessor_config.json``, else the task file, else inferred.

    Whatever the network itself says (layout, channels, size, integers) completes it and must not contradict it.

    Raises:
        InputError: if a file cannot be read or contradicts the network.
    """
    found = _beside(folder)
    if found is not None:
        name, raw = found
        known = from_transformers(raw, name)
    elif section is not None:
        known = _from_section(section)
    else:
        scaling = "raw 0..255 integers" if wanted.integer else "pixel values scaled to [0, 1]"
        note = f"no preprocessing was given for the model: it is shown {scaling}"
        known = Preprocess(notes=(note,), declared=False)
    asked = section.layout if section is not None else None
    _layout(asked)
    _usable(known, "[preprocess] of the task file" if found is None else found[0])
    return completed(known, wanted, asked if wanted.layout is None else None)


def _usable(known: Preprocess, where: str) -> None:
    """Refuse what would turn every picture into nothing, into NaN, or into more than a memory holds."""
    frame = known.frame
    for name, sides in (("size", frame.resize), ("shortest_edge", (frame.shortest_edge,)), ("crop", frame.crop)):
        if any(side is not None and not 1 <= side <= MOST_SIDE for side in sides or ()):
            raise InputError(f"{name} in {where} is {sides}; give pixels from 1 to {MOST_SIDE:,}")
    for name, numbers in (("mean", known.mean), ("std", known.std), ("rescale", (known.rescale,))):
        if not all(math.isfinite(number) for number in numbers) or (name == "std" and not all(numbers)):
            raise InputError(f"{name} in {where} is {list(numbers)}; give finite numbers, for std other than 0")


def _beside(folder: Path | None) -> tuple[str, dict[str, Any]] | None:
    for name in ("preprocessor_config.json", "processor_config.json"):
        path = folder / name if folder is not None else None
        if path is not None and path.is_file():
            raw = read_json(path)
            held = raw.get("image_processor", raw)
            if not isinstance(held, dict):
                raise InputError(f"{path} holds no settings under image_processor; see the transformers convention")
            return str(path), held
    return None


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises InputError if it is none."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as JSON: {error}") from None
    if not isinstance(raw, dict):
        raise InputError(f"{path} holds no JSON object; see the transformers convention, or remove the file")
    return raw


def from_transformers(raw: Mapping[str, Any], where: str = "preprocessor_config.json") -> Preprocess:
    """Preprocessing in the transformers convention; absent flags are on where their values are present.

    >>> from_transformers({"size": 224, "image_mean": [0.5], "image_std": [0.5]}).frame.resize
    (224, 224)
    """
    try:
        rescale = float(raw.get("rescale_factor") or 1 / 255) if raw.get("do_rescale", True) else 1.0
        normalise = raw.get("do_normalize", "image_mean" in raw)
        mean = _numbers(raw.get("image_mean", 0.5)) if normalise else ()
        std = _numbers(raw.get("image_std", 0.5)) if normalise else ()
        channels = 3 if raw.get("do_convert_rgb") or len(mean) == 3 else None
        return Preprocess(replace(_geometry(raw), channels=channels), rescale, mean, std)
    except (TypeError, ValueError, KeyError, AttributeError, ArithmeticError) as error:
        raise InputError(
            f"{where} does not follow the transformers convention ({error}); correct it, or remove it and use "
            "[preprocess] in the task file"
        ) from None


def _geometry(raw: Mapping[str, Any]) -> Frame:
    resample = _resample(raw.get("resample", 2))
    crop = _pair(raw["crop_size"]) if raw.get("do_center_crop", "crop_size" in raw) and "crop_size" in raw else None
    size = raw.get("size")
    if not raw.get("do_resize", size is not None) or size is None:
        return Frame(crop=crop, resample=resample)
    if isinstance(size, int) and crop is not None:
        size = {"shortest_edge": size}
    if isinstance(size, Mapping) and "shortest_edge" in size:
        return _shortest(int(size["shortest_edge"]), raw.get("crop_pct"), crop, resample)
    return Frame(resize=_pair(size), crop=crop, resample=resample)


def _shortest(edge: int, share: float | None, crop: tuple[int, int] | None, resample: int) -> Frame:
    # ConvNeXt's convention: below 384 the edge is enlarged by 1 / crop_pct and cropped, from 384 on it is warped.
    if share is None:
        return Frame(shortest_edge=edge, crop=crop, resample=resample)
    if edge >= 384:
        return Frame(resize=(edge, edge), resample=resample)
    return Frame(shortest_edge=int(edge / share), crop=(edge, edge), resample=resample)


def _resample(value: int | str) -> int:
    if isinstance(value, str):
        return int(Image.Resampling[value.upper()])
    return int(Image.Resampling(value))


def _pair(size: Any) -> tuple[int, int]:
    if isinstance(size, Mapping):
        return int(size["height"]), int(size["width"])
    if isinstance(size, int):
        return size, size
    height, width = size
    return int(height), int(width)


def _numbers(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in values) if isinstance(values, list | tuple) else (float(values),)


def _from_section(section: Section) -> Preprocess:
    shortest = section.shortest_edge
    if section.resample not in set(Image.Resampling):
        raise InputError(
            f"[preprocess] resample is {section.resample}; Pillow knows {', '.join(map(str, sorted(Image.Resampling)))}"
        )
    frame = Frame(
        resize=None if section.size is None else _pair(section.size),
        shortest_edge=shortest,
        crop=None if section.crop is None else _pair(section.crop),
        resample=_resample(section.resample),
        channels=section.channels,
    )
    rescale = 1 / 255 if section.rescale is None else section.rescale
    return Preprocess(frame, rescale, tuple(section.mean), tuple(section.std), bgr=section.bgr)


def completed(known: Preprocess, wanted: Wanted, asked: str | None = None) -> Preprocess:
    """Preprocessing with what the network itself says; ``asked`` is a layout that somebody declared.

    Raises:
        InputError: if the two make pictures of different sizes.
    """
    frame, notes = known.frame, list(known.notes)
    if wanted.size is not None:
        if frame.size is not None and frame.size != wanted.size:
            raise InputError(
                f"the preprocessing makes images of {_by(frame.size)} and the model takes {_by(wanted.size)} "
                "(height x width); correct the size in preprocessor_config.json or in [preprocess]"
            )
        if frame.size is None:
            frame = replace(frame, resize=wanted.size)
    channels = wanted.channels or frame.channels
    if wanted.integer:
        known = replace(known, rescale=1.0, mean=(), std=())
    layout = wanted.layout or _layout(asked)
    if wanted.layout is None and asked is None:
        notes.append("the model does not say how its input is laid out: (rows, channels, height, width) is assumed")
    return replace(
        known,
        frame=replace(frame, channels=channels),
        layout=layout,
        integer=wanted.integer,
        notes=tuple(notes),
    )


def _layout(asked: str | None) -> Layout:
    if asked is None or asked.upper() == "NCHW":
        return "NCHW"
    if asked.upper() == "NHWC":
        return "NHWC"
    raise InputError(f"[preprocess] layout is {asked!r}; NCHW and NHWC are known")


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
