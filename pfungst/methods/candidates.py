"""Candidates: the cues that rows of a kind have, those every row has and those the data propose."""

from dataclasses import dataclass

import numpy as np

from pfungst.arrays import FloatArray
from pfungst.datasets.dataset import Dataset
from pfungst.methods.columns import Column, columns, recordings
from pfungst.methods.cues import Cue, measured
from pfungst.methods.opportunity import discriminant, folds_of
from pfungst.methods.overlays import find_overlays
from pfungst.methods.properties import cues, properties
from pfungst.methods.regions import shrunk
from pfungst.methods.segmentation import Background, Position
from pfungst.methods.standing import GUESSED, border, chance, family, proposed_places, units_of
from pfungst.methods.tokens import Token, proposed_tokens
from pfungst.methods.writing import text_cues

OVERLAY_SIDE = 96
"""Longest side of pictures in which recurring marks are looked for."""

MOST_COLUMNS = 12
"""Columns of a table that are tried: those that say most about the label by themselves."""


ASKED = frozenset({"frequency"})
"""Cues that are tried only where they are named: shapes of things differ in them, so most networks rest on them."""


_OF = {
    "image": ("pictures", ("border", "background", "position", "overlay", "region", "frequency", *cues)),
    "text": ("texts", ("token", *text_cues)),
}
"""Families of cues that only rows of one kind have."""


def foreign(name: str, modality: str) -> str:
    """The rows that alone have a cue of this name, where these are others; else nothing.

    >>> foreign("region:top-left", "table"), foreign("column:age", "table")
    ('pictures', '')
    """
    start = family(name).replace("_", "-")
    return next((rows for kind, (rows, known) in _OF.items() if start in known and kind != modality), "")


@dataclass(frozen=True)
class Candidates:
    """Cues that every row has, and cues found in these data; both without those of the other."""

    always: tuple[Cue, ...]
    proposed: tuple[Cue, ...]


def candidates(data: Dataset, stated: tuple[str, ...] = (), own: tuple[Cue, ...] = ()) -> Candidates:
    """The cues of a data set: what its kind of rows has, what the task file states, and the user's own."""
    always: tuple[Cue, ...] = own
    if data.modality == "image":
        looks = properties(data.donors("discovery").inputs.shape[-1])
        always += tuple(cue for cue in looks if family(cue.name) not in ASKED or cue.name in stated)
        always += (border(data), *_objects(data, stated))
        proposed = (cue for cue in (*proposed_places(data), *_overlays(data), *_guessed(data)) if cue not in always)
        return Candidates(tuple(dict.fromkeys(always)), tuple(proposed))
    if data.modality == "text":
        always += (*text_cues.values(), *(Token(name[6:]) for name in stated if name.startswith("token:")))
        return Candidates(tuple(dict.fromkeys(always)), tuple(cue for cue in _tokens(data) if cue not in always))
    named = tuple(cue for cue in columns(_features(data)) if cue.name in stated)
    joined = recorded(data)
    always += (*named, *(cue for cue in joined if cue.name in stated or is_site(data, cue)))
    single = tuple(cue for cue in columns(_features(data)) if all(cue.at not in other.places for other in joined))
    found = (cue for cue in _telling(data, (*joined, *single)) if cue not in always)
    return Candidates(tuple(dict.fromkeys(always)), tuple(found))


def recorded(data: Dataset) -> tuple[Column, ...]:
    """Columns of a table that the task calls sites or whose names say that they are about the recording."""
    features = _features(data)
    known = recordings(features)
    held = {at for cue in known for at in cue.places}
    return (*known, *(cue for cue in columns(features) if cue.at not in held and cue.column in data.roles.site))


def is_site(data: Dataset, cue: Cue) -> bool:
    """Whether a cue is of columns that play the part of a site."""
    return isinstance(cue, Column) and any(_features(data)[at] in data.roles.site for at in cue.places)


def _objects(data: Dataset, stated: tuple[str, ...]) -> tuple[Cue, ...]:
    """Background and place of the object where masks say which is which, or where the user asks for a guess."""
    if data.masks is not None:
        return Background(), Position()
    guessed = {"background": Background, "position": Position}
    return tuple(kind(guess=True) for name, kind in guessed.items() if name in stated)


def _guessed(data: Dataset, most: int = 400) -> tuple[Cue, ...]:
    """A guess at the background, where nobody said which it is and the guess tells much about the label."""
    if data.masks is not None:
        return ()
    donors, cue = data.donors("discovery"), Background(guess=True)

    def compute() -> float:
        inputs, labels = shrunk(donors.inputs[:most]), donors.labels[:most]
        told = discriminant(measured(cue, inputs), labels, len(data.classes), folds_of(len(inputs))).opportunity().value
        return (told - chance(data)) / (1 - chance(data))

    return (cue,) if donors.known(("guessed background", most), compute) >= GUESSED else ()


def _overlays(data: Dataset, most: int = 400) -> tuple[Cue, ...]:
    """Marks that recur anywhere, looked for in pictures small enough to hold them pixel by pixel."""
    donors = data.donors("discovery")
    if max(donors.inputs.shape[1:3]) > OVERLAY_SIDE:
        return ()
    return donors.known(("overlays", most), lambda: find_overlays(donors.inputs[:most], donors.labels[:most]))


def _tokens(data: Dataset, most: int = 2000) -> tuple[Token, ...]:
    donors, units = data.donors("discovery"), units_of(data, "discovery")

    def compute() -> tuple[Token, ...]:
        inputs = donors.inputs[:most]
        folds = folds_of(len(inputs), None if units is None else units[:most])
        return proposed_tokens(inputs, donors.labels[:most], len(data.classes), folds)

    return donors.known(("tokens", most), compute)


def _features(data: Dataset) -> tuple[str, ...]:
    return data.features or tuple(f"column {at}" for at in range(data.donors("discovery").inputs.shape[1]))


def _telling(data: Dataset, named: tuple[Column, ...], most: int = 1000) -> tuple[Column, ...]:
    """The columns that say most about the label by themselves, strongest first."""
    donors, units = data.donors("discovery"), units_of(data, "discovery")

    def compute() -> FloatArray:
        inputs, labels = donors.inputs[:most], donors.labels[:most]
        folds = folds_of(len(inputs), None if units is None else units[:most])
        told = [
            discriminant(measured(cue, inputs), labels, len(data.classes), folds).opportunity().low for cue in named
        ]
        return np.array(told)

    told = donors.known(("columns", most), compute)
    order = [int(at) for at in np.argsort(-told, kind="stable") if told[at] > chance(data)]
    return tuple(named[at] for at in order[:MOST_COLUMNS])
