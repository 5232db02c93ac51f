"""Hypotheses: what made each cue a suspect. Whatever proposes a cue, only an intervention on other rows convicts it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import BoolArray, FloatArray, IntArray
from pfungst.datasets.dataset import Dataset
from pfungst.maps import Maps
from pfungst.methods.cues import Cue, measured
from pfungst.methods.opportunity import discriminant, folds_of
from pfungst.methods.places import Border, Region
from pfungst.methods.regions import likeness
from pfungst.methods.slices import by_columns
from pfungst.methods.standing import tells, units_of

GATHERED = 0.2
"""Overlap (intersection over union) from which a place and a gathering of attributions are the same."""

DENSER = 1.5
"""How many times its share of the picture a border's share of the attribution must be."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What the model did on the discovery rows: which rows it got wrong, and where its attributions lie."""

    rows: IntArray
    wrong: BoolArray
    maps: Maps | None
    gathered: tuple[Region, ...]


@dataclass(frozen=True)
class Hypothesis:
    """A cue, and why it was looked at."""

    cue: Cue
    sources: tuple[str, ...]


def hypothesis(data: Dataset, cue: Cue, seen: Seen, *, stated: bool) -> Hypothesis:
    """Everything that speaks for looking at a cue."""
    return Hypothesis(cue, tuple(_sources(data, cue, seen, stated=stated)))


def _sources(data: Dataset, cue: Cue, seen: Seen, *, stated: bool) -> Iterator[str]:
    if stated:
        yield "named by the user"
    if tells(data, cue):
        yield "predicts the label"
    if with_errors(data, cue, seen):
        yield "goes along with errors"
    if in_a_slice(data, cue, seen):
        yield "a slice by it errs more than the rest"
    if isinstance(cue, Region) and any(likeness(cue.box, other.box) >= GATHERED for other in seen.gathered):
        yield "attributions gather there"
    if seen.maps is not None and isinstance(cue, Border) and _share(seen.maps, cue) > DENSER:
        yield "attributions lie there beyond its area"


def in_a_slice(data: Dataset, cue: Cue, seen: Seen, fewest: int = 20, least: float = 3.0) -> bool:
    """Whether a quarter of the discovery rows, by a cue that is one number, errs more by some standard errors."""
    asked, bad = _asked(data, seen)
    donors = data.donors("discovery")
    values = donors.known(cue, lambda: measured(cue, donors.inputs, donors.masks))[asked]
    if values.shape[1] != 1 or min(bad.sum(), (~bad).sum()) < fewest:
        return False
    every = np.arange(len(bad)) >= 0
    for one in by_columns({}, {cue.name: values[:, 0]}, every):
        inside = one.rows
        if min(inside.sum(), (~inside).sum()) >= fewest:
            error = (bad.mean() * (1 - bad.mean()) * (1 / inside.sum() + 1 / (~inside).sum())) ** 0.5
            if bad[inside].mean() - bad[~inside].mean() > least * error:
                return True
    return False


def _asked(data: Dataset, seen: Seen) -> tuple[BoolArray, BoolArray]:
    """Which donors of the discovery half were asked about, and which of these were answered wrongly."""
    donors = data.donors("discovery")
    wrong = {int(row): bool(bad) for row, bad in zip(seen.rows, seen.wrong, strict=True)}
    asked = np.array([int(row) in wrong for row in donors.rows])
    return asked, np.array([wrong.get(int(row), False) for row in donors.rows])[asked]


def with_errors(data: Dataset, cue: Cue, seen: Seen, fewest: int = 20) -> bool:
    """Whether a cue tells right answers from wrong ones on the discovery rows (balanced accuracy above one half)."""
    donors = data.donors("discovery")
    asked, bad = _asked(data, seen)
    if min(bad.sum(), (~bad).sum()) < fewest:
        return False
    values = donors.known(cue, lambda: measured(cue, donors.inputs, donors.masks))[asked]
    units = units_of(data, "discovery")
    kept = None if units is None else units[asked]
    return discriminant(values, bad.astype(np.int64), 2, folds_of(len(values), kept)).opportunity(kept).low > 0.5


def _share(maps: Maps, cue: Border) -> float:
    """Share of the attribution in the ring over the ring's share of the picture."""
    whole: FloatArray = np.nan_to_num(np.abs(maps.values)).astype(np.float64)
    ring = cue.inside(*whole.shape[1:3])
    shares = whole[:, ring].sum(axis=1) / np.maximum(whole.sum(axis=(1, 2)), 1e-12)
    return float(shares.mean() / ring.mean())
