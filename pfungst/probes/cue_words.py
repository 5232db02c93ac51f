"""Words about cues: what a person reads of a trial."""

import re

from pfungst.methods.columns import Column
from pfungst.methods.cues import Cue
from pfungst.methods.standing import EVERYWHERE, FREE, Standing
from pfungst.probe import Labelled
from pfungst.probes.trials import Held, Trial
from pfungst.statistics.estimate import Estimate, Status

NAMED = 4
"""Columns that are one cue, of which so many are named."""


def noun(cue: Cue) -> str:
    """The cue in a sentence.

    >>> from pfungst.methods.places import Region
    >>> noun(Region((0.0, 0.0, 0.2, 0.2)))
    'top-left region'
    >>> from pfungst.methods.columns import recordings
    >>> noun(recordings(("clinic_a", "clinic_b", "clinic_c"))[0])
    "group of columns 'clinic_a', 'clinic_b' and 'clinic_c'"
    """
    kind, _, name = cue.name.partition(":")
    if isinstance(cue, Column) and cue.of:
        shown = [f"'{one}'" for one in cue.of[:NAMED]]
        hidden = len(cue.of) - len(shown)
        *first, last = [*shown, f"{hidden} more"] if hidden else shown
        return f"group of columns {', '.join(first)} and {last}"
    if getattr(cue, "guess", False):
        return f"guessed {kind}"
    if kind == "region":
        return f"{name} region"
    return f"{kind} '{name}'" if kind in {"column", "token"} else re.sub("[-:]", " ", cue.name)


def names(held: Held) -> str:
    """Cues that are held, in a sentence."""
    return " and ".join(noun(each) for each in held)


def claim(trial: Trial, effect: Estimate, plain: Estimate | None, tolerance: float) -> str:
    """What reversing the cue did; ``plain`` is the reliance with nothing held, if that was asked."""
    kept = ""
    if trial.held:
        kept = f", while its own {names(trial.held)} is kept" + (f" ({plain.value:.3f} if not)" if plain else "")
    rows = f"(tolerance {tolerance:.2f}, {effect.rows} {effect.unit}s)"
    if trial.way == "transport":
        return (
            f"Pushing a row's {noun(trial.cue)} towards another class's lowers the probability of its true class by "
            f"{effect:.3f} more than pushing it as far away{kept} {rows}."
        )
    return (
        f"Giving a row the {noun(trial.cue)} of another class's row lowers the probability of its true class by "
        f"{effect:.3f} more than giving it that of one of its own class{kept} {rows}."
    )


def answered(trial: Trial, kept: Labelled, reversed_: Labelled) -> str:
    """What the cue does to the accuracy, in a sentence."""
    own, other = (float(arm.correct.mean()) for arm in (kept, reversed_))
    if trial.way == "transport":
        return f" The answer is right on {own:.1%} of these rows pushed away, on {other:.1%} pushed towards it."
    return f" The answer is right on {own:.1%} of these rows with their own class's, on {other:.1%} with another's."


def part_of_the_thing(effect: Estimate, found_to_be: Standing) -> str:
    """Why a cue that carries the answer is not accused."""
    bound = found_to_be.tie
    if found_to_be.measured:
        return (
            f"the answer rests on it by {effect:.3f}, and whether a measured column may carry it is yours to say; name "
            f'"{found_to_be.cue.name}" under [must_not_matter] to have it judged'
        )
    why = "it says no more about the label than the looks of things do"
    if bound is not None and bound.value > FREE:
        why = f"within each class the rest of the row predicts what it shows (R squared {bound.value:.2f})"
    elif found_to_be.spread is not None and found_to_be.spread < EVERYWHERE:
        why = f"the corners of the pictures show little of it ({found_to_be.spread:.0%} of what the whole says)"
    return (
        f"the answer rests on it by {effect:.3f}, but it belongs to what the rows show: {why}; name "
        f'"{found_to_be.cue.name}" under [must_not_matter] to have it judged nevertheless'
    )


def carried_too(trial: Trial, alone: Estimate, effect: Estimate) -> str:
    """Why a suspect is not cleared which moves nothing while stronger ones are held: a swap may change nothing then."""
    kept = names(trial.held)
    return (
        f"alone it moves the answer by {alone:.3f}, with the row's own {kept} kept by {effect:.3f}: what it carries is "
        f"carried by the {kept} too, and these rows cannot tell which of them is read"
    )


def unused(effect: Estimate, status: Status = "absent") -> str:
    """How far the model rests on a cue that is in the data."""
    if status != "absent":
        return f"whether this model rests on it is open ({effect:.3f})"
    return f"this model does not rest on it ({effect:.3f})"


def latent_claim(cue: Cue | str, alone: Estimate, guessing: float, reliance: str) -> str:
    """A cue in the data on which a careless learner could live."""
    name = cue if isinstance(cue, str) else noun(cue)
    return (
        f"The {name} alone predicts the label with accuracy {alone:.2f} where guessing has {guessing:.2f}; {reliance}"
    )


def remedy(name: str) -> str:
    """What to do about a cue."""
    return (
        f"collect or synthesise rows in which the {name} and the label are independent (swapping the {name} between "
        "rows of different classes does it), then retrain the last layer and audit again"
    )
