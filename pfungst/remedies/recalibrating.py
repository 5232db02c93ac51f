"""Recalibrating: a temperature or weights fitted on the discovery rows, and what they buy on the others."""

import numpy as np

from pfungst.arrays import FloatArray, IntArray
from pfungst.audits.study import Study
from pfungst.errors import InputError
from pfungst.findings import BeforeAfter
from pfungst.methods.affine_recalibration import Affine, FitAffine
from pfungst.methods.calibration_errors import signed_gap
from pfungst.methods.recalibration import Temperature, log_losses
from pfungst.methods.recalibrators import temperature
from pfungst.outputs import Outputs
from pfungst.passes import Passes, Predict
from pfungst.probe import labelled, voted
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.intervals import mean, proportion_of

FIT, JUDGED = Predict(half="discovery", features=True), Predict(half="confirmation")
Foldable = Temperature | Affine
"""What can be written into the last linear layer."""

SAME = 1e-3
"""How far the probabilities of the last layer's scores may lie from the model's own: rounding, and no more."""


def fitted_temperature(study: Study, answers: Outputs, *, votes: bool) -> Temperature:
    """The temperature of these answers, against their labels or the labellers' votes.

    Raises:
        InputError: if there are no labelled rows or no votes, or if nothing but a bound stops the temperature.
    """
    outputs, targets = _aimed(study, answers, votes=votes)
    return temperature(outputs, targets)


def fitted_weights(fit: FitAffine, study: Study, answers: Outputs, *, votes: bool) -> Affine:
    """Weights and intercepts for the scores that the last layer makes, against labels or the labellers' votes.

    Raises:
        InputError: if rows, votes or features are lacking, or that layer's scores are not what the model answers with.
    """
    outputs, targets = _aimed(study, answers, votes=votes)
    scores = _of_last_layer(study, outputs)
    if scores is None:
        raise InputError(
            f"{study.model.source} shows no last linear layer that makes its scores, into which these weights could be "
            "written; `pfungst remedy temperature` needs none"
        )
    found = fit(scores, targets)
    if study.model.linear.bias is None and np.abs(found.intercept).max() > 0:  # type: ignore[attr-defined]
        raise InputError(
            f"the last layer of {study.model.source} has no bias to which intercepts could be added; use `pfungst "
            "remedy temperature`"
        )
    return found


def _aimed(study: Study, answers: Outputs, *, votes: bool) -> tuple[Outputs, IntArray | FloatArray]:
    rows = labelled(study.data, answers)
    if rows is None:
        raise InputError(f"{study.data.source} carries no labels; a temperature is fitted on labelled rows")
    if not votes:
        return rows.outputs, rows.labels
    known, shares = voted(study.data, rows)
    if not len(shares):
        raise InputError(f"{study.data.source} holds no votes; give label_counts, or fit to the labels")
    return rows.outputs.take(known), shares


def _of_last_layer(study: Study, outputs: Outputs) -> Outputs | None:
    """The scores as the last layer makes them, before any softmax; None where they are not what is answered with."""
    layer = study.model.last_layer() if hasattr(study.model, "last_layer") else None
    if layer is None or outputs.features is None or len(layer[0]) != outputs.classes:
        return None
    scores = outputs.features.astype(np.float64) @ layer[0].astype(np.float64).T + layer[1]
    made = Outputs(scores.astype(np.float32), None, outputs.rows)
    return made if np.abs(made.probabilities - outputs.probabilities).max() < SAME else None


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
    known, shares = voted(study.data, rows)
    if len(shares):
        seen = rows.take(known)
        said = shares[np.arange(len(shares)), seen.outputs.predictions]
        name = "confidence less labellers' share"
        found["cross-entropy to labellers"] = mean(log_losses(seen.outputs, shares), seen.units, "cross-entropy")
        found[name] = mean(seen.outputs.confidence - said, seen.units, name, (-1.0, 1.0))
    return found


def judged_map(found: Foldable, lines: tuple[BeforeAfter, ...]) -> str:
    """What it bought, in a sentence; whether labellers paid for it."""
    known = {line.name: line for line in lines}
    loss, people = known["log-loss"], known.get("cross-entropy to labellers")
    assert loss.before is not None, "both sides were measured"
    assert loss.after is not None, "both sides were measured"
    accuracy = known["accuracy on rows nobody fitted on"]
    sentence = (
        f"{_done(found)}; the log-loss on rows nobody fitted on went from "
        f"{loss.before.value:.3f} to {loss.after.value:.3f}{_answers(found, accuracy)}"
    )
    if people is not None and people.before is not None and people.after is not None:
        worse = people.after.value - people.before.value
        if worse > 0:
            sentence += f"; but labellers are met less well: their cross-entropy rose by {worse:.3f} (try --votes)"
    return sentence + "."


def _done(found: Foldable) -> str:
    if isinstance(found, Temperature):
        return f"The scores are divided by {found.value:.4g}"
    diagonal = np.diag(found.weight)
    own = f"Each class's score has its own weight, {diagonal.min():.3g} to {diagonal.max():.3g}"
    across = float(np.abs(found.weight - np.diag(diagonal)).max())
    return own + (f", and weighs up to {across:.3g} for another class" if across > 0 else "")


def _answers(found: Foldable, accuracy: BeforeAfter) -> str:
    if isinstance(found, Temperature) or accuracy.before is None or accuracy.after is None:
        return ", no answer changed"
    return f", the accuracy from {accuracy.before.value:.3f} to {accuracy.after.value:.3f}"
