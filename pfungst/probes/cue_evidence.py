"""Evidence about a proven cue: the four pictures, who follows it, what hiding it does, where in the picture it lies."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import BoolArray, FloatArray
from pfungst.datasets.dataset import Dataset
from pfungst.findings import AnyEvidence, Estimates, Examples, OpportunityReliance, RegionMap, Table
from pfungst.findings import Cue as Point
from pfungst.methods.cues import Cue, Property
from pfungst.methods.hiding import Alone, Hidden, Neutral, elsewhere, hides
from pfungst.methods.places import Border, Region, grid
from pfungst.methods.standing import chance, scores, units_of
from pfungst.passes import Passes, Predict
from pfungst.probe import Labelled, labelled, shot
from pfungst.probes.cue_words import noun
from pfungst.probes.trials import Trial, natural_loss
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.intervals import paired_mean, proportion_of

CELLS = 4
GRID = grid(CELLS)
FEWEST = 20
"""Rows of a class, or of a group, below which it is not shown by itself."""

SHOWN = 8


@dataclass(frozen=True)
class Looked:
    """All trials on the confirmation rows, the tolerances they are held against, and the picture of them all."""

    trials: tuple[Trial, ...]
    tolerance: Callable[[Cue], float]
    overview: OpportunityReliance
    suspicions: Table


def table(looked: Iterable[tuple[Trial, tuple[str, ...], Estimate]]) -> Table:
    """Which cues were looked at, why, and what the model took of each."""
    rows = tuple(
        (
            trial.cue.name,
            "; ".join(sources) or "every row has it",
            f"{effect:.3f}",
        )
        for trial, sources, effect in looked
    )
    return Table(title="What was suspected, and why", columns=("cue", "why it was looked at", "reliance"), rows=rows)


def overview(data: Dataset, done: Passes, trials: tuple[Trial, ...]) -> OpportunityReliance:
    """The 2x2 of opportunity and reliance over all cues that were looked at."""
    units = units_of(data, "confirmation")
    points = tuple(
        Point(
            name=trial.cue.name,
            opportunity=scores(data, trial.cue, "confirmation").opportunity(units),
            reliance=trial.reliance(data, done),
        )
        for trial in trials
    )
    title = "What each cue offers, and what the model took"
    return OpportunityReliance(title=title, cues=points, tolerance=0.05, chance=chance(data))


def shown(data: Dataset, trial: Trial) -> Iterator[Predict]:
    """The passes that show a proven cue: alone, hidden, made average, and the map of the picture."""
    yield _alone(data, trial)
    if isinstance(trial.cue, Property):
        yield _neutral(data, trial)
    for fill in hides(trial.cue):
        yield from (one for one in _hidden(data, trial, fill) if one is not None)
    if isinstance(trial.cue, Region | Border):
        for cell in _cells(data, trial):
            yield from cell.passes


def evidence(data: Dataset, done: Passes, trial: Trial, looked: Looked) -> Iterator[AnyEvidence]:
    """What a person may look at to judge the claim."""
    yield looked.overview
    yield looked.suspicions
    cells = _cells(data, trial)
    if isinstance(trial.cue, Region | Border) and all(cell.ran(done) for cell in cells):
        effects = [round(cell.reliance(data, done).value, 4) for cell in cells]
        rows = tuple(tuple(effects[at : at + CELLS]) for at in range(0, CELLS**2, CELLS))
        box = trial.cue.box if isinstance(trial.cue, Region) else None
        yield RegionMap(title="Where in the picture the answer rests", effects=rows, box=box)
    yield from _by_class(data, done, trial, looked.tolerance(trial.cue))
    yield Estimates(
        title="The same question asked otherwise", items=tuple(_otherwise(data, done, trial)), reference=0.0
    )
    hiding = tuple(_hiding(data, done, trial))
    if hiding:
        yield Estimates(title="Hiding it, against hiding an equal place elsewhere", items=hiding, reference=0.0)
    yield _gallery(data, done, trial)


def _by_class(data: Dataset, done: Passes, trial: Trial, tolerance: float) -> Iterator[Estimates]:
    kept, _ = trial.answers(data, done)
    moved = trial.moved(data, done)
    present = [k for k in range(len(data.classes)) if (kept.labels == k).sum() >= FEWEST]
    if 1 < len(present) <= 20:
        items = [paired_mean(moved[kept.labels == k], name=data.classes[k]) for k in present]
        pair = _worst_pair(data, done, trial) if trial.way == "swap" and len(present) > 2 else None
        items += [] if pair is None else [pair]
        yield Estimates(title="Reliance by class", items=tuple(items), reference=tolerance, reference_name="tolerance")


def _worst_pair(data: Dataset, done: Passes, trial: Trial) -> Estimate | None:
    """The class and the class it got the cue of that moved most; chosen among all pairs, so its value is a maximum."""
    kept, _ = trial.answers(data, done)
    moved, given = trial.moved(data, done), trial.given(data, done)
    pairs = {
        (int(a), int(b)): rows
        for a in np.unique(kept.labels)
        for b in np.unique(given)
        if a != b and (rows := (kept.labels == a) & (given == b)).sum() >= FEWEST
    }
    if not pairs:
        return None
    (label, other), rows = max(pairs.items(), key=lambda item: moved[item[1]].mean())
    return paired_mean(moved[rows], name=f"worst pair: {data.classes[label]} given that of {data.classes[other]}")


def _otherwise(data: Dataset, done: Passes, trial: Trial) -> Iterator[Estimate]:
    kept, reversed_ = trial.answers(data, done)
    if trial.way == "swap":
        given = trial.given(data, done)
        follows = reversed_.outputs.predictions == given
        yield proportion_of(follows, reversed_.units, "answers that follow the swapped cue to its class")
    flips = kept.outputs.predictions != reversed_.outputs.predictions
    yield proportion_of(flips, reversed_.units, "answers that differ between the two swaps")
    alone = labelled(data, done[_alone(data, trial)]) if _alone(data, trial) in done else None
    if alone is not None:
        yield proportion_of(alone.correct, alone.units, f"accuracy from the {noun(trial.cue)} alone")
    if isinstance(trial.cue, Property) and _neutral(data, trial) in done:
        drop = _lost(data, done, _neutral(data, trial))
        yield paired_mean(drop.values, drop.units, f"probability lost where the {noun(trial.cue)} is made average")
    lost = natural_loss(data, done, trial.cue, ("confirmation",), fewest=FEWEST)
    if lost is not None:
        yield lost


@dataclass(frozen=True)
class _Lost:
    values: FloatArray
    units: BoolArray | None


def _lost(data: Dataset, done: Passes, one: Predict, other: Predict | None = None) -> _Lost:
    """Probability of the true class that rows lose under a pass, against another or against the rows as they are."""
    under = labelled(data, done[one])
    assert under is not None, "unfit data are not judged"
    assert under.outputs.rows is not None, "answers of a pass know their rows"
    before = done[Predict()].at(under.outputs.rows) if other is None else done[other].at(under.outputs.rows)
    values = before.probability_of(under.labels) - under.outputs.probability_of(under.labels)
    return _Lost(values, under.units)


def _hiding(data: Dataset, done: Passes, trial: Trial) -> Iterator[Estimate]:
    for fill in hides(trial.cue):
        there, control = _hidden(data, trial, fill)
        if there in done and control is not None and control in done:
            lost = _lost(data, done, there, control)
            yield paired_mean(lost.values, lost.units, f"filled by {fill.replace('-', ' ')}")
        elif there in done:
            lost = _lost(data, done, there)
            yield paired_mean(lost.values, lost.units, f"filled by {fill.replace('-', ' ')}, no equal place elsewhere")


def _gallery(data: Dataset, done: Passes, trial: Trial) -> Examples:
    kept, reversed_ = trial.answers(data, done)
    moved = trial.moved(data, done)
    rows = kept.outputs.rows
    assert rows is not None, "answers of a pass know their rows"
    alone = _alone(data, trial)
    passes: list[Predict] = [Predict(), *(arm[0] for arm in trial.arms)]
    answers: list[Labelled] = [Labelled(done[Predict()].at(rows), kept.labels, None), kept, reversed_]
    order = np.argsort(-moved, kind="stable")
    if alone in done:
        # Only rows that were shown in all four ways.
        place = {int(row): index for index, row in enumerate(np.asarray(done[alone].rows))}
        order = np.array([at for at in order if int(rows[at]) in place], np.int64)
    chosen = order[:SHOWN]
    shots = [
        [shot(data, one, some.outputs, int(at)) for one, some in zip(passes, answers, strict=True)] for at in chosen
    ]
    if alone in done:
        outputs = done[alone].at(rows[chosen])
        for index, item in enumerate(shots):
            item.append(shot(data, alone, outputs, index))
    title = f"As it is, with its own class's {noun(trial.cue)}, with another's, and that alone"
    return Examples(title=title, items=tuple(tuple(item) for item in shots))


def _sample(data: Dataset, trial: Trial, part: int, least: int, most: int) -> int:
    return int(np.clip(len(data.sample(trial.rows, trial.half)) // part, least, most))


def _alone(data: Dataset, trial: Trial) -> Predict:
    return Predict(Alone(trial.cue), rows=_sample(data, trial, 3, 30, 300), half=trial.half)


def _neutral(data: Dataset, trial: Trial) -> Predict:
    assert isinstance(trial.cue, Property), "only properties have an average"
    return Predict(Neutral(trial.cue), rows=_sample(data, trial, 3, 30, 300), half=trial.half)


def _hidden(data: Dataset, trial: Trial, fill: str) -> tuple[Predict, Predict | None]:
    assert isinstance(trial.cue, Region | Border), "only places are hidden"
    rows = _sample(data, trial, 3, 30, 300)
    other = elsewhere(trial.cue, data.donors(trial.half)) if isinstance(trial.cue, Region) else None
    there = Predict(Hidden(trial.cue, fill), rows=rows, half=trial.half)
    return there, None if other is None else Predict(Hidden(other, fill), rows=rows, half=trial.half)


def _cells(data: Dataset, trial: Trial) -> tuple[Trial, ...]:
    rows = _sample(data, trial, 8, 8, 100)
    return tuple(Trial(cell, "swap", rows, trial.half) for cell in GRID)
