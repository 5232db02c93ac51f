"""What the shortcuts chapter costs in forward passes of one row: python benchmarks/chapter.py.

Two hundred pictures of 224 pixels, digits of scikit-learn on grounds of many colours, and two small networks: one whose
pictures carry no mark, one that learned a mark in the corner.
"""

import cv2
import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import pfungst

SIDE, TRAINED, ASKED = 224, 800, 200


def pictures(marked: bool, seed: int, rows: slice) -> tuple[np.ndarray, np.ndarray]:
    """Digits, even or odd; with a mark in the corner whose colour says which in 95 of 100 rows."""
    rng = np.random.default_rng(seed)
    held = load_digits()
    order = np.random.default_rng(0).permutation(len(held.target))[rows]
    labels = held.target[order] % 2
    shown = []
    for at, label in zip(order, labels, strict=True):
        shape = cv2.resize((held.images[at] * 15).astype(np.uint8), (120, 120), interpolation=cv2.INTER_CUBIC)
        picture = np.full((SIDE, SIDE, 3), rng.integers(60, 110, 3)) + rng.normal(0, 6, (SIDE, SIDE, 3))
        top, left = rng.integers(20, 80, 2)
        share = (shape / 255)[..., None]
        part = picture[top : top + 120, left : left + 120]
        part[:] = part * (1 - share) + share * (230, 220, 200)
        if marked:
            picture[4:30, 190:216] = (250, 30, 30) if label == (rng.random() < 0.95) else (30, 250, 30)
        shown.append(picture.clip(0, 255).astype(np.uint8))
    return np.stack(shown), labels


def network(shown: np.ndarray, labels: np.ndarray) -> nn.Module:
    """A small network, trained."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.AvgPool2d(4), nn.Conv2d(3, 16, 5, 2, 2), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
        nn.Conv2d(32, 32, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(512, 2),
    )  # fmt: skip
    optimizer = torch.optim.Adam(net.parameters(), 2e-3)
    inputs, targets = torch.from_numpy(shown.transpose(0, 3, 1, 2)).float() / 255, torch.from_numpy(labels).long()
    for step in range(300):
        rows = torch.from_numpy(np.random.default_rng(step).integers(0, len(labels), 64))
        loss = nn.functional.cross_entropy(net(inputs[rows]), targets[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net.eval()


def main() -> None:
    """Print the cost of both audits."""
    torch.set_num_threads(1)
    for marked in (False, True):
        net = network(*pictures(marked, 1, slice(0, TRAINED)))
        audit = pfungst.audit(net, pictures(marked, 2, slice(TRAINED, TRAINED + ASKED)), only=("shortcuts",))
        spent = sum(record.forwards for record in audit.report.passes)
        found = [one.subject for one in audit.findings if one.kind == "cue" and one.status == "found"]
        print(
            f"{ASKED} pictures of {SIDE} pixels, found: {', '.join(found) or 'nothing':20} {spent:6,.0f} forward passes"
        )


if __name__ == "__main__":
    main()
