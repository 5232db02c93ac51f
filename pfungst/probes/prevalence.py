"""Prevalence: whether rows from elsewhere differ in nothing but how common each class is, and then how common it is."""

from collections.abc import Callable

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.datasets.dataset import Dataset
from pfungst.errors import InputError
from pfungst.findings import Table
from pfungst.methods.affine_recalibration import vector
from pfungst.methods.label_shift import LabelShift, label_shift, thinned
from pfungst.methods.recalibrators import temperature
from pfungst.methods.two_sample import classifier_two_sample_test
from pfungst.outputs import Outputs
from pfungst.passes import Passes, Predict
from pfungst.probe import Labelled, labelled
from pfungst.probes.known_parts import positions
from pfungst.probes.newness import FEWEST, features_pass
from pfungst.statistics.multiplicity import holm

ROWS, SHOWN = 2000, 12
"""Rows of a set that shares are estimated from at most; classes that the table tells of."""

LEVEL = 0.05


def prevalence(data: Dataset, done: Passes, test: Labelled, known: Predict, name: str) -> tuple[Table | None, str]:
    """A table of shares, both estimates beside the test rows' and the true ones where there are labels, and a sentence.

    No table where the assumption, that given the class nothing changed, is rejected by either of two tests, or where
    the classes' answers are not known well enough.
    """
    some, rows = _sampled(test), done[Predict(on=name)]
    new = rows.take(np.arange(len(rows))[:: max(1, len(rows) // ROWS)][:ROWS])
    if not new.complete or len(new) < FEWEST:
        return None, ""
    units = (some.units, _units(data, name, new))
    try:
        found = label_shift(
            some.outputs, some.labels, new, data.classes, units, calibrate=calibrated(some), seed=data.seed
        )
    except InputError:
        return None, ""
    p_values = holm([found.assumption, *_classifier(data, done, known, name, found.weights)])
    if p_values.min() <= LEVEL:
        return None, (
            f" More has changed than how common each class is (p = {p_values.min():.2g}): shares of the classes are "
            "not estimated."
        )
    return _table(data, some, labelled(data.on(name), rows), found, float(p_values.min())), ""


def _table(data: Dataset, test: Labelled, truth: Labelled | None, found: LabelShift, p_value: float) -> Table:
    true = [] if truth is None else [np.bincount(truth.labels, minlength=len(data.classes)) / len(truth.labels)]
    was = np.bincount(test.labels, minlength=len(data.classes)) / len(test.labels)
    order = np.argsort(-np.abs(np.array([one.value for one in found.inverted]) - was), kind="stable")[:SHOWN]

    return Table(
        title=(
            f"Shares of the classes, if nothing else has changed (not rejected, p = {p_value:.2f}): by the inverted "
            "confusion matrix and by likelihood"
        ),
        columns=("class", "test rows", "inverted", "likeliest", *("by labels" for _ in true)),
        rows=tuple(
            (
                data.classes[k], f"{was[k]:.3f}", f"{found.inverted[k]:.3f}", f"{found.likeliest[k]:.3f}",
                *(f"{shares[k]:.3f}" for shares in true),
            )
            for k in order
        ),
    )  # fmt: skip


def _classifier(data: Dataset, done: Passes, known: Predict, name: str, weights: FloatArray) -> list[float]:
    """p-value of a classifier between the new rows and test rows thinned to the estimated shares; none without enough.

    It looks at the features where the model offers them, else at the log-probabilities.
    """
    test, new = labelled(data, done[known]), done[features_pass(name)]
    if test is None:
        return []
    kept = np.flatnonzero(thinned(test.labels, weights, data.seed))[:ROWS]
    old = test.outputs.take(kept)
    if min(len(old), len(new)) < FEWEST:
        return []
    numbers = [one.log_probabilities if one.features is None else one.features for one in (old, new)]
    units = (None if test.units is None else test.units[kept], _units(data, name, new))
    return [classifier_two_sample_test(*numbers, *units, seed=data.seed).p_value]


def _sampled(test: Labelled) -> Labelled:
    some = np.arange(len(test.labels))[:: max(1, len(test.labels) // ROWS)][:ROWS]
    return Labelled(test.outputs.take(some), test.labels[some], None if test.units is None else test.units[some])


def _units(data: Dataset, name: str, outputs: Outputs) -> Array | None:
    units = data.on(name).units
    return None if units is None else units[positions(outputs)]


def calibrated(test: Labelled) -> Callable[[Outputs], Outputs] | None:
    """A map to calibrated probabilities with an intercept a class, or without, as the rows allow."""
    for fit in (vector, temperature):
        try:
            return fit(test.outputs, test.labels)
        except InputError:
            continue
    return None
