"""Known rows in three sets that share no unit: to fit scores on, to set a threshold with, and to report on."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray
from pfungst.datasets.dataset import Dataset
from pfungst.errors import InputError
from pfungst.methods.known import Known, known_rows
from pfungst.methods.shifts import Shifted
from pfungst.methods.unknownness import strangeness
from pfungst.outputs import Outputs
from pfungst.passes import Passes, Predict
from pfungst.statistics.units import numbered

PIXELS = 1 << 26
"""Numbers of the inputs that are read anew at most, to be looked at without the model."""

FEWEST_READ, MOST_READ = 50, 2000


@dataclass(frozen=True, eq=False)
class KnownParts:
    """Answers about known rows by use; ``fitted_on`` is the pass of the rows that scores are fitted on.

    ``shifted`` are answers about the reported rows, slightly shifted, by what was done to them.
    """

    fit: Known
    fitted_on: Predict
    threshold: Outputs
    report: Outputs
    threshold_units: Array | None
    report_units: Array | None
    shifted: dict[str, Outputs]
    found: dict[str, tuple[FloatArray, FloatArray]] = field(default_factory=dict)

    @property
    def passes(self) -> tuple[tuple[Predict, Outputs], ...]:
        """The rows fitted on and those reported on, with the pass that shows each of them as it is."""
        return (replace(self.fitted_on, features=False, rows=None), self.fit.outputs), (Predict(), self.report)

    def scores(self, name: str) -> tuple[FloatArray, FloatArray]:
        """A score of the rows that set the threshold, and of those reported on; computed once."""
        if name not in self.found:
            self.found[name] = (strangeness(name, self.threshold, self.fit), strangeness(name, self.report, self.fit))
        return self.found[name]


def known_passes(data: Dataset, rows: int) -> tuple[Predict, ...]:
    """What is asked about known rows: a sample of the test rows, and of the rows the model was trained on."""
    test = Predict(features=True, rows=rows)
    return (test, Predict(on="train", features=True, rows=rows)) if "train" in data.companions else (test,)


def known_parts(data: Dataset, done: Passes, rows: int, others: Sequence[Outputs]) -> KnownParts | None:
    """The parts, or None where nothing was answered; ``others`` are answers that help to recover the last layer.

    Where the training rows are given, scores are fitted on them and the two halves of the test rows do the rest;
    otherwise the discovery half is fitted on and the confirmation half is divided.
    """
    asked = [one for one in known_passes(data, rows) if one in done and len(done[one])]
    if not asked or asked[0].on == "train":
        return None
    outputs = done[asked[0]]
    here = positions(outputs)
    first = np.isin(here, data.halves["discovery"])
    if len(asked) > 1:
        fitted_on, fit, threshold, report = asked[1], done[asked[1]], outputs.take(first), outputs.take(~first)
    else:
        rest = outputs.take(~first)
        odd = alternating(_units(data, rest), len(rest))
        fitted_on, fit, threshold, report = asked[0], outputs.take(first), rest.take(~odd), rest.take(odd)
    whole = data.on(fitted_on.on)
    labels = np.full(len(fit), -1) if whole.labels is None else whole.labels[positions(fit)]
    return KnownParts(
        known_rows(fit, labels, [threshold, report, *others]),
        fitted_on,
        threshold,
        report,
        _units(data, threshold),
        _units(data, report),
        dict(_shifted(done, positions(report))),
    )


def alternating(units: Array | None, rows: int) -> BoolArray:
    """Every second row, or every row of every second unit in the order in which units first appear.

    >>> alternating(np.array(["a", "a", "b", "c"]), 4).tolist()
    [False, False, True, False]
    """
    codes = np.arange(rows) if units is None else numbered(units, rows)[0]
    _, firsts, places = np.unique(codes, return_index=True, return_inverse=True)
    chosen: BoolArray = (np.argsort(np.argsort(firsts)) % 2 == 1)[np.asarray(places)]
    return chosen


def positions(outputs: Outputs) -> IntArray:
    """Positions of the rows of some answers in their data set."""
    assert outputs.rows is not None, "answers of a pass know their rows"
    return outputs.rows


def _units(data: Dataset, outputs: Outputs) -> Array | None:
    return None if data.units is None else data.units[positions(outputs)]


def _shifted(done: Passes, report: IntArray) -> Iterator[tuple[str, Outputs]]:
    for one in done:
        if not isinstance(one, Predict) or one.on != "test" or one.by or not isinstance(one.under, Shifted):
            continue
        if one.under.severity == 1:
            inside = done[one].take(np.isin(positions(done[one]), report))
            if len(inside):
                yield one.name, inside


def reader(data: Dataset, passes: int = 1) -> Callable[[Predict, IntArray], tuple[IntArray, Array]]:
    """Reads what a pass showed for some rows: their places among them, and inputs; no more than fit into memory.

    Where as many ``passes`` are read, each gets its share.
    """
    size = max(1, int(np.prod(data.shape or (1,))))
    most = max(FEWEST_READ, min(MOST_READ, PIXELS // size) // passes)

    def read(one: Predict, rows: IntArray) -> tuple[IntArray, Array]:
        whole = data.on(one.on)
        found = []
        for half, order in whole.halves.items():
            # Rows are read half by half: what is taken from donors comes from the row's own half.
            places = np.flatnonzero(np.isin(rows[:most], order))
            batch, lost = whole.batch(rows[places], half)
            if len(batch):
                found.append((places[~np.isin(rows[places], list(lost))], one.inputs(batch)))
        if not found:
            raise InputError("none of the rows can be read; check the files")
        return np.concatenate([places for places, _ in found]), np.concatenate([inputs for _, inputs in found])

    return read
