"""The Clever-Hans test: give a row another's cue, and see whether the answer follows the cue."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from pfungst.datasets.dataset import Dataset
from pfungst.errors import TooFew
from pfungst.findings import Condition, Finding, Skipped
from pfungst.methods.candidates import foreign
from pfungst.methods.cues import Cue
from pfungst.methods.hypotheses import hypothesis
from pfungst.methods.places import Region
from pfungst.methods.standing import HALVES, chance, covers, scores, units_of
from pfungst.passes import Pass, Passes, Predict
from pfungst.probe import Probe, probes
from pfungst.probes.case import MAPS, Case, spelled
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
from pfungst.probes.trials import Trial, beyond
from pfungst.statistics.estimate import Status, severity
from pfungst.statistics.intervals import proportion_of
from pfungst.task import MUST_NOT_MATTER, Task


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
        tolerances = tuple((spelled(name), share) for name, share in sorted(asked.items()))
        return replace(self, tolerances=tolerances, stated=tuple(sorted(task.must_not_matter)), own=own)

    def needs(self, data: Dataset, done: Passes) -> Iterator[Pass]:
        """Both arms of the cues that say something, then of suspects on other rows, then what shows the proven ones."""
        if self.unfit(data):
            return
        case = self.case(data, done)
        yield Predict()
        if data.modality == "image":
            yield MAPS
        first = [one for cue in case.tried() for trial in case.trials(cue) for one in trial.passes]
        yield from first
        if all(one in done for one in first):
            trials = list(case.looked().values())
            second = [one for trial in trials for one in trial.passes]
            yield from second
            if all(one in done for one in second):
                for trial in trials:
                    if case.reliance(trial).against(self.tolerance(trial.cue)) != "absent":
                        yield from trial.plain().passes
                    if case.status(trial) == "found":
                        yield from shown(data, trial)

    def judge(self, data: Dataset, done: Passes) -> Iterator[Finding | Skipped | Condition]:
        """One finding for each cue; what remains of the accuracy where one was found."""
        reason, case = self.unfit(data), self.case(data, done)
        if reason:
            yield Skipped(probe=self.topic, reason=reason)
        if reason or not case.compared():
            return
        trials = case.looked()
        if not all(trial.ran(done) for trial in trials.values()):
            return
        seen = case.seen()
        suspicions = table(
            (
                trial,
                hypothesis(data, trial.cue, seen, stated=case.named(trial.cue)).sources,
                case.reliance(trial),
            )
            for trial in trials.values()
        )
        looked = Looked(
            tuple(trials.values()), self.tolerance, overview(data, done, tuple(trials.values())), suspicions
        )
        named: set[str] = set()
        for trial in trials.values():
            if trial.cue.name not in named:
                said = list(self._judged(case, trial, looked))
                named |= {trial.cue.name} if said else set()
                yield from said
        if data.modality == "image" and not any(name.startswith("region") for name in named):
            yield from self._no_region(case)
        for cue in case.candidates().proposed:
            if cue not in trials and not isinstance(cue, Region) and case.standing(cue).latent:
                yield self._latent(case, cue, unused(case.reliance(case.best(cue))))
        boxes = {cue.name for cue in self.own}
        for name in sorted({*self.stated, *boxes}):
            if rows := foreign("region" if name in boxes else name, data.modality):
                reason = f"the task file names it, and only {rows} have such a cue"
                yield Skipped(probe=self.topic, kind="cue", subject=name, reason=reason)
        yield from metadata_cues(data, done)

    def case(self, data: Dataset, done: Passes) -> Case:
        """What these data and answers say, as this probe is set."""
        own = self.own if data.modality == "image" else ()
        return Case(data, done, self.rows, self.tolerance, self.stated, own)

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
        return known.get(spelled(cue.name), known.get(spelled(cue.name.split(":")[0]), 0.05))

    def spared(self, data: Dataset, done: Passes) -> Mapping[Pass, int]:
        """The last passes of the cues that were settled before all rows were asked."""
        case = self.case(data, done)
        if self.unfit(data) or not case.compared():
            return {}
        looked = [trial for trial in case.looked().values() if trial.ran(done)]
        asked = [*looked, *(plain for trial in looked if (plain := trial.plain()).ran(done))]
        return {arm[-1]: rows for trial in asked if (rows := trial.spared(data)) for arm in trial.arms}

    def _not_told(self, case: Case, trial: Trial, looked: Looked) -> Iterator[Finding | Skipped | Condition]:
        """What is said of a cue that is neither accused nor cleared; nothing where it is one or the other."""
        effect, found_to_be = case.reliance(trial), case.standing(trial.cue, trial.held)
        cleared, other = effect.against(self.tolerance(trial.cue)) == "absent", names(trial.held)
        over = [one for one in looked.trials if one.cue in trial.held and covers(one.cue, trial.cue)]
        if not cleared and not found_to_be.own:
            reason = part_of_the_thing(effect, found_to_be)
            reliance = f"this model's answer moves by {effect:.3f} with it"
        elif cleared and any(case.status(one) != "absent" for one in over):
            reason = carried_too(trial, case.reliance(case.best(trial.cue)), effect)
            reliance = f"whether this model rests on it or on the {other} is open"
        else:
            return
        yield Skipped(probe=self.topic, kind="cue", subject=trial.cue.name, reason=reason)
        if found_to_be.latent and not isinstance(trial.cue, Region):
            yield self._latent(case, trial.cue, reliance)

    def _judged(self, case: Case, trial: Trial, looked: Looked) -> Iterator[Finding | Skipped | Condition]:
        if told := list(self._not_told(case, trial, looked)):
            yield from told
            return
        effect, tolerance = case.reliance(trial), self.tolerance(trial.cue)
        status, found_to_be = case.status(trial), case.standing(trial.cue, trial.held)
        plain = case.reliance(trial.plain()) if trial.plain().ran(case.done) else None
        said, found = claim(trial, effect, plain, tolerance), status == "found"
        said += answered(trial, *trial.answers(case.data, case.done)) if found else ""
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
            evidence=tuple(evidence(case.data, case.done, trial, looked)) if found else (),
            remedy=remedy(noun(trial.cue)) if found else "",
        )
        if found:
            other = trial.answers(case.data, case.done)[1]
            accuracy = proportion_of(other.correct, units=other.units, name="accuracy")
            yield Condition(condition=f"{trial.cue.name} swapped", accuracy=accuracy)
        elif found_to_be.latent and not isinstance(trial.cue, Region):
            yield self._latent(case, trial.cue, unused(effect, status))

    def _no_region(self, case: Case) -> Iterator[Finding | Skipped]:
        tried = [(case.reliance(case.best(cue)), cue) for cue in case.places()]
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
        if status == "absent" and case.standing(cue).latent:
            yield self._latent(case, cue, unused(effect))

    def _latent(self, case: Case, cue: Cue, reliance: str) -> Finding:
        alone = scores(case.data, cue, "confirmation").opportunity(units_of(case.data, "confirmation"))
        return Finding(
            probe=self.topic,
            kind="latent-cue",
            subject=cue.name,
            status="found",
            severity="low",
            claim=latent_claim(
                cue, alone, chance(case.data), reliance + "; the next one trained on such data may rest on it."
            ),
            effect=alone,
            tolerance=self.tolerance(cue),
            remedy=remedy(noun(cue)),
        )
