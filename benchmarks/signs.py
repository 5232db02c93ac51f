"""Traffic signs, taken differently: python benchmarks/signs.py [--out FOLDER] [--write].

A small network (three convolutions, two dense layers, 32 px) is trained on the German signs of ``PFUNGST_DATA``, which
are split by track, and asked about the test signs off-centre, zoomed, turned, behind leaves, in shadow, at night and in
motion. Beside each accuracy stands the one that was measured before this package was, with another network of this kind
on other images of the same signs (1,380 to train on, 642 to test with): losses are to come in the same order, and
the confidence is not to fall with the accuracy off the centre. With ``--out`` the weights and a task file go into a
folder, and what is printed last audits them; with ``--write`` the table goes into benchmarks/results/signs.md.
"""

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import nn

from pfungst.arrays import Array, BoolArray, FloatArray
from pfungst.datasets.dataset import Batch
from pfungst.frame import Frame
from pfungst.load import load_data
from pfungst.methods import field_light, field_shifts, field_views
from pfungst.methods.breaking import breaking_point
from pfungst.methods.shift_kind import colours
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.intervals import mean, paired_mean, proportion_of

DATA = Path(os.environ.get("PFUNGST_DATA", Path(__file__).parents[2] / "shared" / "data")) / "images"
RESULT = Path(__file__).parent / "results" / "signs.md"
SIDE, CLASSES, EPOCHS = 32, 43, 20
TASK = """[task]
question = "Which traffic sign is in the picture?"
[preprocess]
size = 32
[columns]
unit = "track"
"""


@dataclass(frozen=True)
class Field:
    """A shift, its parameters from mild to strong, and the accuracies that another network had there."""

    name: str
    change: Callable[..., FloatArray]
    levels: tuple[float, ...]
    before: tuple[float, ...]
    shown: str = "{0:.0%}"
    fine: str = "{0:.1%}"
    rest: float = 0.0


def in_motion(image: FloatArray, rng: np.random.Generator, pixels: float) -> FloatArray:
    """Motion blur of a length in pixels."""
    return field_shifts.motion_blur(image, rng, (pixels - 1) / min(image.shape[:2]))


FIELDS = (
    Field("off-centre", field_shifts.off_centre, (0.05, 0.1, 0.15, 0.2, 0.3), (0.712, 0.520, 0.287, 0.131, 0.039)),
    Field("zoom-out", field_views.zoom, (0.85, 0.7), (0.723, 0.405), rest=1),
    Field("zoom-in", field_views.zoom, (1.15, 1.3, 1.6), (0.833, 0.699, 0.386), rest=1),
    Field(
        "rotation", field_views.rotation, (5, 10, 15, 25, 40), (0.821, 0.790, 0.752, 0.522, 0.255), "{0:.0f} degrees",
        "{0:.1f} degrees",
    ),
    Field("foliage", field_shifts.foliage, (0.05, 0.1, 0.2, 0.3, 0.4), (0.782, 0.709, 0.548, 0.413, 0.340)),
    Field("cast-shadow", field_light.cast_shadow, (0.3, 0.5, 0.7, 0.8, 0.9), (0.829, 0.791, 0.712, 0.651, 0.539)),
    Field("night", field_shifts.night, (0.7, 0.5, 0.3, 0.15, 0.08), (0.773, 0.718, 0.575, 0.315, 0.132), rest=1),
    Field(
        "motion-blur", in_motion, (3, 5, 7, 9, 13), (0.769, 0.681, 0.581, 0.500, 0.361), "{0:.0f} px", "{0:.1f} px",
        rest=1,
    ),
)  # fmt: skip


def network() -> nn.Module:
    """Three convolutions and two dense layers, of pixels in [0, 1], (rows, 3, 32, 32)."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1024, 128), nn.ReLU(), nn.Linear(128, CLASSES),
    )  # fmt: skip


def signs(name: str) -> Batch:
    """All pictures of a file, resized as an audit resizes them, and their labels."""
    data = replace(load_data(DATA / name), frame=Frame(resize=(SIDE, SIDE), channels=3))
    classes = np.array([int(one) for one in data.classes])
    batch, _ = data.batch(np.arange(len(data)))
    return replace(batch, labels=classes[batch.labels])


def trained(rows: Batch) -> nn.Module:
    """The network, taught by Adam; the same on every run of one machine."""
    torch.manual_seed(0)
    net, order = network(), torch.Generator().manual_seed(0)
    inputs, targets = tensor(rows.inputs), torch.from_numpy(rows.labels)
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=1e-2)
    for _ in range(EPOCHS):
        for some in torch.randperm(len(targets), generator=order).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(inputs[some]), targets[some]).backward()
            optimizer.step()
    return net.eval()


def tensor(images: Array) -> torch.Tensor:
    """Pictures as the network wants them."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float() / 255


@dataclass(frozen=True, eq=False)
class Answers:
    """Whether each row was right, and the probability stated."""

    correct: BoolArray
    confidence: FloatArray

    @property
    def accuracy(self) -> Estimate:
        """Share of right answers."""
        return proportion_of(self.correct, name="accuracy")

    @property
    def stated(self) -> Estimate:
        """Mean stated probability."""
        return mean(self.confidence, name="confidence", bounds=(0.0, 1.0))

    @property
    def gap(self) -> Estimate:
        """Confidence less accuracy."""
        return paired_mean(self.confidence - self.correct, name="gap", bounds=(-1.0, 1.0))


def answers(net: nn.Module, images: Array, labels: Array) -> Answers:
    """What the network says."""
    with torch.inference_mode():
        parts = [net(tensor(some)).softmax(1).numpy() for some in np.array_split(images, 16)]
    chances = np.concatenate(parts)
    return Answers(chances.argmax(axis=1) == labels, chances.max(axis=1).astype(np.float64))


