"""Standing: what the data alone say of a cue: whether it predicts the label, and belongs to what the pictures show."""

from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.datasets.dataset import Dataset, Half
from pfungst.methods.cues import Cue, Property
from pfungst.methods.opportunity import Discriminant, Tie, discriminant, folds_of
from pfungst.methods.photometric import ColourCast, Contrast
from pfungst.methods.places import Border, Region
from pfungst.methods.properties import properties
from pfungst.methods.regions import Scan, places, shrunk, tie

HALVES: tuple[Half, Half] = ("discovery", "confirmation")
WIDTHS = (0.03, 0.06, 0.09, 0.125, 0.16)
"""Borders that are tried, as shares of the side."""

FREE, TIED = 0.08, 0.15
"""Marks have ties of about 0, parts of digits of 0.1 to 0.7 (benchmarks/planted.py); an interval over both is open."""

LEAST: dict[type, tuple[float, float]] = {
    Region: (0.1, 1.0),
    Border: (0.15, 1.0),
    Contrast: (0.13, 0.25),
    ColourCast: (0.2, 0.32),
}
"""What a cue must say about the label, else it is what things of a class happen to look like.

Either opportunity, from 0 (chance) to 1, or the share of variance between classes. CIFAR-10's ten kinds of things
offer up to 0.09 and 0.20 by contrast, 0.14 and 0.26 by colour; the borders of its cats and dogs 0.1.
"""


@dataclass(frozen=True)
class Standing:
    """Opportunity from 0 (chance) to 1, share of variance between classes, and the tie of a cue that has a place."""

    cue: Cue
    opportunity: float
    share: float
    tie: Tie | None
    stated: bool = False

    @property
    def own(self) -> bool:
        """Whether the cue is one of its own, and no part or look of the things shown; or ``stated`` to be one."""
        chances, shares = LEAST.get(type(self.cue), (-np.inf, 0.0))
        tells = self.opportunity >= chances or self.share >= shares
        return self.stated or bool(tells and (self.tie is None or self.tie.value <= FREE))

    @property
    def freedom(self) -> float:
        """1 for a cue that nothing around it predicts, soon less where something does."""
        return 1.0 if self.tie is None else float(np.exp(-max(self.tie.value, 0.0) / 0.03))

    @property
    def unsure(self) -> bool:
        """Whether there are too few rows to tell."""
        return not self.stated and self.tie is not None and self.tie.high > TIED

    @property
    def latent(self) -> bool:
        """Whether a careless learner could live on it."""
        return self.own and self.tie is not None and not self.unsure and self.opportunity > 0.3


def standing(data: Dataset, cue: Cue, held: tuple[Cue, ...] = (), most: int = 1000) -> Standing:
    """The standing of a cue on the rows of both halves, where all rows have been given the held cues of one of them."""
    both = [data.donors(half) for half in HALVES]

    def measure(_: Array) -> FloatArray:
        inputs = np.concatenate([shrunk(part.inputs[:most]) for part in both])
        for other in held:
            inputs = other.swap(inputs, np.broadcast_to(inputs[:1], inputs.shape))
        labels = np.concatenate([part.labels[:most] for part in both])
        named = [units[:most] for half in HALVES if (units := units_of(data, half)) is not None]
        folds = folds_of(len(inputs), np.concatenate(named) if named else None)
        scored = discriminant(cue.measure(inputs), labels, len(data.classes), folds)
        bound = tie(inputs, cue, scored) if isinstance(cue, Region | Border) else Tie(0.0, 0.0, len(labels))
        return np.array([scored.opportunity().value, scored.share, bound.value, bound.error, bound.rows])

    accuracy, share, *tied = (float(each) for each in both[0].measured(("standing", cue, held, most), measure))
    bound = Tie(tied[0], tied[1], int(tied[2])) if isinstance(cue, Region | Border) else None
    return Standing(cue, (accuracy - chance(data)) / (1 - chance(data)), share, bound)


def chance(data: Dataset) -> float:
    """Balanced accuracy of guessing."""
    return 1 / max(2, len(np.unique(data.donors("discovery").labels)))


def pushable(data: Dataset) -> tuple[Property, ...]:
    """The properties these pictures have."""
    return properties(data.donors("discovery").inputs.shape[-1])


def border(data: Dataset, most: int = 600) -> Border:
    """The border least tied to what lies inside it, among several widths, on the discovery rows.

    A frame drawn around pictures has one width: a narrower ring leaves a part of it inside, a wider one takes a part of
    the picture in. Where no width predicts the label and is free of what lies inside, it is the usual one.
    """
    donors = data.donors("discovery")

    def measure(inputs: Array) -> FloatArray:
        pictures, labels = shrunk(inputs[:most]), donors.labels[:most]
        units = units_of(data, "discovery")
        folds = folds_of(len(pictures), None if units is None else units[:most])
        found = [Border().share, TIED]
        for share in WIDTHS:
            cue = Border(share=share)
            scored = discriminant(cue.measure(pictures), labels, len(data.classes), folds)
            tells = (scored.opportunity().value - chance(data)) / (1 - chance(data)) >= LEAST[Border][0]
            bound = tie(pictures, cue, scored).value if tells else np.inf
            found = [share, bound] if bound < found[1] else found
        return np.array(found)

    return Border(share=float(donors.measured(("border", most), measure)[0]))


def proposed(data: Dataset, most: int = 500) -> tuple[Region, ...]:
    """Places that predict the label by themselves on the discovery rows."""
    donors, units = data.donors("discovery"), units_of(data, "discovery")

    def measure(inputs: Array) -> FloatArray:
        folds = folds_of(len(inputs[:most]), None if units is None else units[:most])
        scan = Scan(shrunk(inputs[:most]), donors.labels[:most], len(data.classes), folds)
        return np.array(places(scan)).reshape(-1, 4)

    found = donors.measured(("places", most), measure)
    return tuple(Region((float(a), float(b), float(c), float(d))) for a, b, c, d in found)


def scores(data: Dataset, cue: Cue, half: Half) -> Discriminant:
    """Discriminant scores of a cue on the donors of a half."""
    donors = data.donors(half)
    measured = donors.measured(cue, cue.measure)
    return discriminant(measured, donors.labels, len(data.classes), folds_of(len(measured), units_of(data, half)))


def units_of(data: Dataset, half: Half) -> Array | None:
    """The unit of each donor of a half, or None where rows are independent."""
    if data.units is None:
        return None
    place = {name: row for row, name in enumerate(data.ids)}
    return np.array([str(data.units[place[name]]) for name in data.donors(half).ids])
