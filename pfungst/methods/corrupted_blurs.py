"""Blurs of a picture (height, width, channels) in [0, 1]; edges go on as they end, and nothing moves."""

from collections.abc import Iterator

import cv2
import numpy as np

from pfungst.arrays import FloatArray, IntArray

SMALL = 1e-3
"""Weight below which a tap of the motion is left out."""

SWAPS = 6
"""Ways in which places are swapped in a round of glass, each for half of the pairs; as strong as the published one."""

DIRECT = 129
"""Most taps of a kernel, zeros and all, that OpenCV sums one by one."""


def gaussian(image: FloatArray, rng: np.random.Generator, sigma: float) -> FloatArray:
    """A Gaussian of this deviation in pixels."""
    del rng
    return (
        image if sigma <= 0 else _kept(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), image)
    )


def defocus(image: FloatArray, rng: np.random.Generator, radius: float, smooth: float) -> FloatArray:
    """A disk of this radius in pixels, its rim smoothed by a Gaussian."""
    del rng
    if radius <= 0:
        return image
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    # The rim's pixels weigh what lies inside, so that the disk grows with every part of a pixel.
    disk = np.clip(radius - np.hypot(x, y) + 0.5, 0, 1) if radius % 1 else (x**2 + y**2 <= radius**2).astype(float)
    disk = cv2.GaussianBlur(disk, (3, 3) if radius <= 8 else (5, 5), max(smooth, 1e-3))
    return _kept(cv2.filter2D(image, -1, disk / disk.sum(), borderType=cv2.BORDER_REPLICATE), image)


def glass(image: FloatArray, rng: np.random.Generator, sigma: float, reach: float, rounds: float) -> FloatArray:
    """Blurred, its pixels swapped in about ``rounds`` rounds with others within ``reach``, and blurred again.

    The parameters are in the published order: deviation, largest displacement, rounds. Pixels only change places, and
    of every pair one goes where the other came from, so that nothing moves on the whole.
    """
    blurred = gaussian(image, rng, sigma)
    far, times = max(0, round(reach)), round(rounds)
    height, width = image.shape[:2]
    if far and times:
        places = np.arange(height * width, dtype=np.int32).reshape(height, width)
        for down, across in rng.integers(-far, far, (times * SWAPS, 2)).tolist():
            _swap(places, rng, down, across)
        blurred = blurred.reshape(height * width, -1).take(places.ravel(), axis=0).reshape(image.shape)
    return gaussian(blurred, rng, sigma)


def _swap(places: IntArray, rng: np.random.Generator, down: int, across: int) -> None:
    """Swap half of the disjoint pairs of places that lie this far apart, each by a coin of its own."""
    if down == 0:
        places, down, across = places.T, across, 0
    if down == 0:
        return
    if down < 0:
        down, across = -down, -across
    top, wide = int(rng.integers(2 * down)), places.shape[1] - abs(across)
    bands = (len(places) - top) // (2 * down)
    if bands <= 0 or wide <= 0:
        return
    here, there = max(0, -across), max(0, across)
    pairs = places[top : top + 2 * down * bands].reshape(bands, 2, down, places.shape[1])
    first, second = pairs[:, 0, :, here : here + wide], pairs[:, 1, :, there : there + wide]
    # Bytes as signed numbers, moved by seven bits, are 0 or all ones: what differs is exchanged by half of the pairs.
    coins = np.frombuffer(rng.bytes(first.size), np.int8).reshape(first.shape) >> 7
    differs = (first ^ second) & coins
    first ^= differs
    second ^= differs


def motion(image: FloatArray, rng: np.random.Generator, radius: float, sigma: float) -> FloatArray:
    """Taps 0 .. 2 r along an angle in +-45 degrees, weighing exp(-i^2 / 2 s^2), about their common centre."""
    angle = rng.uniform(-np.pi / 4, np.pi / 4)
    taps = np.arange(int(2 * max(radius, 0)) + 1)
    weights = np.exp(-(taps**2) / (2 * max(sigma, 1e-6) ** 2))
    taps, weights = taps[weights > SMALL], weights[weights > SMALL] / weights[weights > SMALL].sum()
    away = taps - (taps * weights).sum()
    return _kept(_thin(image, _line(away, weights, angle).astype(np.float32)), image)


