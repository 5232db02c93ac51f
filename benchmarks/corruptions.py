"""What corrupting pictures costs beside other packages: python benchmarks/corruptions.py --peers PYTHON [--write].

200 crops of 224 px of the two photographs that scikit-learn ships, severity 3, one thread, every corruption of
ImageNet-C, whole pictures in and out as uint8. PYTHON is the interpreter of an environment with imagecorruptions 1.1.2
(which wants numpy < 2, scipy < 1.14 and setuptools < 81) and Albumentations. Ours and theirs take turns on fifty
pictures at a time, and of each fifty the quickest turn counts, by processor time; what takes longer than half a minute
is asked no more. What is made once (tables of Poisson counts, textures of ice) is made before, and said. With
``--write`` the tables go into benchmarks/results.

How much the pictures change, in grey levels, stands beside the published implementation, imagecorruptions. Packages
agree on what a name means only there: Albumentations has other models under some names.
"""

import argparse
import json
import os
import platform
import subprocess
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from sklearn.datasets import load_sample_images
from threadpoolctl import threadpool_limits

from pfungst.arrays import Array
from pfungst.datasets.dataset import Batch
from pfungst.methods.shifts import Shifted, named

HERE = Path(__file__).parent
PEERS = ("imagecorruptions", "albumentations")
PICTURES, SIDE, TURN, LONGEST = 200, 224, 50, 30.0
FAR = 0.05
"""Share by which a change may differ from the published one before it is marked."""


@dataclass(frozen=True)
class Peer:
    """Another package in a process of its own."""

    name: str
    process: "subprocess.Popen[str]"
    versions: dict[str, str]

    @classmethod
    def started(cls, name: str, python: str, pictures: Path) -> "Peer":
        """Wait until it can be asked."""
        words = [python, "-P", str(HERE / "corruptions_peers.py"), name, str(pictures)]
        single = {f"{kind}_NUM_THREADS": "1" for kind in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **single}
        )
        assert process.stdout is not None, "its output is piped"
        return cls(name, process, json.loads(process.stdout.readline()))

    def ask(self, topic: str, first: int, last: int) -> tuple[float, float] | None:
        """Processor seconds for these pictures and by how much they changed; none where it has no such corruption."""
        assert self.process.stdin is not None, "its input is piped"
        assert self.process.stdout is not None, "its output is piped"
        self.process.stdin.write(json.dumps({"topic": topic, "rows": [first, last]}) + "\n")
        self.process.stdin.flush()
        said = json.loads(self.process.stdout.readline())
        return None if said is None else (said["seconds"], said["changed"])

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None, "its input is piped"
        self.process.stdin.close()
        self.process.wait(timeout=30)


@dataclass(frozen=True)
class Measured:
    """Pictures a second and mean absolute change in grey levels."""

    speed: float
    changed: float


def crops(count: int) -> Array:
    """Squares of the two photographs, (count, side, side, 3)."""
    photographs, rng = load_sample_images().images, np.random.default_rng(0)
    made = []
    for number in range(count):
        image = photographs[number % len(photographs)]
        top, left = (int(rng.integers(0, length - SIDE + 1)) for length in image.shape[:2])
        made.append(image[top : top + SIDE, left : left + SIDE])
    return np.stack(made)


def ours(topic: str, batch: Batch, first: int, last: int) -> tuple[float, float]:
    """Processor seconds for these pictures, and by how much they changed."""
    some = batch.take(np.arange(first, last))
    began = time.process_time()
    done = Shifted(topic, 3)(some)
    spent = time.process_time() - began
    return spent, float(np.abs(done.astype(np.int16) - some.inputs).mean())


def measured(topic: str, batch: Batch, peers: list[Peer], repeats: int) -> dict[str, Measured]:
    """All in turn, fifty pictures after fifty."""
    turns = [(at, min(at + TURN, len(batch))) for at in range(0, len(batch), TURN)]
    found: dict[str, dict[tuple[int, int], list[tuple[float, float]]]] = {}
    for _ in range(repeats):
        for turn in turns:
            asked = [peer for peer in peers if _spent(found.get(peer.name, {})) < LONGEST]
            said = {"ours": ours(topic, batch, *turn), **{peer.name: peer.ask(topic, *turn) for peer in asked}}
            for name, one in said.items():
                if one is not None:
                    found.setdefault(name, {}).setdefault(turn, []).append(one)
    return {
        name: Measured(
            sum(last - first for first, last in each) / sum(min(one)[0] for one in each.values()),
            float(np.mean([one[0][1] for one in each.values()])),
        )
        for name, each in found.items()
    }


