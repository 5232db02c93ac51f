"""Adversaries: the worst input that a threat allows, and whether the search for it can be believed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from pfungst.arrays import BoolArray, FloatArray
from pfungst.attacked import Attacked, within, worst
from pfungst.datasets.dataset import Dataset
from pfungst.errors import TooFew
from pfungst.findings import (
    AnyEvidence,
    Condition,
    Estimates,
    Examples,
    Finding,
    SeverityCurve,
    Shot,
    Skipped,
    Step,
    Table,
)
from pfungst.methods.closest import Closest
from pfungst.methods.loss_surface import LossSurface
from pfungst.methods.threats import STAGES, Norm, Patch, RotationTranslation, brought
from pfungst.methods.transfer import Transfer
from pfungst.methods.worst_shift import CorruptionSearch
from pfungst.passes import Attack, Passes, Predict, Prove
from pfungst.probe import Probe, probes
from pfungst.probes.masked_gradients import masked_gradients
from pfungst.probes.named_threats import Asked, asked_for
from pfungst.probes.proofs import (
    bracket,
    most_lost,
    open_question,
    proof_beside,
    proven_condition,
    proven_radius,
    proven_share,
)
from pfungst.probes.row_attacks import allowed, changed_rows, row_threats
from pfungst.statistics.estimate import Estimate, Severity, Status, severity
from pfungst.statistics.intervals import mean, proportion_of
from pfungst.statistics.medians import median

_CLEAN = Predict()
USUAL = Asked()
LARGE = 128
"""Side in pixels beyond which a picture is large."""

SURROGATES, CHECKED = 3, 32
"""Members on which attacks are made to be shown to the model, and rows around which the loss is looked at."""


@probes
@dataclass(frozen=True, kw_only=True)
class Adversarial(Probe):
    """Share of rows that are right as they are and wrong at the worst input found within a budget.

    Searches are stopped row by row: noise, auto-step gradient ascent (Croce and Hein 2020) on a loss of no scale, the
    same towards runner-up classes from other points, random search by squares (Andriushchenko et al. 2020), answers
    alone where scores say nothing (Chen and Gu 2020, Chen et al. 2020), changes made on other members; the smallest
    change that turns an answer (Pintor et al. 2021); turned and moved over a whole grid (Engstrom et al. 2019); a patch
    at nine places. Words of texts are appended or misspelled, columns of tables moved. What was found is drawn into the
    budget and the model asked again. A search that fails proves nothing: only a grid that was searched through, or rows
    that linear bounds cover (Zhang et al. 2018), can be ``absent``.
    """

    topic: ClassVar[str] = "adversarial"
    question: ClassVar[str] = "What is the worst input nearby, and can the search for it be believed?"
    finds: ClassVar[Mapping[str, str]] = {
        "fragile": "Answers turn under changes that stay within a budget.",
        "masked-gradients": "An attack by gradients finds less than one without: the search cannot be believed.",
    }
    tolerance: float = 0.05
    rows: int = 100
    steps: int = 40
    targets: int = 3
    queries: int = 150
    nearing: int = 15
    grid: int = 5
    fewest: int = 50
    shown: int = 6
    asked: Asked = USUAL

    def for_task(self, task: Any) -> Self:
        """The budgets of the task file, and a longer search for them."""
        asked = asked_for(task.adversarial)
        if not asked.named:
            return self
        return replace(self, asked=asked, rows=max(self.rows, 256), steps=100, targets=9, queries=1000, nearing=25)

    def sized(self, data: Dataset) -> Self:
        """A shorter search where each picture costs much, unless a task file named the threat."""
        side = min(data.shape[:2]) if data.shape is not None and data.modality == "image" else 0
        if self.asked.named or side <= LARGE:
            return self
        return replace(self, rows=min(self.rows, self.fewest), targets=1, queries=40, nearing=5, grid=3)

    def threats(self, data: Dataset) -> tuple[Any, ...]:
        """What is searched; other packages' threats come last."""
        others = brought(data.modality)
        if data.modality != "image":
            return (*row_threats(self.asked, data), *others)
        asked = self.asked.over_defaults(data)
        norms = tuple(
            Norm(one.norm, one.sizes, _levels(one.sizes), self.steps, self.targets, self.queries) for one in asked.norms
        )
        turned = RotationTranslation(asked.degrees, asked.translation, self.grid, self.grid)
        more = (*((Patch(asked.patch),) if asked.patch else ()), *((CorruptionSearch(),) if asked.corruption else ()))
        return (*norms, turned, *more, *others)

    def needs(self, data: Dataset, done: Passes) -> Iterator[Predict | Attack | Prove]:
        """The rows as they are, a sample of them attacked within each threat, and then what proofs may decide."""
        yield _CLEAN
        if data.modality != "answers" and data.labels is not None:
            own = self.sized(data)
            yield from (one for threat in own.threats(data) for one in own._parts(data, threat))  # noqa: SLF001 - its own kind
            if data.modality == "image":
                yield from (own._whole_range(data), own._surface(data))  # noqa: SLF001 - its own kind
                yield from own._proofs(data, done)  # noqa: SLF001 - its own kind

    def judge(self, data: Dataset, done: Passes) -> Iterator[Finding | Skipped | Condition]:
        """A finding for each budget, and one about the search itself."""
        if data.modality == "answers":
            yield Skipped(probe=self.topic, reason="these are recorded answers; give the model, to have it attacked")
            return
        if data.labels is None:
            yield Skipped(probe=self.topic, reason="the rows carry no labels")
            return
        yield from self.sized(data)._judged(data, done)  # noqa: SLF001 - its own kind

    def _judged(self, data: Dataset, done: Passes) -> Iterator[Finding | Skipped | Condition]:
        for threat in self.threats(data):
            found = self._found(data, done, threat)
            if found is None:
                continue
            if len(found) < self.fewest:
                reason = TooFew(f"{len(found)} rows; {self.fewest} are the least that say anything")
                yield Skipped(probe=self.topic, subject=threat.name, reason=reason)
                continue
            for budget in threat.budgets:
                yield from self._fragile(data, done, threat, budget)
        every = [self._found(data, done, one) for one in self.threats(data) if isinstance(one, Norm)]
        norms = [one for one in every if one is not None]
        if norms and len(norms[0]) >= self.fewest:
            yield from masked_gradients(norms, _of(done, self._surface(data)), _of(done, self._whole_range(data)))

    def _attack(self, threat: Any) -> Attack:
        return Attack(threat, rows=self.rows)

    def _parts(self, data: Dataset, threat: Any) -> list[Attack]:
        """The search itself; for a norm also the smallest changes, and those made on other members."""
        if not isinstance(threat, Norm):
            return [self._attack(threat)]
        made = Transfer(threat.norm, threat.budgets, self.steps)
        members = [replace(self._attack(made), by=name) for name in data.members[:SURROGATES]]
        return [self._attack(threat), *members, *([] if threat.norm == "l0" else [self._closest(threat)])]

    def _closest(self, threat: Norm) -> Attack:
        return self._attack(Closest(threat.norm, self.nearing, self.queries))

    def _told(self, data: Dataset, done: Passes, threat: Any) -> Iterator[tuple[Attack, Attacked]]:
        """Each part of a search with what it found, within the threat's budgets."""
        for one in self._parts(data, threat):
            if one in done:
                nearest = isinstance(one.threat, Closest)
                yield one, within(done[one], (*threat.budgets, *threat.levels)) if nearest else done[one]

    def _found(self, data: Dataset, done: Passes, threat: Any) -> Attacked | None:
        """What all parts together found; nothing if the search itself was not made."""
        if self._attack(threat) not in done:
            return None
        return worst([found for _, found in self._told(data, done, threat)])

    def _surface(self, data: Dataset) -> Attack:
        one = self.asked.over_defaults(data).norms[0]
        return Attack(LossSurface(one.norm, one.sizes[-1]), rows=CHECKED)

    def _proofs(self, data: Dataset, done: Passes) -> Iterator[Prove]:
        for threat in self.threats(data):
            asked, found = proof_beside(threat, self.rows), self._found(data, done, threat)
            if asked is not None and found is not None and open_question(threat, found, self.tolerance):
                yield asked

    def _whole_range(self, data: Dataset) -> Attack:
        """With every number free, every row must fall."""
        norm = self.asked.over_defaults(data).norms[0].norm
        whole = 1.0 if norm == "linf" else float(np.prod(data.shape or (1,)))
        return Attack(Norm(norm, (whole,), (), 30, 1, 100), rows=16)

    def _subject(self, data: Dataset, threat: Any, budget: float) -> str:
        if not isinstance(threat, Norm):
            return str(threat.name) if data.modality == "image" else f"{threat.name}:{budget:g}"
        return self.asked.over_defaults(data).subject(threat.norm, budget)

    def _fragile(self, data: Dataset, done: Passes, threat: Any, budget: float) -> Iterator[Finding | Condition]:
        found = self._found(data, done, threat)
        assert found is not None, "only threats that were searched are judged"
        right = found.budget > 0
        fell = found.broken & (found.budget <= budget)
        assert found.rows is not None, "answers of a pass know their rows"
        units = None if data.units is None else data.units[found.rows]
        subject = self._subject(data, threat, budget)
        loss = proportion_of(fell & right, units, "accuracy lost to the attack")
        kept = proportion_of(~fell, units, "accuracy")
        radius = proven_radius(done, threat, found, self.rows)
        most = None if radius is None else most_lost(found, radius, budget, units)
        status = self._status(loss, threat, most)
        # Where every row that stands is proven, nothing is left of which a failed search would prove nothing.
        said = status if most is None or most.value > loss.value else "absent"
        claim = self._claim(found, threat, _allowed(threat, subject, budget), loss, said)
        if radius is not None and most is not None:
            claim += bracket(loss, radius, budget, most)
        yield Condition(condition=f"attacked within {subject}", accuracy=kept)
        yield from proven_condition(subject, radius, budget, units)
        yield Finding(
            probe=self.topic,
            kind="fragile",
            subject=subject,
            status=status,
            severity=self._weight(loss) if status == "found" else "none",
            claim=claim,
            effect=loss,
            tolerance=self.tolerance,
            evidence=tuple(self._evidence(data, done, threat, budget)),
            remedy=_remedy(threat) if status == "found" else "",
        )

    def _status(self, loss: Estimate, threat: Any, most: Estimate | None) -> Status:
        """An attack that fails proves nothing: only the rows that a grid or a proof leaves open count for absence."""
        status = loss.against(self.tolerance)
        if status != "absent" or isinstance(threat, RotationTranslation):
            return status
        return "absent" if most is not None and most.against(self.tolerance) == "absent" else "inconclusive"

    def _weight(self, loss: Estimate) -> Severity:
        weight = severity(loss, "loss", self.tolerance)
        return weight if self.asked.named or weight not in {"critical", "high"} else "medium"

    def _claim(self, found: Attacked, threat: Any, allowing: str, loss: Estimate, status: Status) -> str:
        cost = f"{found.forwards.mean():.0f} forward and {found.backwards.mean():.0f} backward passes a row"
        words = (
            f"{allowing} the answer can be made wrong on {loss:.1%} "
            f"of the rows (tolerance {self.tolerance:.0%}; {len(found)} rows, "
            f"{cost})."
        )
        if status == "inconclusive" and not isinstance(threat, RotationTranslation):
            access = "gradients and scores" if found.backwards.any() else "scores alone"
            words += f" The others withstood what was tried with {access}; that proves nothing about what was not."
        stored = int((found.broken & (found.budget > 0) & ~found.stored).sum())
        if stored:
            words += f" Rounded to whole grey levels {stored} of them are right again."
        return words

    def _evidence(self, data: Dataset, done: Passes, threat: Any, budget: float) -> Iterator[AnyEvidence]:
        found = self._found(data, done, threat)
        assert found is not None, "only threats that were searched are judged"
        if budget == max(threat.budgets) and (isinstance(threat, Norm) or len(threat.budgets) > 1):
            yield self._curve(data, threat, done)
        if budget == max(threat.budgets) and isinstance(threat, Norm):
            yield from self._median(data, threat, done)
        names = threat.stages if isinstance(threat, CorruptionSearch) else STAGES
        stages = np.bincount(found.stage, minlength=len(names))
        rows = tuple((names[at], str(int(stages[at]))) for at in range(len(names)) if stages[at])
        yield Table(title="What broke how many rows", columns=("part of the attack", "rows"), rows=rows)
        if data.modality != "image":
            yield from changed_rows(data, found, self.shown)
            return
        chosen = np.flatnonzero(found.broken & (found.budget > 0) & (found.budget <= budget))[: self.shown]
        if len(chosen):
            items = tuple(self._shots(data, done, threat, int(at)) for at in chosen)
            yield Examples(title="As it is, what was changed (made visible), and what the model then says", items=items)

    def _median(self, data: Dataset, threat: Norm, done: Passes) -> Iterator[Estimates]:
        """The smallest change that turns half of the rows that are right."""
        found, closest = self._found(data, done, threat), done.get(self._closest(threat))
        if found is None or not isinstance(closest, Attacked):
            return
        assert closest.rows is not None, "answers of a pass know their rows"
        right = closest.budget > 0
        known = np.minimum(found.distance, closest.distance)[right]
        units = None if data.units is None else data.units[closest.rows[right]]
        one = median(known, units, f"median smallest {threat.norm} change that turns a right answer")
        if one is not None:
            yield Estimates(title=f"How far the nearest wrong answer is known to lie ({threat.norm})", items=(one,))

    def _curve(self, data: Dataset, threat: Any, done: Passes) -> SeverityCurve:
        found = self._found(data, done, threat)
        assert found is not None, "only threats that were searched are judged"
        assert found.rows is not None, "answers of a pass know their rows"
        usual = done[_CLEAN].at(found.rows).confidence
        steps = [_step(0, "as it is", ~(found.broken & (found.budget == 0)), usual)]
        between = threat.levels if isinstance(threat, Norm) and found.backwards.any() else ()
        radius = proven_radius(done, threat, found, self.rows)
        sizes = sorted({*threat.budgets, *between})
        for number, size in enumerate(sizes, start=1):
            fallen = found.broken & (found.budget <= size)
            words = self._subject(data, threat, size).partition(":")[2]
            proven = None if radius is None else proven_share(radius, size)
            steps.append(_step(number, words, ~fallen, np.where(fallen, found.confidence, usual), proven))
        family = threat.norm if isinstance(threat, Norm) else threat.name
        title = f"Accuracy as the budget grows ({family})"
        return SeverityCurve(title=title, shift=family, steps=tuple(steps), axis="budget")

    def _shots(self, data: Dataset, done: Passes, threat: Any, at: int) -> tuple[Shot, ...]:
        parts, clean = list(self._told(data, done, threat)), done[_CLEAN]
        # Of equal budgets the first, as above, so that picture and answer belong together.
        attack, found = min(parts, key=lambda part: float(part[1].budget[at]))
        assert found.rows is not None, "answers of a pass know their rows"
        before = clean.at(found.rows[at : at + 1])
        position = int(found.rows[at])
        assert data.labels is not None, "only labelled rows are attacked"
        first = Shot(
            row=data.told(position),
            position=position,
            caption="as it is",
            answer=data.classes[int(before.predictions[0])],
            probability=round(float(before.confidence[0]), 4),
            label=data.classes[int(data.labels[position])],
        )
        last = Shot(
            row=first.row,
            position=position,
            shown=attack.shown,
            caption=f"within {self._subject(data, threat, float(found.budget[at]))}",
            answer=data.classes[int(found.answers[at])],
            probability=round(float(found.confidence[at]), 4),
            label=first.label,
        )
        changed = Shot(
            row=first.row, position=position, shown=f"{attack.shown}:change", caption="the change", answer="",
            probability=0.0,
        )  # fmt: skip
        return (first, changed, last)


