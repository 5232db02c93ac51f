"""Networks that both sides build: their weights travel as arrays."""

import torch
from torch import nn


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


def residual() -> nn.Sequential:
    """Eighteen layers, 1000 classes, built like ResNet-18; random weights that are always the same."""
    torch.manual_seed(0)
    widths = ((64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2),
              (512, 512, 1))  # fmt: skip
    return nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
        *(Block(*each) for each in widths), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000),
    ).eval()  # fmt: skip


def small(wide: int, side: int, channels: int) -> nn.Sequential:
    """Three convolutions and a linear layer, ten classes."""
    least = (side + 3) // 4
    return nn.Sequential(
        nn.Conv2d(channels, wide, 3, 1, 1), nn.ReLU(), nn.Conv2d(wide, 2 * wide, 3, 2, 1), nn.ReLU(),
        nn.Conv2d(2 * wide, 2 * wide, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(2 * wide * least**2, 10),
    ).eval()  # fmt: skip


def weights(net: nn.Module) -> dict[str, object]:
    """Its weights as arrays, by name with ``w:`` before it."""
    return {f"w:{name}": value.numpy() for name, value in net.state_dict().items()}


def with_weights(net: nn.Module, arrays: dict[str, object]) -> nn.Module:
    """The network with weights that travelled; nothing of it is trained."""
    state = {name[2:]: torch.as_tensor(value) for name, value in arrays.items() if name.startswith("w:")}
    net.load_state_dict(state)
    return net.eval().requires_grad_(requires_grad=False)
