"""What maps cost beyond the forward passes they are made of: python benchmarks/attribution.py.

A network built like ResNet-18, random weights, pictures of 224 pixels, one thread; each pair is timed in turn in one
process and the middle ratio of their processor times is quoted, which other programs on the machine hardly change.
"""

import statistics
import time
from collections.abc import Callable

import captum.attr
import numpy as np
import torch
from torch import nn

from pfungst.datasets.dataset import Batch
from pfungst.methods.attributions import GradCam
from pfungst.methods.occlusion import Occlusion
from pfungst.models.torch import Origin, torch_model
from pfungst.task import Task

REPEATS = 3
ROWS = 2
SIDE = 224


class Block(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, inside: int, outside: int, step: int) -> None:
        super().__init__()
        self.one = nn.Sequential(
            nn.Conv2d(inside, outside, 3, step, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(),
            nn.Conv2d(outside, outside, 3, 1, 1, bias=False), nn.BatchNorm2d(outside),
        )  # fmt: skip
        same = step == 1 and inside == outside
        self.around = nn.Identity() if same else nn.Conv2d(inside, outside, 1, step, bias=False)
        self.last = nn.ReLU()

    def forward(self, taken: torch.Tensor) -> torch.Tensor:
        """Both ways together."""
        return self.last(self.one(taken) + self.around(taken))


def network() -> nn.Sequential:
    """Eighteen layers, 1000 classes."""
    torch.manual_seed(0)
    widths = ((64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2),
              (512, 512, 1))  # fmt: skip
    return nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
        *(Block(*each) for each in widths), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000),
    ).eval()  # fmt: skip


def ratio(one: Callable[[], object], other: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median over repeats of the time of one over that of the other, in turn."""
    found = []
    for _ in range(repeats):
        times = []
        for each in (one, other):
            began = time.process_time()
            each()
            times.append(time.process_time() - began)
        found.append(times[0] / times[1])
    return statistics.median(found)


def main() -> None:
    """Print the ratios."""
    torch.set_num_threads(1)
    net = network()
    model = torch_model(net, Task(), Origin("resnet-18"), threads=1)
    inputs = np.random.default_rng(0).integers(0, 256, (ROWS, SIDE, SIDE, 3), dtype=np.uint8)
    batch = Batch(tuple("ab"), np.arange(ROWS), inputs, np.full(ROWS, -1))
    seen = torch.from_numpy(inputs.transpose(0, 3, 1, 2).copy()).float() / 255
    targets = torch.from_numpy(model.predict(inputs).predictions)
    spent = int(Occlusion()(model, batch).forwards[0])

    def bare(passes: int) -> None:
        with torch.inference_mode():
            for _ in range(passes):
                net(seen)

    def captum_occlusion() -> None:
        captum.attr.Occlusion(net).attribute(seen, (3, 32, 32), (3, 16, 16), 0, targets)

    against = ratio(lambda: Occlusion()(model, batch), lambda: bare(spent))
    print(f"occlusion / its {spent} bare forward passes = {against:.3f} (target 1.10)")
    coarse = ratio(captum_occlusion, lambda: Occlusion()(model, batch), repeats=1)
    print(f"Captum's occlusion, windows of 32 moved by 16 / ours, coarse to fine = {coarse:.2f} (target 1.3)")
    whole = ratio(lambda: GradCam()(model, batch), lambda: bare(1), 9)
    print(f"Grad-CAM / one forward pass = {whole:.3f} (target 1.15)")


if __name__ == "__main__":
    main()
