"""Threats: what an attacker may do, and the staged search for the worst of it. Each stage sees only rows that stand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, ClassVar

import cv2
import numpy as np

from pfungst.arrays import FloatArray, IntArray
from pfungst.attacked import Proposed
from pfungst.datasets.dataset import Batch
from pfungst.errors import InputError
from pfungst.methods.attack_losses import margin, scale_free_cross_entropy, towards
from pfungst.methods.balls import Ball, Linf, balls
from pfungst.methods.cues import unit
from pfungst.methods.decision_attack import decide, donors_of
from pfungst.methods.gradient_attack import Search, climb, inside
from pfungst.methods.square_attack import squares
from pfungst.registry import Registry

STAGES = (
    "withstood", "wrong as it is", "noise", "gradient", "targeted gradient", "random search", "grid",
    "appended words", "misspelled words", "moved columns", "answers alone", "made on a member", "smallest change",
)  # fmt: skip
"""What broke a row, by number."""

WORDS, MISSPELLED, COLUMNS, DECIDED, TRANSFERRED, CLOSEST = 7, 8, 9, 10, 11, 12

RIVALS, AGAIN = 4, 3
"""Runner-up classes that are aimed at in turn, each time from another point of the ball, and how often each at most."""

FLAT, SATURATED, UNSTEADY = 1, 2, 4
"""Signs that a search cannot be trusted: no derivative, a plain loss would have none, two answers to one input."""


threats: Registry[Any] = Registry("threats")


def brought(modality: str) -> tuple[Any, ...]:
    """Threats of other packages for such rows, with the settings they have by themselves."""
    others = [kind for name, kind in threats.items() if threats.source_of(name)]
    return tuple(kind() for kind in others if getattr(kind, "modality", "image") == modality)


@dataclass(eq=False)
class Begun:
    """A search with what each row fell at: its budget and stage; signs that were seen on the way."""

    search: Search
    scores: FloatArray
    budget: FloatArray
    stage: IntArray
    signs: IntArray

    def run(self, size: float, stage: int, search: Callable[[], Any]) -> None:
        """Run a part of the attack, and note what fell to it."""
        stood = ~self.search.fell
        search()
        now = stood & self.search.fell
        self.budget[now], self.stage[now] = size, stage

    def proposed(self) -> Proposed:
        """What is claimed."""
        signs = self.signs | np.where(self.search.flat, FLAT, 0)
        found = np.where(self.search.fell.reshape(-1, 1, 1, 1), self.search.found, self.search.originals)
        return Proposed(found, self.budget, self.stage, self.search.forwards, self.search.backwards, signs)


def begin(model: Any, batch: Batch) -> Begun:
    """The rows as they are: those that are wrong have fallen at budget 0. Rows without a label keep their answer's."""
    originals = unit(batch.inputs)
    first, again = model.predict(originals), model.predict(originals)
    labels = np.where(batch.labels < 0, first.predictions, batch.labels)
    search = Search.of(model, originals, labels)
    search.forwards += 1
    search.keep(np.arange(len(labels)), originals, first.logits)
    spread = np.maximum(np.abs(first.logits).max(axis=1), 1e-12)
    unsteady = np.abs(first.logits - again.logits).max(axis=1) > 1e-4 * spread
    saturated = first.probability_of(labels).astype(np.float32) == 1.0
    signs = np.where(unsteady, UNSTEADY, 0) | np.where(saturated, SATURATED, 0)
    return Begun(
        search, first.logits, np.where(search.fell, 0.0, np.inf), search.fell.astype(np.int64), np.asarray(signs)
    )


def has_gradients(model: Any, originals: FloatArray) -> bool:
    """Whether the scores have a derivative by the inputs at all; a network of hard decisions offers none."""
    if "gradients" not in model.offers:
        return False
    try:
        found = model.linearised(originals[:1])
        found.pulled_back(np.ones_like(found.scores))
    except InputError:
        return False
    return True


