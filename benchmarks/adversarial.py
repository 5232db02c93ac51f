"""What an attack costs and finds beside other packages: python benchmarks/adversarial.py [--peers PYTHON] [--write].

Steps: ten of ours against ten of a loop written by hand, on rows that do not fall, so that both do the same passes.
Success: a network trained on scikit-learn's digits, and one trained against attacks, linf, one thread; every changed
input is drawn into the ball and the network asked again before it counts, ours and theirs alike. PYTHON is the
interpreter of an environment with torch, Foolbox, ART and torchattacks; without it only what is ours is measured. Ours
and theirs take turns, by processor time; the quickest turn counts, of steps the median of pairs. With ``--write`` it
goes into benchmarks/results.
"""

import argparse
import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits, load_sample_images
from threadpoolctl import threadpool_limits

from pfungst.arrays import BoolArray, FloatArray, IntArray
from pfungst.datasets.dataset import Batch
from pfungst.load import load_model
from pfungst.methods.attack_losses import scale_free_cross_entropy
from pfungst.methods.balls import Linf
from pfungst.methods.gradient_attack import Search, climb, inside
from pfungst.methods.threats import Norm
from pfungst.passes import Attack

HERE = Path(__file__).parent
PEERS = ("foolbox", "art", "torchattacks")
ROWS, STEPS, TRAINED_AT, WIDE = 500, 40, 0.15, 2.5
SIZES = (0.05, 0.1, 0.15, 0.2, 0.3)
FEWER = (3, 5, 10, 20, 40, 80)
"""Steps of ours that are tried for equal success."""

QUERIES = 500
GOAL = 1.15
"""A step of ours over one by hand."""


@dataclass(frozen=True)
class Peer:
    """Another package in a process of its own."""

    name: str
    folder: Path
    process: "subprocess.Popen[str]"
    versions: dict[str, str]

    @classmethod
    def started(cls, name: str, python: str, folder: Path) -> "Peer":
        """Wait until it can be asked."""
        words = [python, "-P", str(HERE / "adversarial_peers.py"), name, str(folder)]
        single = {f"{kind}_NUM_THREADS": "1" for kind in ("OMP", "OPENBLAS", "MKL")}
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **single}
        )
        assert process.stdout is not None, "its output is piped"
        return cls(name, folder, process, json.loads(process.stdout.readline()))

    def ask(self, network: str, size: float, steps: int) -> tuple[float, FloatArray]:
        """Processor seconds, and the changed inputs as pictures with the channels last."""
        assert self.process.stdin is not None, "its input is piped"
        assert self.process.stdout is not None, "its output is piped"
        out = f"{self.name}.npy"
        order = {"network": network, "size": size, "steps": steps, "out": out}
        print(json.dumps(order), file=self.process.stdin, flush=True)
        spent = json.loads(self.process.stdout.readline())
        return spent, np.load(self.folder / out).transpose(0, 2, 3, 1)

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None, "its input is piped"
        self.process.stdin.close()
        self.process.wait(timeout=30)


@dataclass(frozen=True)
class Row:
    """One network at one size: which rows fell to whom, and the seconds of plain ascent and of the others.

    ``forwards`` are those a row of ours with all steps; ``saved`` is the time by hand, where every row takes all
    steps, over that of ours.
    """

    network: str
    size: float
    ensemble: BoolArray
    plain: BoolArray
    forwards: float
    saved: float
    fell: dict[str, BoolArray]
    seconds: dict[str, tuple[float, float]]
    fewest: dict[str, int]


