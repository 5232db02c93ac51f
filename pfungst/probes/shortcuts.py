"""The Clever-Hans test: give a row another's cue, and see whether the answer follows the cue."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self, TypeAlias

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.datasets.dataset import Dataset, Half
from pfungst.findings import AnyEvidence, Condition, Cue, Examples, Finding, OpportunityReliance, RegionMap, Skipped
from pfungst.methods import cues as cue_methods
from pfungst.methods.cues import Border, Region
from pfungst.methods.opportunity import Discriminant, Tie, discriminant, folds_of
from pfungst.methods.regions import proposals, scanned, shrunk, tie
from pfungst.methods.swaps import Donor, Swap
from pfungst.passes import Passes, Predict
from pfungst.probe import Labelled, Probe, labelled, probes, shot
from pfungst.statistics.estimate import Estimate, severity
from pfungst.statistics.intervals import paired_mean, proportion_of
from pfungst.task import Task

AnyCue: TypeAlias = cue_methods.Cue
Held: TypeAlias = tuple[AnyCue, ...]
GRID = cue_methods.grid(4)
FREE = 0.08
"""A cue whose surroundings predict more than this of its variation within classes is taken for a part of the object."""

TIED = 0.15
"""If the interval of that share reaches beyond this, nobody can tell."""


@probes
@dataclass(frozen=True)
class Shortcuts(Probe):
    """Probability of the true class lost when a cue comes from another class's row instead of one of the row's own.

    Both arms are edited alike, so seams and strangeness cancel; only the cue's class information differs. Properties
    (brightness, contrast, colour cast, sharpness) must not decide. Nor must a place that is a cue of its own: it
    predicts the label, and given the class nothing around it predicts it, as it would predict a part of an object.
    Places are proposed on the discovery rows, verdicts come from the confirmation rows. Where several cues carry the
    answer, each is judged with the stronger ones held at the row's own value.
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
        names = ("region", "border", *cue_methods.cues)
        stated = tuple(sorted(name.replace("_", "-") for name in task.must_not_matter))
        return replace(self, tolerances=tuple((name, task.tolerance(name)) for name in names), stated=stated)

    def needs(self, data: Dataset, done: Passes) -> Iterator[Predict]:
        """Both arms of every cue on the discovery rows, then of the suspects on the confirmation rows."""
        if self.unfit(data):
            return
        for half in ("discovery", "confirmation"):
            yield self._as_is(half)
            for cue in always(data):
                yield from self._arms(cue, half)
        for cue in (*GRID, *proposed(data)):
            yield from self._arms(cue, "discovery")
        if all(one in done for cue in candidates(data) for one in self._arms(cue, "discovery")):
            for cue, held in self._suspects(data, done):
                yield from self._arms(cue, "confirmation")
                if held:
                    yield from self._arms(cue, "confirmation", held)

    def judge(self, data: Dataset, done: Passes) -> Iterator[Finding | Skipped | Condition]:
        """One finding for each cue; what remains of the accuracy where one was found."""
        reason = self.unfit(data)
        if reason:
            yield Skipped(probe=self.topic, reason=reason)
        if reason or self._arms(Border(), "discovery")[0] not in done:
            return
        suspects = dict(self._suspects(data, done))
        looked = [cue for cue in candidates(data) if not isinstance(cue, Region) or cue in suspects]
        overview = self._overview(data, done, looked)
        for cue in looked:
            yield from self._judged(data, done, cue, suspects.get(cue, ()), overview)
        if not any(isinstance(cue, Region) for cue in looked):
            yield self._no_region(data, done)

    def unfit(self, data: Dataset) -> str:
        """Why the data cannot be examined, or nothing."""
        if data.modality != "image":
            return f"the cues are those of pictures; these rows are {data.modality}"
        if data.labels is None:
            return "the rows carry no labels"
        halves = {half: data.labels[data.sample(self.rows, half)] for half in _HALVES}
        least = min(int((labels >= 0).sum()) for labels in halves.values())
        if least < self.fewest:
            return f"{least} labelled rows in a half; {self.fewest} are the least that say anything"
        if any(len(np.unique(labels[labels >= 0])) < 2 for labels in halves.values()):
            return "all labelled rows are of one class; a cue of another class has no donor"
        return ""

    def tolerance(self, cue: AnyCue) -> float:
        """How much of the answer may rest on a cue."""
        return dict(self.tolerances).get(cue.name.split(":")[0], 0.05)

    def _as_is(self, half: Half) -> Predict:
        return Predict(rows=self.rows, half=half)

    def _arms(self, cue: AnyCue, half: Half, held: Held = ()) -> tuple[Predict, Predict]:
        rows = self.screened if isinstance(cue, Region) and half == "discovery" else self.rows
        arms: tuple[Donor, Donor] = ("same class", "other class")
        same, other = (Predict(Swap(cue, donor, held), rows=rows, half=half) for donor in arms)
        return same, other

    def _reliance(self, data: Dataset, done: Passes, cue: AnyCue, half: Half, held: Held = ()) -> Estimate:
        same, other = self._both(data, done, cue, half, held)
        kept = same.outputs.probability_of(same.labels)
        reversed_ = other.outputs.probability_of(other.labels)
        return paired_mean(kept - reversed_, units=same.units, name="reliance")

    def _both(self, data: Dataset, done: Passes, cue: AnyCue, half: Half, held: Held = ()) -> tuple[Labelled, Labelled]:
        same, other = (labelled(data, done[one]) for one in self._arms(cue, half, held))
        assert same is not None, "unfit data are not judged"
        assert other is not None, "unfit data are not judged"
        return same, other

    def _suspects(self, data: Dataset, done: Passes) -> Iterator[tuple[AnyCue, Held]]:
        """Cues that carry the answer on the discovery rows, strongest first, each with the stronger ones to be held."""
        found = []
        for cue in candidates(data):
            effect = self._reliance(data, done, cue, "discovery")
            if effect.low > 0 and effect.value > 0.6 * self.tolerance(cue) and not self._belongs(data, cue):
                # A mark in the border moves both; the place says more.
                found.append((effect.value * (1.25 if isinstance(cue, Region) else 1.0), cue))
        ranked = [cue for _, cue in sorted(found, key=lambda item: -item[0])]
        for index, cue in enumerate(ranked):
            yield cue, tuple(ranked[:index][:3])

    def _belongs(self, data: Dataset, cue: AnyCue) -> bool:
        """Whether a border belongs to the picture; what the task file names is judged in any case."""
        return isinstance(cue, Border) and cue.name not in self.stated and looked_at(data, cue).value > TIED

    def _judged(
        self, data: Dataset, done: Passes, cue: AnyCue, held: Held, overview: OpportunityReliance
    ) -> Iterator[Finding | Skipped | Condition]:
        effect = self._reliance(data, done, cue, "confirmation", held)
        tolerance, status = self.tolerance(cue), effect.against(self.tolerance(cue))
        bound = looked_at(data, cue) if isinstance(cue, Border | Region) and cue.name not in self.stated else None
        words = self._claim(data, done, cue, held, effect)
        if status != "absent" and bound is not None and bound.value > FREE:
            if isinstance(cue, Border):
                yield Skipped(probe=self.topic, kind="cue", subject=cue.name, reason=_part(effect, bound))
            return
        if status == "found" and bound is not None and bound.high > TIED:
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
            evidence=(overview, *self._evidence(data, done, cue)) if found else (),
            remedy=_remedy(cue) if found else "",
        )
        if found:
            other = self._both(data, done, cue, "confirmation")[1]
            accuracy = proportion_of(other.correct, units=other.units, name="accuracy")
            yield Condition(condition=f"{cue.name} swapped", accuracy=accuracy)

    def _claim(self, data: Dataset, done: Passes, cue: AnyCue, held: Held, effect: Estimate) -> str:
        thing = _thing(cue)
        numbers = f"{effect.value:.3f} [{effect.low:.3f}, {effect.high:.3f}]"
        kept = ""
        if held:
            plain = self._reliance(data, done, cue, "confirmation")
            kept = (
                f" with its own {' and '.join(_noun(each) for each in held)} kept ({plain.value:.3f} if it is not kept)"
            )
        return (
            f"Giving a row {thing} of another class's row lowers the probability of its true class by {numbers} more "
            f"than giving it that of one of its own class{kept} (tolerance {self.tolerance(cue):.2f}, {effect.rows} "
            f"{effect.unit}s)."
        )

    def _no_region(self, data: Dataset, done: Passes) -> Finding | Skipped:
        tried = [(self._reliance(data, done, cue, "discovery"), cue) for cue in proposed(data)]
        if not tried:
            reason = (
                "no small place predicts the label without belonging to what surrounds it, so none had to be judged"
            )
            return Skipped(probe=self.topic, kind="cue", subject="region", reason=reason)
        effect, cue = max(tried, key=lambda item: item[0].value)
        status = effect.against(self.tolerance(cue))
        return Finding(
            probe=self.topic,
            kind="cue",
            subject="region",
            status="absent" if status == "absent" else "inconclusive",
            severity="none",
            claim=f"Of {len(tried)} small places that predict the label by themselves, the strongest ({cue.name}) "
            f"carries {effect.value:.3f} [{effect.low:.3f}, {effect.high:.3f}] of the answer (tolerance "
            f"{self.tolerance(cue):.2f}).",
            effect=effect,
            tolerance=self.tolerance(cue),
        )

    def _overview(self, data: Dataset, done: Passes, looked: list[AnyCue]) -> OpportunityReliance:
        units = _units(data, "confirmation")
        points = tuple(
            Cue(
                name=cue.name,
                opportunity=scores(data, cue, "confirmation").opportunity(units),
                reliance=self._reliance(data, done, cue, "confirmation"),
            )
            for cue in looked
        )
        chance = 1 / max(1, len(np.unique(data.donors("confirmation").labels)))
        title = "What each cue offers, and what the model took"
        return OpportunityReliance(title=title, cues=points, tolerance=self.tolerance(Border()), chance=chance)

    def _evidence(self, data: Dataset, done: Passes, cue: AnyCue) -> Iterator[AnyEvidence]:
        if isinstance(cue, Region | Border):
            effects = [self._reliance(data, done, cell, "discovery").value for cell in GRID]
            rows = tuple(tuple(round(value, 4) for value in effects[at : at + 4]) for at in range(0, 16, 4))
            box = cue.box if isinstance(cue, Region) else None
            yield RegionMap(title="Where in the picture the answer rests", effects=rows, box=box)
        same, other = self._both(data, done, cue, "confirmation")
        moved = same.outputs.probability_of(same.labels) - other.outputs.probability_of(other.labels)
        assert other.outputs.rows is not None, "answers of a pass know their rows"
        clean = done[self._as_is("confirmation")].at(other.outputs.rows)
        passes = (self._as_is("confirmation"), *self._arms(cue, "confirmation"))
        answers = (clean, same.outputs, other.outputs)
        order = np.argsort(-moved, kind="stable")[: self.shown]
        items = tuple(
            tuple(shot(data, one, outputs, int(i)) for one, outputs in zip(passes, answers, strict=True)) for i in order
        )
        yield Examples(title=f"As it is, with {cue.name} of its own class, and with that of another", items=items)


