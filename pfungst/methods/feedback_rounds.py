"""Rounds of deploying, answering and retraining: who is trained on what, and what it costs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import issparse, vstack

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray
from pfungst.errors import InputError
from pfungst.methods.feedback_models import Deployed, Fit, deployed
from pfungst.methods.feedback_responses import Response

_ENDLESS = 1e100


@dataclass(frozen=True)
class Policy:
    """When a model is retrained (every so many rounds; 0: never), on which rows, and which share of it is taken over.

    With ``damping`` d below 1 the next model's scores are (1 - d) those of the old plus d those of the new.
    """

    every: int = 1
    pooled: bool = False
    damping: float = 1.0


@dataclass(frozen=True, eq=False)
class World:
    """Rows as they would be without a model: which ones each round sees, and which of those are only judged.

    ``rounds[t]`` are positions of the rows of round t (0: the first training); ``judged`` marks rows never trained on.
    """

    inputs: Any
    labels: Array
    rounds: tuple[IntArray, ...]
    judged: BoolArray
    binary: bool

    def at(self, round_: int) -> tuple[Any, Array]:
        """Inputs and labels of a round."""
        rows = self.rounds[round_]
        return self.inputs[rows], self.labels[rows]

    def split(self, round_: int) -> tuple[BoolArray, BoolArray]:
        """Which of the round's rows are trained on, and which are judged; the same where none are set apart."""
        apart = self.judged[self.rounds[round_]]
        return (~apart, apart) if apart.any() else (~apart, ~apart)


@dataclass(frozen=True, eq=False)
class Training:
    """How a model is made of rows: the fit, the threshold (a share of false alarms where given), and the damping."""

    fit: Fit
    binary: bool
    threshold: float = 0.5
    false_alarms: float | None = None
    damping: float = 1.0

    def __call__(self, inputs: Any, labels: Array, old: Deployed | None = None) -> Deployed:
        """A new model, mixed with the old one where the policy is damped."""
        new = deployed(self.fit(inputs, labels), inputs, binary=self.binary, threshold=self.threshold)
        if old is not None and self.damping < 1:
            new = new.with_parts((1 - self.damping, old), (self.damping, new))
        if self.false_alarms is not None:
            calm = np.sort(new.scores(inputs)[labels == 0])
            new = replace(new, threshold=float(np.quantile(calm, 1 - self.false_alarms)))
        return new


@dataclass(frozen=True, eq=False)
class Round:
    """Rows after the world answered, as trained on and as judged, and the models before and after retraining."""

    inputs: Any
    labels: Array
    judged_inputs: Any
    judged_labels: Array
    before: Deployed
    after: Deployed
    retrained: bool


def run(world: World, train: Training, response: Response, policy: Policy) -> Iterator[Round]:
    """Round after round: the world answers the model in force, then the model is retrained where the policy says so.

    Ends early where the model's answers grow beyond bounds.
    """
    trained, _ = world.split(0)
    inputs, labels = world.at(0)
    history = [(inputs[trained], labels[trained])]
    model = train(*history[0])
    for number in range(1, len(world.rounds)):
        moved, answered = answer(world, response, model, number)
        trained, judged = world.split(number)
        history = [*(history if policy.pooled else []), (moved[trained], answered[trained])]
        due = policy.every > 0 and number % policy.every == 0
        after = train(*stacked(history), model) if due else model
        done = Round(moved[trained], answered[trained], moved[judged], answered[judged], model, after, retrained=due)
        yield done
        model = after
        if not np.abs(model(done.judged_inputs)).max() < _ENDLESS:
            return


def answer(world: World, response: Response, model: Deployed, number: int) -> tuple[Any, Array]:
    """The rows of a round after they answered the model.

    Raises:
        InputError: if the response changed how many rows there are, or made a value that is not finite or no label.
    """
    inputs, labels = world.at(number)
    moved, answered = response(inputs, labels, model)
    answered = np.asarray(answered)
    if getattr(moved, "shape", (0,))[0] != inputs.shape[0] or answered.shape != labels.shape:
        raise InputError(
            f"the response turned {inputs.shape[0]} rows into inputs of shape {getattr(moved, 'shape', None)} and "
            f"labels of shape {answered.shape}; let it return one row and one label for each"
        )
    values = moved.data if issparse(moved) else moved
    if (values.dtype.kind == "f" and not np.isfinite(values).all()) or not np.isfinite(answered).all():
        raise InputError("the response made values that are not finite; let it return finite inputs and labels")
    if world.binary and not np.isin(answered, (0, 1)).all():
        raise InputError("the response made labels other than 0 and 1; let it return one of them for each row")
    return moved, answered


def stacked(history: list[tuple[Any, Array]]) -> tuple[Any, Array]:
    """Rows of several rounds as one training set."""
    if len(history) == 1:
        return history[0]
    inputs = [rows for rows, _ in history]
    joined = vstack(inputs, format="csr") if issparse(inputs[0]) else np.concatenate(inputs)
    return joined, np.concatenate([labels for _, labels in history])


def losses(model: Deployed, inputs: Any, labels: Array) -> tuple[FloatArray, FloatArray]:
    """Loss of each row, and whether it is decided rightly (both (rows,)).

    Log-loss where probabilities are stated, the squared error of values, else whether the decision is wrong.
    """
    scores = model.scores(inputs)
    if model.answers == "values":
        return (scores - labels) ** 2, np.full(len(labels), np.nan)
    right = (scores >= model.threshold) == (labels == 1)
    if model.answers in {"log-odds", "probabilities"}:
        return np.asarray(np.logaddexp(0, np.where(labels == 1, -scores, scores))), right.astype(np.float64)
    return 1.0 - right, right.astype(np.float64)


def cut(count: int, rounds: int, seed: int) -> tuple[IntArray, ...]:
    """Rows cut at random into as many parts as there are rounds, and one for the first training."""
    return tuple(np.array_split(np.random.default_rng(seed).permutation(count), rounds + 1))
