"""What is proven of a network with a published proof, and its cost: python benchmarks/proofs.py [--rows N] [--write].

The network of Wong and Kolter (2018, arXiv:1711.00851) for digits, which they prove to err on at most 5.8 % of the test
digits within linf 0.1, from the folder of real data (PFUNGST_DATA). Their proof is the dual of ours with lines parallel
to the chord and a ball that is not cut to the range; both settings are run. Costs are processor time of one thread over
that of forty steps of projected gradient ascent on the same rows. With ``--write`` it goes into benchmarks/results.
"""

import argparse
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pfungst.arrays import BoolArray
from pfungst.models.torch_bounds import RULES, Bounds, Region
from pfungst.models.torch_layers import read_layers

HERE = Path(__file__).parent
DATA = Path(os.environ.get("PFUNGST_DATA", HERE.parents[1] / "shared" / "data"))
SIZE, STEPS, PUBLISHED, PART = 0.1, 40, 0.058, 100


@dataclass(frozen=True)
class Result:
    """Which rows are not proven, processor seconds, and multiplications a row in forward passes."""

    open: BoolArray
    seconds: float
    cost: float


def network() -> torch.nn.Module:
    """The network, with its published weights."""
    nn = torch.nn
    net = nn.Sequential(
        nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(), nn.Flatten(),
        nn.Linear(1568, 100), nn.ReLU(), nn.Linear(100, 10),
    )  # fmt: skip
    held: Any = torch.load(
        DATA / "models" / "mnist_wong_kolter_linf0.1" / "state_dict.pt", weights_only=True, map_location="cpu"
    )
    while "state_dict" in held:
        held = held["state_dict"][0] if isinstance(held["state_dict"], list) else held["state_dict"]
    net.load_state_dict({str(name).removeprefix("module."): value for name, value in held.items()})
    return net.eval()


def digits(rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The first test digits and their labels."""
    held = np.load(DATA / "images" / "mnist_test.npz")
    images = torch.from_numpy(held["inputs"][:rows].astype(np.float32) / 255).reshape(-1, 1, 28, 28)
    return images, torch.from_numpy(held["labels"][:rows].astype(np.int64))


def proven(bounds: Bounds, x: torch.Tensor, y: torch.Tensor, *, cut: bool) -> Result:
    """The rows that the bounds leave open; ``cut``: no input beyond the range counts."""
    began, parts, cost = time.process_time(), [], 0.0
    for at in range(0, len(x), PART):
        centre = x[at : at + PART].double()
        low, high = centre - SIZE, centre + SIZE
        region = Region(centre, low.clamp(0, 1), high.clamp(0, 1)) if cut else Region(centre, low, high)
        found = bounds.margins(region, y[at : at + PART])
        parts.append(found.least.numpy() <= 0)
        cost += found.cost * len(centre)
        print(f"{at + len(centre):6,} rows: {np.concatenate(parts).mean():.4f} not proven", flush=True)
    return Result(np.concatenate(parts), time.process_time() - began, cost / len(x))


def broken(net: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> Result:
    """Projected gradient ascent on the cross-entropy, from a random start."""
    began, draw = time.process_time(), torch.Generator().manual_seed(0)
    moved = (x + SIZE * (2 * torch.rand(x.shape, generator=draw) - 1)).clamp(0, 1)
    for _ in range(STEPS):
        moved = moved.detach().requires_grad_(True)
        with torch.enable_grad():
            loss = torch.nn.functional.cross_entropy(net(moved), y, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, moved)
        moved = moved + 2.5 * SIZE / STEPS * gradient.sign()
        moved = torch.minimum(torch.maximum(moved, x - SIZE), x + SIZE).clamp(0, 1)
    wrong = (net(moved).argmax(1) != y).numpy()
    return Result(wrong, time.process_time() - began, 2.0 * STEPS)


def report(rows: int) -> list[str]:
    """Lines of the page."""
    net, (x, y) = network(), digits(rows)
    layers = read_layers(net, x[:2])
    attack = broken(net, x, y)
    settings = {
        "as pfungst proves": proven(Bounds(layers), x, y, cut=True),
        "as published: parallel lines, ball not cut": proven(replace(Bounds(layers), rules=RULES[1:]), x, y, cut=False),
    }
    plain = float((net(x).argmax(1) != y).float().mean())
    known = f"published for all 10,000: error 1.8 %, attacked 4.1 %, provable {PUBLISHED:.1%}."
    lines = [
        "# Proofs beside a published one",
        "",
        f"{len(x):,} test digits, linf {SIZE}; {known}",
        "",
        f"Error as they are {plain:.2%}; {STEPS} steps of ascent break {attack.open.mean():.2%}.",
        "",
        "| bounds | not proven | broken though proven | time over the ascent's | multiplications, in forward passes |",
        "|---|---|---|---|---|",
    ]
    for name, one in settings.items():
        both = int((attack.open & ~one.open).sum())
        lines.append(
            f"| {name} | {one.open.mean():.2%} | {both} | {one.seconds / attack.seconds:.1f} | {one.cost:.0f} |"
        )
    return lines


def main() -> None:
    """Print, and write if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000, help="the first so many digits")
    parser.add_argument("--write", action="store_true", help="into benchmarks/results")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with torch.no_grad():
        page = "\n".join(report(asked.rows)) + "\n"
    print(page)
    if asked.write:
        (HERE / "results" / "proofs.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