def _spent(turns: dict[tuple[int, int], list[tuple[float, float]]]) -> float:
    return sum(seconds for turn in turns.values() for seconds, _ in turn)


def once(topic: str, batch: Batch) -> float:
    """Seconds that the first turn took beyond the second of the same pictures."""
    first, second = (ours(topic, batch, 0, min(TURN, len(batch)))[0] for _ in range(2))
    return first - second


Found = dict[str, dict[str, Measured]]
GOALS = {"imagecorruptions": 15, "albumentations": 5}
LEAST = 300
"""Times as quick in the harmonic mean; pictures a second of the slowest of ours."""


def table(found: Found) -> list[str]:
    """A line of markdown for each corruption: pictures a second, ratios, changes."""
    lines = [
        f"| corruption | ours, images/s | {PEERS[0]} | ratio | {PEERS[1]} | ratio | change: ours | {PEERS[0]} |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for topic, each in found.items():
        cells = [topic, f"{each['ours'].speed:.0f}"]
        for name in PEERS:
            there = name in each
            cells += [f"{each[name].speed:.1f}", f"{each['ours'].speed / each[name].speed:.1f}"] if there else ["", ""]
        mine, published = each["ours"].changed, each[PEERS[0]].changed
        mark = " *" if abs(mine - published) > FAR * published else ""
        lines.append(f"| {' | '.join([*cells, f'{mine:.1f}{mark}', f'{published:.1f}'])} |")
    return [*lines, "", f"`*`: changes are more than {FAR:.0%} apart."]


def sums(found: Found) -> list[str]:
    """Harmonic means over what both have, with and without the slowest of theirs; the slowest of ours; the goals."""
    lines = []
    for name, goal in GOALS.items():
        common = [each for each in found.values() if name in each]
        slowest = min((topic for topic in found if name in found[topic]), key=lambda topic: found[topic][name].speed)
        rest = [each for topic, each in found.items() if name in each and topic != slowest]
        for some, said in ((common, f"goal {goal}"), (rest, f"without {slowest}, its slowest")):
            mine, theirs = (len(some) / sum(1 / each[one].speed for each in some) for one in ("ours", name))
            told = f"ours {mine:.0f}, {name} {theirs:.1f}, {mine / theirs:.1f} times"
            lines.append(f"- harmonic mean of {len(some)} ({said}): {told}")
    speed, topic = min((each["ours"].speed, topic) for topic, each in found.items())
    return [*lines, f"- slowest of ours (goal {LEAST}): {topic}, {speed:.0f} images/s"]


def said_of(peers: list[Peer]) -> list[str]:
    """Versions of both sides."""
    own = {name: version(name) for name in ("numpy", "scipy", "opencv-python-headless")}
    sides = {"ours": {"python": platform.python_version(), **own}, **{peer.name: peer.versions for peer in peers}}
    return [f"{name}: {', '.join(f'{one} {said}' for one, said in each.items())}" for name, each in sides.items()]


def main() -> None:
    """Print the tables, and write them if asked to."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--peers", required=True, help="python of an environment with the other packages")
    asked.add_argument("--pictures", type=int, default=PICTURES)
    asked.add_argument("--repeats", type=int, default=3)
    asked.add_argument("--write", action="store_true", help="put the tables into benchmarks/results/corruptions.md")
    given: Any = asked.parse_args()
    cv2.setNumThreads(1)
    pictures, topics = crops(given.pictures), named(("imagenet-c",))
    rows = len(pictures)
    batch = Batch(tuple(map(str, range(rows))), np.arange(rows), pictures, np.zeros(rows, int))
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        file = Path(folder) / "pictures.npy"
        np.save(file, pictures)
        peers = [Peer.started(name, given.peers, file) for name in PEERS]
        ours("contrast", batch, 0, min(TURN, rows))  # memory is had, and nothing is made that others would need
        made = {topic: once(topic, batch) for topic in topics}
        for topic in topics:
            for peer in peers:
                peer.ask(topic, 0, 2)
        found = {topic: measured(topic, batch, peers, given.repeats) for topic in topics}
        versions = said_of(peers)
        for peer in peers:
            peer.close()
    kept = ", ".join(f"{topic} {seconds * 1000:.0f} ms" for topic, seconds in made.items() if seconds > 0.01)
    head = (
        f"{rows} pictures of {SIDE} px, severity 3, one thread; quickest of {given.repeats} turns. Made once: {kept}."
    )
    text = "\n".join([*table(found), "", *sums(found), "", head, *versions]) + "\n"
    print(text)
    if given.write:
        (HERE / "results" / "corruptions.md").write_text(f"# Corruptions beside other packages\n\n{text}", "utf-8")


if __name__ == "__main__":
    main()
