"""The robust error of a provably robust network: python benchmarks/provable.py [--rows N] [--write].

The network of Wong and Kolter (2018, arXiv:1711.00851) for handwritten digits, whose error at linf 0.1 is proven to be
at most 5.82 %, and of which projected gradient descent is known to break 4.06 %: over all 10,000 rows a search must
end between the two. Above, it leaves the ball; below, it is weak. All rows are climbed; the DEEP least sure of those
that stand are searched on with all targets and by squares. Every changed picture is drawn into the ball and the network
asked again. The network and the digits lie in a folder that PFUNGST_DATA names. With ``--write`` it goes into
benchmarks/results.
"""

import argparse
import os
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from pfungst.arrays import IntArray
from pfungst.attacked import Attacked, joined_attacks
from pfungst.load import bind, load_data, load_model
from pfungst.methods.threats import STAGES, Norm
from pfungst.passes import Attack

DATA = Path(os.environ.get("PFUNGST_DATA", Path(__file__).parents[2] / "shared" / "data"))
FOLDER = DATA / "models" / "mnist_wong_kolter_linf0.1"
KNOWN, PROVEN = 0.0406, 0.0582
CHUNK, DEEP = 256, 300


def network() -> torch.nn.Module:
    """The layers that the folder's config.json tells of, with its weights."""
    nn = torch.nn
    net = nn.Sequential(
        nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(),
        nn.Flatten(), nn.Linear(1568, 100), nn.ReLU(), nn.Linear(100, 10),
    )  # fmt: skip
    held = torch.load(FOLDER / "state_dict.pt", weights_only=True, map_location="cpu")
    while "state_dict" in held:
        held = held["state_dict"][0] if isinstance(held["state_dict"], list) else held["state_dict"]
    net.load_state_dict(held)
    return net.eval()


def attacked(rows: int) -> Attacked:
    """All rows, some at a time; then the least sure of those that stand, longer."""
    model = load_model(network())
    data = bind(model, load_data(DATA / "images" / "mnist_test.npz"))

    def search(chosen: IntArray, norm: Norm) -> Attacked:
        parts = [
            Attack(norm).run(model, data.batch(chosen[at : at + CHUNK])[0])
            for at in tqdm(range(0, len(chosen), CHUNK), unit="chunk")
        ]
        return joined_attacks(parts)

    found = search(np.arange(rows), Norm("linf", (0.1,), steps=40, targets=0, queries=1))
    standing = np.flatnonzero(~found.broken)
    chosen = np.sort(standing[np.argsort(found.confidence[standing], kind="stable")[:DEEP]])
    longer = search(chosen, Norm("linf", (0.1,), steps=100, targets=9, queries=500))
    for name, values in vars(longer).items():
        if values is not None:
            before = getattr(found, name)
            before[chosen] = before[chosen] + values if name in {"forwards", "backwards"} else values
    return found


def told(found: Attacked, seconds: float) -> list[str]:
    """The error, where it must lie, and what broke the rows."""
    error, count = float(found.broken.mean()), len(found)
    inside = "inside" if KNOWN <= error <= PROVEN else "OUTSIDE"
    stages = np.bincount(found.stage[found.broken], minlength=len(STAGES))
    broke = ", ".join(f"{STAGES[at]} {int(stages[at])}" for at in np.flatnonzero(stages))
    cost = f"{found.forwards.mean():.0f} forward and {found.backwards.mean():.0f} backward passes a row"
    return [
        f"Robust error at linf 0.1 on {count} digits: {error:.2%}, {inside} [{KNOWN:.2%}, {PROVEN:.2%}].",
        f"What broke how many: {broke}.",
        f"Farthest change of a pixel: {found.distance[found.broken].max():.7f}.",
        f"{cost}; {seconds:.0f} s of processor time; torch {version('torch')}, numpy {version('numpy')}.",
    ]


def main() -> None:
    """Print it, and write it if asked to."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rows", type=int, default=10_000)
    asked.add_argument("--write", action="store_true", help="put it into benchmarks/results/provable.md")
    given: Any = asked.parse_args()
    if not FOLDER.is_dir():
        print(f"skipped: there is no {FOLDER}; set PFUNGST_DATA to the folder that holds models/ and images/")
        return
    began = time.process_time()
    lines = told(attacked(given.rows), time.process_time() - began)
    text = "\n\n".join(lines) + "\n"
    print(text)
    if given.write:
        place = Path(__file__).parent / "results" / "provable.md"
        place.write_text(f"# A provably robust network attacked\n\n{text}", "utf-8")


if __name__ == "__main__":
    main()
