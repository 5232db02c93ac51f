"""Hardening: a last layer fitted to shifted rows, or a whole network trained on them or on the worst inputs nearby."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pfungst.arrays import Array
from pfungst.attacked import as_shares
from pfungst.audit_result import Audit
from pfungst.audits.study import Study
from pfungst.datasets.dataset import Batch
from pfungst.errors import InputError
from pfungst.findings import BeforeAfter
from pfungst.methods.attack_losses import scale_free_cross_entropy
from pfungst.methods.balls import Ball, balls
from pfungst.methods.gradient_attack import Search, climb
from pfungst.methods.shift_kind import USUAL
from pfungst.methods.shifts import maker, named, shifts
from pfungst.methods.threats import Norm
from pfungst.models.torch import TorchModel
from pfungst.models.torch_training import Training
from pfungst.passes import Attack, Predict
from pfungst.probe import labelled
from pfungst.probes.named_threats import asked_for
from pfungst.remedies.last_layer import Examples, LastLayer, retrained
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.intervals import proportion_of

SEVERITIES = (1, 2, 3)
"""Severities that are learned; the audit judges the third and draws all five."""

STEPS = 7
"""Steps up the loss before each step of training down it (Madry et al. 2018, arXiv:1706.06083)."""

ROWS = 64
JUDGED = 3


def fragile_shifts(study: Study, before: Audit) -> tuple[Any, ...]:
    """The shifts under which accuracy was found to be lost, or all usual ones where none was.

    Raises:
        InputError: if the rows are no pictures.
    """
    if study.data.modality != "image":
        raise InputError(f"{study.data.source} holds {study.data.modality} rows; what is learned here is for pictures")
    found = {one.subject for one in before.report.findings if one.kind == "fragile" and one.status == "found"}
    names = [name for name in shifts if name in found]
    names = names or [name for name in named((USUAL,)) if shifts[name].modality == "image"]
    return tuple(maker(name, study.data) for name in names)


def augmented_layer(study: Study, kinds: Sequence[Any]) -> LastLayer:
    """The last layer fitted to the discovery rows as they are and under each shift, all of equal weight.

    Raises:
        InputError: if the model shows no features, or the rows are no pictures.
    """
    if "features" not in study.model.offers:
        raise InputError(
            f"{study.model.source} does not show the input of its last layer, so that layer cannot be fitted anew; "
            "train the whole network: file.py:factory with --weights"
        )
    asked = [Predict(half="discovery", features=True)]
    asked += [Predict(kind(severity=level), half="discovery", features=True) for kind in kinds for level in SEVERITIES]
    done = study.answered(asked)
    parts = [labelled(study.data, done[one]) for one in asked]
    rows = [part for part in parts if part is not None and part.outputs.features is not None]
    if len(rows) < len(asked):
        raise InputError(f"{study.data.source} carries no labels; a layer is fitted to labelled rows")
    labels = np.concatenate([part.labels for part in rows])
    which = np.repeat(np.arange(len(rows)), [len(part.labels) for part in rows])
    features = np.concatenate([part.outputs.features for part in rows if part.outputs.features is not None])
    weights = np.where(which == 0, float(len(rows) - 1), 1.0)
    groups = labels * len(rows) + which
    examples = Examples(features, labels, weights / weights.mean(), groups)
    return retrained(examples, len(study.data.classes), study.request.seed)


def trained(study: Study, kinds: Sequence[Any], *, epochs: int, rate: float, against: str) -> bytes:
    """Weights after training on the discovery rows, half of them as they are, half changed.

    ``against`` is ``shifts`` (each eighth of a batch under another shift) or ``attacks`` (each row moved up the loss
    within the largest budget of the task file, linf 8/255 without one).

    Raises:
        InputError: if the model is no PyTorch module that can be trained, or the rows carry no labels.
    """
    model = study.model
    if not isinstance(model, TorchModel):
        raise InputError(
            f"{model.source} cannot be trained: give the network itself, file.py:factory with --weights (the "
            "remedy augmentation fits the last layer of ONNX files)"
        )
    training = Training(model, rate, study.request.seed)
    ball = _ball(study)
    for number, batch in _batches(study, epochs):
        changed = _attacked(training.model, batch, ball) if against == "attacks" else _shifted(batch, kinds, number)
        inputs = np.concatenate([as_shares(batch.inputs), as_shares(changed)])
        training.step(inputs, np.concatenate([batch.labels, batch.labels]))
    return training.state()


def _ball(study: Study) -> Ball:
    named = asked_for(study.request.task.adversarial).over_defaults(study.data).norms[0]
    found: Ball = balls[named.norm](named.sizes[-1])
    return found


def _batches(study: Study, epochs: int) -> Iterator[tuple[int, Batch]]:
    data = study.data
    if data.labels is None:
        raise InputError(f"{data.source} carries no labels; a network is trained on labelled rows")
    order = data.halves["discovery"]
    order = order[data.labels[order] >= 0]
    rng = np.random.default_rng((study.request.seed, 91))
    for epoch in range(epochs):
        mixed = rng.permutation(order)
        for at in range(0, len(mixed), ROWS):
            batch, _ = data.batch(mixed[at : at + ROWS], "discovery")
            if len(batch) > 1:
                yield epoch * len(mixed) + at, batch


def _shifted(batch: Batch, kinds: Sequence[Any], number: int) -> Array:
    """The rows, each eighth of them under another shift."""
    rng = np.random.default_rng((number, 92))
    changed = batch.inputs.copy()
    for some in np.array_split(rng.permutation(len(batch)), min(8, len(batch))):
        kind = kinds[int(rng.integers(len(kinds)))](severity=int(rng.choice(SEVERITIES)))
        changed[some] = kind(batch.take(some))
    return changed


def _attacked(model: TorchModel, batch: Batch, ball: Ball) -> Array:
    """The rows moved up the loss inside the ball, whether they fell or not."""
    search = Search.of(model, as_shares(batch.inputs), batch.labels)
    climb(search, ball, scale_free_cross_entropy, STEPS)
    return search.found


def bought(study: Study, again: Study, kinds: Sequence[Any]) -> tuple[tuple[BeforeAfter, ...], str]:
    """Accuracy on the rows nobody fitted on, as they are, under each shift and attacked, before and after."""
    asked = {
        "as it is": Predict(half="confirmation"),
        **{kind(severity=JUDGED).name: Predict(kind(severity=JUDGED), half="confirmation") for kind in kinds},
    }
    sides = [_accuracies(one, asked) for one in (study, again)]
    lines = tuple(
        BeforeAfter(name=f"accuracy, {name}", before=sides[0][name], after=sides[1][name]) for name in sides[0]
    )
    changes = {name: sides[1][name].value - sides[0][name].value for name in sides[0]}
    plain = changes.pop("as it is")
    best, worst = max(changes, key=lambda name: changes[name]), min(changes, key=lambda name: changes[name])
    return lines, (
        f"On rows nobody fitted on the accuracy changed by {plain:+z.3f} as they are, by {changes[best]:+z.3f} under "
        f"{best} and by {changes[worst]:+z.3f} under {worst}."
    )


def _accuracies(study: Study, asked: dict[str, Predict]) -> dict[str, Estimate]:
    done = study.answered(asked.values())
    found = {}
    for name, one in asked.items():
        rows = labelled(study.data, done[one])
        assert rows is not None, "labelled rows were fitted on"
        found[name] = proportion_of(rows.correct, rows.units, "accuracy")
    if study.data.modality == "image":
        named = asked_for(study.request.task.adversarial).over_defaults(study.data).norms[0]
        attack = Attack(
            Norm(named.norm, (named.sizes[-1],), steps=20, targets=1, queries=50), rows=200, half="confirmation"
        )
        left = study.answered((attack,))[attack]
        found[f"attacked within {named.norm}:{named.words[-1]}"] = proportion_of(~left.broken, name="accuracy")
    return found
