"""Corruptions: the nineteen of ImageNet-C and the ten of ImageNet-C-bar, at their published parameters.

Hendrycks and Dietterich 2019 (arXiv:1903.12261). Where the common implementation is off, this is not: motion blur keeps
the picture where it is, means are kept, pixels of glass change places, values are rounded, and seeds hold. The ten are
of Mintun, Kirillov and Xie 2021 (arXiv:2102.11273).
"""

from pfungst.methods import corrupted_blurs as blurs
from pfungst.methods import corrupted_colours as tones
from pfungst.methods import corrupted_noise as noise
from pfungst.methods import corrupted_weather as weather
from pfungst.methods import corrupted_whole as whole
from pfungst.methods.corrupted_bar import BAR
from pfungst.methods.shift_kind import Kind, each

C, C_BAR = "imagenet-c", "imagenet-c-bar"

CORRUPTIONS = (
    Kind("gaussian-noise", noise.gaussian, (0.0,), each(0.08, 0.12, 0.18, 0.26, 0.38), C),
    Kind("shot-noise", noise.shot, (0.0,), each(1 / 60, 1 / 25, 1 / 12, 1 / 5, 1 / 3), C),
    Kind("impulse-noise", noise.impulse, (0.0,), each(0.03, 0.06, 0.09, 0.17, 0.27), C),
    Kind("speckle-noise", noise.speckle, (0.0,), each(0.15, 0.2, 0.35, 0.45, 0.6), C),
    Kind("gaussian-blur", blurs.gaussian, (0.0,), each(1, 2, 3, 4, 6), C, whole=whole.gaussian),
    Kind("defocus-blur", blurs.defocus, (0.0, 0.0), ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)), C),
    Kind("glass-blur", blurs.glass, (0.0, 0, 0), ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)), C),
    Kind("imagenet-c:motion-blur", blurs.motion, (0.0, 1), ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)), C),
    Kind(
        "zoom-blur", blurs.zoom, (1.0, 0.01),
        ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)), C,
    ),
    Kind("fog", weather.fog, (0.0, 2), ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)), C),
    Kind("frost", weather.frost, (1.0, 0), ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)), C),
    Kind(
        "snow", weather.snow, (0.1, 0.3, 3, 0.9, 10, 4, 1.0),
        (
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8), (0.2, 0.3, 2, 0.5, 12, 4, 0.7), (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65), (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ), C,
    ),
    Kind(
        "spatter", weather.spatter, (0.65, 0.3, 4, 0.69, 0.0, 0),
        (
            (0.65, 0.3, 4, 0.69, 0.6, 0), (0.65, 0.3, 3, 0.68, 0.6, 0), (0.65, 0.3, 2, 0.68, 0.5, 0),
            (0.65, 0.3, 1, 0.65, 1.5, 1), (0.67, 0.4, 1, 0.65, 1.5, 1),
        ), C,
    ),
    Kind("imagenet-c:brightness", tones.brightness, (0.0,), each(0.1, 0.2, 0.3, 0.4, 0.5), C),
    Kind("contrast", tones.contrast, (1.0,), each(0.4, 0.3, 0.2, 0.1, 0.05), C, whole=whole.contrast),
    Kind("saturate", tones.saturate, (1.0, 0), ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)), C),
    Kind("elastic-transform", tones.elastic, (0.0,), each(12.5, 16.25, 21.25, 25, 30), C),
    Kind("pixelate", tones.pixelate, (1.0,), each(0.6, 0.5, 0.4, 0.3, 0.25), C, whole=whole.pixelate),
    Kind("jpeg-compression", tones.jpeg, (95.0,), each(25, 18, 15, 10, 7), C, whole=whole.jpeg),
    *(Kind(name, change, rest, table, C_BAR) for name, change, rest, table in BAR),
)  # fmt: skip
"""A field shift may share a corruption's name: then the corruption is called ``imagenet-c:NAME``."""
