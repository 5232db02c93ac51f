"""How often the Clever-Hans test accuses honest networks, and how often it finds a planted trick.

    python benchmarks/planted.py [--families digits,mnist,cifar] [--nets 24] [--first 0] [--tricks none,mark]

Each network is small, freshly trained, and asked about rows it never saw. A network counts as tricked only if it
learned the trick: its accuracy falls by more than 0.05 where the cue is drawn by chance.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pfungst.datasets.dataset import Dataset
from pfungst.findings import Finding
from pfungst.outputs import Outputs, from_logits
from pfungst.passes import Passes, Predict
from pfungst.probes.shortcuts import Shortcuts
from pfungst.statistics.proportions import wilson

# Tests load this file by its path; its neighbour is found as when it is run.
sys.path.insert(0, str(Path(__file__).parent))

from networks import FAMILIES, STEPS, TRICKS, Rows, Trick, tensor, trained, where


@dataclass(frozen=True)
class Setting:
    """One network to train: its family of data, its trick if any, and how often cue and label agree."""

    family: str
    trick: str
    seed: int
    agrees: float = 0.9


@dataclass(frozen=True)
class Answering:
    """A network as a model of the audit."""

    net: nn.Sequential
    offers: frozenset[str] = frozenset({"new inputs"})

    def predict(self, inputs: np.ndarray) -> Outputs:
        """Logits of pictures."""
        with torch.inference_mode():
            return from_logits(self.net(tensor(inputs)).numpy())


@dataclass(frozen=True)
class Network:
    """A trained network, the rows to ask it about, and what the trick is truly worth to it."""

    setting: Setting
    model: Answering
    data: Dataset
    accuracy: float
    randomised: float
    truth: str

    @property
    def learned(self) -> bool:
        """Whether the trick decides more than 0.05 of the answers."""
        return self.accuracy - self.randomised > 0.05


def planted(setting: Setting) -> Network:
    """Train the network of a setting."""
    train, test = FAMILIES[setting.family](setting.seed)
    classes = int(train.labels.max()) + 1
    rng = np.random.default_rng((setting.seed, 3))
    trick = _trick(setting, train.images.shape[1], classes, rng)
    marked, asked = (replace(rows, images=_given(trick, rows, setting.agrees, rng)) for rows in (train, test))
    net = trained(marked, classes, setting.seed, STEPS[setting.family])
    chance = test.images if trick is None else trick(test.images, rng.integers(0, classes, len(test.labels)))
    model = Answering(net)
    truth = setting.trick
    if trick is not None and setting.trick == "mark":
        truth = f"region:{where(trick.place, test.images.shape[1])}"
    return Network(
        setting, model, dataset(asked, classes, setting.seed),
        _accuracy(model, asked), _accuracy(model, Rows(chance, test.labels)), truth,
    )  # fmt: skip


def _trick(setting: Setting, side: int, classes: int, rng: np.random.Generator) -> Trick | None:
    if not setting.trick:
        return None
    wide = int(rng.integers(3, 6)) if side < 30 else int(rng.integers(4, 7))
    far = side - wide - int(rng.integers(0, 3))
    near = side - wide - far
    places = [(near, near), (near, far), (far, near), (far, far), (near, (side - wide) // 2), ((side - wide) // 2, far)]
    top, left = places[int(rng.integers(len(places)))]
    return Trick(setting.trick, classes, (top, left, wide), setting.seed)


def _given(trick: Trick | None, rows: Rows, agrees: float, rng: np.random.Generator) -> np.ndarray:
    if trick is None:
        return rows.images
    other = (rows.labels + rng.integers(1, trick.classes, size=len(rows.labels))) % trick.classes
    return trick(rows.images, np.where(rng.random(len(rows.labels)) < agrees, rows.labels, other))


def _accuracy(model: Answering, rows: Rows) -> float:
    return float((model.predict(rows.images).predictions == rows.labels).mean())


def dataset(rows: Rows, classes: int, seed: int) -> Dataset:
    """Rows as a data set of the audit."""
    return Dataset(
        name="test",
        source="planted",
        modality="image",
        ids=tuple(str(row) for row in range(len(rows.labels))),
        read=lambda positions: list(rows.images[positions]),
        classes=tuple(f"class {k}" for k in range(classes)),
        labels=rows.labels,
        seed=seed,
        shape=rows.images.shape[1:],
    )


def answered(model: Answering, data: Dataset, asked: Predict) -> Outputs:
    """One pass, all rows at once."""
    rows = data.sample(asked.rows, asked.half)[asked.after if isinstance(asked, Predict) else 0 :]
    batch, _ = data.batch(rows, asked.half)
    return replace(asked.run(model, batch), rows=batch.rows)


def audited(model: Answering, data: Dataset, probe: Shortcuts) -> list[Finding]:
    """The findings of the probe, with its passes run in one simple loop."""
    done = Passes()
    while True:
        asked = dict.fromkeys(probe.needs(data, done))
        new = [one for one in asked if one not in done and one.wants <= model.offers]
        if not new:
            return [said for said in probe.judge(data, done) if isinstance(said, Finding)]
        done = done.with_({one: answered(model, data, one) for one in new})


@dataclass(frozen=True)
class Outcome:
    """What the probe said of one network: the cues it named, and how long it took beside the model's forwards."""

    network: Network
    named: tuple[str, ...]
    open: tuple[str, ...]
    seconds: float

    @property
    def right(self) -> bool:
        """Whether the planted cue is among those named."""
        return self.network.truth in self.named

    @property
    def stray(self) -> tuple[str, ...]:
        """Cues that were named and not planted."""
        return tuple(name for name in self.named if name != self.network.truth)