_HALVES: tuple[Half, Half] = ("discovery", "confirmation")


def always(data: Dataset) -> tuple[AnyCue, ...]:
    """The cues every picture has: its properties and its border."""
    channels = data.donors("discovery").inputs.shape[-1]
    return (*cue_methods.properties(channels), Border())


def candidates(data: Dataset) -> tuple[AnyCue, ...]:
    """The cues every picture has, and the places that the discovery rows propose."""
    return (*always(data), *proposed(data))


def proposed(data: Dataset, most: int = 600) -> tuple[Region, ...]:
    """Places that predict the label by themselves on the discovery rows."""
    donors = data.donors("discovery")
    units = _units(data, "discovery")
    classes = len(data.classes)
    found = donors.measured(
        ("places", most),
        lambda inputs: scanned(
            shrunk(inputs[:most]), donors.labels[:most], classes, None if units is None else units[:most]
        ),
    )
    return proposals(found, 1 / max(1, len(np.unique(donors.labels))))


def scores(data: Dataset, cue: AnyCue, half: Half) -> Discriminant:
    """Discriminant scores of a cue on the donors of a half."""
    donors, units = data.donors(half), _units(data, half)
    measured = donors.measured(cue, cue.measure)
    return discriminant(measured, donors.labels, len(data.classes), folds_of(len(measured), units))


