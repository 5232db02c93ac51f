"""Accuracy without labels: what each estimate says of rows from elsewhere, and how far off it was where labels are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array
from pfungst.datasets.dataset import Dataset
from pfungst.errors import InputError, reason_of
from pfungst.findings import Table
from pfungst.methods.accuracy_estimates import Asked, accuracy_estimates, asked_about, estimated, spread
from pfungst.outputs import Outputs
from pfungst.passes import Passes, Predict
from pfungst.probe import Labelled, labelled
from pfungst.probes.known_parts import positions
from pfungst.statistics.estimate import Estimate

ASSUMPTION = "holds only if the shift does not break a shortcut"
CHECKED_ROWS, CHECKED_BY, FEWEST, ENOUGH = 500, 2000, 100, 200
"""Rows of a made shift that an estimate is checked on and test rows it goes by there, at most; the least rows of such
a shift; and the new rows below which no estimate is trusted."""

LEAST, FAR = 30, 0.05
"""Labelled rows of a natural shift to check an estimate on, at least; the mean error above which it is not trusted."""

CHECKED = (3, 5)
"""Severities of the made shifts that estimates are checked on."""


@dataclass(frozen=True)
class Miss:
    """By how much an estimate missed the accuracy of labelled rows; ``made`` says that the shift was drawn by us."""

    estimate: str
    shift: str
    error: float
    made: bool


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """All estimates of one set, their spread, and those that are trusted."""

    estimates: tuple[Estimate, ...]
    spread: Estimate
    trusted: tuple[str, ...]
    table: Table


def members_of(data: Dataset, one: Predict) -> list[Predict]:
    """The rows of a pass shown to the other members of an ensemble."""
    return [Predict(under=one.under, on=one.on, rows=one.rows, by=name) for name in data.members]


def unlabelled(
    data: Dataset, done: Passes, test: Labelled, name: str, misses: Sequence[Miss], *, doubt: str
) -> Unlabelled | str:
    """The estimates of a further set, or why there are none. ``doubt`` is why none is trusted, or ""."""
    new = done[Predict(on=name)]
    try:
        asked = _asked(data, done, test, name, new)
        found = estimated(asked, seed=data.seed)
    except InputError as error:
        return reason_of(error)
    doubt = f"fewer than {ENOUGH} rows" if len(new) < ENOUGH else doubt
    records = {one.name: _record(one.name, name.removeprefix("shifted:"), misses) for one in found}
    trusted = tuple(one.name for one in found if not doubt and records[one.name].held)
    return Unlabelled(found, spread(found), trusted, _table(found, records, trusted, doubt))


def misses_of(data: Dataset, done: Passes, test: Labelled, names: Sequence[str]) -> list[Miss]:
    """How far each estimate was off on the shifts that have labels: ours at two severities, and the further sets."""
    found: list[Miss] = []
    test = _some(test, CHECKED_BY)
    for one in done:
        if not isinstance(one, Predict) or one.under is None or one.on != "test" or one.by:
            continue
        if getattr(one.under, "severity", 0) in CHECKED:
            rows = labelled(data, done[one])
            if rows is not None and len(rows.labels) >= FEWEST:
                found += _missed(_some(rows, CHECKED_ROWS), test, one.under.name, data, done, made=True)
    for name in names:
        rows = labelled(data.on(name), done[Predict(on=name)]) if Predict(on=name) in done else None
        if rows is not None and len(rows.labels) >= LEAST:
            found += _missed(rows, test, name, data, done, made=False)
    return found


def _some(rows: Labelled, most: int) -> Labelled:
    some = np.arange(len(rows.labels))[:: max(1, len(rows.labels) // most)][:most]
    return Labelled(rows.outputs.take(some), rows.labels[some], None if rows.units is None else rows.units[some])


def _missed(rows: Labelled, test: Labelled, name: str, data: Dataset, done: Passes, *, made: bool) -> Iterator[Miss]:
    try:
        asked = _asked(data, done, test, "" if made else name, rows.outputs)
    except InputError:
        return
    truth = float(rows.correct.mean())
    for kind, estimate in accuracy_estimates.items():
        value = estimate(asked)
        if np.isfinite(value):
            yield Miss(kind, name.removeprefix("shifted:"), abs(min(1.0, max(0.0, value)) - truth), made)


def _asked(data: Dataset, done: Passes, test: Labelled, name: str, new: Outputs) -> Asked:
    others = [
        done[one].at(positions(new)) for one in (members_of(data, Predict(on=name)) if name else ()) if one in done
    ]
    units: Array | None = data.on(name).units if name else None
    both = (test.units, None if units is None else units[positions(new)])
    return asked_about(test.outputs, test.labels, new, others, both)


@dataclass(frozen=True, eq=False)
class _Record:
    """How far one estimate was off: here, where there are labels, on shifts that we made, and on other further sets."""

    here: tuple[Miss, ...]
    made: tuple[Miss, ...]
    elsewhere: tuple[Miss, ...]

    @property
    def held(self) -> bool:
        """Whether it was checked on other shifts, and missed by no more than 0.05 on average, here too."""
        checked = [some for some in (self.here, self.made, self.elsewhere) if some]
        far = any(np.mean([one.error for one in some]) > FAR for some in checked)
        return bool(self.made or self.elsewhere) and not far


def _record(estimate: str, name: str, misses: Sequence[Miss]) -> _Record:
    own = [one for one in misses if one.estimate == estimate]
    natural = [one for one in own if not one.made]
    return _Record(
        tuple(one for one in natural if one.shift == name),
        tuple(one for one in own if one.made),
        tuple(one for one in natural if one.shift != name),
    )


def _table(found: Sequence[Estimate], records: Mapping[str, _Record], trusted: Sequence[str], why_not: str) -> Table:
    def off(misses: Sequence[Miss]) -> str:
        if not misses:
            return "not checked"
        worst = max(misses, key=lambda one: one.error)
        if len(misses) == 1:
            return f"{worst.error:.3f} ({worst.shift})"
        return f"{np.mean([one.error for one in misses]):.3f} on {len(misses)}; most {worst.error:.3f} ({worst.shift})"

    return Table(
        title=f"Accuracy as estimated without labels: {ASSUMPTION}",
        columns=("estimate", "estimated", "off by, here", "on made shifts (mean)", "on other sets (mean)", "trusted"),
        rows=tuple(
            (
                one.name,
                f"{one:.3f}",
                *(off(misses) for misses in (records[one.name].here, records[one.name].made)),
                off(records[one.name].elsewhere),
                "yes" if one.name in trusted else f"no{': ' + why_not if why_not else ''}",
            )
            for one in found
        ),
    )
