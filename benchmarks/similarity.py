"""Whether severities on the scale of similarity rise: python benchmarks/similarity.py [--sides 16 32 ...] [--write].

For every published corruption, in grey and in colour, at sides from 16 to 1,024 px: strengths are solved on pieces of
the two photographs that scikit-learn ships so that 1 - SSIM meets .05, .10, .20, .35 and .50, and what is met is
printed. A severity that changes less than the one before is marked. Coarse corruptions go in whole steps; where the
strongest that is tried falls short of a target, severities are equal from there on. With ``--write`` the table goes
into benchmarks/results/similarity.md.
"""

import argparse
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from sklearn.datasets import load_sample_images

from pfungst.arrays import Array
from pfungst.datasets.dataset import Batch
from pfungst.methods.shifts import Shifted, named
from pfungst.methods.similarity import dissimilarity, solved

RESULT = Path(__file__).parent / "results" / "similarity.md"
SIDES, PICTURES = (16, 32, 64, 224, 640, 1024), 4
SMALLEST = 1e-6


def pieces(side: int, channels: int) -> Array:
    """Squares of both photographs, whole or parts, brought to a side; fewer where they are large."""
    made = []
    for number in range(PICTURES if side < 500 else 2):
        image = load_sample_images().images[number % 2]
        top, left = 40 + 10 * (number // 2), 60 * number
        part = image[top : top + 380, left : left + 380]
        part = (
            part[100 : 100 + side, 100 : 100 + side]
            if 64 <= side <= 280
            else cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA)
        )
        made.append(part if channels == 3 else cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)[..., None])
    return np.stack(made)


def met(topic: str, images: Array) -> list[float]:
    """Mean 1 - SSIM at the five solved strengths."""
    rows = len(images)
    batch = Batch(tuple(map(str, range(rows))), np.arange(rows), images, np.zeros(rows, int))
    strengths = solved(lambda strength: Shifted(topic, strength=strength)(batch), images)
    return [float(dissimilarity(images, Shifted(topic, strength=one)(batch)).mean()) for one in strengths]


def main() -> None:
    """Print a line for each corruption, size and number of channels."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--sides", type=int, nargs="+", default=SIDES)
    asked.add_argument("--write", action="store_true", help="put the table into benchmarks/results/similarity.md")
    given: Any = asked.parse_args()
    lines = ["| corruption | side | channels | 1 - SSIM at severities 1 to 5 | |", "|---|---|---|---|---|"]
    falling = 0
    for topic in named(("imagenet-c", "imagenet-c-bar")):
        for side in given.sides:
            for channels in (1, 3):
                found = met(topic, pieces(side, channels))
                falls = any(more < less - SMALLEST for less, more in pairwise(found))
                falling += falls
                words = " ".join(f"{one:.3f}" for one in found)
                lines.append(f"| {topic} | {side} | {channels} | {words} | {'falls' if falls else ''} |")
                print(lines[-1], flush=True)
    head = f"{len(lines) - 2} cases; in {falling} of them a severity changes less than the one before."
    print(head)
    if given.write:
        text = "\n".join(["# Severities on the scale of similarity", "", head, "", *lines]) + "\n"
        RESULT.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
