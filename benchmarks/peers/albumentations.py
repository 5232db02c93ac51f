"""What of Albumentations comes nearest to the corruptions at severity 3; several compute something simpler.

It has no frost. Where it offers two ways the quicker is taken (glass, snow); fog is as strong as the published one.
"""

from collections.abc import Callable
from typing import Any

import albumentations as a
import cv2
import numpy as np

VERSIONS = ("albumentations", "numpy", "opencv-python-headless")
Answer = Callable[[], dict[str, Any]]
EVERY: dict[str, Any] = {
    "gaussian-noise": a.GaussNoise(std_range=(0.18, 0.18), p=1),
    "shot-noise": a.ShotNoise(scale_range=(1 / 12, 1 / 12), p=1),
    "impulse-noise": a.SaltAndPepper(amount=(0.09, 0.09), salt_vs_pepper=(0.5, 0.5), p=1),
    "speckle-noise": a.MultiplicativeNoise(multiplier=(0.65, 1.35), per_channel=True, elementwise=True, p=1),
    "gaussian-blur": a.GaussianBlur(blur_limit=0, sigma_limit=(3, 3), p=1),
    "defocus-blur": a.Defocus(radius=(6, 6), alias_blur=(0.5, 0.5), p=1),
    "glass-blur": a.GlassBlur(sigma=1, max_delta=2, iterations=3, mode="fast", p=1),
    "imagenet-c:motion-blur": a.MotionBlur(blur_limit=(31, 31), angle_range=(0, 45), p=1),
    "zoom-blur": a.ZoomBlur(max_factor=(1.21, 1.21), step_factor=(0.02, 0.02), p=1),
    "fog": a.RandomFog(fog_coef_range=(0.95, 0.95), p=1),
    "snow": a.RandomSnow(snow_point_range=(0.3, 0.3), method="bleach", p=1),
    "spatter": a.Spatter((0.65,) * 2, (0.3,) * 2, (2.0,) * 2, (0.68,) * 2, (0.5,) * 2, mode="rain", p=1),
    "imagenet-c:brightness": a.RandomBrightnessContrast((0.3, 0.3), (0, 0), p=1),
    "contrast": a.ColorJitter((1, 1), (0.2, 0.2), (1, 1), (0, 0), p=1),
    "saturate": a.HueSaturationValue((0, 0), (100, 100), (0, 0), p=1),
    "elastic-transform": a.ElasticTransform(alpha=21.25, sigma=2.24, border_mode=cv2.BORDER_REFLECT, p=1),
    "pixelate": a.Downscale(
        scale_range=(0.4, 0.4), interpolation_pair={"downscale": cv2.INTER_AREA, "upscale": cv2.INTER_NEAREST}, p=1
    ),
    "jpeg-compression": a.ImageCompression(quality_range=(15, 15), p=1),
}
cv2.setNumThreads(1)


def corruption(arrays: dict[str, Any], *, topic: str) -> Answer:
    """Every picture corrupted, by our name for it."""
    if topic not in EVERY:
        raise ValueError(f"has no {topic}")
    one, pictures = EVERY[topic], arrays["x"]
    one.set_random_seed(0)
    return lambda: {"answer": np.stack([np.asarray(one(image=image)["image"]) for image in pictures])}


TASKS = {"corruption": corruption}
