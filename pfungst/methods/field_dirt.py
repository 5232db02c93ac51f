"""What comes between a thing and its picture (height, width, channels) in [0, 1]: rain, dirt, codes, lenses, covers."""

from functools import lru_cache

import cv2
import numpy as np
from scipy.fft import dctn, idctn

from pfungst.arrays import Array, FloatArray
from pfungst.errors import InputError
from pfungst.methods.corrupted_fields import GREY, side_of
from pfungst.methods.field_views import Row

LAYERS, STREAKS = 40, 64
"""Layers of rain at most, and streaks in each."""

FINE = 192
"""Side in pixels of the smallest sheet that streaks are drawn on."""

WET, MIST, HAZE = 0.9, 0.75, 0.6
"""Brightness of streaks and of the veil; opacity of the veil as a share of that of the streaks."""

SPOTS, COARSE = 200, 96
"""Spots of dirt at most, and the side in pixels of the sheet they are drawn on."""

GENERATIONS = 8
"""Generations of compression at most."""

SUBTLE = 8.0
"""Radius in pixels up to which a disc is weighed between pixels."""

STRAY = 0.1
"""How far from the middle a cover's centre lies at most, in sides."""


def rain(image: FloatArray, rng: np.random.Generator, share: float) -> FloatArray:
    """Streaks of this mean opacity, all but parallel, over a veil in proportion to them."""
    alpha = streaks(rng, image.shape[0], image.shape[1], share)[..., None]
    hazy = image + np.float32(HAZE * np.clip(share, 0, 1)) * (np.float32(MIST) - image)
    return np.asarray(hazy + alpha * (np.float32(WET) - hazy))


def streaks(rng: np.random.Generator, height: int, width: int, share: float) -> FloatArray:
    """Opacity (height, width) of streaks of rain whose mean is ``share``; the last layer is faded to meet it.

    Layers come in a fixed order, so a larger share only adds streaks.

    >>> round(float(streaks(np.random.default_rng(0), 64, 96, 0.1).mean()), 5)
    0.1
    """
    drawn, slant = rng.random((LAYERS, STREAKS, 4)), rng.uniform(-0.45, 0.45)
    larger = max(1, int(np.ceil(FINE / np.sqrt(height * width))))
    sheet = (height * larger, width * larger)
    alpha, mean = np.zeros((height, width), np.float32), 0.0
    for layer in drawn:
        if mean >= share - 1e-6:
            break
        part = _streaks(layer, sheet, slant)
        if larger > 1:
            part = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
        gain = part.astype(np.float32) * (1 - alpha) * np.float32(1 / 255)
        gained = float(gain.mean(dtype=np.float64))
        weight = min(1.0, (share - mean) / max(gained, 1e-9))
        alpha += np.float32(weight) * gain
        mean += weight * gained
    return alpha


