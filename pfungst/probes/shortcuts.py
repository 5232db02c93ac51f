"""The Clever-Hans test: give a row another's cue, and see whether the answer follows the cue."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from scipy.special import ndtr

from pfungst.arrays import FloatArray
from pfungst.datasets.dataset import Dataset, Half
from pfungst.findings import (
    AnyEvidence,
    Condition,
    Estimates,
    Examples,
    Finding,
    OpportunityReliance,
    RegionMap,
    Skipped,
)
from pfungst.findings import Cue as Point
from pfungst.methods.cues import Cue, cues
from pfungst.methods.places import Border, Region, grid
from pfungst.methods.regions import likeness
from pfungst.methods.standing import (
    FREE,
    HALVES,
    Standing,
    border,
    chance,
    proposed,
    pushable,
    scores,
    standing,
    units_of,
)
from pfungst.methods.swaps import Way, arms, ways
from pfungst.passes import Passes, Predict
from pfungst.probe import Labelled, Probe, labelled, probes, shot
from pfungst.statistics.estimate import Estimate, Status, severity
from pfungst.statistics.intervals import paired_mean, proportion_of
from pfungst.task import Task

Held = tuple[Cue, ...]
GRID = grid(4)


@probes
@dataclass(frozen=True)
class Shortcuts(Probe):
    """Probability of the true class lost when a cue comes from another class's row instead of one of the row's own.

    Both arms are edited alike, so seams and strangeness cancel; only the cue's class information differs. Properties
    (brightness, contrast, colour cast, sharpness) may instead be pushed towards another class's mean and as far away
    from it. A border or a small place counts only where it is a cue of its own: it predicts the label, and given the
    class nothing around it predicts it, as it would predict a part of an object. Cues are chosen on the discovery rows,
    verdicts come from the confirmation rows. Where several carry the answer, each is judged with the stronger ones held
    at the row's own value.
    """

    topic: ClassVar[str] = "shortcuts"
    question: ClassVar[str] = "Does it look at the thing, or at a cue that happens to come with it?"
    tolerances: tuple[tuple[str, float], ...] = ()
    stated: tuple[str, ...] = ()
    rows: int = 2000
    screened: int = 400
    fewest: int = 30
    shown: int = 8

    def for_task(self, task: Task) -> Self:
        """With the tolerances of the task file."""
        names = ("region", "border", *cues)
        stated = tuple(sorted(name.replace("_", "-") for name in task.must_not_matter))
        return replace(self, tolerances=tuple((name, task.tolerance(name)) for name in names), stated=stated)

    def needs(self, data: Dataset, done: Passes) -> Iterator[Predict]:
        """Both arms of every cue on the discovery rows; then of the same cues and suspects on the confirmation rows."""
        if self.unfit(data):
            return
        yield self._as_is
        places = (*GRID, *proposed(data), *always(data))
        first = [one for cue in places for way in ways(cue) for one in self._passes(cue, way, "discovery")]
        yield from first
        if all(one in done for one in first):
            suspects = self._suspects(data, done)
            for cue in (*always(data), *suspects):
                way = self._way(data, done, cue)
                yield from self._passes(cue, way, "confirmation")
                yield from self._passes(cue, way, "confirmation", suspects.get(cue, ()))

    def judge(self, data: Dataset, done: Passes) -> Iterator[Finding | Skipped | Condition]:
        """One finding for each cue; what remains of the accuracy where one was found."""
        reason = self.unfit(data)
        if reason:
            yield Skipped(probe=self.topic, reason=reason)
        if reason or self._passes(GRID[0], "swap", "discovery")[0] not in done:
            return
        suspects = self._suspects(data, done)
        looked = [*suspects, *(cue for cue in always(data) if cue not in suspects)]
        overview = self._overview(data, done, looked)
        named: set[str] = set()
        for cue in looked:
            if cue.name not in named:
                said = list(self._judged(data, done, cue, suspects.get(cue, ()), overview))
                named |= {cue.name} if said else set()
                yield from said
                free = isinstance(cue, Border) and not suspects and not self._places(data, done)
                if free and self._standing(data, cue).latent:
                    yield self._latent(data, cue, self._confirmed(data, done, cue))
        if not any(name.startswith("region") for name in named):
            yield from self._no_region(data, done)

    def unfit(self, data: Dataset) -> str:
        """Why the data cannot be examined, or nothing."""
        if data.modality != "image":
            return f"the cues are those of pictures; these rows are {data.modality}"
        if data.labels is None:
            return "the rows carry no labels"
        halves = [data.labels[data.sample(self.rows, half)] for half in HALVES]
        least = min(int((labels >= 0).sum()) for labels in halves)
        if least < self.fewest:
            return f"{least} labelled rows in a half; {self.fewest} are the least that say anything"
        if any(len(np.unique(labels[labels >= 0])) < 2 for labels in halves):
            return "all labelled rows are of one class, so no row has a donor of another"
        return ""

    def tolerance(self, cue: Cue) -> float:
        """How much of the answer may rest on a cue."""
        return dict(self.tolerances).get(cue.name.split(":")[0], 0.05)

    @property
    def _as_is(self) -> Predict:
        return Predict(rows=self.rows, half="confirmation")

    def _passes(self, cue: Cue, way: Way, half: Half, held: Held = ()) -> tuple[Predict, Predict]:
        rows = self.screened if isinstance(cue, Region) and half == "discovery" else self.rows
        kept, reversed_ = (Predict(under, rows=rows, half=half) for under in arms(cue, way, held))
        return kept, reversed_

    def _answers(  # noqa: PLR0917 - a pass is named by all of these
        self, data: Dataset, done: Passes, cue: Cue, way: Way, half: Half, held: Held = ()
    ) -> tuple[Labelled, Labelled]:
        kept, reversed_ = (labelled(data, done[one]) for one in self._passes(cue, way, half, held))
        assert kept is not None, "unfit data are not judged"
        assert reversed_ is not None, "unfit data are not judged"
        return kept, reversed_

    def _reliance(  # noqa: PLR0917 - a pass is named by all of these
        self, data: Dataset, done: Passes, cue: Cue, way: Way, half: Half, held: Held = ()
    ) -> Estimate:
        kept, reversed_ = self._answers(data, done, cue, way, half, held)
        return paired_mean(_moved(kept, reversed_), units=kept.units, name="reliance")

    def _way(self, data: Dataset, done: Passes, cue: Cue) -> Way:
        """The way that moved the answers more on the discovery rows."""
        return max(ways(cue), key=lambda way: self._reliance(data, done, cue, way, "discovery").low)

    def _confirmed(self, data: Dataset, done: Passes, cue: Cue, held: Held = ()) -> Estimate:
        return self._reliance(data, done, cue, self._way(data, done, cue), "confirmation", held)

    def _suspects(self, data: Dataset, done: Passes) -> Mapping[Cue, Held]:
        """Cues that carry the answer on the discovery rows, strongest first, each with the stronger ones to be held."""
        found = []
        for cue in (*always(data), *self._places(data, done)):
            effect = self._reliance(data, done, cue, self._way(data, done, cue), "discovery")
            if effect.low > 0 and effect.value > 0.6 * self.tolerance(cue):
                # A mark in the border moves both; the place says more.
                found.append((effect.value * (1.25 if isinstance(cue, Region) else 1.0), cue))
        ranked = [cue for _, cue in sorted(found, key=lambda item: -item[0])]
        return {
            cue: tuple(other for other in ranked[:index] if self._standing(data, other).own)[:3]
            for index, cue in enumerate(ranked)
        }

    def _places(self, data: Dataset, done: Passes) -> list[Region]:
        """Places that are cues of their own, one for all that overlap: the box that carries most and is least tied."""
        known = {cue: self._standing(data, cue) for cue in proposed(data)}
        left = [cue for cue, found in known.items() if found.own]
        weight = {
            cue: max(0.0, self._reliance(data, done, cue, "swap", "discovery").value) * known[cue].freedom
            for cue in left
        }
        chosen: list[Region] = []
        while left:
            best = max(left, key=lambda cue: weight[cue])
            near = [cue for cue in left if likeness(cue.box, best.box) > 0]
            chosen.append(min((cue for cue in near if weight[cue] >= 0.9 * weight[best]), key=lambda cue: cue.area))
            left = [cue for cue in left if cue not in near]
        return chosen

    def _standing(self, data: Dataset, cue: Cue, held: Held = ()) -> Standing:
        """What the data say of a cue; what the task file names is judged in any case."""
        found = standing(data, cue, held)
        return replace(found, stated=cue.name in self.stated)

    def _judged(
        self, data: Dataset, done: Passes, cue: Cue, held: Held, overview: OpportunityReliance
    ) -> Iterator[Finding | Skipped | Condition]:
        effect, tolerance = self._confirmed(data, done, cue, held), self.tolerance(cue)
        status, found_to_be = effect.against(tolerance), self._standing(data, cue, held)
        if status != "absent" and not found_to_be.own:
            if not isinstance(cue, Region):
                yield Skipped(probe=self.topic, kind="cue", subject=cue.name, reason=_part(effect, found_to_be))
            return
        words = self._claim(data, done, cue, held, effect)
        if status == "found" and found_to_be.unsure:
            status, words = "inconclusive", f"{words} Too few rows to tell whether it is a part of the object."
        elif status == "inconclusive":
            words += f" About {effect.rows_needed(tolerance)} rows would settle it."
        found = status == "found"
        yield Finding(
            probe=self.topic,
            kind="cue",
            subject=cue.name,
            status=status,
            severity=severity(effect, "loss", tolerance) if found else "none",
            claim=words,
            effect=effect,
            tolerance=tolerance,
            p_value=_beyond(effect, tolerance),
            evidence=(overview, *self._evidence(data, done, cue)) if found else (),
            remedy=_remedy(cue) if found else "",
        )
        if found:
            other = self._answers(data, done, cue, self._way(data, done, cue), "confirmation")[1]
            accuracy = proportion_of(other.correct, units=other.units, name="accuracy")
            yield Condition(condition=f"{cue.name} swapped", accuracy=accuracy)

    def _claim(self, data: Dataset, done: Passes, cue: Cue, held: Held, effect: Estimate) -> str:
        numbers = _numbers(effect)
        kept = ""
        if held:
            plain = self._confirmed(data, done, cue).value
            names = " and ".join(noun(each) for each in held)
            kept = f", while its own {names} is kept ({plain:.3f} if not)"
        rows = f"(tolerance {self.tolerance(cue):.2f}, {effect.rows} {effect.unit}s)"
        if self._way(data, done, cue) == "transport":
            return (
                f"Pushing a row's {noun(cue)} towards another class's lowers the probability of its true class by "
                f"{numbers} more than pushing it as far away{kept} {rows}."
            )
        return (
            f"Giving a row the {noun(cue)} of another class's row lowers the probability of its true class by "
            f"{numbers} more than giving it that of one of its own class{kept} {rows}."
        )

    def _no_region(self, data: Dataset, done: Passes) -> Iterator[Finding | Skipped]:
        tried = [(self._reliance(data, done, cue, "swap", "discovery"), cue) for cue in self._places(data, done)]
        if not tried:
            reason = (
                "no small place predicts the label without belonging to what surrounds it, so none had to be judged"
            )
            yield Skipped(probe=self.topic, kind="cue", subject="region", reason=reason)
            return
        effect, cue = max(tried, key=lambda item: item[0].value)
        status: Status = "absent" if effect.against(self.tolerance(cue)) == "absent" else "inconclusive"
        yield Finding(
            probe=self.topic,
            kind="cue",
            subject="region",
            status=status,
            severity="none",
            claim=f"Of {len(tried)} small places that predict the label by themselves the strongest, {cue.name}, "
            f"carries {_numbers(effect)} of the answer (tolerance {self.tolerance(cue):.2f}, {effect.rows} "
            f"{effect.unit}s).",
            effect=effect,
            tolerance=self.tolerance(cue),
        )
        if status == "absent" and self._standing(data, cue).latent:
            yield self._latent(data, cue, effect)

    def _latent(self, data: Dataset, cue: Cue, reliance: Estimate) -> Finding:
        alone = scores(data, cue, "confirmation").opportunity(units_of(data, "confirmation"))
        return Finding(
            probe=self.topic,
            kind="latent-cue",
            subject=cue.name,
            status="found",
            severity="low",
            claim=f"The {noun(cue)} alone predicts the label with accuracy {alone.value:.2f} [{alone.low:.2f}, "
            f"{alone.high:.2f}] where guessing has {chance(data):.2f}; this model does not rest on it "
            f"({reliance.value:.3f}), the next one trained on such data may.",
            effect=alone,
            tolerance=self.tolerance(cue),
            remedy=_remedy(cue),
        )

    def _overview(self, data: Dataset, done: Passes, looked: list[Cue]) -> OpportunityReliance:
        units = units_of(data, "confirmation")
        points = tuple(
            Point(
                name=cue.name,
                opportunity=scores(data, cue, "confirmation").opportunity(units),
                reliance=self._confirmed(data, done, cue),
            )
            for cue in looked
        )
        title = "What each cue offers, and what the model took"
        return OpportunityReliance(title=title, cues=points, tolerance=self.tolerance(Border()), chance=chance(data))

    def _evidence(self, data: Dataset, done: Passes, cue: Cue) -> Iterator[AnyEvidence]:
        if isinstance(cue, Region | Border):
            effects = [self._reliance(data, done, cell, "swap", "discovery").value for cell in GRID]
            rows = tuple(tuple(round(value, 4) for value in effects[at : at + 4]) for at in range(0, 16, 4))
            box = cue.box if isinstance(cue, Region) else None
            yield RegionMap(title="Where in the picture the answer rests", effects=rows, box=box)
        way = self._way(data, done, cue)
        kept, reversed_ = self._answers(data, done, cue, way, "confirmation")
        moved = _moved(kept, reversed_)
        present = [k for k in range(len(data.classes)) if (kept.labels == k).sum() >= self.fewest]
        if len(present) <= 20:
            items = tuple(paired_mean(moved[kept.labels == k], name=data.classes[k]) for k in present)
            yield Estimates(
                title="Reliance by class", items=items, reference=self.tolerance(cue), reference_name="tolerance"
            )
        assert kept.outputs.rows is not None, "answers of a pass know their rows"
        answers = (done[self._as_is].at(kept.outputs.rows), kept.outputs, reversed_.outputs)
        passes = (self._as_is, *self._passes(cue, way, "confirmation"))
        order = np.argsort(-moved, kind="stable")[: self.shown]
        shots = tuple(
            tuple(shot(data, one, outputs, int(i)) for one, outputs in zip(passes, answers, strict=True)) for i in order
        )
        yield Examples(title=f"As it is, with its own class's {noun(cue)}, and with another's", items=shots)


def always(data: Dataset) -> tuple[Cue, ...]:
    """The cues every picture has: its properties and its border."""
    return (*pushable(data), border(data))


def noun(cue: Cue) -> str:
    """The cue in a sentence.

    >>> noun(Region((0.0, 0.0, 0.2, 0.2)))
    'top-left region'
    """
    return f"{cue.name.split(':')[1]} region" if isinstance(cue, Region) else cue.name.replace("-", " ")


def _numbers(effect: Estimate) -> str:
    return f"{effect.value:.3f} [{effect.low:.3f}, {effect.high:.3f}]"


def _moved(kept: Labelled, reversed_: Labelled) -> FloatArray:
    return kept.outputs.probability_of(kept.labels) - reversed_.outputs.probability_of(reversed_.labels)


def _beyond(effect: Estimate, tolerance: float) -> float:
    """One-sided p-value of "reliance <= tolerance", read off the interval."""
    error = max((effect.high - effect.low) / 3.92, 1e-9)
    return float(ndtr((tolerance - effect.value) / error))


def _part(effect: Estimate, found_to_be: Standing) -> str:
    name, bound = found_to_be.cue.name.replace("-", "_"), found_to_be.tie
    why = "it says no more about the label than the looks of things do"
    if bound is not None and bound.value > FREE:
        why = f"within each class the rest of the picture predicts what it shows (R squared {bound.value:.2f})"
    return (
        f"the answer rests on it by {_numbers(effect)}, but it belongs to what the pictures show: {why}; name {name} "
        "under [must_not_matter] to have it judged nevertheless"
    )


def _remedy(cue: Cue) -> str:
    return (
        f"collect or synthesise rows in which {noun(cue)} and label are independent (swapping the {noun(cue)} between "
        "rows of different classes does it), then retrain the last layer and audit again"
    )
