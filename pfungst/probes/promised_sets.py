"""Promised sets: classes of which the right one is among them as often as promised; what was promised, what came."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray
from pfungst.datasets.dataset import Dataset
from pfungst.datasets.ids import ids_at
from pfungst.findings import Table
from pfungst.methods.conformal import By, conformal_scores, split_conformal, uniforms_of
from pfungst.probe import Labelled
from pfungst.statistics.intervals import proportion_of

DOUBT = 0.1
FEWEST = 30
"""Rows of a class or of a column's value below which its coverage is not shown."""

LARGEST = 1_000_000
"""Rows times classes beyond which rows are left out, evenly: every class of every row is sorted."""


def promised_sets(data: Dataset, rows: Labelled) -> Iterator[Table]:
    """Coverage promised by thresholds set on the discovery rows and realised on the others, by score and by part.

    Nothing where only the answers' probabilities are known, or a half has no labelled row.
    """
    if not rows.outputs.complete:
        return
    set_on, judged = _halves(data, rows)
    if not (len(set_on.labels) and len(judged.labels)):
        return
    columns = _columns(data, judged)
    others = [name for name in columns if name]
    drawn = _uniforms(data, set_on), _uniforms(data, judged)
    lines = [
        _line(name, by, _covered(set_on, judged, drawn, name, by), judged, columns)
        for by in ("", "class")
        for name in conformal_scores
    ]
    if others:
        groups = _columns(data, set_on)[others[0]], columns[others[0]]
        lines.extend(
            _line(name, others[0], _covered(set_on, judged, drawn, name, "group", groups=groups), judged, columns)
            for name in conformal_scores
        )
    worst = (f"worst of {', '.join(others)}",) if others else ()
    together = "" if rows.units is None else "; rows come in units, so the promise holds of units drawn alike only"
    yield Table(
        title=f"Sets of classes that hold the right one: promised on {len(set_on.labels)} rows, judged on "
        f"{len(judged.labels)} others{together}",
        columns=("score", "thresholds", "promised", "held", "classes a set", "empty", "worst class", *worst),
        rows=tuple(lines),
    )


@dataclass(frozen=True, eq=False)
class Covered:
    """Of each judged row: whether its class is in its set, and how many classes are."""

    held: BoolArray
    sizes: IntArray


def _covered(
    set_on: Labelled,
    judged: Labelled,
    drawn: tuple[FloatArray, FloatArray],
    name: str,
    by: By,
    *,
    groups: tuple[Array, Array] | None = None,
) -> Covered:
    """What sets hold; ``drawn`` is one uniform number for each row of both."""
    numbers: tuple[IntArray | None, IntArray | None] = (None, None)
    if groups is not None:
        known = np.unique(np.concatenate(groups))
        numbers = np.searchsorted(known, groups[0]), np.searchsorted(known, groups[1])
    sets = split_conformal(
        set_on.outputs, set_on.labels, drawn[0], conformal_scores[name], DOUBT, by=by, groups=numbers[0]
    )
    inside = sets(judged.outputs, drawn[1], numbers[1])
    return Covered(inside[np.arange(len(inside)), judged.labels], inside.sum(axis=1))


def _line(name: str, by: str, got: Covered, judged: Labelled, columns: Mapping[str, Array]) -> tuple[str, ...]:
    """What one way to set thresholds held, in the table's words; ``columns`` begin with that of the classes."""
    held = proportion_of(got.held, judged.units, "held")
    return (
        name.replace("-", " "),
        {"": "one for all", "class": "by class"}.get(by, f"by {by}"),
        f"{1 - DOUBT:.0%}",
        f"{held:.1%}",
        f"{got.sizes.mean():.2f}",
        f"{(got.sizes == 0).mean():.1%}",
        *(_worst(part, got, judged) for part in _apart(columns)),
    )


def _apart(columns: Mapping[str, Array]) -> Iterator[Mapping[str, Array]]:
    """The classes, and, if there are any, the other columns."""
    yield {"": columns[""]}
    if len(columns) > 1:
        yield {name: values for name, values in columns.items() if name}


def _worst(columns: Mapping[str, Array], got: Covered, judged: Labelled) -> str:
    """The part of the rows that is held least often, of those with rows enough."""
    parts = [
        (f"{name}={value}" if name else str(value), proportion_of(got.held[here], _units(judged, here), "held"))
        for name, values in columns.items()
        for value in np.unique(values)
        if (here := values == value).sum() >= FEWEST
    ]
    if not parts:
        return f"none of {FEWEST} rows"
    name, held = min(parts, key=lambda part: (part[1].value, part[0]))
    return f"{name}: {held:.0%}"


def _units(judged: Labelled, here: BoolArray) -> Array | None:
    return None if judged.units is None else judged.units[here]


def _halves(data: Dataset, rows: Labelled) -> tuple[Labelled, Labelled]:
    """The labelled discovery rows, on which thresholds are set, and the others; fewer where all would be too many."""
    assert rows.outputs.rows is not None, "answers of a pass know their rows"
    step = 1 + rows.outputs.logits.size // LARGEST
    discovered = np.zeros(len(data), bool)
    discovered[data.halves["discovery"]] = True
    first = discovered[rows.outputs.rows]
    both = [np.flatnonzero(one)[::step] for one in (first, ~first)]
    made = [
        Labelled(rows.outputs.take(at), rows.labels[at], None if rows.units is None else rows.units[at]) for at in both
    ]
    return made[0], made[1]


def _columns(data: Dataset, rows: Labelled) -> dict[str, Array]:
    """The class of each row, under no name, and the columns of sites and groups, as words."""
    names = [name for name in (*data.roles.site, *data.roles.group) if name in data.columns]
    others = {name: np.asarray(data.columns[name][rows.outputs.rows]).astype(str) for name in names}
    return {"": np.array(data.classes)[rows.labels], **others}


def _uniforms(data: Dataset, rows: Labelled) -> FloatArray:
    assert rows.outputs.rows is not None, "answers of a pass know their rows"
    return uniforms_of(ids_at(data.ids, rows.outputs.rows), data.seed)
