"""Compression: traces that JPEG leaves in pixels, however the picture was stored since."""

from dataclasses import dataclass

import cv2
import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.methods.cues import FLOOR, cues, grey, like, settled, unit
from pfungst.methods.grain import grains

BLOCK = 8
QUALITIES = (90, 75, 50, 30, 15)
"""Qualities at which a picture is compressed to give it traces."""

NEAR = 0.04
"""Changes smaller than this are not made: measures of pictures without traces differ by as much."""

_COSINES = np.cos(np.pi * (2 * np.arange(BLOCK)[None] + 1) * np.arange(BLOCK)[:, None] / (2 * BLOCK)) / 2
_COSINES[0] /= 2**0.5
_FINE = np.add.outer(np.arange(BLOCK), np.arange(BLOCK)) >= 5


@dataclass(frozen=True)
class Jpeg:
    """Two traces of JPEG on the grid of 8 by 8 pixels: fine coefficients that are zero, and steps between blocks.

    Pushed by taking, of the picture compressed at several qualities and the picture smoothed across blocks, with fine
    grain where coefficients were zero, the one whose traces come nearest. Small changes are not made.

    >>> rng = np.random.default_rng(0)
    >>> plain = np.clip(rng.normal(128, 20, (1, 32, 32, 3)), 0, 255).astype(np.uint8)
    >>> traced = compressed(plain[0], 50)[None]
    >>> bool(Jpeg().measure(traced)[0, 0] - Jpeg().measure(plain)[0, 0] > 0.2)
    True
    """

    name: str = "jpeg"
    qualities: tuple[int, ...] = QUALITIES

    def measure(self, inputs: Array) -> FloatArray:
        """Zero share on the grid less that off the grid, and log ratio of steps at borders to steps beside; (rows, 2).

        Zeros off the grid are smooth places; on the grid they are what quantisation took (Fan and de Queiroz 2003).
        """
        pictures = grey(unit(inputs))
        half = BLOCK // 2
        return settled(np.stack([zeros(pictures) - zeros(pictures[:, half:, half:]), steps(pictures)], axis=1))

    def push(self, inputs: Array, change: FloatArray) -> Array:
        """The picture among its compressed and its smoothed kinds whose measure is nearest to the wanted one."""
        moved = np.hypot(change[:, 0], change[:, 1]) >= NEAR
        given = inputs.copy()
        if not moved.any() or min(inputs.shape[1:3]) < 2 * BLOCK:
            return given
        own = inputs[moved]
        wanted = self.measure(own) + change[moved]
        kinds = np.stack([own, *self._kinds(own)])
        away = np.stack([((self.measure(kind) - wanted) ** 2).sum(axis=1) for kind in kinds])
        given[moved] = kinds[away.argmin(axis=0), np.arange(len(own))]
        return given

    def swap(self, inputs: Array, donors: Array) -> Array:
        """Give the donors' traces in strength."""
        return self.push(inputs, self.measure(donors) - self.measure(inputs))

    def _kinds(self, own: Array) -> list[Array]:
        pictures, calm = unit(own), deblocked(unit(own))
        grain = np.stack([one.standard_normal(own.shape[1:], np.float32) for one in grains(own)]) / 255
        traced = [np.stack([compressed(picture, quality) for picture in own]) for quality in self.qualities]
        smooth = [pictures + np.float32(share) * (calm - pictures) for share in (0.5, 1)]
        return [*traced, *(like(each + np.float32(sigma) * grain, own) for each in smooth for sigma in (0.5, 1.5))]


def zeros(pictures: FloatArray, under: float = 0.75) -> FloatArray:
    """Share of the fine cosine coefficients below ``under`` grey levels on the grid of 8 by 8 blocks, (rows,)."""
    down, across = (side // BLOCK for side in pictures.shape[1:3])
    if not down or not across:
        return np.zeros(len(pictures))
    blocks = pictures[:, : down * BLOCK, : across * BLOCK].reshape(-1, down, BLOCK, across, BLOCK)
    found = _COSINES @ (blocks.transpose(0, 1, 3, 2, 4).astype(np.float64) * 255) @ _COSINES.T
    return np.asarray((np.abs(settled(found)) < under)[..., _FINE].mean(axis=(1, 2, 3)))


def steps(pictures: FloatArray) -> FloatArray:
    """Log ratio of steps across the borders of blocks to the steps just beside them, (rows,)."""
    at, beside = np.zeros((2, len(pictures)))
    for axis in (1, 2):
        step = settled(np.abs(np.diff(pictures, axis=axis)).mean(axis=3 - axis, dtype=np.float64))
        borders = np.arange(BLOCK - 1, step.shape[1] - 1, BLOCK)
        if len(borders):
            at += step[:, borders].mean(axis=1)
            beside += (step[:, borders - 1] + step[:, borders + 1]).mean(axis=1) / 2
    return np.log((at + FLOOR / 8) / (beside + FLOOR / 8))


def compressed(picture: Array, quality: int) -> Array:
    """A picture (height, width, channels) after JPEG, in its own type; grey where there are not three channels."""
    whole = np.ascontiguousarray(like(unit(picture), np.empty(0, np.uint8)))
    parts = [whole] if whole.shape[2] == 3 else [whole[..., c] for c in range(whole.shape[2])]
    # OpenCV's first channel is blue; JPEG weighs colours, so that the order matters.
    coded = [cv2.imencode(".jpg", part[..., ::-1] if part.ndim == 3 else part, [1, quality])[1] for part in parts]
    back = [np.asarray(cv2.imdecode(one, cv2.IMREAD_UNCHANGED)) for one in coded]
    found = back[0][..., ::-1] if whole.shape[2] == 3 else np.stack(back, axis=2)
    return np.asarray(found if picture.dtype == np.uint8 else found.astype(np.float32) / 255).astype(picture.dtype)


def deblocked(pictures: FloatArray) -> FloatArray:
    """Pictures without steps between blocks: the two pixels at either side of a border share half of its step."""
    smooth = pictures.copy()
    for axis in (1, 2):
        moved = np.moveaxis(smooth, axis, 1)
        borders = np.arange(BLOCK, moved.shape[1] - 1, BLOCK)
        step = moved[:, borders] - moved[:, borders - 1]
        kept = np.where(np.abs(step) < 0.15, step, 0)
        moved[:, borders] -= kept * np.float32(0.375)
        moved[:, borders - 1] += kept * np.float32(0.375)
        moved[:, borders + 1] -= kept * np.float32(0.125)
        moved[:, borders - 2] += kept * np.float32(0.125)
    return smooth


cues(Jpeg())