@threats
@dataclass(frozen=True)
class Norm:
    """Numbers changed within a ball of a norm, for each of some budgets in ascending order.

    Stages: corners or noise; auto-step gradient ascent on the scale-free cross-entropy; the same ``targets`` times
    towards the runner-up classes in turn, each time from another point drawn in the ball; random search by squares; for
    rows whose scores or derivatives say nothing, search by answers alone. What broke at a smaller budget is broken at
    all larger ones. At ``levels``, budgets nobody asked about, only a short ascent is tried: they draw the curve.
    """

    name: ClassVar[str] = "norm"
    norm: str
    budgets: tuple[float, ...]
    levels: tuple[float, ...] = ()
    steps: int = 100
    targets: int = 9
    queries: int = 1000

    def __call__(self, model: Any, batch: Batch) -> Proposed:
        """All stages at all budgets, smallest first."""
        begun = begin(model, batch)
        steep = has_gradients(model, begun.search.originals)
        for size in sorted({*self.budgets, *self.levels}):
            ball = balls[self.norm](size)
            if steep:
                begun.run(size, 3, partial(climb, begun.search, ball, margin, min(20, self.steps)))
            if size in self.budgets:
                self._searched(batch, begun, ball, steep=steep)
        return begun.proposed()

    def _searched(self, batch: Batch, begun: Begun, ball: Ball, *, steep: bool) -> None:
        search, size = begun.search, ball.size
        begun.run(size, 2, partial(_noise, search, ball, batch))
        if steep:
            begun.run(size, 3, partial(climb, search, ball, scale_free_cross_entropy, self.steps))
            self._targeted(batch, begun, ball)
        begun.run(size, 5, partial(squares, search, ball, self.queries, list(batch.generators((self, size)))))
        if self.norm != "l0":
            begun.run(size, DECIDED, partial(self._decided, batch, begun, ball, steep=steep))

    def _targeted(self, batch: Batch, begun: Begun, ball: Ball) -> None:
        """A row that holds against one class may fall to another, or from elsewhere in the ball."""
        order = np.argsort(-begun.scores, axis=1, kind="stable")
        generators = list(batch.generators((self.norm, ball.size, "start")))
        rivals = min(RIVALS, order.shape[1] - 1)
        for number in range(min(self.targets, AGAIN * rivals)):
            rank = 1 + number % rivals
            start = drawn_in(ball, begun.search, generators)
            begun.run(ball.size, 4, partial(climb, begun.search, ball, towards(order[:, rank]), self.steps, start))

    def _decided(self, batch: Batch, begun: Begun, ball: Ball, *, steep: bool) -> None:
        """Where scores and derivatives lead a search, answers alone lead nowhere further."""
        search = begun.search
        blind = search.flat | search.still | ((begun.signs & UNSTEADY) > 0)
        rows = search.standing if not steep else np.flatnonzero(blind & ~search.fell)
        generators = list(batch.generators((self, ball.size, "answers")))
        donors = donors_of(batch.donors, batch.ids, search.labels)
        decide(search, ball, self.queries, generators, donors, rows=rows)

    def kept_to(self, originals: FloatArray, inputs: FloatArray, budget: FloatArray) -> FloatArray:
        """Drawn into the ball of each row's budget."""
        kept = inputs.copy()
        for size in np.unique(budget[np.isfinite(budget)]):
            rows = budget == size
            kept[rows] = inside(balls[self.norm](float(size)), originals[rows], inputs[rows])
        return kept

    def distance(self, originals: FloatArray, inputs: FloatArray) -> FloatArray:
        """In the norm."""
        return np.asarray(balls[self.norm](1.0).length(inputs - originals), np.float64)


@threats
@dataclass(frozen=True)
class RotationTranslation:
    """Turned and moved over a whole grid; the largest changes come first (Engstrom et al. 2019, arXiv:1712.02779).

    ``degrees`` either way in ``angles`` steps, ``share`` of the side either way in ``shifts`` steps; edges are filled
    with the nearest pixel. A grid and no gradients: first-order search is unreliable here.
    """

    name: ClassVar[str] = "rotation-translation"
    degrees: float = 10.0
    share: float = 0.07
    angles: int = 5
    shifts: int = 5

    @property
    def budgets(self) -> tuple[float, ...]:
        """One: the whole grid."""
        return (1.0,)

    def __call__(self, model: Any, batch: Batch) -> Proposed:
        """Every point of the grid, for rows that stand."""
        begun = begin(model, batch)
        for angle, down, right in self.grid():
            rows = begun.search.standing
            if not len(rows):
                break
            turned = moved(begun.search.originals[rows], angle, down, right)
            begun.run(1.0, 6, partial(begun.search.show, rows, turned))
        return begun.proposed()

    def grid(self) -> list[tuple[float, float, float]]:
        """Angle in degrees and shifts as shares of the sides, largest together first."""
        turns = np.linspace(-1, 1, self.angles)
        moves = np.linspace(-1, 1, self.shifts)
        points = sorted(product(turns, moves, moves), key=lambda point: (-float(np.abs(point).sum()), point))
        return [(a * self.degrees, d * self.share, r * self.share) for a, d, r in points if np.any((a, d, r))]

    def kept_to(self, originals: FloatArray, inputs: FloatArray, budget: FloatArray) -> FloatArray:
        """As they come: they were made from the originals by the grid."""
        del originals, budget
        return inputs

    def distance(self, originals: FloatArray, inputs: FloatArray) -> FloatArray:
        """One: a row falls inside the grid or not."""
        del inputs
        return np.ones(len(originals))


