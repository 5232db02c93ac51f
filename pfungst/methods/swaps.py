"""Interventions: give a row another row's cue, or push a property the way another class has it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pfungst.arrays import Array, IntArray
from pfungst.datasets.dataset import Batch
from pfungst.datasets.donors import Donors
from pfungst.methods.cues import Cue, Property, by_parts, measured, swapped

Donor = Literal["same class", "other class"]
Direction = Literal["away", "towards"]
Way = Literal["swap", "transport"]


@dataclass(frozen=True)
class Swap:
    """Give each labelled row the cue of a donor of its own or of another class.

    All cues and both arms draw with the same random numbers, so that their differences are of cues, not of draws.
    A ``held`` cue stays the row's own: the donor first receives it from the row, and the row gets it back in the end.
    Rows without a label stay as they are.
    """

    cue: Cue
    donor: Donor
    held: tuple[Cue, ...] = ()
    draw: int = 0

    @property
    def name(self) -> str:
        """The cue and whose it is."""
        return f"{self.cue.name} of {'its own' if self.donor == 'same class' else 'another'} class{_kept(self.held)}"

    def __call__(self, batch: Batch) -> Array:
        """The rows with their donors' cue."""
        has = batch.labels >= 0
        if batch.donors is None or not has.any():
            return batch.inputs
        rows = batch.take(has)
        assert rows.donors is not None, "taking rows keeps the donors"
        drawn = self.drawn(rows, rows.donors)
        inputs, donors = rows.inputs, rows.donors.inputs[drawn]
        theirs = None if rows.donors.masks is None else rows.donors.masks[drawn]
        for cue in self.held:
            donors = swapped(cue, donors, inputs, theirs, rows.masks)
        given = swapped(self.cue, inputs, donors, rows.masks, theirs)
        for cue in self.held:
            given = swapped(cue, given, inputs, rows.masks, rows.masks)
        return _placed(batch, given, has)

    def drawn(self, batch: Batch, donors: Donors) -> IntArray:
        """Index of each row's donor."""
        same = self.donor == "same class"
        named = zip(batch.generators(("donor", self.draw)), batch.ids, batch.labels, strict=True)
        return np.array([donors.draw(rng, name, int(label), same=same) for rng, name, label in named], np.int64)


@dataclass(frozen=True)
class Transport:
    """Push a property by the difference between another class's mean and the own class's, or by as much the other way.

    Both directions move a row equally far, so their difference is what the direction says about the class; it is near
    zero where the property does not differ between classes.
    """

    cue: Property
    direction: Direction
    held: tuple[Cue, ...] = ()
    draw: int = 0

    @property
    def name(self) -> str:
        """The cue and where it is pushed."""
        way = "towards" if self.direction == "towards" else "away from"
        return f"{self.cue.name} pushed {way} another class{_kept(self.held)}"

    def __call__(self, batch: Batch) -> Array:
        """The rows with their property pushed."""
        has = batch.labels >= 0
        if batch.donors is None or not has.any():
            return batch.inputs
        rows = batch.take(has)
        assert rows.donors is not None, "taking rows keeps the donors"
        bank = rows.donors
        means = bank.class_means(bank.known(self.cue, lambda: measured(self.cue, bank.inputs)))
        change = means[self._others(rows, bank)] - means[rows.labels]
        given = by_parts(self.cue.push, rows.inputs, change if self.direction == "towards" else -change)
        for cue in self.held:
            given = swapped(cue, given, rows.inputs, rows.masks, rows.masks)
        return _placed(batch, given, has)

    def _others(self, batch: Batch, donors: Donors) -> IntArray:
        named = zip(batch.generators(("class", self.draw)), batch.labels, strict=True)
        others = ((rng.random(), donors.present[donors.present != label], label) for rng, label in named)
        return np.array([pool[int(at * len(pool))] if len(pool) else label for at, pool, label in others], np.int64)


def ways(cue: Cue) -> tuple[Way, ...]:
    """How a cue can be reversed: any by a donor, a property also by class means.

    >>> from pfungst.methods.photometric import Brightness
    >>> from pfungst.methods.places import Border
    >>> ways(Border()), ways(Brightness())
    (('swap',), ('swap', 'transport'))
    """
    return ("swap", "transport") if isinstance(cue, Property) else ("swap",)


def arms(cue: Cue, way: Way, held: tuple[Cue, ...] = ()) -> tuple[Swap | Transport, Swap | Transport]:
    """The arm that keeps the class's cue, and the one that reverses it."""
    if way == "transport":
        assert isinstance(cue, Property), "only properties can be pushed"
        return Transport(cue, "away", held), Transport(cue, "towards", held)
    return Swap(cue, "same class", held), Swap(cue, "other class", held)


def _kept(held: tuple[Cue, ...]) -> str:
    return f" (own {', '.join(cue.name for cue in held)} kept)" if held else ""


def _placed(batch: Batch, given: Array, has: Array) -> Array:
    if has.all():
        return given
    whole = batch.inputs.copy()
    whole[has] = given
    return whole
