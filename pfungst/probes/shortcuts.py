"""The Clever-Hans test: give a row another's cue, and see whether the answer follows the cue."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from pfungst.datasets.dataset import Dataset
from pfungst.errors import TooFew
from pfungst.findings import Condition, Finding, Skipped
from pfungst.methods.attributions import GradientTimesInput
from pfungst.methods.candidates import Candidates, candidates, is_site, recorded
from pfungst.methods.cues import Cue
from pfungst.methods.gatherings import gatherings
from pfungst.methods.hypotheses import Seen, hypothesis
from pfungst.methods.places import Region
from pfungst.methods.regions import likeness
from pfungst.methods.standing import HALVES, Standing, chance, covers, explained, scores, standing, tells, units_of
from pfungst.methods.swaps import Way, ways
from pfungst.passes import Attribute, Pass, Passes, Predict
from pfungst.probe import Probe, labelled, probes
from pfungst.probes.cue_evidence import Looked, evidence, overview, shown, table
from pfungst.probes.cue_words import (
    answered,
    carried_too,
    claim,
    latent_claim,
    names,
    noun,
    part_of_the_thing,
    remedy,
    unused,
)
from pfungst.probes.metadata_cues import metadata_cues
from pfungst.probes.trials import CLEAR, Held, Trial, beyond, natural_loss
from pfungst.statistics.estimate import Status, severity
from pfungst.statistics.intervals import proportion_of
from pfungst.task import MUST_NOT_MATTER, Task

MAPS = Attribute(GradientTimesInput(), rows=64, half="discovery")
"""Maps in which places are looked for where attributions gather."""

QUIET = 50
"""Rows, at least, that say that a cue which tells nothing about the label moves nothing."""


@probes
@dataclass(frozen=True, kw_only=True)
class Shortcuts(Probe):
    """Probability of the true class lost when a cue comes from another class's row instead of one of the row's own.

    Both arms are edited alike, so seams and strangeness cancel; only the cue's class information differs. Properties of
    pictures (brightness, contrast, colour cast, ...) may instead be pushed towards another class's mean and as far away
    from it. A border, a small place, a column or a word counts only where it is a cue of its own: it predicts the
    label, and given the class nothing around it predicts it, as it would predict a part of an object. Cues are chosen
    on the discovery rows, verdicts come from the confirmation rows. Where several carry the answer, each is judged with
    the stronger ones held at the row's own value. Of many confirmation rows 1,024 are asked first, and more only about
    cues that these leave open; intervals and p-values hold whenever one stops (repeated confidence intervals, Jennison
    & Turnbull 1989, with Bonferroni's bound over the looks).
    """

    topic: ClassVar[str] = "shortcuts"
    question: ClassVar[str] = "Does it look at the thing, or at a cue that happens to come with it?"
    finds: ClassVar[Mapping[str, str]] = {
        "cue": "The answer rests on a cue that should not matter.",
        "latent-cue": "A cue predicts the label in these rows and is not relied upon; the next model may.",
    }
    tolerances: tuple[tuple[str, float], ...] = ()
    stated: tuple[str, ...] = ()
    own: tuple[Cue, ...] = ()
    rows: int = 2000
    fewest: int = 30

    def for_task(self, task: Task) -> Self:
        """With the tolerances and the user's own places of the task file."""
        asked = {**MUST_NOT_MATTER, **task.must_not_matter}
        own = tuple(Region(box, title=name) for name, box in task.cues.items())
        tolerances = tuple((_spelled(name), share) for name, share in sorted(asked.items()))
        return replace(self, tolerances=tolerances, stated=tuple(sorted(task.must_not_matter)), own=own)

    def needs(self, data: Dataset, done: Passes) -> Iterator[Pass]:
        """Both arms of the cues that say something, then of suspects on other rows, then what shows the proven ones."""
        if self.unfit(data):
            return
        yield Predict()
        if data.modality == "image":
            yield MAPS
        first = [one for cue in self._tried(data, done) for trial in self._trials(data, cue) for one in trial.passes]
        yield from first
        if all(one in done for one in first):
            trials = [trial for trial in self._looked(data, done).values() if isinstance(trial, Trial)]
            second = [one for trial in trials for one in trial.passes]
            yield from second
            if all(one in done for one in second):
                for trial in trials:
                    if trial.reliance(data, done).against(self.tolerance(trial.cue)) != "absent":
                        yield from trial.plain().passes
                    if self._status(data, done, trial) == "found":
                        yield from shown(data, trial)

    def judge(self, data: Dataset, done: Passes) -> Iterator[Finding | Skipped | Condition]:
        """One finding for each cue; what remains of the accuracy where one was found."""
        reason = self.unfit(data)
        if reason:
            yield Skipped(probe=self.topic, reason=reason)
        if reason or not self._compared(data, done):
            return
        trials = self._looked(data, done)
        if not all(trial.ran(done) for trial in trials.values()):
            return
        seen = self._seen(data, done)
        suspicions = table(
            (
                trial,
                hypothesis(data, trial.cue, seen, stated=self._named(data, trial.cue)).sources,
                trial.reliance(data, done),
            )
            for trial in trials.values()
        )
        looked = Looked(
            tuple(trials.values()), self.tolerance, overview(data, done, tuple(trials.values())), suspicions
        )
        named: set[str] = set()
        for trial in trials.values():
            if trial.cue.name not in named:
                said = list(self._judged(data, done, trial, looked))
                named |= {trial.cue.name} if said else set()
                yield from said
        if data.modality == "image" and not any(name.startswith("region") for name in named):
            yield from self._no_region(data, done)
        for cue in self._candidates(data, done).proposed:
            if cue not in trials and not isinstance(cue, Region) and self._standing(data, cue).latent:
                yield self._latent(data, cue, unused(self._best(data, done, cue).reliance(data, done)))
        yield from metadata_cues(data, done)

    def _compared(self, data: Dataset, done: Passes) -> bool:
        """Whether every cue was tried on the discovery rows."""
        return all(trial.ran(done) for cue in self._tried(data, done) for trial in self._trials(data, cue))

    def unfit(self, data: Dataset) -> str:
        """Why the data cannot be examined, or nothing."""
        if data.modality not in {"image", "table", "text"}:
            return f"cues are those of pictures, tables and texts; these rows are {data.modality}"
        if data.labels is None:
            return "the rows carry no labels"
        halves = [data.labels[data.sample(self.rows, half)] for half in HALVES]
        counts = [np.bincount(labels[labels >= 0], minlength=len(data.classes)) for labels in halves]
        least = min(int(each.sum()) for each in counts)
        if least < self.fewest:
            return TooFew(f"{least} labelled rows in a half; {self.fewest} are the least that say anything")
        if np.count_nonzero(sum(counts)) < 2:
            return "all labelled rows are of one class, so no row has a donor of another"
        others, fewest = min(int(each.sum() - each.max()) for each in counts), self.fewest // 2
        if others < fewest:
            reason = f"{others} rows in a half are not of its commonest class; {fewest} are the least to take cues from"
            return TooFew(reason)
        return ""

    def tolerance(self, cue: Cue) -> float:
        """How much of the answer may rest on a cue: as stated of it, or of its family."""
        known = dict(self.tolerances)
        return known.get(_spelled(cue.name), known.get(_spelled(cue.name.split(":")[0]), 0.05))

    def _candidates(self, data: Dataset, done: Passes) -> Candidates:
        """What the rows have and the data propose, and the places where the model's attributions gather."""
        known = candidates(data, self.stated, self.own)
        places = [cue for cue in known.proposed if isinstance(cue, Region)]
        more = (one for one in self._gathered(data, done) if all(likeness(one.box, cue.box) < 0.5 for cue in places))
        return replace(known, proposed=(*known.proposed, *more))

    def _gathered(self, data: Dataset, done: Passes) -> tuple[Region, ...]:
        """Places where the attributions of the discovery rows gather, where the model offers gradients."""
        if MAPS not in done:
            return ()
        maps = done[MAPS]
        boxes = data.donors("discovery").known("gathered", lambda: gatherings(maps.values, maps.targets))
        return tuple(Region(box) for box in boxes)

    def _seen(self, data: Dataset, done: Passes) -> Seen:
        """What the model did on the discovery rows."""
        clean = labelled(data, done[Predict()])
        assert clean is not None, "unfit data are not judged"
        inside = np.isin(np.asarray(clean.outputs.rows), data.halves["discovery"])
        rows, maps = np.asarray(clean.outputs.rows)[inside], {one: done[one] for one in (MAPS,) if one in done}
        return Seen(rows, ~clean.correct[inside], maps.get(MAPS), self._gathered(data, done))

    def _few(self, data: Dataset) -> int:
        """Rows on which it is seen whether a cue is worth asking about: a third of the discovery rows."""
        return int(np.clip(len(data.sample(self.rows, "discovery")) // 3, 32, 400))

    def _tried(self, data: Dataset, done: Passes) -> tuple[Cue, ...]:
        """Cues reversed on the discovery rows: those that say something about the label."""
        known = self._candidates(data, done)
        return (*known.proposed, *(cue for cue in known.always if tells(data, cue)))

    def _trials(self, data: Dataset, cue: Cue) -> tuple[Trial, ...]:
        return tuple(Trial(cue, way, self._few(data), "discovery") for way in ways(cue))

    def _best(self, data: Dataset, done: Passes, cue: Cue) -> Trial:
        """The trial that moved the answers most surely on the discovery rows."""
        return max(self._trials(data, cue), key=lambda trial: trial.reliance(data, done).low)

    def _way(self, data: Dataset, done: Passes, cue: Cue) -> Way:
        """How a cue is reversed on the confirmation rows: without class means that differ a push does nothing."""
        return self._best(data, done, cue).way if cue in self._tried(data, done) else ways(cue)[-1]

    def _looked(self, data: Dataset, done: Passes) -> Mapping[Cue, Trial]:
        """The trials on the confirmation rows: of suspects, strongest first, and of what every row has."""
        suspects = self._suspects(data, done)
        quiet = [cue for cue in self._candidates(data, done).always if cue not in suspects]
        looked = {
            cue: Trial(cue, self._way(data, done, cue), self.rows, "confirmation", suspects.get(cue, ()))
            for cue in (*suspects, *quiet)
        }
        tried = self._tried(data, done)
        return {
            cue: replace(trial, rows=max(QUIET, self._few(data)))
            if trial.way == "transport" and cue not in tried
            else trial.followed(data, done, self.tolerance(cue))
            for cue, trial in looked.items()
        }

    def spared(self, data: Dataset, done: Passes) -> Mapping[Pass, int]:
        """The last passes of the cues that were settled before all rows were asked."""
        if self.unfit(data) or not self._compared(data, done):
            return {}
        looked = [trial for trial in self._looked(data, done).values() if trial.ran(done)]
        asked = [*looked, *(plain for trial in looked if (plain := trial.plain()).ran(done))]
        return {arm[-1]: rows for trial in asked if (rows := trial.spared(data)) for arm in trial.arms}

    def _suspects(self, data: Dataset, done: Passes) -> Mapping[Cue, Held]:
        """Cues that carry the answer on the discovery rows, strongest first, each with the stronger ones to be held."""
        found = {}
        for cue in self._apart(data, done):
            effect = self._best(data, done, cue).reliance(data, done)
            if effect.low > 0 and effect.value > 0.6 * self.tolerance(cue):
                # A mark in the border moves both; the place says more.
                found[cue] = effect.value * (1.25 if isinstance(cue, Region) else 1.0)
        late = explained(found)
        ranked = sorted(found, key=lambda cue: (cue in late, -found[cue]))
        return {
            cue: tuple(
                other
                for other in ranked[:index]
                if self._standing(data, other).own and self._trusted(data, done, other)
            )[:3]
            for index, cue in enumerate(ranked)
        }

    def _apart(self, data: Dataset, done: Passes) -> list[Cue]:
        """The cues that were tried, of the places only those that are cues of their own and do not overlap."""
        tried = self._tried(data, done)
        places = self._places(data, done)
        return [cue for cue in tried if not isinstance(cue, Region) or cue in places or cue in self.own]

    def _places(self, data: Dataset, done: Passes) -> list[Region]:
        """Places that are cues of their own, one for all that overlap: the box that carries most and is least tied.

        Of a box that holds a mark and a piece of the thing, the mark says the label and the piece moves the answer:
        there the mark alone is judged.
        """
        proposed = (cue for cue in self._candidates(data, done).proposed if isinstance(cue, Region))
        known = {cue: self._standing(data, cue) for cue in proposed}
        left = [cue for cue, found in known.items() if found.own]
        weight = {
            cue: max(0.0, self._best(data, done, cue).reliance(data, done).value) * known[cue].freedom for cue in left
        }
        chosen: list[Region] = []
        while left:
            best = max(left, key=lambda cue: weight[cue])
            near = [cue for cue in left if likeness(cue.box, best.box) > 0]
            while cores := [cue for cue in near if self._core(data, cue, best, known)]:
                best = max(cores, key=lambda cue: weight[cue])
            chosen.append(min((cue for cue in near if weight[cue] >= 0.9 * weight[best]), key=lambda cue: cue.area))
            left = [cue for cue in left if cue not in near]
        return chosen

    def _core(self, data: Dataset, cue: Region, whole: Region, known: Mapping[Region, Standing]) -> bool:
        """Whether a smaller place says as much of the label, and what it leaves of the other is no cue of its own."""
        as_much = known[cue].opportunity >= 0.9 * known[whole].opportunity
        return as_much and cue.area < whole.area and not self._standing(data, whole, (cue,)).own

    def _standing(self, data: Dataset, cue: Cue, held: Held = ()) -> Standing:
        """What the data say of a cue; what the user names is judged in any case."""
        besides: tuple[Cue, ...] = recorded(data) if data.modality == "table" else ()
        if data.modality == "text":
            besides = candidates(data, self.stated, self.own).proposed
        return replace(standing(data, cue, held, besides), stated=self._named(data, cue))

    def _named(self, data: Dataset, cue: Cue) -> bool:
        stated = {_spelled(name) for name in self.stated}
        return cue in self.own or _spelled(cue.name) in stated or is_site(data, cue)

    def _status(self, data: Dataset, done: Passes, trial: Trial) -> Status:
        status = trial.reliance(data, done).against(self.tolerance(trial.cue))
        found_to_be = self._standing(data, trial.cue, trial.held)
        doubted = found_to_be.unsure or not found_to_be.own or not self._borne_out(data, done, trial)
        return "inconclusive" if status == "found" and doubted else status

    def _borne_out(self, data: Dataset, done: Passes, trial: Trial) -> bool:
        """Whether rows whose own cue speaks for another class do not contradict the swap.

        A swap of what differs leaves seams or strange light that a swap of like for like does not; rows that came so
        have neither.
        """
        lost = natural_loss(data, done, trial.cue, HALVES, clear=CLEAR)
        return self._trusted(data, done, trial.cue) and (lost is None or lost.high >= trial.reliance(data, done).low)

    def _trusted(self, data: Dataset, done: Passes, cue: Cue) -> bool:
        """Whether it is known where a cue lies: a guess must be shown by rows that came with another class's."""
        if not getattr(cue, "guess", False) or data.masks is not None:
            return True
        lost = natural_loss(data, done, cue, HALVES)
        return lost is not None and lost.low > 0

    def _not_told(
        self, data: Dataset, done: Passes, trial: Trial, looked: Looked
    ) -> Iterator[Finding | Skipped | Condition]:
        """What is said of a cue that is neither accused nor cleared; nothing where it is one or the other."""
        effect, found_to_be = trial.reliance(data, done), self._standing(data, trial.cue, trial.held)
        cleared, other = effect.against(self.tolerance(trial.cue)) == "absent", names(trial.held)
        over = [one for one in looked.trials if one.cue in trial.held and covers(one.cue, trial.cue)]
        if not cleared and not found_to_be.own:
            reason = part_of_the_thing(effect, found_to_be)
            reliance = f"this model's answer moves by {effect:.3f} with it"
        elif cleared and any(self._status(data, done, one) != "absent" for one in over):
            reason = carried_too(trial, self._best(data, done, trial.cue).reliance(data, done), effect)
            reliance = f"whether this model rests on it or on the {other} is open"
        else:
            return
        yield Skipped(probe=self.topic, kind="cue", subject=trial.cue.name, reason=reason)
        if found_to_be.latent and not isinstance(trial.cue, Region):
            yield self._latent(data, trial.cue, reliance)

    def _judged(
        self, data: Dataset, done: Passes, trial: Trial, looked: Looked
    ) -> Iterator[Finding | Skipped | Condition]:
        if told := list(self._not_told(data, done, trial, looked)):
            yield from told
            return
        effect, tolerance = trial.reliance(data, done), self.tolerance(trial.cue)
        status, found_to_be = self._status(data, done, trial), self._standing(data, trial.cue, trial.held)
        plain = trial.plain().reliance(data, done) if trial.plain().ran(done) else None
        said, found = claim(trial, effect, plain, tolerance), status == "found"
        said += answered(trial, *trial.answers(data, done)) if found else ""
        if effect.against(tolerance) == "found" and found_to_be.unsure:
            said += " Too few rows to tell whether it is a part of the object."
        elif effect.against(tolerance) == "found" and status == "inconclusive":
            said += " But rows that came with another class's are answered no worse: the change itself may do it."
        elif status == "inconclusive":
            said += f" {effect.settled_by(tolerance).capitalize()}."
        yield Finding(
            probe=self.topic,
            kind="cue",
            subject=trial.cue.name,
            status=status,
            severity=severity(effect, "loss", tolerance) if found else "none",
            claim=said,
            effect=effect,
            tolerance=tolerance,
            p_value=beyond(effect, tolerance),
            evidence=tuple(evidence(data, done, trial, looked)) if found else (),
            remedy=remedy(noun(trial.cue)) if found else "",
        )
        if found:
            other = trial.answers(data, done)[1]
            accuracy = proportion_of(other.correct, units=other.units, name="accuracy")
            yield Condition(condition=f"{trial.cue.name} swapped", accuracy=accuracy)
        elif found_to_be.latent and not isinstance(trial.cue, Region):
            yield self._latent(data, trial.cue, unused(effect, status))

    def _no_region(self, data: Dataset, done: Passes) -> Iterator[Finding | Skipped]:
        tried = [(self._best(data, done, cue).reliance(data, done), cue) for cue in self._places(data, done)]
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
            f"carries {effect:.3f} of the answer (tolerance {self.tolerance(cue):.2f}, {effect.rows} "
            f"{effect.unit}s).",
            effect=effect,
            tolerance=self.tolerance(cue),
        )
        if status == "absent" and self._standing(data, cue).latent:
            yield self._latent(data, cue, unused(effect))

    def _latent(self, data: Dataset, cue: Cue, reliance: str) -> Finding:
        alone = scores(data, cue, "confirmation").opportunity(units_of(data, "confirmation"))
        return Finding(
            probe=self.topic,
            kind="latent-cue",
            subject=cue.name,
            status="found",
            severity="low",
            claim=latent_claim(
                cue, alone, chance(data), reliance + "; the next one trained on such data may rest on it."
            ),
            effect=alone,
            tolerance=self.tolerance(cue),
            remedy=remedy(noun(cue)),
        )


def _spelled(name: str) -> str:
    return name.replace("-", "_")