def network(wide: int, side: int, channels: int) -> torch.nn.Module:
    """Three convolutions and a linear layer."""
    nn, least = torch.nn, (side + 3) // 4
    return nn.Sequential(
        nn.Conv2d(channels, wide, 3, 1, 1), nn.ReLU(), nn.Conv2d(wide, 2 * wide, 3, 2, 1), nn.ReLU(),
        nn.Conv2d(2 * wide, 2 * wide, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(2 * wide * least**2, 10),
    ).eval()  # fmt: skip


def by_hand(net: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, size: float, steps: int) -> torch.Tensor:
    """Projected gradient ascent on the cross-entropy, as one writes it down."""
    at = x
    for _ in range(steps):
        at = at.detach().requires_grad_(True)
        loss = torch.nn.functional.cross_entropy(net(at), y, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, at)
        at = at.detach() + WIDE * size / steps * gradient.sign()
        at = torch.minimum(torch.maximum(at, x - size), x + size).clamp(0, 1)
    return at.detach()


def trained(x: torch.Tensor, y: torch.Tensor, size: float, epochs: int) -> torch.nn.Module:
    """A network for digits; beyond size 0 it sees only attacked pictures (Madry et al. 2018, arXiv:1706.06083)."""
    torch.manual_seed(0)
    net = network(16, 8, 1)
    best, order = torch.optim.Adam(net.parameters(), 2e-3), torch.Generator().manual_seed(0)
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=order).split(128):
            seen = by_hand(net, x[rows], y[rows], size, 7) if size else x[rows]
            best.zero_grad()
            torch.nn.functional.cross_entropy(net(seen), y[rows]).backward()
            best.step()
    return net.requires_grad_(False)


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds of one call."""
    began = time.process_time()
    work()
    return time.process_time() - began


def overhead(repeats: int) -> list[str]:
    """Ten steps of ours over ten by hand, for a small and a middling network."""
    pictures = load_sample_images().images[0][:256, :256].reshape(8, 32, 8, 32, 3).swapaxes(1, 2).reshape(64, 32, 32, 3)
    digits = (load_digits().images[:256, ..., None] / 16).astype(np.float32)
    lines = []
    for name, inputs, wide in (
        ("256 digits of 8 px", digits, 16),
        ("64 pictures of 32 px", (pictures / 255).astype(np.float32), 32),
    ):
        torch.manual_seed(1)
        net = network(wide, inputs.shape[1], inputs.shape[3]).requires_grad_(requires_grad=False)
        model = load_model(net)
        labels = model.predict(inputs).predictions
        x = torch.from_numpy(np.ascontiguousarray(inputs.transpose(0, 3, 1, 2)))
        y = torch.from_numpy(labels)
        ours, hand = [], []
        for _ in range(repeats):
            search = Search.of(model, inputs, labels)
            ours.append(seconds(partial(climb, search, Linf(1e-6), scale_free_cross_entropy, 10)))
            hand.append(seconds(partial(by_hand, net, x, y, 1e-6, 10)))
            assert not search.fell.any(), "nothing falls within a millionth"
            assert (search.forwards == 10).all(), "ten passes each"
        low, ratio, high = np.quantile(np.array(ours) / np.array(hand), (0.25, 0.5, 0.75))
        said = "met" if ratio <= GOAL else "MISSED"
        weights = sum(one.numel() for one in net.parameters())
        spread = f"median of {repeats} pairs, half of them between {low:.3f} and {high:.3f}"
        told = f"{ratio:.3f} (goal {GOAL}: {said}); {spread}"
        lines.append(f"- {name}, {weights:,} weights: ten steps of ours / by hand = {told}")
    return lines


def judged(model: Any, originals: FloatArray, labels: IntArray, inputs: FloatArray, size: float) -> BoolArray:
    """Which rows are wrong after the changes were drawn into the ball: nobody's own word counts."""
    kept = inside(Linf(size), originals, inputs.astype(np.float32))
    return np.asarray(model.predict(kept).predictions != labels)


def plain(model: Any, originals: FloatArray, labels: IntArray, size: float, steps: int) -> Search:
    """Auto-step ascent alone; a row that fell is asked no more."""
    search = Search.of(model, originals, labels)
    climb(search, Linf(size), scale_free_cross_entropy, steps)
    return search


def fell(model: Any, search: Search, size: float) -> BoolArray:
    """Which rows a search broke, asked again."""
    return judged(model, search.originals, search.labels, search.found, size)


def against(name: str, net: torch.nn.Module, batch: Batch, peers: list[Peer], *, repeats: int) -> list[Row]:
    """All sizes for one network."""
    rows, x, y, model = [], batch.inputs, batch.labels, load_model(net)
    found = Attack(Norm("linf", SIZES, steps=STEPS, queries=QUERIES)).run(model, batch)
    first, wanted = torch.from_numpy(x.transpose(0, 3, 1, 2).copy()), torch.from_numpy(y)
    for size in SIZES:
        search = plain(model, x, y, size, STEPS)
        mine, hand = (
            min(seconds(one) for _ in range(repeats))
            for one in (partial(plain, model, x, y, size, STEPS), partial(by_hand, net, first, wanted, size, STEPS))
        )
        theirs, times, fewest = {}, {}, {}
        for peer in peers:
            theirs[peer.name] = judged(model, x, y, peer.ask(name, size, STEPS)[1], size)
            goal = theirs[peer.name].sum()
            met = (one for one in FEWER if fell(model, plain(model, x, y, size, one), size).sum() >= goal)
            fewest[peer.name] = steps = next(met, FEWER[-1])
            spent = [
                (seconds(partial(plain, model, x, y, size, steps)), peer.ask(name, size, STEPS)[0])
                for _ in range(repeats)
            ]
            times[peer.name] = min(one for one, _ in spent), min(one for _, one in spent)
        worst, alone = found.broken & (found.budget <= size), fell(model, search, size)
        passes = float(search.forwards.mean())
        rows.append(Row(name, size, worst, alone, passes, hand / mine, theirs, times, fewest))
    return rows


