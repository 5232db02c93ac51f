"""Surroundings: what a cue that is a part of its row goes along with."""

import numpy as np

from pfungst.arrays import Array
from pfungst.methods.columns import Column, others
from pfungst.methods.cues import Cue, Property, grey, unit
from pfungst.methods.opportunity import Discriminant, Tie, discriminant
from pfungst.methods.places import Border, Region
from pfungst.methods.regions import place_tie
from pfungst.methods.tokens import Token, rest

COLOURS = frozenset({"brightness", "colour-cast", "saturation"})
"""Properties that show in a flat corner too."""

FLAT = 1 / 255
"""Standard deviation of luminance below which a corner is flat."""


def tie(inputs: Array, cue: Cue, scored: Discriminant, besides: tuple[Cue, ...] = ()) -> Tie | None:
    """How far all else in the rows predicts a cue within classes; None for what belongs to the row as a whole.

    ``besides`` are other suspects: two footers exclude each other, which does not make either a part of the text; a
    scanner goes along with its hospital, which does not make either a part of what was recorded.
    """
    if isinstance(cue, Region | Border):
        return place_tie(inputs, cue, scored)
    if isinstance(cue, Column):
        return scored.tie(others(inputs, cue, [other for other in besides if isinstance(other, Column)]))
    if isinstance(cue, Token):
        return scored.tie(rest(inputs, (cue, *(other for other in besides if isinstance(other, Token)))))
    return None


def spread(inputs: Array, cue: Cue, scored: Discriminant) -> float | None:
    """How much of what a property of pictures says about the label it says in their corners too, from 0 to about 1.

    A lens, a lamp or a codec acts on the whole picture; things differ where they lie. The larger of two ratios is
    taken, of the share of variance between classes and of the accuracy above guessing. None where it cannot be told:
    for cues that are no properties, and where corners are so flat that no detail could show in them.
    """
    if not isinstance(cue, Property):
        return None
    corners = _corners(inputs)
    if cue.name not in COLOURS and np.median([grey(unit(each)).std(axis=(1, 2)) for each in corners]) < FLAT:
        return None
    measured = np.mean([cue.measure(each) for each in corners], axis=0)
    there = discriminant(measured, scored.labels, scored.scores.shape[1], scored.folds)
    guess = 1 / max(2, len(np.unique(scored.labels)))
    shares = there.share / max(scored.share, 1e-9)
    told = (there.opportunity().value - guess) / max(scored.opportunity().value - guess, 1e-9)
    return float(max(shares, told))


def _corners(inputs: Array) -> list[Array]:
    high, wide = (max(8, side // 4) for side in inputs.shape[1:3])
    return [
        inputs[:, rows, columns]
        for rows in (slice(high), slice(-high, None))
        for columns in (slice(wide), slice(-wide, None))
    ]
