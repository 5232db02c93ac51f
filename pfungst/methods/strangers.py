"""Strangers made of the test rows themselves, for an audit to which nobody brought any."""

from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.datasets.dataset import Batch
from pfungst.errors import InputError
from pfungst.methods.shift_kind import colours
from pfungst.registry import Registry

strangers: Registry[Any] = Registry("strangers")

LETTERS = "ABCDEFGHJKLMNPQRTUVWXYZ"
"""Letters that are drawn: none that looks like a digit."""


@strangers
@dataclass(frozen=True)
class PatchShuffled:
    """The picture cut into 4 x 4 pieces, which change places: its texture and colours, and no object."""

    topic: ClassVar[str] = "patch-shuffled"
    modality: ClassVar[str] = "image"
    pieces: int = 4

    @property
    def name(self) -> str:
        """What was done."""
        return f"cut into {self.pieces} x {self.pieces} pieces and shuffled"

    def __call__(self, batch: Batch) -> Array:
        """The shuffled rows; what does not fill a piece stays where it is."""
        across = max(1, min(self.pieces, *batch.inputs.shape[1:3]))
        high, wide = (side // across for side in batch.inputs.shape[1:3])
        corners = [(row * high, column * wide) for row in range(across) for column in range(across)]
        done = batch.inputs.copy()
        for image, out, rng in zip(batch.inputs, done, batch.generators(self.topic), strict=True):
            order = rng.permutation(len(corners))
            # Each piece takes the place of the next one in a random circle, so that none stays where it was.
            for (top, left), (y, x) in zip(
                (corners[i] for i in order), (corners[i] for i in np.roll(order, 1)), strict=True
            ):
                out[top : top + high, left : left + wide] = image[y : y + high, x : x + wide]
        return done


@strangers
@dataclass(frozen=True)
class PhaseRandomised:
    """The picture's own spectrum and colours with random phases: a cloud with its coarseness, and no object."""

    topic: ClassVar[str] = "phase-randomised"
    modality: ClassVar[str] = "image"

    @property
    def name(self) -> str:
        """What was done."""
        return "phases of the spectrum drawn at random"

    def __call__(self, batch: Batch) -> Array:
        """The clouds; all channels of a row are turned by the same phases, so that its colours stay."""

        def turn(values: FloatArray) -> FloatArray:
            done = np.empty_like(values)
            for image, out, rng in zip(values, done, batch.generators(self.topic), strict=True):
                noise = np.fft.rfft2(rng.standard_normal(image.shape[:2]))
                phase = noise / np.maximum(np.abs(noise), 1e-12)
                phase[0, 0] = 1
                spectrum = np.fft.rfft2(image.astype(np.float64), axes=(0, 1)) * phase[..., None]
                out[:] = np.fft.irfft2(spectrum, image.shape[:2], axes=(0, 1))
            return done

        return colours(batch.inputs, turn)


@strangers
@dataclass(frozen=True)
class WhiteNoise:
    """Every value of the picture drawn at random, all alike likely."""

    topic: ClassVar[str] = "white-noise"
    modality: ClassVar[str] = "image"

    @property
    def name(self) -> str:
        """What was done."""
        return "white noise"

    def __call__(self, batch: Batch) -> Array:
        """The noise."""
        return _made(batch, self.topic, lambda rng, shape: rng.random(shape, np.float32))


@strangers
@dataclass(frozen=True)
class Magnified:
    """A place of an eighth of the picture's sides, blown up to fill it: what another scale of the world looks like."""

    topic: ClassVar[str] = "magnified"
    modality: ClassVar[str] = "image"
    share: float = 0.125

    @property
    def name(self) -> str:
        """What was done."""
        return f"{self.share:.3g} of the sides, blown up"

    def __call__(self, batch: Batch) -> Array:
        """The magnified rows."""
        height, width = batch.inputs.shape[1:3]
        high, wide = (min(side, max(3, round(self.share * side))) for side in (height, width))
        done = np.empty_like(batch.inputs)
        for image, out, rng in zip(batch.inputs, done, batch.generators(self.topic), strict=True):
            top, left = int(rng.integers(0, height - high + 1)), int(rng.integers(0, width - wide + 1))
            place = np.ascontiguousarray(image[top : top + high, left : left + wide])
            out[:] = cv2.resize(place, (width, height), interpolation=cv2.INTER_LINEAR).reshape(image.shape)
        return done


@strangers
@dataclass(frozen=True)
class FlatColour:
    """One colour, drawn at random, and nothing else."""

    topic: ClassVar[str] = "flat-colour"
    modality: ClassVar[str] = "image"

    @property
    def name(self) -> str:
        """What was done."""
        return "one flat colour"

    def __call__(self, batch: Batch) -> Array:
        """The flat rows."""
        return _made(batch, self.topic, lambda rng, shape: np.broadcast_to(rng.random(shape[2], np.float32), shape))


@strangers
@dataclass(frozen=True)
class PrintedWords:
    """Three lines of random letters on a page: a text, and no object."""

    topic: ClassVar[str] = "printed-words"
    modality: ClassVar[str] = "image"

    @property
    def name(self) -> str:
        """What was done."""
        return "lines of random letters"

    def __call__(self, batch: Batch) -> Array:
        """The pages, in two colours drawn at random."""
        return _made(batch, self.topic, _page)


def _page(rng: np.random.Generator, shape: tuple[int, int, int]) -> FloatArray:
    height, width, channels = shape
    ink = np.zeros((96, 96), np.uint8)
    for line in range(3):
        word = "".join(LETTERS[i] for i in rng.integers(0, len(LETTERS), 5))
        cv2.putText(ink, word, (2, 28 + 30 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.85, 255, 2, cv2.LINE_AA)
    written = cv2.resize(ink, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)[..., None] / 255
    paper, pen = rng.random(channels, np.float32), rng.random(channels, np.float32)
    pen = np.where(np.abs(pen - paper).max() < 0.5, 1 - np.round(paper), pen).astype(np.float32)
    return np.asarray(paper + written * (pen - paper))


def _made(batch: Batch, owner: str, make: Any) -> Array:
    def draw(values: FloatArray) -> FloatArray:
        done = np.empty_like(values)
        for out, rng in zip(done, batch.generators(owner), strict=True):
            out[:] = make(rng, out.shape)
        return done

    return colours(batch.inputs, draw)


@strangers
@dataclass(frozen=True)
class ColumnsShuffled:
    """Each column of a table from another row: every value is usual, their company is not."""

    topic: ClassVar[str] = "columns-shuffled"
    modality: ClassVar[str] = "table"

    @property
    def name(self) -> str:
        """What was done."""
        return "every column from another row"

    def __call__(self, batch: Batch) -> Array:
        """The rows put together from others.

        Raises:
            InputError: if the rows carry no labels, so that there is nobody to take values from.
        """
        if batch.donors is None:
            raise InputError("columns were to be shuffled among rows that carry no labels; give labels")
        bank, done = batch.donors.inputs, batch.inputs.copy()
        for out, rng in zip(done, batch.generators(self.topic), strict=True):
            out[:] = bank[rng.integers(0, len(bank), len(out)), np.arange(len(out))]
        return done


@strangers
@dataclass(frozen=True)
class LettersShuffled:
    """The letters of each word in another order: no word of any language, so nothing that a class could mean."""

    topic: ClassVar[str] = "letters-shuffled"
    modality: ClassVar[str] = "text"

    @property
    def name(self) -> str:
        """What was done."""
        return "letters of every word shuffled"

    def __call__(self, batch: Batch) -> Array:
        """The rows of nonsense words."""
        done = np.empty_like(batch.inputs)
        for at, rng in enumerate(batch.generators(self.topic)):
            words = str(batch.inputs[at]).split(" ")
            done[at] = " ".join("".join(rng.permutation(list(word))) if word else word for word in words)
        return done
