"""Corruptions beside imagecorruptions and Albumentations: severity 3, pictures of 224 pixels, uint8 in and out.

Equal work is an equal mean change in grey levels, 5 % apart at most: packages agree on what a name means only with
imagecorruptions; Albumentations has other models under some names. What is made once (tables of quantiles, textures of
ice) is made before.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from sklearn.datasets import load_sample_images

from beside.measured import Plan, Row, Task, compared, running, seconds
from beside.peer import Package
from pfungst.arrays import Array
from pfungst.datasets.dataset import Batch
from pfungst.methods.shifts import Shifted, named

SIDE, FAR, SLOW = 224, 0.05, {"glass-blur"}
PEERS = (
    Package(
        "imagecorruptions", "imagecorruptions", "imagecorruptions",
        "glass and Gaussian blur raise with every scikit-image that runs on Python 3.11; here the argument is renamed",
    ),
    Package("albumentations", "albumentations", "albumentations", "other models under some names; it has no frost"),
)  # fmt: skip
WHY = {
    "zoom-blur": "every zoom keeps the picture's centre to a part of a pixel (warpAffine); theirs cuts to whole pixels",
    "pixelate": "both are two resizes of OpenCV; the rest is the row's own call and copy",
    "jpeg-compression": "both are the codec; the rest is the row's own call and copy",
    "snow": "theirs brightens pixels above a threshold; ours draws, zooms and blurs flakes as published",
    "brightness": "theirs adds a constant by a table of 256 numbers; ours is the value of HSV, as published",
    "saturate": "theirs adds to the saturation in 8-bit HSV; ours multiplies it in floats, as published",
    "gaussian-blur": "both are one separable filter of OpenCV",
}


def rows(plan: Plan) -> Iterator[Row]:
    """Every corruption of ImageNet-C beside both."""
    cv2.setNumThreads(1)
    for package in PEERS:
        with running(package) as peer:
            found: list[tuple[float, float]] = []
            for task in tasks(package.name, plan):
                for row in compared("corruptions", package, peer, iter([task]), plan):
                    yield row
                if isinstance(peer, str):
                    break
                if row.ratio is not None:
                    found.append((row.ratio, per_picture(task)))
            if found:
                yield summed(row, found)


def per_picture(task: Task) -> float:
    """Our processor seconds for one picture."""
    return min(seconds(task.ours) for _ in range(3)) / len(task.arrays["x"])


def summed(row: Row, found: list[tuple[float, float]]) -> Row:
    """Harmonic mean of the pictures a second over all corruptions, as a ratio: sum of times over sum of times."""
    ratio = sum(one * spent for one, spent in found) / sum(spent for _, spent in found)
    said = f"summed time of {len(found)} corruptions, those of other work among them"
    return Row("corruptions", "all", f"{SIDE} px", row.peer, row.version, row.licence, ratio, check=said, note=row.note)


def tasks(name: str, plan: Plan) -> Iterator[Task]:
    """One for each corruption that the package has."""
    pictures = crops(plan.rows(50, 20))
    for topic in named(("imagenet-c",)):
        if topic == "frost" and name == "albumentations":
            continue
        some = pictures[:4] if topic in SLOW and name == "imagecorruptions" else pictures
        yield corruption(topic, some)


def corruption(topic: str, pictures: Array) -> Task:
    """One corruption of these pictures."""
    count = len(pictures)
    batch = Batch(tuple(map(str, range(count))), np.arange(count), pictures, np.zeros(count, int))

    def changed(done: Array) -> float:
        return float(np.abs(done.astype(np.int16) - pictures).mean())

    def same(mine: Array, theirs: dict[str, Array]) -> tuple[bool, str]:
        ours, other = changed(mine), changed(theirs["answer"])
        return abs(ours - other) <= FAR * other, f"mean change in grey levels: {ours:.1f}, {other:.1f}"

    on = f"{count} pictures of {SIDE} px"
    shown = topic.removeprefix("imagenet-c:")
    return Task(
        shown, on, lambda: Shifted(topic, 3)(batch), "corruption", {"x": pictures}, same, {"topic": topic},
        WHY.get(shown, ""),
    )  # fmt: skip


def crops(count: int, side: int = SIDE) -> Array:
    """Squares of the two photographs that scikit-learn ships, (count, side, side, 3)."""
    photographs, rng = load_sample_images().images, np.random.default_rng(0)
    made = []
    for number in range(count):
        image = photographs[number % len(photographs)]
        top, left = (int(rng.integers(0, length - side + 1)) for length in image.shape[:2])
        made.append(image[top : top + side, left : left + side])
    return np.stack(made)
