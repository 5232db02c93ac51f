"""What is asked: whole audits of networks without a fault, and of networks with a planted one."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from laws import FORMS, World, drawn_labels, dyes, glyphs, measured, tables, texts

Array = Any
COLUMNS = {"site": ["hospital"]}
THRESHOLD, HELD = 0.8, 0.15
"""Where a log's scores are cut, and the share of what would be acted on that is withheld by lot."""


@dataclass(frozen=True, eq=False)
class Case:
    """One audit: a world, the rows it is asked about, and options; ``fault`` names what was planted, if anything.

    ``expected`` are patterns of findings of which one names the fault; ``chapters`` asks only some.
    """

    name: str
    fault: str
    world: World
    data: dict[str, Array]
    options: dict[str, Any] = field(default_factory=dict)
    expected: tuple[str, ...] = ()


def rows_of(world: World, count: int, rng: np.random.Generator, *, hold_masks: bool = True) -> dict[str, Array]:
    """Rows with labels, a hospital and a log of decisions, drawn apart from the rows and from each other."""
    drawn = world.draw(count, rng)
    held: dict[str, Array] = {"inputs": drawn.inputs, "labels": drawn_labels(world.stated(drawn.inputs), rng)}
    if drawn.masks is not None and hold_masks:
        held["masks"] = drawn.masks
    if world.features:
        held["features"] = np.array(world.features)
    return held | {"hospital": rng.choice(["North", "South", "West"], count, p=[0.5, 0.3, 0.2])} | log(count, rng)


def log(count: int, rng: np.random.Generator, effect: float = 0.0, crowding: float = 0.0) -> dict[str, Array]:
    """A log of decisions: who scored above a threshold was acted on, some withheld by lot, and the outcome later.

    ``effect`` is what acting does to the outcome, in its deviations; ``crowding`` is the share of those up to 0.3 below
    the threshold who move across it.
    """
    score = rng.normal(size=count)
    near = (score < THRESHOLD) & (score > THRESHOLD - 0.3) & (rng.random(count) < crowding)
    score = np.where(near, THRESHOLD + rng.uniform(0, 0.05, count), score)
    flagged = score >= THRESHOLD
    acted = flagged & (rng.random(count) >= HELD)
    outcome = 0.5 * score + rng.normal(size=count) + effect * acted
    return {
        "score": score, "decision": acted.astype(int), "outcome": outcome,
        "arm": np.where(flagged & ~acted, "withheld", "usual"),
    }  # fmt: skip


def honest_world(number: int, seed: int) -> World:
    """One of the worlds in turn: glyphs, a table, dyes, a text and so on, with other classes and forms each time."""
    turn = number // 8
    pick = number % 8
    if pick in (0, 3):
        classes = (2, 4, 8)[(turn + pick) % 3]
        return glyphs(seed, classes, colour=turn % 2 == 0, hard=pick == 3 and classes < 8)
    if pick == 6:
        return dyes(seed, form=("torch", "onnx")[turn % 2])
    if pick == 7:
        return texts(seed, (2, 4, 3)[turn % 3], form=("bayes", "logistic")[turn % 2])
    at = 4 * turn + {1: 0, 2: 1, 4: 2, 5: 3}[pick]
    return tables(
        seed, (2, 3, 5, 10)[at % 4 if at % 5 else 0], form=FORMS[at % 6], apart=(3.0, 4.5, 2.2)[at % 3],
        uneven=at % 3 == 1,
    )  # fmt: skip


MIXED = 48
"""Whole audits of worlds of all kinds, after which come tables with one strong measurement."""

PICTURED = (0, 3, 6)
"""Which of eight worlds in turn hold pictures."""

ROWS = {"glyphs": 400, "dyes": 400, "tables": 800, "measured": 800, "texts": 700}


def honest(number: int, seed: int, only: tuple[str, ...] = ()) -> Case:
    """An audit of a network without a fault, with all that a user may give: training rows, strangers, later rows.

    Where ``only`` some chapters are asked they are asked about pictures.
    """
    turn, pick = divmod(number, len(PICTURED))
    if number >= MIXED and not only:
        world = measured(seed, (2, 3)[number % 2], form=FORMS[number % 4])
    else:
        world = honest_world(8 * turn + PICTURED[pick] if only else number, seed)
    rng = np.random.default_rng((seed, 5))
    rows = int(ROWS[world.family] * rng.choice([0.7, 1.0, 1.5]))
    data = rows_of(world, rows, rng, hold_masks=number % 2 == 0)
    name = f"honest-{world.family}-{world.form}-{world.classes}-{seed}"
    return Case(name, "", world, data, {**given(world, rng, rows), "only": only})


def given(world: World, rng: np.random.Generator, rows: int) -> dict[str, Any]:
    """Training rows, strangers and later rows, all drawn anew."""
    train, later = (rows_of(world, count, rng, hold_masks=False) for count in (rows, rows))
    strangers = {"inputs": world.strangers(300, rng)}
    told = ("inputs", "labels", *(("features",) if world.features else ()))
    return {
        "train": {name: train[name] for name in told},
        "shifted": {"later": {name: later[name] for name in told}},
        "ood": {"strangers": strangers | {name: train[name] for name in told[2:]}},
        "outputs": world.outputs,
        "task": {"columns": COLUMNS, **world.task},
    }
