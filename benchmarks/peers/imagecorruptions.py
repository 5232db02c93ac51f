"""The published implementation of the corruptions, imagecorruptions, at severity 3."""

from collections.abc import Callable
from typing import Any

import cv2
import imagecorruptions.corruptions as published
import numpy as np
from imagecorruptions import corrupt, get_corruption_names
from skimage.filters import gaussian

VERSIONS = ("imagecorruptions", "numpy", "opencv-python-headless")
Answer = Callable[[], dict[str, Any]]


def _as_before(image: Any, sigma: Any = 1, *, multichannel: bool = False, **settings: Any) -> Any:
    return gaussian(image, sigma, channel_axis=-1 if multichannel else None, **settings)


# No scikit-image that runs on Python 3.11 knows this word any more, and glass and Gaussian blur would raise.
published.gaussian = _as_before
OURS = {"imagenet-c:motion-blur": "motion_blur", "imagenet-c:brightness": "brightness"}
cv2.setNumThreads(1)
np.random.seed(0)  # noqa: NPY002 - the generator that it draws from


def corruption(arrays: dict[str, Any], *, topic: str) -> Answer:
    """Every picture corrupted, by our name for it."""
    name, pictures = OURS.get(topic, topic.replace("-", "_")), arrays["x"]
    if name not in get_corruption_names("all"):
        raise ValueError(f"has no {topic}")
    return lambda: {"answer": np.stack([corrupt(one, severity=3, corruption_name=name) for one in pictures])}


TASKS = {"corruption": corruption}