def moved(pictures: FloatArray, degrees: float, down: float, right: float) -> FloatArray:
    """Pictures turned about their centre, then moved by shares of their sides; bilinear, edges continued.

    >>> moved(np.eye(4, dtype=np.float32)[None, :, :, None], 0.0, 0.25, 0.0)[0, 1, 0, 0]
    np.float32(1.0)
    """
    height, width = pictures.shape[1:3]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    turn[:, 2] += (right * width, down * height)
    done = [
        cv2.warpAffine(one, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for one in pictures
    ]
    return np.asarray(np.clip(np.stack(done).reshape(pictures.shape), 0.0, 1.0))


def _noise(search: Search, ball: Ball, batch: Batch, tries: int = 8) -> None:
    """Random corners of the ball, or random directions: what noise breaks no gradient is needed for."""
    generators = list(batch.generators(("noise", ball)))
    for _ in range(tries):
        rows = search.standing
        if not len(rows):
            return
        drawn = np.stack([generators[row].standard_normal(search.originals.shape[1:], np.float32) for row in rows])
        change = ball.size * ball.steepest(drawn)
        search.show(rows, inside(ball, search.originals[rows], search.originals[rows] + change))


def drawn_in(ball: Ball, search: Search, generators: Sequence[np.random.Generator]) -> FloatArray:
    """Points drawn in the ball for rows that stand; the other rows as they are."""
    points = search.originals.copy()
    wide = ball.size if isinstance(ball, Linf) else max(1.0, ball.size)
    for row in search.standing:
        points[row] += wide * (2 * generators[row].random(points.shape[1:], np.float32) - 1)
    return inside(ball, search.originals, points)


@balls
@dataclass(frozen=True)
class Place:
    """Any content in one square of the picture; ``top``, ``left`` and ``side`` are shares of its sides."""

    name: ClassVar[str] = "place"
    top: float
    left: float
    side: float
    size: float = 1.0

    def projected(self, change: FloatArray) -> FloatArray:
        """Nothing outside the square."""
        return np.asarray(change * self._mask(change), np.float32)

    def steepest(self, gradient: FloatArray) -> FloatArray:
        """The signs, inside the square."""
        return np.asarray(np.sign(gradient) * self._mask(gradient), np.float32)

    def length(self, change: FloatArray) -> FloatArray:
        """The largest change of a number."""
        return np.asarray(np.abs(change.reshape(len(change), -1)).max(axis=1), np.float64)

    def _mask(self, like: FloatArray) -> FloatArray:
        height, width = like.shape[1:3]
        top, left = round(self.top * height), round(self.left * width)
        mask = np.zeros((1, height, width, 1), np.float32)
        mask[:, top : top + max(1, round(self.side * height)), left : left + max(1, round(self.side * width))] = 1.0
        return mask


@threats
@dataclass(frozen=True)
class Patch:
    """Any content in a square of a share of the area, at each of nine places (Brown et al. 2017, arXiv:1712.09665)."""

    name: ClassVar[str] = "patch"
    share: float = 0.05
    steps: int = 40
    queries: int = 200

    @property
    def budgets(self) -> tuple[float, ...]:
        """The share of the area."""
        return (self.share,)

    def __call__(self, model: Any, batch: Batch) -> Proposed:
        """Gradient ascent, or random search where there are no gradients, at one place after the other."""
        begun = begin(model, batch)
        steep = has_gradients(model, begun.search.originals)
        for place in self.places():
            if steep:
                begun.run(self.share, 3, partial(climb, begun.search, place, margin, self.steps))
            else:
                generators = list(batch.generators((self, place)))
                begun.run(self.share, 5, partial(squares, begun.search, place, self.queries, generators))
        return begun.proposed()

    def places(self) -> list[Place]:
        """Three by three, from the centre outwards."""
        side = min(1.0, self.share**0.5)
        at = [(1 - side) * share for share in (0.5, 0.0, 1.0)]
        return [Place(top, left, side) for top, left in product(at, at)]

    def kept_to(self, originals: FloatArray, inputs: FloatArray, budget: FloatArray) -> FloatArray:
        """Changed inside the nearest of the places only; the place is the one that holds most of the change."""
        del budget
        change = inputs - originals
        parts = np.stack([place.projected(change) for place in self.places()])
        held = np.abs(parts).sum(axis=(2, 3, 4)).argmax(axis=0)
        kept = parts[held, np.arange(len(held))]
        return np.asarray(np.clip(originals + kept, 0.0, 1.0), np.float32)

    def distance(self, originals: FloatArray, inputs: FloatArray) -> FloatArray:
        """The share of the area: a row falls to such a patch or not."""
        del inputs
        return np.full(len(originals), self.share)
