"""Corrupt pictures with one other package at severity 3: runs in that package's environment, see corruptions.py.

    PYTHON -P benchmarks/corruptions_peers.py imagecorruptions|albumentations PICTURES.npy

For each line on standard input, ``{"topic": ..., "rows": [first, last]}``, it prints one line with the processor
seconds that these pictures took, by how many grey levels they changed, and null for what the package has not. The first
line it prints is its versions.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import cv2
import numpy as np

Corrupt = Callable[[np.ndarray], np.ndarray]

NAMES = {"imagenet-c:motion-blur": "motion_blur", "imagenet-c:brightness": "brightness"}


def imagecorruptions() -> dict[str, Corrupt]:
    """The published implementation; by our names."""
    from imagecorruptions import corrupt, get_corruption_names  # noqa: PLC0415 - in the package's environment

    np.random.seed(0)  # noqa: NPY002 - the generator that it draws from

    def corrupting(name: str) -> Corrupt:
        return lambda image: corrupt(image, severity=3, corruption_name=name)

    ours = {theirs: name for name, theirs in NAMES.items()}
    return {ours.get(name, name.replace("_", "-")): corrupting(name) for name in get_corruption_names("all")}


def albumentations() -> dict[str, Corrupt]:
    """What comes nearest, at the parameters of severity 3; several compute something simpler. It has no frost.

    Where it offers two ways the quicker is taken (glass, snow); fog is as strong as the published one.
    """
    import albumentations as a  # noqa: PLC0415 - in the package's environment

    every: dict[str, Any] = {
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
        "contrast": a.RandomBrightnessContrast((0, 0), (-0.8, -0.8), p=1),
        "saturate": a.HueSaturationValue((0, 0), (100, 100), (0, 0), p=1),
        "elastic-transform": a.ElasticTransform(alpha=21.25, sigma=2.24, border_mode=cv2.BORDER_REFLECT, p=1),
        "pixelate": a.Downscale(scale_range=(0.4, 0.4), p=1),
        "jpeg-compression": a.ImageCompression(quality_range=(15, 15), p=1),
    }

    def corrupting(one: Any) -> Corrupt:
        one.set_random_seed(0)
        return lambda image: np.asarray(one(image=image)["image"])

    return {topic: corrupting(one) for topic, one in every.items()}


def main() -> None:
    """Answer until there are no more lines."""
    warnings.simplefilter("ignore")
    cv2.setNumThreads(1)
    kind, file = sys.argv[1:]
    every, pictures = {"imagecorruptions": imagecorruptions, "albumentations": albumentations}[kind](), np.load(file)
    said = {name: version(name) for name in (kind, "numpy", "opencv-python-headless")}
    print(json.dumps(said), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        corrupt, shown = every.get(asked["topic"]), pictures[slice(*asked["rows"])]
        if corrupt is None:
            print("null", flush=True)
            continue
        began = time.process_time()
        done = [corrupt(image) for image in shown]
        spent = time.process_time() - began
        changed = float(np.abs(np.stack(done).astype(np.int16) - shown).mean())
        print(json.dumps({"seconds": spent, "changed": changed}), flush=True)


if __name__ == "__main__":
    main()