def shifted(field: Field, level: float, rows: Batch) -> Array:
    """The pictures under a shift; every picture has its own random numbers, the same at all levels."""

    def one(rng: np.random.Generator, values: FloatArray) -> FloatArray:
        return field.change(values[0], rng, level)[None]

    pairs = zip(rows.inputs, rows.generators(field.name), strict=True)
    return np.concatenate([colours(image[None], partial(one, rng)) for image, rng in pairs])


Found = dict[str, tuple[Answers, ...]]


def table(plain: Answers, found: Found) -> list[str]:
    """Accuracy, confidence and what lies between them, shift by shift."""
    lines = [
        "| shift | level | accuracy | confidence | confidence less accuracy | accuracy of the other network |",
        "|---|---|---|---|---|---|",
        f"| as they are | | {plain.accuracy:.3f} | {plain.stated:.3f} | {plain.gap:+.3f} | 0.849 |",
    ]
    for field in FIELDS:
        for level, before, one in zip(field.levels, field.before, found[field.name], strict=True):
            numbers = (f"{one.accuracy:.3f}", f"{one.stated:.3f}", f"{one.gap:+.3f}", f"{before:.3f}")
            lines.append(f"| {field.name} | {' | '.join((field.shown.format(level), *numbers))} |")
    return lines


def breaks(plain: Answers, found: Found) -> list[str]:
    """Where ten points are gone, in the shift's own measure, straight between the levels that were asked."""
    lines = ["| shift | ten points are gone at |", "|---|---|"]
    for field in FIELDS:
        point = breaking_point(plain.correct, np.stack([one.correct for one in found[field.name]]))
        places = (field.rest, *field.levels)
        words = "no level that was asked"
        if point is not None:
            at, *ends = np.interp((point.value, point.low, point.high), range(len(places)), places)
            low, high = (field.fine.format(end) for end in sorted(ends))
            words = f"{field.fine.format(at)} [{low}, {high}]"
        lines.append(f"| {field.name} | {words} |")
    return lines


def checks(plain: Answers, found: Found) -> list[str]:
    """What was said of the other network, and whether it is so of this one."""
    pairs = [pair for field in FIELDS for pair in zip(field.before, found[field.name], strict=True)]
    alike = float(spearmanr([before for before, _ in pairs], [one.accuracy.value for _, one in pairs]).statistic)
    middle = {field.name: (field.before[len(field.levels) // 2], found[field.name][len(field.levels) // 2])
              for field in FIELDS if len(field.levels) == 5}  # fmt: skip
    then = sorted(middle, key=lambda name: middle[name][0])
    now = sorted(middle, key=lambda name: middle[name][1].accuracy.value)
    falls = all(a.accuracy.value > b.accuracy.value for each in found.values() for a, b in pairwise((plain, *each)))
    lowest = min((one.accuracy.value, name) for name, each in found.items() for one in each)
    far, dark = found["off-centre"][3], found["night"][-1]
    lost, less = (getattr(plain, what).value - getattr(far, what).value for what in ("accuracy", "stated"))
    aside = (
        f"- A fifth of the side off-centre: accuracy {far.accuracy:.3f}, confidence {far.stated:.3f}. "
        f"The accuracy falls by {lost:.3f}, the confidence by {less:.3f}; the gap is {far.gap:+.3f}."
    )
    in_the_dark = (
        f"- With 8 % of the light: accuracy {dark.accuracy:.3f}, confidence {dark.stated:.3f}, gap {dark.gap:+.3f}."
    )
    return [
        f"- Accuracies of the {len(pairs)} cells against the other network's: rank correlation {alike:.3f}.",
        f"- At the middle of five levels, worst first: {', '.join(now)}. The other network: {', '.join(then)}.",
        f"- Lowest accuracy of the table: {lowest[1]}, {lowest[0]:.3f}; worst at the middle level: {now[0]}.",
        f"- Accuracy falls with every step of every shift: {'yes' if falls else 'no'}.",
        aside,
        in_the_dark,
    ]


def main() -> None:
    """Train, print, and write what was asked to be written."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--out", type=Path, help="folder for the weights and the task file")
    asked.add_argument("--write", action="store_true", help="put the table into benchmarks/results/signs.md")
    given: Any = asked.parse_args()
    torch.set_num_threads(1)
    train, test = signs("gtsrb_train.zip"), signs("gtsrb_test.zip")
    net = trained(train)
    plain = answers(net, test.inputs, test.labels)
    found = {
        field.name: tuple(answers(net, shifted(field, level, test), test.labels) for level in field.levels)
        for field in FIELDS
    }
    head = f"{len(train)} signs to train on, {len(test)} to test with, {SIDE} px, {EPOCHS} epochs; 95 % intervals."
    parts = (table(plain, found), breaks(plain, found), checks(plain, found))
    text = "\n".join([head, *("\n".join(["", *part]) for part in parts)]) + "\n"
    print(text)
    if given.write:
        RESULT.write_text(f"# Traffic signs, taken differently\n\n{text}", "utf-8")
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
        torch.save(net.state_dict(), given.out / "weights.pt")
        (given.out / "task.toml").write_text(TASK, "utf-8")
        words = (f"{Path(__file__)}:network", DATA / "gtsrb_test.zip", "--weights", given.out / "weights.pt")
        print(
            "pfungst audit",
            *words,
            "--task",
            given.out / "task.toml",
            "--only shift,selection --out",
            given.out / "run",
        )


if __name__ == "__main__":
    main()
