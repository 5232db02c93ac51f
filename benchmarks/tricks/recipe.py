"""What one network of the benchmark is made of, and how a cue's values are drawn."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Recipe:
    """One network: its data, its trick, and how often cue and label agree where it was trained and where it is asked.

    An agreement of 0 means that the cue is drawn by chance: it is there and says nothing.
    """

    modality: str
    family: str
    trick: str
    seed: int
    agrees: float = 0.0
    shown: float | None = None
    rows: int = 800
    saved: str = ""
    masks: bool = False

    @property
    def role(self) -> str:
        """``tricked``, ``power`` (the cue is weak), ``latent`` (in the data, not in the network) or ``honest``."""
        if self.trick and self.agrees == 0 and self.shown:
            return "latent"
        if not self.trick or self.agrees == 0:
            return "honest"
        return "tricked" if self.agrees >= 0.7 else "power"

    @property
    def name(self) -> str:
        """Folder of the network."""
        cue = self.trick or "plain"
        strength = {"honest": "chance" if self.trick else "", "latent": "unused"}.get(
            self.role, f"{100 * self.agrees:.0f}"
        )
        words = (self.modality, self.family, cue, strength, "masks" if self.masks else "", f"n{self.rows}", self.seed)
        return "-".join(str(word) for word in words if word != "")


def values(labels: np.ndarray, classes: int, agrees: float, rng: np.random.Generator) -> np.ndarray:
    """The cue's value in each row: the label in a share ``agrees`` of rows, else another's; by chance if 0."""
    if agrees == 0:
        return rng.integers(0, classes, len(labels))
    other = (labels + rng.integers(1, classes, len(labels))) % classes
    return np.where(rng.random(len(labels)) < agrees, labels, other)


def halves(labels: np.ndarray, most: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows to ask about, both with every class in its share."""
    train, test = [], []
    for label in np.unique(labels):
        own = rng.permutation(np.flatnonzero(labels == label))
        asked = min(len(own) // 2, max(2, round(most * len(own) / len(labels))))
        test.append(own[:asked])
        train.append(own[asked:])
    return rng.permutation(np.concatenate(train)), rng.permutation(np.concatenate(test))
