"""Surroundings: what a cue that is a part of its row goes along with."""

from pfungst.arrays import Array
from pfungst.methods.columns import Column, others
from pfungst.methods.cues import Cue
from pfungst.methods.opportunity import Discriminant, Tie
from pfungst.methods.places import Border, Region
from pfungst.methods.regions import place_tie
from pfungst.methods.tokens import Token, rest


def tie(inputs: Array, cue: Cue, scored: Discriminant, besides: tuple[Cue, ...] = ()) -> Tie | None:
    """How far all else in the rows predicts a cue within classes; None for what belongs to the row as a whole.

    ``besides`` are other suspects: two footers exclude each other, which does not make either a part of the text.
    """
    if isinstance(cue, Region | Border):
        return place_tie(inputs, cue, scored)
    if isinstance(cue, Column):
        return scored.tie(others(inputs, cue))
    if isinstance(cue, Token):
        return scored.tie(rest(inputs, (cue, *(other for other in besides if isinstance(other, Token)))))
    return None
