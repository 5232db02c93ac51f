"""Calibration under shift: does what a temperature mends on the rows as they are stay mended when they are shifted?"""

from collections.abc import Iterator

import numpy as np

from pfungst.arrays import FloatArray, IntArray
from pfungst.datasets.dataset import Dataset
from pfungst.errors import InputError
from pfungst.findings import Table
from pfungst.methods.calibration_errors import expected_calibration_error
from pfungst.methods.opportunity import folds_of
from pfungst.methods.recalibrators import temperature
from pfungst.methods.shifts import Shifted
from pfungst.outputs import Outputs
from pfungst.passes import Passes, Predict
from pfungst.probe import Labelled, labelled
from pfungst.summarised import Summarised

FEWEST, BINS = 100, 15
"""Rows of a shifted pass below which its calibration error says nothing, and the bins of that error."""


def under_shift(data: Dataset, rows: Labelled, done: Passes) -> Iterator[Table]:
    """Median and quartiles over the shifts that were asked, plain and at a temperature fitted to other, clean rows.

    Each shifted row is cooled by the temperature of the clean rows outside its own fold (rows of a unit stay
    together), so none is judged by what it was fitted to. No pass is asked for this.
    """
    shifted = _shifted(data, done)
    if not (shifted and rows.outputs.complete):
        return
    folds = folds_of(len(rows.labels), rows.units)
    kept = [folds != fold for fold in np.unique(folds)]
    try:
        fitted = np.array([temperature(rows.outputs.take(one), rows.labels[one]).value for one in kept])
    except InputError:
        return
    cooled = [_inverse(rows, folds, fitted, part) for part in (rows, *shifted)]
    every = {
        "as it is": [_errors(part, None) for part in (rows, *shifted)],
        "temperature fitted to rows as they are": [
            _errors(part, inverse) for part, inverse in zip((rows, *shifted), cooled, strict=True)
        ],
    }
    yield Table(
        title=f"Calibration under {len(shifted)} shifts (quartiles over shifts and severities)",
        columns=("probabilities", *(f"{what}{at}" for what in ("ECE", "confidence − accuracy") for at in _AT)),
        rows=tuple((name, *_quartiles(errors)) for name, errors in every.items()),
    )


def summarised_shifts(done: Passes) -> int:
    """How many passes under shift kept only a summary of the answers, of which no temperature can be judged."""
    asked = [one for one in done if isinstance(one, Predict) and isinstance(one.under, Shifted) and not one.by]
    return sum(isinstance(done[one], Summarised) for one in asked)


def _shifted(data: Dataset, done: Passes) -> list[Labelled]:
    """The labelled rows of each shift that was asked of the model itself, with the scores of all classes."""
    asked = [one for one in done if isinstance(one, Predict) and isinstance(one.under, Shifted) and not one.by]
    parts = [labelled(data, done[one]) for one in asked]
    return [part for part in parts if part is not None and part.outputs.complete and len(part.labels) >= FEWEST]


_AT = (": rows as they are", ": 25 %", ": median", ": 75 %")


def _inverse(rows: Labelled, folds: IntArray, fitted: FloatArray, part: Labelled) -> FloatArray:
    """One over the temperature for each row of a part; rows that are not among the clean ones get the mean."""
    assert rows.outputs.rows is not None, "answers of a pass know their rows"
    assert part.outputs.rows is not None, "answers of a pass know their rows"
    order = np.argsort(rows.outputs.rows)
    known = rows.outputs.rows[order]
    at = np.minimum(np.searchsorted(known, part.outputs.rows), len(known) - 1)
    of_fold = 1 / fitted[np.searchsorted(np.unique(folds), folds[order[at]])]
    return np.where(known[at] == part.outputs.rows, of_fold, 1 / fitted.mean())


def _errors(part: Labelled, inverse: FloatArray | None) -> tuple[float, float]:
    """Expected calibration error and signed gap, at one over the temperature of each row."""
    outputs = part.outputs
    if inverse is not None:
        outputs = Outputs((outputs.logits * inverse[:, None]).astype(np.float32))
    correct = outputs.predictions == part.labels
    error = expected_calibration_error(outputs.confidence, correct, BINS)
    return error, float((outputs.confidence - correct).mean())


def _quartiles(errors: list[tuple[float, float]]) -> Iterator[str]:
    """The clean rows' number and the quartiles over the shifts, of the error, then of the gap."""
    for at, shown in ((0, ".4f"), (1, "+.4f")):
        clean, *under = (each[at] for each in errors)
        yield from (format(float(each), shown) for each in (clean, *np.quantile(under, (0.25, 0.5, 0.75))))
