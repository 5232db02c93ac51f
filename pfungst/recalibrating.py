"""Recalibrating: a temperature fitted on the discovery rows, and what it buys on the others."""

import numpy as np

from pfungst.arrays import FloatArray
from pfungst.errors import InputError
from pfungst.findings import BeforeAfter
from pfungst.methods.calibration_errors import signed_gap
from pfungst.methods.recalibration import Temperature, log_losses, temperature
from pfungst.outputs import Outputs
from pfungst.passes import Passes, Predict
from pfungst.probe import Labelled, labelled
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.intervals import mean, proportion_of
from pfungst.study import Study

FIT, JUDGED = Predict(half="discovery"), Predict(half="confirmation")


def fitted_temperature(study: Study, done: Passes, *, votes: bool) -> Temperature:
    """The temperature of the discovery rows, against their labels or the labellers' votes.

    Raises:
        InputError: if there are no labelled rows or no votes, or if nothing but a bound stops the temperature.
    """
    rows = labelled(study.data, done[FIT])
    if rows is None:
        raise InputError(f"{study.data.source} carries no labels; a temperature is fitted on labelled rows")
    found = temperature(rows.outputs, shares_of(study, rows) if votes else rows.labels)
    if found.bound:
        raise InputError(
            f"on these {len(rows.labels)} rows the log-loss falls down to a temperature of {found.value:g}, the bound: "
            "they are separable (or the labels wrong), so no temperature can be recommended; give more rows"
        )
    return found


def shares_of(study: Study, rows: Labelled) -> FloatArray:
    """Share of labellers for each class, (rows, classes).

    Raises:
        InputError: if the data hold no votes.
    """
    if study.data.label_counts is None:
        raise InputError(f"{study.data.source} holds no votes; give label_counts, or fit to the labels")
    assert rows.outputs.rows is not None, "answers of a pass know their rows"
    counts = study.data.label_counts[rows.outputs.rows].astype(np.float64)
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def bought(before: tuple[Study, Passes], after: tuple[Study, Passes]) -> tuple[BeforeAfter, ...]:
    """Accuracy, log-loss and gap on the rows nobody fitted on, and the labellers' where there are votes."""
    sides = [_numbers(*each) for each in (before, after)]
    return tuple(BeforeAfter(name=name, before=sides[0][name], after=sides[1][name]) for name in sides[0])


def _numbers(study: Study, done: Passes) -> dict[str, Estimate]:
    rows = labelled(study.data, done[JUDGED])
    assert rows is not None, "labelled rows were fitted on"
    outputs: Outputs = rows.outputs
    found = {
        "accuracy on rows nobody fitted on": proportion_of(rows.correct, rows.units, "accuracy"),
        "log-loss": mean(log_losses(outputs, rows.labels), rows.units, "log-loss"),
        "confidence less accuracy": signed_gap(outputs.confidence, rows.correct, rows.units),
    }
    if study.data.label_counts is not None:
        shares = shares_of(study, rows)
        said = shares[np.arange(len(shares)), outputs.predictions]
        name = "confidence less labellers' share"
        found["cross-entropy to labellers"] = mean(log_losses(outputs, shares), rows.units, "cross-entropy")
        found[name] = mean(outputs.confidence - said, rows.units, name, (-1.0, 1.0))
    return found


def judged_temperature(found: Temperature, lines: tuple[BeforeAfter, ...]) -> str:
    """What it bought, in a sentence; whether labellers paid for it."""
    known = {line.name: line for line in lines}
    loss, people = known["log-loss"], known.get("cross-entropy to labellers")
    assert loss.before is not None, "both sides were measured"
    assert loss.after is not None, "both sides were measured"
    sentence = (
        f"The scores are divided by {found.value:.4g}; the log-loss on rows nobody fitted on went from "
        f"{loss.before.value:.3f} to {loss.after.value:.3f}, no answer changed"
    )
    if people is not None and people.before is not None and people.after is not None:
        worse = people.after.value - people.before.value
        if worse > 0:
            sentence += f"; but labellers are met less well: their cross-entropy rose by {worse:.3f} (try --votes)"
    return sentence + "."
