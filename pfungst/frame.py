"""Frame: the geometry a model wants, applied once to each image when it is read."""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from pfungst.arrays import Array


@dataclass(frozen=True)
class Frame:
    """Resize, then centre-crop, then match the channels; every part is optional.

    ``resize`` is (height, width); ``shortest_edge`` keeps the aspect. ``resample`` is Pillow's number
    (0 nearest, 2 bilinear, 3 bicubic). ``channels`` is 1 (grey), 3 (RGB) or None (as it comes).

    >>> Frame(resize=(4, 6))(np.zeros((8, 8, 3), np.uint8)).shape
    (4, 6, 3)
    """

    resize: tuple[int, int] | None = None
    shortest_edge: int | None = None
    crop: tuple[int, int] | None = None
    resample: int = 2
    channels: int | None = None

    def __call__(self, image: Array) -> Array:
        """Frame one image of shape (height, width, channels), uint8 or float32 in [0, 1]."""
        image = self._channels(image)
        target = self._target(image.shape[0], image.shape[1])
        if target != image.shape[:2]:
            image = _resized(image, target, self.resample)
        if self.crop is not None and self.crop != image.shape[:2]:
            image = _cropped(image, self.crop)
        return image

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width that every framed image has, if this frame fixes them."""
        return self.crop or self.resize

    def _target(self, height: int, width: int) -> tuple[int, int]:
        if self.resize is not None:
            return self.resize
        if self.shortest_edge is not None:
            # The longer side is cut down to whole pixels, as transformers and torchvision do.
            edge, short = self.shortest_edge, min(height, width)
            return edge * height // short, edge * width // short
        return height, width

    def _channels(self, image: Array) -> Array:
        have = image.shape[2]
        if self.channels is None or have == self.channels:
            return image
        if have == 1:
            return np.repeat(image, self.channels, axis=2)
        rgb = np.ascontiguousarray(image[:, :, :3])
        return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[:, :, None] if self.channels == 1 else rgb


def _resized(image: Array, size: tuple[int, int], resample: int) -> Array:
    # Pillow's resize is anti-aliased and is what the transformers convention means by "resample".
    shape = (size[1], size[0])
    if image.dtype == np.uint8:
        squeezed = image[:, :, 0] if image.shape[2] == 1 else image
        done = np.asarray(Image.fromarray(squeezed).resize(shape, Image.Resampling(resample)))
        return done[:, :, None] if done.ndim == 2 else done
    planes = [
        np.asarray(Image.fromarray(image[:, :, c]).resize(shape, Image.Resampling(resample)))
        for c in range(image.shape[2])
    ]
    return np.stack(planes, axis=2).clip(0, 1)


def _cropped(image: Array, size: tuple[int, int]) -> Array:
    height, width = size
    pad_y, pad_x = max(0, height - image.shape[0]), max(0, width - image.shape[1])
    if pad_y or pad_x:
        image = np.pad(image, ((pad_y // 2, pad_y - pad_y // 2), (pad_x // 2, pad_x - pad_x // 2), (0, 0)))
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]
