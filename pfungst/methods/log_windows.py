"""Windows of a deployment log: how far each has moved from the audited rows, and how far one can tell."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.errors import InputError
from pfungst.methods.accuracy_estimates import asked_about, estimated, spread
from pfungst.methods.label_shift import label_shift
from pfungst.methods.two_sample import black_box_shift_detection, classifier_two_sample_test
from pfungst.outputs import Outputs
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.intervals import proportion_of

ROWS = 1000
"""Rows of each side that the slower tests look at."""

FEWEST = 50
CATEGORIES = 50
LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class Reference:
    """Answers to the audited rows with their labels (-1: none), and the columns of the log's first window.

    ``doubts`` are findings of the audit that make estimates without labels untrustworthy, in words.
    """

    outputs: Outputs
    labels: IntArray
    classes: tuple[str, ...]
    columns: Mapping[str, Array] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()

    @property
    def known(self) -> tuple[int, int]:
        """Errors and rows among those with a label."""
        has = self.labels >= 0
        return int((self.outputs.predictions != self.labels)[has].sum()), int(has.sum())


class Test(msgspec.Struct, frozen=True):
    """A test of two samples: effect, p-value, and the effect it would find in four of five cases."""

    effect: float
    p_value: float
    detectable: float


class Window(msgspec.Struct, frozen=True):
    """What is known of some consecutive rows of a log; ``mark`` is a hash of their answers.

    ``answers`` and ``columns`` are Kolmogorov-Smirnov distances; ``errors`` is of the ``labelled`` rows. ``known`` says
    which rows these are, a bit a row, and ``truth`` is a hash of their labels.
    """

    number: int
    rows: tuple[int, int]
    between: tuple[str, str]
    mark: str
    confidence: float
    answers: Estimate
    test: Test
    columns: dict[str, Estimate]
    joint: Test | None
    labelled: int
    errors: int
    known: bytes
    truth: str
    accuracy: Estimate | None
    expected: Estimate | None


class Outcomes(msgspec.Struct, frozen=True):
    """Labels of a window that came at one time: of so many rows, of which so many are errors."""

    window: int
    labelled: int
    errors: int


@dataclass(frozen=True, eq=False)
class LogRows:
    """Consecutive rows of a log in the order of time; ``units`` are not independent, ``times`` are words."""

    outputs: Outputs
    labels: IntArray
    columns: Mapping[str, Array]
    times: tuple[str, str]
    first: int
    units: Array | None = None

    @property
    def mark(self) -> str:
        """Hash of the answers."""
        return _hash(self.outputs.logits)

    @property
    def known(self) -> bytes:
        """Which rows have a label, a bit a row."""
        return np.packbits(self.labels >= 0).tobytes()

    def truth(self, known: bytes) -> str:
        """Hash of the labels of these rows."""
        rows = np.unpackbits(np.frombuffer(known, np.uint8), count=len(self.labels)).astype(bool)
        return _hash(self.labels[rows].astype(np.int64))


def judged_window(reference: Reference, rows: LogRows, number: int, seed: int = 0) -> Window:
    """Compare a window with the reference.

    Intervals of distances hold for all classes, and for all columns, of a window together (Bonferroni); the bands are
    those of Dvoretzky, Kiefer and Wolfowitz with Massart's constant, of both samples. Of a unit its first row counts.

    Raises:
        InputError: if there are fewer than 50 rows, or units.
    """
    alone = _first_of_units(rows.units, len(rows.labels))
    if min(len(alone), len(reference.labels)) < FEWEST:
        raise InputError(
            f"window {number} has {len(alone)} rows (of different units) and the reference {len(reference.labels)}; "
            f"{FEWEST} of each are the least that say anything; give larger windows: --window N"
        )
    old, new = reference.outputs.probabilities, rows.outputs.take(alone).probabilities
    distances = {name: _distance(a, b) for name, a, b in zip(reference.classes, old.T, new.T, strict=True)}
    name = max(distances, key=lambda one: distances[one])
    size = (len(old), len(new))
    some = _sample(len(rows.labels), number, seed)
    few = _sample(len(reference.labels), 0, seed)
    units = None if rows.units is None else rows.units[some]
    found = black_box_shift_detection(old[few], rows.outputs.probabilities[some], None, units, seed=seed)
    has = rows.labels >= 0
    correct = (rows.outputs.predictions == rows.labels)[has]
    held = None if rows.units is None else rows.units[has]
    return Window(
        number=number,
        rows=(rows.first, rows.first + len(rows.labels) - 1),
        between=rows.times,
        mark=rows.mark,
        confidence=float(rows.outputs.confidence.mean()),
        answers=_banded(f"distance of the stated {name}", distances[name], size, LEVEL / len(distances)),
        test=Test(found.effect, found.p_value, found.detectable),
        columns=_columns(reference, rows, alone),
        joint=_joint(reference, rows, some, seed),
        labelled=int(has.sum()),
        errors=int((~correct).sum()),
        known=rows.known,
        truth=rows.truth(rows.known),
        accuracy=proportion_of(correct, held, "accuracy") if has.sum() >= FEWEST else None,
        expected=_expected(reference, rows, some, seed),
    )


def arrived(before: Window | None, now: Window) -> Outcomes | None:
    """The labels of a window that it did not have when it was judged before; None if there are no new ones."""
    labelled = now.labelled - (before.labelled if before else 0)
    return Outcomes(now.number, labelled, now.errors - (before.errors if before else 0)) if labelled else None


def shares_of_classes(reference: Reference, rows: LogRows, seed: int = 0) -> tuple[str, float, Estimate, float] | None:
    """The class whose estimated share moved most: name, share before, estimated share now, p of the assumption."""
    known = np.flatnonzero(reference.labels >= 0)[: 2 * ROWS]
    some = _sample(len(rows.labels), 0, seed)
    units = (None, None if rows.units is None else rows.units[some])
    labels = reference.labels[known]
    try:
        found = label_shift(
            reference.outputs.take(known), labels, rows.outputs.take(some), reference.classes, units, seed=seed
        )
    except InputError:
        return None
    before = np.bincount(labels, minlength=len(reference.classes)) / len(labels)
    most = int(np.argmax(np.abs(np.array([one.value for one in found.inverted]) - before)))
    return reference.classes[most], float(before[most]), found.inverted[most], found.assumption


def measurable(columns: Mapping[str, Array], left_out: frozenset[str]) -> dict[str, Array]:
    """Columns that can be compared: numbers, and words of at most 50 kinds."""
    kept = {}
    for name, values in columns.items():
        if name in left_out:
            continue
        whole = np.asarray(values)
        kinds = len(np.unique(whole.astype(str)[: 20 * ROWS])) if whole.dtype.kind in "OU" else 2
        if whole.ndim == 1 and whole.dtype.kind in "fiubOU" and 1 < kinds <= CATEGORIES:
            kept[name] = whole
    return kept


def _hash(values: Array) -> str:
    return hashlib.blake2b(np.ascontiguousarray(values).tobytes(), digest_size=8).hexdigest()


def _columns(reference: Reference, rows: LogRows, alone: IntArray) -> dict[str, Estimate]:
    shared = [name for name in rows.columns if name in reference.columns]
    found = {}
    for name in shared:
        old, new = _comparable(reference.columns[name], rows.columns[name][alone])
        if min(len(old), len(new)) >= FEWEST:
            found[name] = _banded(f"distance of {name}", _distance(old, new), (len(old), len(new)), LEVEL / len(shared))
    return found


def _comparable(old: Array, new: Array) -> tuple[FloatArray, FloatArray]:
    """Numbers that are known; words as their place in the alphabet of both."""
    if old.dtype.kind in "OU" or new.dtype.kind in "OU":
        _, codes = np.unique(np.concatenate([old.astype(str), new.astype(str)]), return_inverse=True)
        return codes[: len(old)].astype(np.float64), codes[len(old) :].astype(np.float64)
    numbers = old.astype(np.float64), new.astype(np.float64)
    return numbers[0][np.isfinite(numbers[0])], numbers[1][np.isfinite(numbers[1])]


def _distance(first: Array, second: Array) -> float:
    """Largest difference of the two cumulative distributions."""
    a, b = np.sort(first), np.sort(second)
    both = np.concatenate([a, b])
    below = np.searchsorted(a, both, side="right") / len(a) - np.searchsorted(b, both, side="right") / len(b)
    return float(np.abs(below).max())


def _banded(name: str, distance: float, size: tuple[int, int], level: float) -> Estimate:
    wide = float(np.sqrt(np.log(4 / level) / 2) * (1 / np.sqrt(size[0]) + 1 / np.sqrt(size[1])))
    low, high = max(0.0, distance - wide), min(1.0, distance + wide)
    return Estimate(name=name, value=distance, low=low, high=high, rows=size[1], level=1 - LEVEL)


def _joint(reference: Reference, rows: LogRows, some: IntArray, seed: int) -> Test | None:
    """Whether a classifier on all columns of numbers tells the window from the first."""
    names = [name for name in rows.columns if name in reference.columns and rows.columns[name].dtype.kind in "fiub"]
    if not names:
        return None
    old = np.column_stack([reference.columns[name] for name in names]).astype(np.float64)
    new = np.column_stack([rows.columns[name][some] for name in names]).astype(np.float64)
    old = old[_sample(len(old), 0, seed)]
    old, new = (part[np.isfinite(part).all(axis=1)] for part in (old, new))
    if rows.units is not None or min(len(old), len(new)) < FEWEST:
        return None
    found = classifier_two_sample_test(old, new, seed=seed)
    return Test(found.effect, found.p_value, found.detectable)


def _expected(reference: Reference, rows: LogRows, some: IntArray, seed: int) -> Estimate | None:
    known = np.flatnonzero(reference.labels >= 0)
    if len(known) < FEWEST:
        return None
    known = known[_sample(len(known), 0, seed)][: ROWS // 2]
    units = (None, None if rows.units is None else rows.units[some][: ROWS // 2])
    new = rows.outputs.take(some[: ROWS // 2])
    asked = asked_about(reference.outputs.take(known), reference.labels[known], new, units=units)
    return spread(estimated(asked, draws=100, seed=seed))


def _sample(rows: int, number: int, seed: int) -> IntArray:
    if rows <= ROWS:
        return np.arange(rows)
    return np.sort(np.random.default_rng((seed, number)).choice(rows, ROWS, replace=False))


def _first_of_units(units: Array | None, rows: int) -> IntArray:
    return np.arange(rows) if units is None else np.sort(np.unique(np.asarray(units).astype(str), return_index=True)[1])