def looked_at(data: Dataset, cue: Region | Border, most: int = 1000) -> Tie:
    """How far a place belongs to its surroundings, on the rows of both halves."""
    both = [data.donors(half) for half in _HALVES]

    def measure(_: Array) -> FloatArray:
        inputs = np.concatenate([shrunk(part.inputs[:most]) for part in both])
        labels = np.concatenate([part.labels[:most] for part in both])
        named = [units[:most] for half in _HALVES if (units := _units(data, half)) is not None]
        folds = folds_of(len(inputs), np.concatenate(named) if named else None)
        found = tie(inputs, cue, discriminant(cue.measure(inputs), labels, len(data.classes), folds))
        return np.array([found.value, found.error])

    value, error = both[0].measured(("tie", cue, most), measure)
    return Tie(float(value), float(error))


def _units(data: Dataset, half: Half) -> Array | None:
    if data.units is None:
        return None
    place = {name: row for row, name in enumerate(data.ids)}
    return np.array([data.units[place[name]] for name in data.donors(half).ids]).astype(str)


def _noun(cue: AnyCue) -> str:
    return f"{cue.name.split(':')[1]} region" if isinstance(cue, Region) else cue.name.replace("-", " ")


def _thing(cue: AnyCue) -> str:
    return f"the {_noun(cue)}"


def _part(effect: Estimate, bound: Tie) -> str:
    return (
        f"the answer rests on it by {effect.value:.3f} [{effect.low:.3f}, {effect.high:.3f}], but it belongs to the "
        f"picture: within each class the rest predicts what it shows (R squared {bound.value:.2f}); name border under "
        "[must_not_matter] to have it judged nevertheless"
    )


def _remedy(cue: AnyCue) -> str:
    return (
        f"collect or synthesise rows in which {_noun(cue)} and label are independent (swapping the {_noun(cue)} "
        "between rows of different classes does it), then retrain the last layer and audit again"
    )
