"""Standing: what the data alone say of a cue: whether it predicts the label, and belongs to what the pictures show."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.datasets.dataset import Dataset, Half
from pfungst.methods.columns import Column
from pfungst.methods.cues import Cue, Property, measured, swapped
from pfungst.methods.opportunity import Discriminant, Tie, discriminant, folds_of
from pfungst.methods.places import Border, Region
from pfungst.methods.regions import Scan, place_tie, places, shrunk
from pfungst.methods.surroundings import spread, tie

HALVES: tuple[Half, Half] = ("discovery", "confirmation")
WIDTHS = (0.03, 0.06, 0.09, 0.125, 0.16)
"""Borders that are tried, as shares of the side."""

FREE, TIED = 0.08, 0.15
"""Marks have ties of about 0, parts of digits of 0.1 to 0.7 (benchmarks/planted.py); an interval over both is open."""

EVERYWHERE = 0.5
"""How much of what a property says about the label must show in the corners too."""

STRONG = 0.3
"""Opportunity from which a careless learner could live on a cue."""

BESIDE = frozenset({"border", "background"})
"""Cues that lie beside the object: strong ones are worth a word even where they belong to the picture."""

LEAST: dict[str, tuple[float, float]] = {
    "region": (0.1, 1.0),
    "border": (0.15, 1.0),
    "brightness": (0.13, 0.2),
    "contrast": (0.3, 0.3),
    "colour-cast": (0.2, 0.32),
    "saturation": (0.2, 0.25),
    "noise": (0.3, 0.4),
    "jpeg": (0.25, 0.35),
    "token": (0.3, 1.0),
    "length": (0.3, 1.0),
    "casing": (0.3, 1.0),
    "punctuation": (0.3, 1.0),
}
"""What a cue must say about the label, else it is what things of a class happen to look like.