def _of(done: Passes, one: Attack) -> Attacked | None:
    if one not in done:
        return None
    return done[one]


def _remedy(threat: Any) -> str:
    if isinstance(threat, CorruptionSearch):
        return "train on the shifts that broke most rows: pfungst remedy augmentation"
    if isinstance(threat, RotationTranslation):
        return "train on turned and moved pictures, or bring objects upright and to the centre before it is asked"
    return "train on such inputs (adversarial training), or keep whoever could make them from its inputs"


def _allowed(threat: Any, subject: str, budget: float) -> str:
    if isinstance(threat, RotationTranslation):
        return f"Turned by up to {threat.degrees:g}° and moved by up to {threat.share:.0%} of the side,"
    if isinstance(threat, Patch):
        return f"With any content in a square of {threat.share:.0%} of the picture"
    if isinstance(threat, CorruptionSearch):
        return f"By the worst of {len(threat.tried)} shifts and corruptions at severity {threat.severity}"
    return f"Within {subject}" if isinstance(threat, Norm) else allowed(threat, budget)


def _levels(budgets: tuple[float, ...]) -> tuple[float, ...]:
    """Sizes between and below the budgets at which a short search draws the curve."""
    return tuple(sorted({size / part for size in budgets for part in (2, 4, 8)} - set(budgets)))


def _step(number: int, words: str, standing: BoolArray, confidence: FloatArray, proven: Estimate | None = None) -> Step:
    return Step(
        severity=number,
        parameter=words,
        accuracy=proportion_of(standing, name="accuracy"),
        confidence=mean(confidence, name="stated confidence", bounds=(0.0, 1.0)),
        proven=proven,
    )
