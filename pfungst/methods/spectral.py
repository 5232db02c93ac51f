"""Spectral cues: how much detail a picture holds, by spatial frequency."""

from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.methods.cues import FLOOR, cues, factor, grey, like, settled, unit


@dataclass(frozen=True)
class Bands:
    """Log amplitude of the luminance in bands of spatial frequency; pushed by a gain in each band.

    ``edges`` are where bands begin, in cycles a pixel; the last ends at ``top``. What lies outside is left alone, and
    so is the mean.

    >>> stripes = np.tile(np.array([0.4, 0.6], np.float32), (1, 8, 4))[..., None]
    >>> fine = Bands("fine", (0.25,))
    >>> (fine.push(stripes, np.array([[np.log(0.5)]])) * 100).round()[0, 0, :4, 0].tolist()
    [45.0, 55.0, 45.0, 55.0]
    """

    name: str
    edges: tuple[float, ...]
    top: float = np.inf
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
        """Give the donors' detail in strength, not in place."""
        return self.push(inputs, self.measure(donors) - self.measure(inputs))

    def _bands(self, height: int, width: int) -> IntArray:
        """The band of each coefficient, 1 for the first; 0 outside all."""
        frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
        return np.asarray(np.where(frequency < self.top, np.digitize(frequency, self.edges), 0))


cues(Bands("sharpness", (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45)))
"""One gain for all detail would not do: a blur takes ever more from ever finer bands."""

for _name, _low, _high in (("low", 1e-6, 0.1251), ("middle", 0.1251, 0.2501), ("high", 0.2501, np.inf)):
    cues(Bands(f"frequency:{_name}", (_low,), _high))