def tables(rows: list[Row], peers: list[Peer]) -> list[str]:
    """Robust accuracy, time at equal success, and passes spent, in markdown."""
    names = [peer.name for peer in peers]
    lines = [
        f"Robust accuracy ({STEPS} steps each; the ensemble also has targets and {QUERIES} queries):", "",
        f"| network | linf | our ensemble | our ascent alone | {' | '.join([*names, 'broken by them alone'])} |",
        f"|---|---|---|---|{'---|' * (len(names) + 1)}",
    ]  # fmt: skip
    weaker = 0
    for row in rows:
        missed = sum(int((one & ~row.ensemble).sum()) for one in row.fell.values())
        weaker += sum(int(one.sum() > row.ensemble.sum()) for one in row.fell.values())
        shares = [row.ensemble, row.plain, *row.fell.values()]
        cells = [f"{1 - float(one.mean()):.3f}" for one in shares]
        lines.append(f"| {row.network} | {row.size} | {' | '.join(cells)} | {missed} |")
    lines += ["", f"Weaker than a peer: {weaker} of {len(rows) * len(names)} (goal 0).", ""]
    lines += [
        f"Seconds of {STEPS} steps of theirs over seconds of as few of ours as break at least as many (steps of ours):",
        "",
        f"| network | linf | {' | '.join(names)} |",
        f"|---|---|{'---|' * len(names)}",
    ]
    for row in rows:
        cells = [f"{theirs / ours:.1f} ({row.fewest[name]})" for name, (ours, theirs) in row.seconds.items()]
        lines.append(f"| {row.network} | {row.size} | {' | '.join(cells)} |")
    lines += [
        "",
        f"A row that fell is asked no more: passes a row of ours, of {STEPS}; time by hand, without that, over ours:",
        "",
        "| network | linf | passes | time |",
        "|---|---|---|---|",
    ]
    lines += [f"| {row.network} | {row.size} | {row.forwards:.1f} | {row.saved:.2f} |" for row in rows]
    return lines


def pair() -> tuple[dict[str, torch.nn.Module], Batch]:
    """The two networks, and the rows that they are attacked on."""
    digits = load_digits()
    inputs, labels = (digits.images[..., None] / 16).astype(np.float32), digits.target.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(labels))
    test, train = order[:ROWS], order[ROWS:]
    x, y = torch.from_numpy(inputs[train].transpose(0, 3, 1, 2).copy()), torch.from_numpy(labels[train])
    nets = {"clean": trained(x, y, 0.0, 30), "trained against": trained(x, y, TRAINED_AT, 60)}
    return nets, Batch(tuple(map(str, test)), np.arange(ROWS), inputs[test], labels[test])


def main() -> None:
    """Print the tables, and write them if asked to."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--peers", help="python of an environment with the other packages")
    asked.add_argument("--repeats", type=int, default=5)
    asked.add_argument("--write", action="store_true", help="put the tables into benchmarks/results/adversarial.md")
    given: Any = asked.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as made, threadpool_limits(1):
        folder, lines = Path(made), overhead(8 * given.repeats)
        nets, batch = pair()
        np.savez(folder / "rows.npz", inputs=batch.inputs.transpose(0, 3, 1, 2), labels=batch.labels)
        for name, net in nets.items():
            torch.save(net, folder / f"{name}.pt")
        peers = [Peer.started(name, given.peers, folder) for name in PEERS] if given.peers else []
        rows = []
        for name, net in nets.items():
            rows += against(name, net, batch, peers, repeats=given.repeats)
        for peer in peers:
            peer.close()
    own = {"python": platform.python_version(), **{name: version(name) for name in ("torch", "numpy")}}
    sides = {"ours": own, **{peer.name: peer.versions for peer in peers}}
    versions = [f"{name}: {', '.join(f'{one} {said}' for one, said in each.items())}" for name, each in sides.items()]
    text = "\n".join([*lines, "", *tables(rows, peers), "", f"{ROWS} digits, one thread.", *versions]) + "\n"
    print(text)
    if given.write:
        (HERE / "results" / "adversarial.md").write_text(f"# Attacks beside other packages\n\n{text}", "utf-8")


if __name__ == "__main__":
    main()