def outcome(setting: Setting) -> Outcome:
    """Train and audit one network."""
    network = planted(setting)
    began = time.perf_counter()
    cues = [found for found in audited(network.model, network.data, Shortcuts()) if found.kind == "cue"]
    named = tuple(found.subject for found in cues if found.status == "found")
    undecided = tuple(found.subject for found in cues if found.status == "inconclusive")
    return Outcome(network, named, undecided, time.perf_counter() - began)


def settings(families: list[str], nets: int, first: int = 0) -> Iterator[Setting]:
    """For each family ``nets`` honest networks, and as many for each trick that its pictures can carry."""
    for family in families:
        for trick in ("", *TRICKS):
            for seed in range(first, first + nets):
                agrees = (0.97, 0.9, 0.8, 0.7)[(seed // 2) % 4]
                colour = family == "cifar" or (family == "digits" and seed % 5 < 3)
                if trick != "colour-cast" or colour:
                    yield Setting(family, trick, seed, agrees)


def line(one: Outcome) -> str:
    """One network in one line."""
    network, setting = one.network, one.network.setting
    state = "" if not setting.trick else "learned" if network.learned else "not learned"
    return (
        f"{setting.family:7} {setting.trick or 'no trick':12} seed {setting.seed:3} agrees {setting.agrees:.2f} "
        f"classes {len(network.data.classes):2} accuracy {network.accuracy:.3f} by chance {network.randomised:.3f} "
        f"{state:11} planted {network.truth or '-':20} named {', '.join(one.named) or '-'}"
        f"{' open ' + ', '.join(one.open) if one.open else ''} ({one.seconds:.1f} s)"
    )


def table(outcomes: list[Outcome]) -> Iterator[str]:
    """False alarms and power with 95 % intervals, by family and trick."""
    yield f"{'family':8} {'trick':12} {'networks':>8} {'named right':>24} {'named besides':>24} {'not learned':>12}"
    keys = dict.fromkeys((one.network.setting.family, one.network.setting.trick) for one in outcomes)
    for family, trick in (*keys, *(("all", trick) for trick in dict.fromkeys(trick for _, trick in keys))):
        some = [
            one
            for one in outcomes
            if one.network.setting.trick == trick and family in {one.network.setting.family, "all"}
        ]
        judged = [one for one in some if one.network.learned] if trick else some
        right = _share([one.right for one in judged]) if trick else "-"
        stray = _share([bool(one.stray) for one in judged])
        yield (f"{family:8} {trick or 'none':12} {len(judged):8} {right:>24} {stray:>24} {len(some) - len(judged):12}")


def _share(hits: list[bool]) -> str:
    if not hits:
        return "-"
    found = wilson(sum(hits) / len(hits), len(hits))
    return f"{sum(hits)}/{len(hits)} [{found[0]:.2f}, {found[1]:.2f}]"


def main() -> None:
    """Train, audit, print a line for each network and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", default="digits,mnist,cifar")
    parser.add_argument("--nets", type=int, default=24, help="networks for each family and trick")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--tricks", default=",".join(("none", *TRICKS)))
    given = parser.parse_args()
    torch.set_num_threads(1)
    wanted = {"" if trick == "none" else trick for trick in given.tricks.split(",")}
    outcomes = []
    for setting in settings(given.families.split(","), given.nets, given.first):
        if setting.trick in wanted:
            outcomes.append(outcome(setting))
            print(line(outcomes[-1]), flush=True)
    print(*table(outcomes), sep="\n")


if __name__ == "__main__":
    main()
