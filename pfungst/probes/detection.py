"""Whether any score tells a set of strangers from known rows: chosen on half of them, reported on the other half."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray
from pfungst.datasets.dataset import Dataset
from pfungst.errors import InputError
from pfungst.methods.feature_scores import unknownness_scores
from pfungst.methods.input_statistics import input_distances
from pfungst.methods.near_duplicates import near_duplicates
from pfungst.methods.unknownness import disagreement, needed, strangeness, why_not
from pfungst.outputs import Outputs
from pfungst.passes import NUDGED, Passes, Predict
from pfungst.probes.known_parts import KnownParts, alternating, positions, reader
from pfungst.probes.stranger_sets import StrangerSet
from pfungst.statistics.auroc import accepted_at_95_id, auroc, rejected_at_95_ood
from pfungst.statistics.estimate import Estimate

LOOKS = {"image": "pixel statistics", "text": "length and signs", "table": "single columns"}
"""What is looked at without the model, by kind of rows."""


Twin = tuple[int, int, int]
"""A stranger's place among the scored ones, which of the known parts (0 fit, 1 report), and the row's place there."""


@dataclass(frozen=True, eq=False)
class Scored:
    """One score of known rows and of the strangers reported on (``judged``); larger is stranger.

    ``every`` are the scores of all strangers, ``area``, ``through`` and ``back`` the AUROC and both rates on the
    reported rows, ``chosen_by`` the AUROC on the others. ``model`` is False for the inputs' own statistics.
    """

    name: str
    threshold: FloatArray
    report: FloatArray
    judged: FloatArray
    every: FloatArray
    chosen_by: float
    area: Estimate
    through: Estimate
    back: Estimate
    model: bool = True


@dataclass(frozen=True, eq=False)
class Detection:
    """All scores of a set of strangers, best first, and what is known of its likeness to known rows.

    ``looks`` are the inputs' own statistics, ``best`` the score chosen on half of the strangers. ``judged`` says
    which are reported on. ``twins`` are near-duplicates among the ``compared`` strangers.
    """

    some: StrangerSet
    parts: KnownParts
    scores: tuple[Scored, ...]
    best: Scored
    looks: Scored | None
    judged: BoolArray
    refused: dict[str, tuple[str, ...]]
    twins: tuple[Twin, ...]
    compared: int

    @property
    def far(self) -> bool:
        """Whether looks alone give the strangers away."""
        return self.looks is not None and self.looks.area.value >= 0.95

    @property
    def like_known(self) -> bool:
        """Whether neither the chosen score nor looks are shown to tell them from known rows at all."""
        # Asking every score would find one above one half by chance; the chosen one was chosen on other strangers.
        return all(one.area.low <= 0.5 for one in (self.best, self.looks) if one is not None)

    @property
    def by_looks(self) -> bool:
        """Whether looks alone do at least as well as the best score."""
        return self.looks is not None and self.looks.area.value >= self.best.area.value


@dataclass(frozen=True, eq=False)
class Asked:
    """Known rows by use, strangers, and which of them are reported on; the score is chosen on the others."""

    parts: KnownParts
    some: StrangerSet
    judged: BoolArray

    def units(self, which: Array) -> Array | None:
        """The units of some of the strangers, or None."""
        return None if self.some.scored_units is None else self.some.scored_units[which]


def detect(data: Dataset, done: Passes, parts: KnownParts, some: StrangerSet) -> Detection | str:
    """Every score that can be computed, or why there is none."""
    asked = Asked(parts, some, alternating(some.scored_units, len(some.scored)))
    scores, refused = _scores(data, done, asked)
    if not scores:
        return "no score can be computed from these answers"
    looks, twins, compared = _looked_at(data, asked)
    ordered = tuple(sorted(scores, key=lambda one: -one.area.value))
    return Detection(some, parts, ordered, _best(scores), looks, asked.judged, refused, twins, compared)


def chosen(data: Dataset, done: Passes, parts: KnownParts, some: StrangerSet) -> Scored | None:
    """The score chosen on half of the strangers, if there is one; inputs are not read."""
    scores, _ = _scores(data, done, Asked(parts, some, alternating(some.scored_units, len(some.scored))))
    return _best(scores) if scores else None


def _best(scores: Sequence[Scored]) -> Scored:
    return max(scores, key=lambda one: one.chosen_by)


def _scores(data: Dataset, done: Passes, asked: Asked) -> tuple[list[Scored], dict[str, tuple[str, ...]]]:
    """Every score of the strangers, and what was refused: the reason with the names of the scores."""
    some, parts = asked.some, asked.parts
    refused: dict[str, list[str]] = {}
    scores = []
    for name in unknownness_scores:
        reason = why_not(name, some.scored, parts.fit) or why_not(name, parts.report, parts.fit)
        try:
            if not reason:
                known, strange = parts.scores(name), strangeness(name, some.scored, parts.fit)
                scores.append(_scored(name, known, strange, asked))
        except InputError as error:
            reason = f"{name}: {error}"
        if reason:
            refused.setdefault(_of_many(name, reason), []).append(name)
    scores += _disagreed(data, done, asked)
    scores += _nudged(done, asked)
    return scores, {reason: tuple(names) for reason, names in refused.items()}


def _of_many(name: str, reason: str) -> str:
    """A reason in words that fit several scores."""
    told = reason.removeprefix(name)
    return told.removeprefix(": ") if told.startswith(": ") else f"each{told}"


def _scored(name: str, known: tuple[FloatArray, FloatArray], strange: FloatArray, asked: Asked) -> Scored:
    threshold, report = known
    rows = strange[asked.judged]
    chosen_by = auroc(threshold, strange[~asked.judged]).value
    rates = _rates(name, report, rows, asked, (asked.parts.report_units, asked.units(asked.judged)))
    return Scored(name, threshold, report, rows, strange, chosen_by, *rates)


def _rates(
    name: str, report: FloatArray, rows: FloatArray, asked: Asked, units: tuple[Array | None, Array | None]
) -> tuple[Estimate, Estimate, Estimate]:
    def told(rate: Callable[..., Estimate], words: str) -> Estimate:
        known, strange = units
        return asked.some.estimated(
            lambda level: rate(report, rows, words, known_units=known, stranger_units=strange, level=level)
        )

    return (
        told(auroc, f"AUROC of {name}"),
        told(accepted_at_95_id, f"strangers let through by {name} at 95 % of known rows"),
        told(rejected_at_95_ood, f"known rows rejected by {name} at 95 % of strangers"),
    )


def member_passes(data: Dataset, one: Predict) -> list[Predict]:
    """The rows of a pass shown to the other members of an ensemble."""
    return [replace(one, features=False, by=name) for name in data.members]


def _disagreed(data: Dataset, done: Passes, asked_of: Asked) -> Iterator[Scored]:
    """What the members of an ensemble do not agree about, where there are any."""
    some, parts = asked_of.some, asked_of.parts
    known = member_passes(data, Predict())
    asked = [member_passes(data, one) for one in some.scored_passes]
    every = [one for group in (known, *asked) for one in group]
    if not known or any(one not in done or not done[one].complete for one in every):
        return
    strange = np.empty(len(some.scored))
    for origin, group in enumerate(asked):
        here = some.scored_origins == origin
        strange[here] = _apart(some.scored.take(here), [done[one] for one in group])
    others = [done[one] for one in known]
    both = (_apart(parts.threshold, others), _apart(parts.report, others))
    yield _scored("disagreement", both, strange, asked_of)


def nudged_passes(passes: Sequence[Predict]) -> list[Predict]:
    """The same rows, moved towards what the model takes them for."""
    return [replace(one, features=False, by=NUDGED) for one in passes]


def _nudged(done: Passes, asked_of: Asked) -> Iterator[Scored]:
    """Minus the largest probability at temperature 1000 of the moved inputs (ODIN), where they were asked."""
    some, parts = asked_of.some, asked_of.parts
    known, *strange = nudged_passes([Predict(), *some.scored_passes])
    if any(one not in done or not done[one].complete for one in (known, *strange)):
        return
    found = np.empty(len(some.scored))
    for origin, one in enumerate(strange):
        here = some.scored_origins == origin
        found[here] = strangeness("hot-probability", done[one].at(positions(some.scored)[here]))
    both = tuple(
        strangeness("hot-probability", done[known].at(positions(outputs)))
        for outputs in (parts.threshold, parts.report)
    )
    yield _scored("odin", (both[0], both[1]), found, asked_of)


def _apart(outputs: Outputs, others: list[Outputs]) -> FloatArray:
    return disagreement([outputs, *(one.at(positions(outputs)) for one in others)])


def _looked_at(data: Dataset, asked: Asked) -> tuple[Scored | None, tuple[Twin, ...], int]:
    """The inputs' own statistics as a score, near-duplicates of known rows, and how many strangers were compared.

    Nothing is said where the inputs cannot be put beside each other.
    """
    some, parts = asked.some, asked.parts
    read, read_strange = reader(data), reader(data, len(some.passes))
    try:
        known = [read(one, positions(outputs)) for one, outputs in parts.passes]
        groups = []
        for origin, one in enumerate(some.passes):
            here = np.flatnonzero(some.scored_origins == origin)
            places, inputs = read_strange(one, positions(some.scored)[here])
            groups.append((here[places], inputs))
        at, shown = (np.concatenate(both) for both in zip(*groups, strict=True))
        (_, fit), (reported, inputs) = known
        report, every = input_distances(fit, inputs, shown)
    except (InputError, ValueError):
        return None, (), 0
    twins = [
        (int(at[one]), part, int(places[other]))
        for part, (places, seen) in enumerate(() if some.made else known)
        for one, other in near_duplicates(shown, seen)
    ]
    name = LOOKS.get(data.modality, "inputs")
    units = None if parts.report_units is None else parts.report_units[reported]
    rows = every[asked.judged[at]]
    rates = _rates(name, report, rows, asked, (units, asked.units(at[asked.judged[at]])))
    looks = Scored(name, report, report, rows, every, rates[0].value, *rates, model=False)
    return looks, tuple(twins), len(shown)


def shifted_scores(found: Detection, one: Scored) -> dict[str, FloatArray]:
    """A score of slightly shifted known rows, by shift; empty for scores of features, which were not kept there."""
    if not one.model or one.name not in unknownness_scores or "features" in needed(one.name):
        return {}
    return {name: strangeness(one.name, outputs) for name, outputs in found.parts.shifted.items()}