def zoom(image: FloatArray, rng: np.random.Generator, most: float, step: float) -> FloatArray:
    """The mean of the picture and of its centred zooms up to ``most``; the picture itself counts twice."""
    del rng
    height, width, channels = image.shape
    # OpenCV warps four channels in less than half of the time of three.
    shown = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA) if channels == 3 else image
    total, factors, seen = shown * 2, np.arange(1 + step, most - 1e-9, max(step, 1e-3)), np.empty_like(shown)
    for factor in factors:
        turn = np.array([[factor, 0, (1 - factor) * (width - 1) / 2], [0, factor, (1 - factor) * (height - 1) / 2]])
        cv2.warpAffine(shown, turn, (width, height), dst=seen, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        total += seen
    total /= np.float32(len(factors) + 2)
    return np.asarray(cv2.cvtColor(total, cv2.COLOR_RGBA2RGB)) if channels == 3 else total


def _line(away: FloatArray, weights: FloatArray, angle: float) -> FloatArray:
    """A kernel with weights at distances along an angle, each shared by its four neighbours; its centroid is 0."""
    reach = int(np.ceil(np.abs(away).max())) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    across, down = away * np.cos(angle) + reach, away * np.sin(angle) + reach
    x, y = np.floor(across).astype(int), np.floor(down).astype(int)
    for i in (0, 1):
        for j in (0, 1):
            part = np.abs(1 - i - (across - x)) * np.abs(1 - j - (down - y))
            np.add.at(kernel, (y + j, x + i), weights * part)
    # filter2D correlates; turned round, the picture is smeared along the line as a kernel would smear it.
    return np.asarray(kernel[::-1, ::-1] / kernel.sum())


def _thin(image: FloatArray, kernel: FloatArray) -> FloatArray:
    """filter2D with a kernel that is mostly 0, in parts so small that OpenCV sums their taps and leaves zeros out.

    Above 129 taps, zeros and all, it goes by way of Fourier transforms, which is several times slower here.
    """
    height, width = image.shape[:2]
    reach = kernel.shape[0] // 2
    padded = cv2.copyMakeBorder(image, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    total = np.zeros(padded[reach : reach + height, reach : reach + width].shape, np.float32)
    for top, left, part in _parts(kernel):
        tall, wide = part.shape
        seen = padded[top : top + height + tall - 1, left : left + width + wide - 1]
        total += cv2.filter2D(seen, -1, part, anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)[:height, :width]
    return total


def _parts(kernel: FloatArray) -> Iterator[tuple[int, int, FloatArray]]:
    """Blocks of neighbouring columns, without their empty rows, of at most 129 taps: top, left and weights."""
    columns = np.flatnonzero(kernel.any(axis=0))
    left, last = int(columns[0]), int(columns[-1])
    while left <= last:
        wide = 1
        while left + wide <= last and _rows(kernel, left, wide + 1)[1] * (wide + 1) <= DIRECT:
            wide += 1
        top, tall = _rows(kernel, left, wide)
        yield top, left, np.ascontiguousarray(kernel[top : top + tall, left : left + wide])
        left += wide


def _rows(kernel: FloatArray, left: int, wide: int) -> tuple[int, int]:
    """First row that is not empty, and how many up to the last one, of some columns."""
    rows = np.flatnonzero(kernel[:, left : left + wide].any(axis=1))
    return (int(rows[0]), int(rows[-1] - rows[0]) + 1) if len(rows) else (0, 1)


def _kept(values: FloatArray, image: FloatArray) -> FloatArray:
    return np.asarray(values, np.float32).reshape(image.shape)
