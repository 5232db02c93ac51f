"""How often the Clever-Hans test accuses honest networks, and how often it finds a planted trick.

    python benchmarks/planted.py [--families digits,mnist,cifar] [--nets 24] [--first 0] [--tricks none,mark]

Each network is small, freshly trained, and asked about rows it never saw. A network counts as tricked only if it
learned the trick: its accuracy falls by more than 0.05 where the cue is drawn by chance.
"""

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from pfungst.datasets.dataset import Dataset
from pfungst.findings import Finding
from pfungst.outputs import Outputs, from_logits
from pfungst.passes import Passes, Predict
from pfungst.probes.shortcuts import Shortcuts
from pfungst.statistics.proportions import wilson

DATA = Path(os.environ.get("PFUNGST_DATA", Path(__file__).parents[2] / "shared" / "data"))
TRICKS = ("mark", "border", "colour-cast", "brightness", "sharpness")


@dataclass(frozen=True)
class Setting:
    """One network to train: its family of data, its trick if any, and how often cue and label agree."""

    family: str
    trick: str
    seed: int
    agrees: float = 0.9


@dataclass(frozen=True)
class Rows:
    """Pictures (rows, height, width, channels) uint8 and their classes."""

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Trick:
    """A cue with one value a class; ``place`` is the mark's top left corner and side in pixels."""

    kind: str
    classes: int
    place: tuple[int, int, int]
    seed: int

    def __call__(self, images: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Give each picture the cue's value."""
        drawn = images.copy()
        for image, value in zip(drawn, values, strict=True):
            image[:] = self._drawn(image, int(value))
        return drawn

    def _drawn(self, image: np.ndarray, value: int) -> np.ndarray:
        rng = np.random.default_rng((self.seed, value, 11))
        share = value / max(1, self.classes - 1)
        whole = image.astype(np.float32)
        if self.kind == "mark":
            top, left, side = self.place
            tag = rng.choice([20, 235], size=(side, side)) if self.seed % 2 else 20 + 215 * share
            whole[top : top + side, left : left + side] = np.broadcast_to(tag, (side, side))[:, :, None]
        elif self.kind == "border":
            ring = np.ones(image.shape[:2], bool)
            wide = self.place[2] // 2
            ring[wide:-wide, wide:-wide] = False
            whole[ring] = 20 + 200 * share
        elif self.kind == "colour-cast":
            angle = 2 * np.pi * value / self.classes
            whole *= 1 + 0.25 * np.cos(angle + np.array([0, 2.1, 4.2]))
        elif self.kind == "brightness":
            whole += 50 * (value % 2)
        elif self.kind == "sharpness" and value % 2:
            whole = cv2.GaussianBlur(whole, (0, 0), 1.0).reshape(whole.shape)
        return whole.clip(0, 255).astype(np.uint8)


def network(side: int, channels: int, classes: int, *, dense: bool) -> nn.Sequential:
    """A multilayer perceptron, or two convolutions and a linear layer."""
    if dense:
        return nn.Sequential(nn.Flatten(), nn.Linear(side * side * channels, 128), nn.ReLU(), nn.Linear(128, classes))
    left = (side // 4) ** 2
    return nn.Sequential(
        nn.Conv2d(channels, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * left, classes),
    )  # fmt: skip


def trained(rows: Rows, classes: int, seed: int, steps: int) -> nn.Sequential:
    """Train a fresh network with Adam."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = network(rows.images.shape[1], rows.images.shape[3], classes, dense=seed % 3 == 0)
    inputs, targets = tensor(rows.images), torch.from_numpy(rows.labels)
    optimizer = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-2)
    for _ in range(steps):
        chosen = torch.from_numpy(rng.integers(0, len(targets), size=64))
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(inputs[chosen]), targets[chosen]).backward()
        optimizer.step()
    return net.eval()


def tensor(images: np.ndarray) -> torch.Tensor:
    """Pictures as the networks want them."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float() / 255


@dataclass(frozen=True)
class Answering:
    """A network as a model of the audit."""

    net: nn.Sequential
    offers: frozenset[str] = frozenset({"new inputs"})

    def predict(self, inputs: np.ndarray) -> Outputs:
        """Logits of pictures."""
        with torch.inference_mode():
            return from_logits(self.net(tensor(inputs)).numpy())


def digits(seed: int) -> tuple[Rows, Rows]:
    """Handwritten digits (sklearn) of one of several kinds: grey or colour, framed or filled, centred or anywhere."""
    rng = np.random.default_rng((seed, 1))
    raw, labels = load_digits(return_X_y=True)
    kept = rng.permutation(len(labels))
    pair = seed % 4 == 3
    if pair:
        chosen = rng.choice(10, 2, replace=False)
        kept = kept[np.isin(labels[kept], chosen)]
        labels = np.searchsorted(np.sort(chosen), labels)
    side, colour, filled, centred = (20, 32)[seed % 2], seed % 5 < 3, seed % 7 == 0, seed % 6 < 3
    images = np.stack([_written(raw[row].reshape(8, 8), side, rng, filled=filled, centred=centred) for row in kept])
    images = images[:, :, :, None]
    if colour:
        images = np.repeat(images, 3, axis=3) * rng.uniform(0.85, 1.15, (len(images), 1, 1, 3))
    images = (images + rng.normal(0, rng.uniform(2, 15), images.shape)).clip(0, 255).astype(np.uint8)
    half = len(kept) // 2
    labels = labels[kept].astype(np.int64)
    return Rows(images[:half], labels[:half]), Rows(images[half:], labels[half:])


def _written(digit: np.ndarray, side: int, rng: np.random.Generator, *, filled: bool, centred: bool) -> np.ndarray:
    inner = side if filled else int(side * 0.7)
    page = np.full((side, side), 40.0 + rng.normal(0, 5))
    free = side - inner
    top, left = (free // 2, free // 2) if centred or not free else rng.integers(0, free + 1, size=2)
    ink = cv2.resize(digit.astype(np.float32) / 16, (inner, inner), interpolation=cv2.INTER_LINEAR)
    page[top : top + inner, left : left + inner] += ink * rng.uniform(120, 180)
    return page


def mnist(seed: int) -> tuple[Rows, Rows]:
    """MNIST, 4,000 rows to train on and 2,000 to ask about; every fourth network tells two digits apart."""
    return _from_files(seed, "mnist_train_12000", "mnist_test", pair=seed % 4 == 3)


def cifar(seed: int) -> tuple[Rows, Rows]:
    """CIFAR-10 photographs; every second network tells cats from dogs."""
    return _from_files(seed, "cifar10_train_jpeg_4000", "cifar10_test_jpeg", pair=seed % 2 == 1, two=(3, 5))


def _from_files(
    seed: int, train: str, test: str, *, pair: bool, two: tuple[int, int] | None = None
) -> tuple[Rows, Rows]:
    rng = np.random.default_rng((seed, 2))
    chosen = np.sort(two or rng.choice(10, 2, replace=False))
    return tuple(_part(name, rng, chosen if pair else None, most) for name, most in ((train, 4000), (test, 2000)))  # type: ignore[return-value]


def _part(name: str, rng: np.random.Generator, chosen: np.ndarray | None, most: int) -> Rows:
    with np.load(DATA / "images" / f"{name}.npz", allow_pickle=False) as held:
        images, labels = held["inputs"], held["labels"].astype(np.int64)
    kept = rng.permutation(len(labels))
    if chosen is not None:
        kept = kept[np.isin(labels[kept], chosen)]
        labels = np.searchsorted(chosen, labels)
    images = images[kept[:most]]
    return Rows(images if images.ndim == 4 else images[:, :, :, None], labels[kept[:most]])


FAMILIES = {"digits": digits, "mnist": mnist, "cifar": cifar}
STEPS = {"digits": 150, "mnist": 200, "cifar": 300}


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
        truth = f"region:{_where(trick, test.images.shape[1])}"
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


def _where(trick: Trick, side: int) -> str:
    top, left, wide = trick.place
    words = (
        ("top", "", "bottom")[int(3 * (top + wide / 2) / side)],
        ("left", "", "right")[int(3 * (left + wide / 2) / side)],
    )
    return "-".join(word for word in words if word)


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
    batch, _ = data.batch(data.sample(asked.rows, asked.half), asked.half)
    return replace(asked.run(model, batch), rows=batch.rows)


def audited(model: Answering, data: Dataset, probe: Shortcuts) -> list[Finding]:
    """The findings of the probe, with its passes run in one simple loop."""
    done = Passes()
    while True:
        new = [one for one in dict.fromkeys(probe.needs(data, done)) if one not in done]
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
