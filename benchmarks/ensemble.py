"""Our search beside the published ensemble of attacks: python benchmarks/ensemble.py --peers PYTHON [--write].

A small network for scikit-learn's digits, and one trained against attacks, 200 rows, linf, one thread. PYTHON is the
interpreter of an environment with torch and pyautoattack, which holds the published AutoAttack (Croce and Hein 2020,
arXiv:2003.01690) as a package; its standard version is run: 100 steps of cross-entropy, nine targets of 100 steps, nine
of minimum norm, 5,000 squares. Ours is run as an audit runs it where nothing is said, and where a task file names the
budget. Every changed input is drawn into the ball and the network asked again before it counts, ours and theirs alike.
Passes are forwards and backwards a row, counted. With ``--write`` the table goes into benchmarks/results.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from adversarial import judged, pair
from threadpoolctl import threadpool_limits

from pfungst.arrays import BoolArray
from pfungst.datasets.dataset import Batch
from pfungst.load import load_model
from pfungst.methods.threats import Norm
from pfungst.passes import Attack

HERE = Path(__file__).parent
ROWS, SIZES = 200, (0.05, 0.1, 0.15, 0.2, 0.25)
USUAL, LONG = {"steps": 40, "targets": 3, "queries": 150}, {"steps": 100, "targets": 9, "queries": 1000}
EQUAL = {"steps": 100, "targets": 24, "queries": 5000}
"""As many queries as AutoAttack's search by squares has, and in all no more passes than it takes."""
SEARCHES = {"ours": USUAL, "long": LONG, "equal": EQUAL}
"""What the probe does where nothing is said, and for a budget that a task file names."""


@dataclass(frozen=True)
class Ended:
    """Which rows fell, passes a row, and processor seconds."""

    fell: BoolArray
    passes: float
    seconds: float


def ours(model: Any, batch: Batch, size: float, search: dict[str, int]) -> Ended:
    """Our staged search at one size."""
    began = time.process_time()
    found = Attack(Norm("linf", (size,), **search)).run(model, batch)
    spent = time.process_time() - began
    return Ended(found.broken, float((found.forwards + found.backwards).mean()), spent)


@dataclass(frozen=True)
class Published:
    """The published ensemble in a process of its own."""

    folder: Path
    process: "subprocess.Popen[str]"
    versions: dict[str, str]

    @classmethod
    def started(cls, python: str, folder: Path) -> "Published":
        """Wait until it can be asked."""
        words = [python, "-P", str(HERE / "ensemble_peer.py"), str(folder)]
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert process.stdout is not None, "its output is piped"
        return cls(folder, process, json.loads(process.stdout.readline()))

    def __call__(self, model: Any, batch: Batch, name: str, size: float) -> Ended:
        """One network at one size; what it found is judged as ours is."""
        assert self.process.stdin is not None, "its input is piped"
        assert self.process.stdout is not None, "its output is piped"
        order = {"network": name, "size": size, "out": "found.npy"}
        print(json.dumps(order), file=self.process.stdin, flush=True)
        said = json.loads(self.process.stdout.readline())
        inputs = np.load(self.folder / "found.npy").transpose(0, 2, 3, 1)
        fell = judged(model, batch.inputs, batch.labels, inputs, size)
        return Ended(fell, (said["forwards"] + said["backwards"]) / len(batch), said["seconds"])

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None, "its input is piped"
        self.process.stdin.close()
        self.process.wait(timeout=30)


def line(name: str, size: float, own: dict[str, Ended], published: Ended) -> str:
    """A line of the table."""
    every = [*own.values(), published]
    accuracies = [f"{1 - float(one.fell.mean()):.3f}" for one in every]
    alone = [
        f"{int((one.fell & ~published.fell).sum())} / {int((published.fell & ~one.fell).sum())}" for one in own.values()
    ]
    passes = [f"{one.passes:.0f}" for one in every]
    times = [f"{published.seconds / one.seconds:.1f}" for one in own.values()]
    return f"| {' | '.join([name, str(size), *accuracies, *alone, *passes, *times])} |"


def table(nets: dict[str, torch.nn.Module], batch: Batch, peer: Published) -> list[str]:
    """All networks and sizes."""
    columns = (
        "network", "linf", *(f"accuracy left: {name}" for name in SEARCHES), "AutoAttack",
        *(f"broken by one alone: {name} / AutoAttack" for name in SEARCHES),
        *(f"passes a row: {name}" for name in SEARCHES), "AutoAttack",
        *(f"time of AutoAttack / {name}" for name in SEARCHES),
    )  # fmt: skip
    lines, weaker = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"], dict.fromkeys(SEARCHES, 0)
    for name, net in nets.items():
        model = load_model(net)
        for size in SIZES:
            published = peer(model, batch, name, size)
            own = {kind: ours(model, batch, size, search) for kind, search in SEARCHES.items()}
            for kind, one in own.items():
                weaker[kind] += int(published.fell.sum() > one.fell.sum())
            lines.append(line(name, size, own, published))
    count = len(nets) * len(SIZES)
    said = ", ".join(f"{kind} {many} of {count}" for kind, many in weaker.items())
    return [*lines, "", f"Weaker than AutoAttack: {said}."]


def main() -> None:
    """Print the table, and write it if asked to."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--peers", required=True, help="python of an environment with torch and pyautoattack")
    asked.add_argument("--write", action="store_true", help="put the table into benchmarks/results/ensemble.md")
    given: Any = asked.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as made, threadpool_limits(1):
        folder = Path(made)
        nets, rows = pair()
        batch = rows.take(np.arange(ROWS))
        np.savez(folder / "rows.npz", inputs=batch.inputs.transpose(0, 3, 1, 2), labels=batch.labels)
        for name, net in nets.items():
            torch.save(net, folder / f"{name}.pt")
        peer = Published.started(given.peers, folder)
        lines = table(nets, batch, peer)
        peer.close()
    own = {name: version(name) for name in ("torch", "numpy")}
    said = [
        f"{who}: {', '.join(f'{k} {v}' for k, v in one.items())}"
        for who, one in (("ours", own), ("theirs", peer.versions))
    ]
    searches = "; ".join(
        f"{kind}: {', '.join(f'{value} {key}' for key, value in search.items())}" for kind, search in SEARCHES.items()
    )
    head = f"{ROWS} digits, one thread. {searches}."
    text = "\n".join([*lines, "", head, *said]) + "\n"
    print(text)
    if given.write:
        (HERE / "results" / "ensemble.md").write_text(f"# Our search beside AutoAttack\n\n{text}", "utf-8")


if __name__ == "__main__":
    main()