def _streaks(drawn: FloatArray, sheet: tuple[int, int], slant: float) -> Array:
    """One layer in grey levels: the nearer it is, the longer, thicker and brighter are its streaks."""
    side, near = float(np.sqrt(sheet[0] * sheet[1])), float(drawn[0, 2])
    angle = slant + 0.06 * (drawn[:, 3] - 0.5)
    half = side * (0.015 + 0.03 * near + 0.03 * drawn[:, 2])[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    middle = drawn[:, :2] * 1.1 * (sheet[1], sheet[0]) - 0.05 * np.array([sheet[1], sheet[0]])
    ends = np.rint(np.stack([middle - half, middle + half], axis=1) * 16).astype(np.int32)
    part, thick = np.zeros(sheet, np.uint8), max(1, round(side * (0.002 + 0.005 * near)))
    cv2.polylines(
        part, list(ends), isClosed=False, color=90 + 90 * near, thickness=thick, lineType=cv2.LINE_AA, shift=4
    )
    return part


def lens_dirt(image: FloatArray, rng: np.random.Generator, share: float) -> FloatArray:
    """Spots on the lens, out of focus, dark or bright, of this mean opacity."""
    alpha, tone = spots(rng, image.shape[0], image.shape[1], share)
    return np.asarray(image * (1 - alpha[..., None]) + tone[..., None])


def spots(rng: np.random.Generator, height: int, width: int, share: float) -> tuple[FloatArray, FloatArray]:
    """Opacity (height, width) of the mean ``share`` and brightness times opacity of spots, the last of them faded.

    >>> alpha, tone = spots(np.random.default_rng(0), 64, 96, 0.1)
    >>> abs(float(alpha.mean()) - 0.1) < 0.002, bool((tone <= alpha).all())
    (True, True)
    """
    drawn, scale = rng.random((SPOTS, 6)), COARSE / np.sqrt(height * width)
    sheet = (max(2, round(height * scale)), max(2, round(width * scale)))
    layer, mean = np.zeros((*sheet, 2), np.float32), 0.0
    for across, down, size, strength, dark, soft in drawn:
        if mean >= share - 1e-6:
            break
        radius = COARSE * (0.03 + 0.13 * size**2)
        y, x = across * sheet[0], down * sheet[1]
        top, left = max(0, int(y - 1.75 * radius)), max(0, int(x - 1.75 * radius))
        window = layer[top : int(y + 1.75 * radius) + 2, left : int(x + 1.75 * radius) + 2]
        rows = np.arange(top, top + window.shape[0], dtype=np.float32)[:, None] + np.float32(0.5 - y)
        columns = np.arange(left, left + window.shape[1], dtype=np.float32)[None] + np.float32(0.5 - x)
        rim = radius * (0.8 + 0.6 * soft)
        part = np.clip((radius - np.sqrt(rows**2 + columns**2)) / np.float32(rim) + np.float32(0.5), 0, 1)
        part *= part * (3 - 2 * part) * np.float32(0.35 + 0.5 * strength)
        # What comes later lies behind, so more dirt takes back none.
        part *= 1 - window[..., 0]
        gained = float(part.sum(dtype=np.float64)) / (sheet[0] * sheet[1])
        weight = min(1.0, (share - mean) / max(gained, 1e-9))
        tone = 0.08 + 0.15 * dark if dark < 0.7 else 0.35 + 0.5 * dark
        window += part[..., None] * np.array([weight, weight * tone], np.float32)
        mean += weight * gained
    shown = cv2.resize(layer, (width, height), interpolation=cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR)
    return np.ascontiguousarray(shown[..., 0]), np.ascontiguousarray(shown[..., 1])


def compression(image: FloatArray, rng: np.random.Generator, generations: float) -> FloatArray:
    """Stored as JPEG this many times, after the first made smaller before and enlarged after it.

    A part of a time is a part of the way.
    """
    shares, qualities = rng.uniform(0.7, 0.95, GENERATIONS), rng.uniform(35, 80, GENERATIONS)
    # The first is what a camera stores; what passes it on makes it smaller.
    shares[0] = 1
    levels = np.rint(np.clip(image[..., ::-1], 0, 1) * 255).astype(np.uint8)
    seen, left = image, min(generations, float(GENERATIONS))
    for share, quality in zip(shares, qualities, strict=True):
        if left <= 0:
            break
        levels = _stored(levels, share, quality)
        shown = levels[..., ::-1].astype(np.float32) / np.float32(255)
        seen = shown if left >= 1 else seen + np.float32(left) * (shown - seen)
        left -= 1
    return seen


def _stored(levels: Array, share: float, quality: float) -> Array:
    height, width, channels = levels.shape
    small = (max(1, round(width * share)), max(1, round(height * share)))
    few = cv2.resize(levels, small, interpolation=cv2.INTER_AREA)
    _, code = cv2.imencode(".jpg", few, [cv2.IMWRITE_JPEG_QUALITY, round(quality)])
    read = cv2.imdecode(code, cv2.IMREAD_COLOR if channels == 3 else cv2.IMREAD_GRAYSCALE)
    assert read is not None, "what was just encoded can be decoded"
    return np.asarray(cv2.resize(read, (width, height), interpolation=cv2.INTER_LINEAR)).reshape(levels.shape)


def defocus(image: FloatArray, rng: np.random.Generator, share: float) -> FloatArray:
    """A disc of a radius of this share of the side; edges are mirrored, so the mean stays, and nothing moves."""
    del rng
    radius = share * side_of(image)
    if radius <= 0:
        return image
    # Cosines are what a mirrored picture is made of, so a blur only weighs them, at the same cost for any radius.
    weighed = dctn(image, axes=(0, 1)) * _passed(image.shape[0], image.shape[1], radius)[..., None]
    return np.asarray(idctn(weighed, axes=(0, 1)), np.float32)


@lru_cache(maxsize=8)
def _passed(height: int, width: int, radius: float) -> FloatArray:
    """What a disc leaves of each cosine (height, width): the sum of its weights times cos(pi k d / length)."""
    kernel = disc(radius)
    far = np.arange(len(kernel)) - len(kernel) // 2
    down, across = (
        np.cos(np.pi / length * np.arange(length)[:, None] * far).astype(np.float32) for length in (height, width)
    )
    return np.asarray(down @ kernel @ across.T)


def disc(radius: float) -> FloatArray:
    """Kernel of a disc of this radius in pixels: sums to 1, centroid in the middle, grows with every part of a pixel.

    >>> disc(0.1).shape, bool(disc(0.1)[2, 2] < 1), round(float(disc(20.0).sum()), 5)
    ((5, 5), True, 1.0)
    """
    half = int(np.ceil(radius)) + 1
    if radius > SUBTLE:
        y, x = np.mgrid[-half : half + 1, -half : half + 1]
        kernel = np.clip(radius + 0.5 - np.hypot(y, x), 0, 1)
        return np.asarray(kernel / kernel.sum(), np.float32)
    steps = (np.arange(64) + 0.5) / 32 - 1
    y, x = (each.ravel() * radius for each in np.meshgrid(steps, steps))
    inside = np.hypot(y, x) <= radius
    weigh = [np.maximum(0, 1 - np.abs(places[inside, None] - np.arange(-half, half + 1))) for places in (y, x)]
    kernel = weigh[0].T @ weigh[1]
    kernel = kernel + kernel[::-1, ::-1]
    return np.asarray(kernel / kernel.sum(), np.float32)


def cover(image: FloatArray, rng: np.random.Generator, share: float, mask_rgba: FloatArray) -> FloatArray:
    """Pastes a picture (h, w, 4) in [0, 1], of its own proportions, near the middle; its mean opacity is ``share``.

    What hangs over the rim is not counted; where no size covers the share, the size that covers most is taken.

    Raises:
        InputError: on another shape, or a picture that is transparent everywhere.
    """
    if mask_rgba.ndim != 3 or mask_rgba.shape[2] != 4 or not mask_rgba[..., 3].any():
        raise InputError(
            f"an occluder of shape {mask_rgba.shape} was given; give a picture with an alpha channel that is opaque "
            "somewhere"
        )
    stray = rng.uniform(-STRAY, STRAY, 2) * side_of(image)
    if share <= 0:
        return image
    height, width = image.shape[:2]
    middle = ((width - 1) / 2 + float(stray[0]), (height - 1) / 2 + float(stray[1]))
    scale = _size(mask_rgba, (height, width), middle, share)
    layer = _pasted(_premultiplied(mask_rgba), (height, width), middle, scale)
    own = layer[..., :3] if image.shape[2] == 3 else (layer[..., :3] @ GREY)[..., None]
    return np.asarray(image * (1 - layer[..., 3:]) + own)


def _premultiplied(mask_rgba: FloatArray) -> FloatArray:
    """Colours times opacity, so that what is transparent lends no colour to its neighbours."""
    return np.concatenate([mask_rgba[..., :3] * mask_rgba[..., 3:], mask_rgba[..., 3:]], axis=2)


def _size(mask_rgba: FloatArray, shape: tuple[int, int], middle: tuple[float, float], share: float) -> float:
    """How many times its size a cover has to be; what hangs over the rim is made up for."""
    alpha = np.ascontiguousarray(mask_rgba[..., 3:])
    wanted = share * shape[0] * shape[1]
    scale = best = float(np.sqrt(wanted / alpha.sum(dtype=np.float64)))
    missing, largest = np.inf, 2 * np.hypot(*shape) / min(alpha.shape[:2])
    for _ in range(12):
        covered = float(_pasted(alpha, shape, middle, scale).sum(dtype=np.float64))
        if abs(covered - wanted) < missing:
            best, missing = scale, abs(covered - wanted)
        if missing < 1e-3 * wanted or covered <= 0:
            break
        scale = min(scale * float(np.sqrt(wanted / covered)), max(largest, best))
    return best


def _pasted(layer: FloatArray, shape: tuple[int, int], middle: tuple[float, float], scale: float) -> FloatArray:
    """A layer of this many times its size, centred on ``middle`` (across, down) of a sheet, 0 around it."""
    tall, wide = (max(1, int(np.ceil(length * min(scale, 1.0)))) for length in layer.shape[:2])
    few = cv2.resize(layer, (wide, tall), interpolation=cv2.INTER_AREA)
    down, across = scale * layer.shape[0] / tall, scale * layer.shape[1] / wide
    matrix = np.array(
        [
            [across, 0, middle[0] - across * (wide - 1) / 2],
            [0, down, middle[1] - down * (tall - 1) / 2],
        ]
    )
    seen = cv2.warpAffine(few, matrix, shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(seen).reshape(*shape, layer.shape[2])


DIRT: tuple[Row, ...] = (
    ("rain", rain, (0.0,), ((0.02,), (0.05,), (0.09,), (0.14,), (0.2,)), "rain over {0:.0%} of the picture"),
    ("lens-dirt", lens_dirt, (0.0,), ((0.05,), (0.1,), (0.2,), (0.3,), (0.4,)), "dirt that hides {0:.0%}"),
    ("compression", compression, (0.0,), ((1.0,), (2.0,), (3.0,), (4.0,), (5.0,)), "compressed {0:.0f} times over"),
    (
        "defocus", defocus, (0.0,), ((0.01,), (0.02,), (0.035,), (0.05,), (0.08,)),
        "out of focus by {0:.1%} of the side",
    ),
)  # fmt: skip
