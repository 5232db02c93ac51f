"""The case against a model: which cues of the data are suspected, by which trials, and what these show."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from pfungst.datasets.dataset import Dataset
from pfungst.methods.attributions import GradientTimesInput
from pfungst.methods.candidates import Candidates, candidates, is_site, recorded
from pfungst.methods.cues import Cue
from pfungst.methods.gatherings import gatherings
from pfungst.methods.hypotheses import Seen
from pfungst.methods.places import Region
from pfungst.methods.regions import likeness
from pfungst.methods.standing import HALVES, Standing, explained, standing, tells
from pfungst.methods.swaps import Way, ways
from pfungst.passes import Attribute, Passes, Predict
from pfungst.probe import labelled
from pfungst.probes.trials import CLEAR, Held, Trial, natural_loss
from pfungst.statistics.estimate import Estimate, Status

MAPS = Attribute(GradientTimesInput(), rows=64, half="discovery")
"""Maps in which places are looked for where attributions gather."""

QUIET = 50
"""Rows, at least, that say that a cue which tells nothing about the label moves nothing."""


@dataclass(frozen=True)
class Case:
    """Rows and what was asked of the model so far; cues are chosen on discovery rows and tried on the others.

    ``rows`` of a half are asked at most; ``tolerance`` says how much of the answer may rest on a cue; cues that are
    ``stated`` by name, or the user's ``own``, are judged in any case.
    """

    data: Dataset
    done: Passes
    rows: int
    tolerance: Callable[[Cue], float]
    stated: tuple[str, ...] = ()
    own: tuple[Cue, ...] = ()

    def candidates(self) -> Candidates:
        """What the rows have and the data propose, and the places where the model's attributions gather."""
        known = candidates(self.data, self.stated, self.own)
        places = [cue for cue in known.proposed if isinstance(cue, Region)]
        more = (one for one in self._gathered() if all(likeness(one.box, cue.box) < 0.5 for cue in places))
        return replace(known, proposed=(*known.proposed, *more))

    def tried(self) -> tuple[Cue, ...]:
        """Cues reversed on the discovery rows: those that say something about the label."""
        known = self.candidates()
        return (*known.proposed, *(cue for cue in known.always if tells(self.data, cue)))

    def trials(self, cue: Cue) -> tuple[Trial, ...]:
        """Each way of reversing a cue, on a part of the discovery rows."""
        return tuple(Trial(cue, way, self._few(), "discovery") for way in ways(cue))

    def compared(self) -> bool:
        """Whether every cue was tried on the discovery rows."""
        return all(trial.ran(self.done) for cue in self.tried() for trial in self.trials(cue))

    def best(self, cue: Cue) -> Trial:
        """The trial that moved the answers most surely on the discovery rows."""
        return max(self.trials(cue), key=lambda trial: self.reliance(trial).low)

    def reliance(self, trial: Trial) -> Estimate:
        """Probability of the true class that a trial takes."""
        return trial.reliance(self.data, self.done)

    def looked(self) -> Mapping[Cue, Trial]:
        """The trials on the confirmation rows: of suspects, strongest first, and of what every row has."""
        suspects = self._suspects()
        quiet = [cue for cue in self.candidates().always if cue not in suspects]
        looked = {
            cue: Trial(cue, self._way(cue), self.rows, "confirmation", suspects.get(cue, ()))
            for cue in (*suspects, *quiet)
        }
        tried = self.tried()
        return {
            cue: replace(trial, rows=max(QUIET, self._few()))
            if trial.way == "transport" and cue not in tried
            else trial.followed(self.data, self.done, self.tolerance(cue))
            for cue, trial in looked.items()
        }

    def standing(self, cue: Cue, held: Held = ()) -> Standing:
        """What the data say of a cue; what the user names is judged in any case."""
        besides: tuple[Cue, ...] = recorded(self.data) if self.data.modality == "table" else ()
        if self.data.modality == "text":
            besides = candidates(self.data, self.stated, self.own).proposed
        return replace(standing(self.data, cue, held, besides), stated=self.named(cue))

    def named(self, cue: Cue) -> bool:
        """Whether the user says that it must not matter, or that it is a site."""
        stated = {spelled(name) for name in self.stated}
        return cue in self.own or spelled(cue.name) in stated or is_site(self.data, cue)

    def status(self, trial: Trial) -> Status:
        """What a trial shows: accused are only cues of their own whose swap nothing contradicts."""
        status = self.reliance(trial).against(self.tolerance(trial.cue))
        found_to_be = self.standing(trial.cue, trial.held)
        doubted = found_to_be.unsure or not found_to_be.own or not self._borne_out(trial)
        return "inconclusive" if status == "found" and doubted else status

    def places(self) -> list[Region]:
        """Places that are cues of their own, one for all that overlap: the box that carries most and is least tied.

        Of a box that holds a mark and a piece of the thing, the mark says the label and the piece moves the answer:
        there the mark alone is judged.
        """
        proposed = (cue for cue in self.candidates().proposed if isinstance(cue, Region))
        known = {cue: self.standing(cue) for cue in proposed}
        left = [cue for cue, found in known.items() if found.own]
        weight = {cue: max(0.0, self.reliance(self.best(cue)).value) * known[cue].freedom for cue in left}
        chosen: list[Region] = []
        while left:
            best = max(left, key=lambda cue: weight[cue])
            near = [cue for cue in left if likeness(cue.box, best.box) > 0]
            while cores := [cue for cue in near if self._core(cue, best, known)]:
                best = max(cores, key=lambda cue: weight[cue])
            chosen.append(min((cue for cue in near if weight[cue] >= 0.9 * weight[best]), key=lambda cue: cue.area))
            left = [cue for cue in left if cue not in near]
        return chosen

    def seen(self) -> Seen:
        """What the model did on the discovery rows."""
        clean = labelled(self.data, self.done[Predict()])
        assert clean is not None, "unfit data are not judged"
        inside = np.isin(np.asarray(clean.outputs.rows), self.data.halves["discovery"])
        rows, maps = (
            np.asarray(clean.outputs.rows)[inside],
            {one: self.done[one] for one in (MAPS,) if one in self.done},
        )
        return Seen(rows, ~clean.correct[inside], maps.get(MAPS), self._gathered())

    def _gathered(self) -> tuple[Region, ...]:
        """Places where the attributions of the discovery rows gather, where the model offers gradients."""
        if MAPS not in self.done:
            return ()
        maps = self.done[MAPS]
        boxes = self.data.donors("discovery").known("gathered", lambda: gatherings(maps.values, maps.targets))
        return tuple(Region(box) for box in boxes)

    def _few(self) -> int:
        """Rows on which it is seen whether a cue is worth asking about: a third of the discovery rows."""
        return int(np.clip(len(self.data.sample(self.rows, "discovery")) // 3, 32, 400))

    def _way(self, cue: Cue) -> Way:
        """How a cue is reversed on the confirmation rows: without class means that differ a push does nothing."""
        return self.best(cue).way if cue in self.tried() else ways(cue)[-1]

    def _suspects(self) -> Mapping[Cue, Held]:
        """Cues that carry the answer on the discovery rows, strongest first, each with the stronger ones to be held."""
        found = {}
        for cue in self._apart():
            effect = self.reliance(self.best(cue))
            if effect.low > 0 and effect.value > 0.6 * self.tolerance(cue):
                # A mark in the border moves both; the place says more.
                found[cue] = effect.value * (1.25 if isinstance(cue, Region) else 1.0)
        late = explained(found)
        ranked = sorted(found, key=lambda cue: (cue in late, -found[cue]))
        return {
            cue: tuple(other for other in ranked[:index] if self.standing(other).own and self._trusted(other))[:3]
            for index, cue in enumerate(ranked)
        }

    def _apart(self) -> list[Cue]:
        """The cues that were tried, of the places only those that are cues of their own and do not overlap."""
        tried = self.tried()
        places = self.places()
        return [cue for cue in tried if not isinstance(cue, Region) or cue in places or cue in self.own]

    def _core(self, cue: Region, whole: Region, known: Mapping[Region, Standing]) -> bool:
        """Whether a smaller place says as much of the label, and what it leaves of the other is no cue of its own."""
        as_much = known[cue].opportunity >= 0.9 * known[whole].opportunity
        return as_much and cue.area < whole.area and not self.standing(whole, (cue,)).own

    def _borne_out(self, trial: Trial) -> bool:
        """Whether rows whose own cue speaks for another class do not contradict the swap.

        A swap of what differs leaves seams or strange light that a swap of like for like does not; rows that came so
        have neither.
        """
        lost = natural_loss(self.data, self.done, trial.cue, HALVES, clear=CLEAR)
        return self._trusted(trial.cue) and (lost is None or lost.high >= self.reliance(trial).low)

    def _trusted(self, cue: Cue) -> bool:
        """Whether it is known where a cue lies: a guess must be shown by rows that came with another class's."""
        if not getattr(cue, "guess", False) or self.data.masks is not None:
            return True
        lost = natural_loss(self.data, self.done, cue, HALVES)
        return lost is not None and lost.low > 0


def spelled(name: str) -> str:
    """A name in the spelling that names are compared in.

    >>> spelled("colour-cast")
    'colour_cast'
    """
    return name.replace("-", "_")