Either opportunity, from 0 (chance) to 1, or the share of variance between classes. CIFAR-10's ten kinds of things
offer up to 0.09 and 0.20 by contrast, 0.14 and 0.26 by colour; the borders of its cats and dogs 0.1. Words of manuals
offer 0.31. What a table calls a site or a record number need offer no more than ``HINTED``: nobody asks about the world
what only the recording knows. Any other column may be the very measurement that is meant to carry the answer.
"""

HINTED = 0.1

EXPLAINS, NEARLY_ALL = 0.5, 0.8
"""Shares of what a cue moves that a place in it, and the border in the background, must move to be named first."""

GUESSED = 0.4
"""Opportunity of a background that is only guessed: what lies around most things tells something of them."""


@dataclass(frozen=True)
class Standing:
    """Opportunity from 0 (chance) to 1, share of variance between classes, tie of a part, spread of a property."""

    cue: Cue
    opportunity: float
    share: float
    tie: Tie | None
    spread: float | None = None
    stated: bool = False

    @property
    def own(self) -> bool:
        """Whether the cue is one of its own, and no part or look of the things shown; or ``stated`` to be one."""
        if self.measured:
            return self.stated
        chances, shares = LEAST.get(family(self.cue.name), (-np.inf, 0.0))
        chances = HINTED if self.hinted else GUESSED if getattr(self.cue, "guess", False) else chances
        tells = self.opportunity >= chances or self.share >= shares
        everywhere = self.spread is None or self.spread >= EVERYWHERE
        return self.stated or bool(tells and everywhere and (self.tie is None or self.tie.value <= self._free))

    @property
    def _free(self) -> float:
        """The largest tie of what is free: less for a place that says little, whose scores are mostly noise.

        What surrounds a place predicts no noise, so that a weak piece of the thing looks free of it; a weak mark is.
        """
        weak = isinstance(self.cue, Region)
        return FREE * min(1.0, max(0.0, self.opportunity) / STRONG) if weak else FREE

    @property
    def freedom(self) -> float:
        """1 for a cue that nothing around it predicts, soon less where something does."""
        return 1.0 if self.tie is None else float(np.exp(-max(self.tie.value, 0.0) / 0.03))

    @property
    def unsure(self) -> bool:
        """Whether there are too few rows to tell."""
        most = 2 * TIED if self.hinted else TIED
        return not self.stated and self.tie is not None and self.tie.high > most

    @property
    def measured(self) -> bool:
        """Whether it is a column of a table that may be about the thing itself."""
        return isinstance(self.cue, Column) and not self.cue.administrative

    @property
    def hinted(self) -> bool:
        """Whether its name says that it is about the recording."""
        return isinstance(self.cue, Column) and self.cue.administrative

    @property
    def latent(self) -> bool:
        """Whether a careless learner could live on it; looks of whole rows differ between most classes."""
        if family(self.cue.name) in BESIDE:
            return self.opportunity > STRONG
        return self.opportunity > (2 * STRONG if self.tie is None else STRONG) and self.own


def within(inner: Cue, outer: Cue) -> bool:
    """Whether one cue lies in another: a place in the border or the background, the border in the background.

    >>> within(Region((0.0, 0.0, 0.1, 0.1)), Border()), within(Region((0.4, 0.4, 0.6, 0.6)), Border())
    (True, False)
    """
    if family(outer.name) == "background":
        return isinstance(inner, Region | Border)
    if not (isinstance(inner, Region) and isinstance(outer, Border)):
        return False
    top, left, bottom, right = inner.box
    far = 1 - outer.share
    inside = max(0.0, min(bottom, far) - max(top, outer.share)) * max(0.0, min(right, far) - max(left, outer.share))
    return inside < inner.area / 2


def covers(held: Cue, cue: Cue) -> bool:
    """Whether a held cue gives back what a swap of another changed: what holds it, and properties of whole pictures.

    >>> covers(Border(), Region((0.0, 0.0, 0.1, 0.1))), covers(Region((0.0, 0.0, 0.1, 0.1)), Border())
    (True, False)
    """
    return isinstance(held, Property) or within(cue, held)


def explained(moved: Mapping[Cue, float]) -> frozenset[Cue]:
    """Cues that hold another one which explains most of what they move: the smaller one says more.

    Half of it for a place; for the border four fifths, as a background may be read at the border.
    """
    return frozenset(
        outer
        for outer, whole in moved.items()
        for inner, part in moved.items()
        if within(inner, outer) and part > (EXPLAINS if isinstance(inner, Region) else NEARLY_ALL) * whole
    )


def standing(
    data: Dataset, cue: Cue, held: tuple[Cue, ...] = (), besides: tuple[Cue, ...] = (), most: int = 1000
) -> Standing:
    """The standing of a cue on the rows of both halves, where all rows have been given the held cues of one of them.

    ``besides`` are other suspects, which are no surroundings.
    """
    both = [data.donors(half) for half in HALVES]

    def compute() -> FloatArray:
        seen = [small(part.inputs[:most], part.masks, most) for part in both]
        inputs = np.concatenate([inputs for inputs, _ in seen])
        masks = None if seen[0][1] is None else np.concatenate([masks for _, masks in seen])
        for other in held:
            first = None if masks is None else np.broadcast_to(masks[:1], masks.shape)
            inputs = swapped(other, inputs, np.broadcast_to(inputs[:1], inputs.shape), masks, first)
        labels = np.concatenate([part.labels[:most] for part in both])
        named = [units[:most] for half in HALVES if (units := units_of(data, half)) is not None]
        folds = folds_of(len(inputs), np.concatenate(named) if named else None)
        scored = discriminant(measured(cue, inputs, masks), labels, len(data.classes), folds)
        bound = tie(inputs, cue, scored, besides)
        tied = (np.nan, np.nan, 0) if bound is None else (bound.value, bound.error, bound.rows)
        shown = spread(inputs, cue, scored)
        return np.array([scored.opportunity().value, scored.share, np.nan if shown is None else shown, *tied])

    accuracy, share, shown, *tied = (
        float(each) for each in both[0].known(("standing", cue, held, besides, most), compute)
    )
    bound = None if np.isnan(tied[0]) else Tie(tied[0], tied[1], int(tied[2]))
    everywhere = None if np.isnan(shown) else shown
    return Standing(cue, (accuracy - chance(data)) / (1 - chance(data)), share, bound, everywhere)


def small(inputs: Array, masks: Array | None, most: int) -> tuple[Array, Array | None]:
    """Pictures with no long side, and their masks alike; other rows as they are."""
    if inputs.ndim != 4:
        return inputs, None
    if masks is None:
        return shrunk(inputs), None
    return shrunk(inputs), shrunk(masks[:most, :, :, None].astype(np.uint8) * 255)[..., 0] > 127


def family(name: str) -> str:
    """What kind of cue a name is of.

    >>> family("region:top-left"), family("border")
    ('region', 'border')
    """
    return name.split(":", maxsplit=1)[0]


def chance(data: Dataset) -> float:
    """Balanced accuracy of guessing."""
    return 1 / max(2, len(np.unique(data.donors("discovery").labels)))


def border(data: Dataset, most: int = 600) -> Border:
    """The border least tied to what lies inside it, among several widths, on the discovery rows.

    A frame drawn around pictures has one width: a narrower ring leaves a part of it inside, a wider one takes a part of
    the picture in. Where no width predicts the label and is free of what lies inside, it is the usual one.
    """
    donors = data.donors("discovery")

    def compute() -> FloatArray:
        pictures, labels = shrunk(donors.inputs[:most]), donors.labels[:most]
        units = units_of(data, "discovery")
        folds = folds_of(len(pictures), None if units is None else units[:most])
        found = [Border().share, TIED]
        for share in WIDTHS:
            cue = Border(share=share)
            scored = discriminant(cue.measure(pictures), labels, len(data.classes), folds)
            tells = (scored.opportunity().value - chance(data)) / (1 - chance(data)) >= LEAST["border"][0]
            bound = place_tie(pictures, cue, scored).value if tells else np.inf
            found = [share, bound] if bound < found[1] else found
        return np.array(found)

    return Border(share=float(donors.known(("border", most), compute)[0]))


def proposed_places(data: Dataset, most: int = 500) -> tuple[Region, ...]:
    """Places that predict the label by themselves on the discovery rows."""
    donors, units = data.donors("discovery"), units_of(data, "discovery")

    def compute() -> FloatArray:
        inputs = donors.inputs[:most]
        folds = folds_of(len(inputs), None if units is None else units[:most])
        scan = Scan(shrunk(inputs), donors.labels[:most], len(data.classes), folds)
        return np.array(places(scan)).reshape(-1, 4)

    found = donors.known(("places", most), compute)
    return tuple(Region((float(a), float(b), float(c), float(d))) for a, b, c, d in found)


def scores(data: Dataset, cue: Cue, half: Half) -> Discriminant:
    """Discriminant scores of a cue on the donors of a half."""
    donors = data.donors(half)
    values = donors.known(cue, lambda: measured(cue, donors.inputs, donors.masks))
    return discriminant(values, donors.labels, len(data.classes), folds_of(len(values), units_of(data, half)))


def tells(data: Dataset, cue: Cue) -> bool:
    """Whether a cue is known to say anything about the label on the discovery rows; a swap changes nothing else."""
    return scores(data, cue, "discovery").opportunity(units_of(data, "discovery")).low > chance(data)


def units_of(data: Dataset, half: Half) -> Array | None:
    """The unit of each donor of a half, or None where rows are independent."""
    if data.units is None:
        return None
    place = {name: row for row, name in enumerate(data.ids)}
    return np.array([str(data.units[place[name]]) for name in data.donors(half).ids])
