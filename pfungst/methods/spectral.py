"""Spectral cues: how much detail a picture holds, by spatial frequency."""

from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.methods.cues import FLOOR, cues, factor, grey, like, settled, unit


@dataclass(frozen=True)
class Sharpness:
    """Log amplitude of fine detail in bands of spatial frequency; pushed by a gain in each band.

    ``edges`` are cycles a pixel. One gain for all detail would not do: a blur takes ever more from ever finer bands.
    """

    name: str = "sharpness"
    edges: tuple[float, ...] = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45)
    most: float = 3.0

    def measure(self, inputs: Array) -> FloatArray:
        """Log root mean square of each band of the luminance, (rows, bands)."""
        pictures = grey(unit(inputs))
        power = np.abs(np.fft.rfft2(pictures.astype(np.float64))) ** 2 / max(1, inputs.shape[1] * inputs.shape[2])
        band = self._bands(*inputs.shape[1:3])
        found = [power[:, band == each] for each in range(1, len(self.edges) + 1)]
        means = [each.mean(axis=1) if each.shape[1] else np.zeros(len(each)) for each in found]
        return settled(0.5 * np.log(np.stack(means, axis=1) + (FLOOR / 12) ** 2))

    def push(self, inputs: Array, change: FloatArray) -> Array:
        """Multiply each band by exp(change), at most by a factor of exp(``most``)."""
        gains = factor(np.pad(change, ((0, 0), (1, 0))), self.most)[:, self._bands(*inputs.shape[1:3])]
        spectrum = np.fft.rfft2(unit(inputs).astype(np.float64), axes=(1, 2)) * gains[..., None]
        return like(settled(np.fft.irfft2(spectrum, s=inputs.shape[1:3], axes=(1, 2))), inputs)

    def swap(self, inputs: Array, donors: Array) -> Array:
        """Give the donors' fine detail in strength, not in place."""
        return self.push(inputs, self.measure(donors) - self.measure(inputs))

    def _bands(self, height: int, width: int) -> IntArray:
        frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
        return np.asarray(np.digitize(frequency, self.edges))


cues(Sharpness())
