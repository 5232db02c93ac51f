"""Preprocess: from images as a person sees them to the numbers a network was trained on."""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.errors import InputError
from pfungst.frame import Frame

Layout = Literal["NCHW", "NHWC", "NHW", "flat"]


@dataclass(frozen=True)
class Wanted:
    """What the network itself says about its image input; None where it does not say."""

    layout: Layout | None = None
    channels: int | None = None
    size: tuple[int, int] | None = None
    integer: bool = False


@dataclass(frozen=True)
class Preprocess:
    """Rescale, normalise and lay out images; the geometry (``frame``) is applied when rows are read.

    ``rescale`` multiplies values of 0..255; ``mean`` and ``std`` are of the rescaled values, one number a channel or
    one for all; empty means 0 and 1. ``integer`` networks get the raw values. ``bgr`` swaps red and blue.
    ``notes`` say what was inferred; ``declared`` is False where all of it was.

    >>> scaled = Preprocess(mean=(0.5,), std=(0.5,))(np.full((1, 2, 2, 3), 255, np.uint8))
    >>> scaled.shape, float(scaled.max())
    ((1, 3, 2, 2), 1.0)
    """

    frame: Frame = Frame()  # noqa: RUF009 - frozen
    rescale: float = 1 / 255
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    layout: Layout = "NCHW"
    integer: bool = False
    bgr: bool = False
    notes: tuple[str, ...] = field(default=(), compare=False)
    declared: bool = field(default=True, compare=False)

    def __call__(self, images: Array) -> Array:
        """Numbers for the network from (rows, height, width, channels) uint8 or float32 in [0, 1].

        Raises:
            InputError: if the images have another rank, or a number of channels that ``mean`` does not fit.
        """
        if images.ndim != 4:
            raise InputError(
                f"the model takes images, the rows are arrays of shape {images.shape[1:]}; "
                "give images as (rows, height, width, channels)"
            )
        seen = images[..., ::-1] if self.bgr else images
        return self._laid_out(_raw(seen) if self.integer else self._normalised(seen))

    def _normalised(self, images: Array) -> Array:
        scale, offset = self._line(images.shape[3], images.dtype == np.uint8)
        rows, height, width, channels = images.shape
        planar = self.layout == "NCHW"
        out = np.empty((rows, channels, height, width) if planar else images.shape, np.float32)
        # Written plane by plane into the order the network wants, as many rows at once as stay in the cache:
        # several times faster on photographs than whole batches followed by a transposition.
        step = max(1, (1 << 16) // max(1, height * width))
        for at in range(0, rows, step):
            for c in range(channels):
                plane = out[at : at + step, c] if planar else out[at : at + step, ..., c]
                np.multiply(images[at : at + step, ..., c], scale[c], out=plane, dtype=np.float32)
                if offset[c]:
                    plane += offset[c]
        return out

    def _line(self, channels: int, raw: bool) -> tuple[FloatArray, FloatArray]:
        mean = self._each("mean", self.mean, 0.0, channels)
        std = self._each("std", self.std, 1.0, channels)
        scale = self.rescale * (1.0 if raw else 255.0) / std
        return scale.astype(np.float32), (-mean / std).astype(np.float32)

    @staticmethod
    def _each(name: str, values: tuple[float, ...], default: float, channels: int) -> FloatArray:
        if len(values) not in {0, 1, channels}:
            raise InputError(
                f"the preprocessing has {len(values)} values for {name} and the images have {channels} channels; "
                "set `channels` in [preprocess] of the task file"
            )
        return np.broadcast_to(np.asarray(values or (default,), np.float64), (channels,))

    def pulled_back(self, gradient: FloatArray, shape: tuple[int, ...]) -> FloatArray:
        """A derivative by the network's numbers as one by pictures in [0, 1] of ``shape`` (rows, h, w, channels).

        >>> Preprocess(std=(0.5,)).pulled_back(np.ones((1, 3, 2, 2), np.float32), (1, 2, 2, 3)).max()
        np.float32(2.0)
        """
        rows, height, width, channels = shape
        planar = self.layout == "NCHW" and gradient.ndim == 4
        whole = gradient.transpose(0, 2, 3, 1) if planar else gradient.reshape(rows, height, width, channels)
        scaled = whole * self._line(channels, raw=False)[0]
        return np.asarray(scaled[..., ::-1] if self.bgr else scaled, np.float32)

    def _laid_out(self, values: Array) -> Array:
        if self.layout == "NCHW" and self.integer:
            return np.ascontiguousarray(values.transpose(0, 3, 1, 2))
        if self.layout == "NHW":
            return np.ascontiguousarray(values[..., 0])
        return values.reshape(len(values), -1) if self.layout == "flat" else values

    def variants(self) -> dict[str, "Preprocess"]:
        """Other ways to prepare the same images that people commonly meant, by name; geometry stays."""
        plain = replace(self, rescale=1 / 255, mean=(), std=(), bgr=False)
        channels = 1 if self.frame.channels == 1 else 3
        known = {
            "values in [0, 1]": plain,
            "values in 0..255": replace(plain, rescale=1.0),
            "values in [-1, 1]": replace(plain, mean=(0.5,), std=(0.5,)),
            "ImageNet mean and std": replace(plain, mean=IMAGENET_MEAN, std=IMAGENET_STD),
            "0..255 less the ImageNet mean": replace(plain, rescale=1.0, mean=tuple(255 * m for m in IMAGENET_MEAN)),
        }
        fitting = {name: p for name, p in known.items() if len(p.mean) <= channels and not self.integer}
        swapped = {"blue and red swapped": replace(self, bgr=not self.bgr)} if channels == 3 else {}
        seen = {self, *swapped.values()}
        return {**swapped, **{name: variant for name, variant in fitting.items() if variant not in seen}}

    def sentence(self) -> str:
        """What is done to the numbers, in words."""
        if self.integer:
            return "raw integers 0..255"
        shown = f"values times {self.rescale:.4g}"
        if self.mean or self.std:
            mean = ", ".join(f"{m:.4g}" for m in self.mean) or "0"
            std = ", ".join(f"{s:.4g}" for s in self.std) or "1"
            shown += f", less {mean}, over {std}"
        return shown + (", blue before red" if self.bgr else "")


IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def _raw(images: Array) -> Array:
    return images if images.dtype == np.uint8 else np.rint(images * 255.0).astype(np.uint8)
