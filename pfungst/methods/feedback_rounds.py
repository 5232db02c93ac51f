"""Rounds of deployment: the world answers the model, the model is fitted to what the world then shows, or not."""

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import clone

from pfungst.arrays import Array, FloatArray
from pfungst.errors import InputError, first_line
from pfungst.methods.feedback_responses import Response, answers
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.means import mean

Fit = Callable[[Any, Array], Any]
Loss = Callable[[FloatArray, Array], Array]
"""(answers, labels) to one loss for each row that counts."""

REFERENCE = 2000
_ENDLESS = 1e30


@dataclass(frozen=True)
class Policy:
    """Fit anew every ``every`` rounds (0: never), to all so far if ``pooled``, going ``share`` of the way."""

    every: int = 1
    pooled: bool = False
    share: float = 1.0


@dataclass(frozen=True, eq=False)
class Rounds:
    """What happened: losses (rounds,) once the world moved and once fitted anew, changes of the answers, models."""

    moved: tuple[Estimate, ...]
    retrained: tuple[Estimate, ...]
    gaps: FloatArray
    turns: FloatArray
    models: tuple[Any, ...]


def policy_of(text: str) -> Policy:
    """``never``, ``every``, ``every 3`` (rounds), ``pooled`` (all history), ``damped 0.5`` (share of the step taken).

    Raises:
        InputError: if it is none of them.

    >>> policy_of("every 3"), policy_of("damped 0.5").share
    (Policy(every=3, pooled=False, share=1.0), 0.5)
    """
    plain = {"never": Policy(every=0), "every": Policy(), "pooled": Policy(pooled=True)}
    if text in plain:
        return plain[text]
    if (found := re.fullmatch(r"every (\d+)", text)) and int(found[1]) > 0:
        return Policy(every=int(found[1]))
    if (found := re.fullmatch(r"damped (\d*\.?\d+)", text)) and 0 < float(found[1]) <= 1:
        return Policy(share=float(found[1]))
    raise InputError(f"there is no policy {text!r}; there are never, every, every 3, pooled and damped 0.5")


def fitter(fit: Any, seed: int) -> Fit:
    """A function of (inputs, labels) to a model; a scikit-learn estimator is cloned, and seeded where it is not.

    Raises:
        InputError: if it is neither; the function raises it where a fit fails.
    """
    if hasattr(fit, "fit") and not isinstance(fit, type):
        seeded = clone(fit)
        if "random_state" in seeded.get_params() and seeded.get_params()["random_state"] is None:
            seeded.set_params(random_state=seed)
        return _said(lambda inputs, labels: clone(seeded).fit(inputs, labels))
    if not callable(fit):
        raise InputError(
            f"fit is a {type(fit).__name__}; give a scikit-learn estimator or a function of inputs, labels"
        )
    return _said(fit)


def _said(fit: Fit) -> Fit:
    def told(inputs: Any, labels: Array) -> Any:
        try:
            return fit(inputs, labels)
        except InputError:
            raise
        except ValueError as error:
            raise InputError(f"the model cannot be fitted to {len(labels)} rows: {first_line(error)}") from error

    return told


def play(
    fit: Fit,
    parts: list[tuple[Any, Array]],
    response: Response,
    policy: Policy,
    rounds: int,
    *,
    loss: Loss | None = None,
    seed: int = 0,
) -> Rounds:
    """Fit to the first part as it is, then let the world answer and the policy fit anew, ``rounds`` times.

    Round t shows rows of part t (in turn), moved from what they are without any model. The gap of a round is the root
    mean square change of the answers on fixed rows of the first part, which nothing moves. Ends
    early where answers pass 1e30.

    Raises:
        InputError: if a fit fails, or a response returns another number of rows or numbers that are not finite.
    """
    reference = _fixed(parts[0][0], seed)
    models = [fit(*parts[0])]
    said = [answers(models[0], reference)]
    history = [parts[0]]
    moved, retrained = [], []
    for number in range(1, rounds + 1):
        rng = np.random.default_rng([seed, number])
        shown = _shown(response, parts[number % len(parts)], models[-1], rng)
        moved.append(loss_of(models[-1], *shown, loss))
        history = [*history, shown] if policy.pooled else [shown]
        models.append(_next(fit, models[-1], history, policy, number))
        retrained.append(loss_of(models[-1], *shown, loss))
        said.append(answers(models[-1], reference))
        if np.abs(said[-1]).max() > _ENDLESS:
            break
    changes = np.diff(np.stack(said), axis=0).reshape(len(moved), -1)
    gaps = np.sqrt((changes**2).mean(axis=1))
    lengths = np.linalg.norm(changes, axis=1)
    product = (changes[1:] * changes[:-1]).sum(axis=1)
    turns = product / np.maximum(lengths[1:] * lengths[:-1], 1e-300)
    return Rounds(tuple(moved), tuple(retrained), gaps, turns, tuple(models))


def refit_floor(fit: Fit, part: tuple[Any, Array], refits: int, seed: int) -> float:
    """Root mean square difference of the answers of two models fitted to bootstrap samples of one round.

    Over all pairs of refits, which is sqrt(2) times their pooled standard deviation, on the fixed rows of ``play``.

    Raises:
        InputError: if fewer than 10 refits are asked for, or a fit fails.
    """
    if refits < 10:
        raise InputError(f"{refits} refits cannot tell the noise of a refit; ask for at least 10")
    inputs, labels = part
    said, reference = [], _fixed(inputs, seed)
    for number in range(refits):
        rows = np.random.default_rng([seed, 0, number]).integers(0, len(labels), len(labels))
        said.append(answers(fit(inputs[rows], labels[rows]), reference))
    return float(np.sqrt(2 * np.stack(said).var(axis=0, ddof=1).mean()))


def loss_of(model: Any, inputs: Any, labels: Array, loss: Loss | None) -> Estimate:
    """Mean loss with its interval: the log-loss of stated probabilities, else the squared error, or one's own."""
    said = answers(model, inputs)
    if loss is not None:
        return mean(np.asarray(loss(said, labels), np.float64), name="loss")
    if not hasattr(model, "predict_proba"):
        return mean((said - labels) ** 2, name="squared error")
    if not (np.isin(labels, np.arange(2 if said.ndim == 1 else said.shape[1]))).all():
        raise InputError("the log-loss needs labels 0, 1, ... up to the classes; number them, or give a loss")
    true = np.where(labels == 1, said, 1 - said) if said.ndim == 1 else said[np.arange(len(labels)), labels.astype(int)]
    return mean(-np.log(np.clip(true, 1e-12, 1)), name="log-loss")


def _fixed(inputs: Any, seed: int) -> Any:
    """At most 2000 rows by lot: rows often come sorted by label."""
    return inputs[np.sort(np.random.default_rng([seed, 1]).permutation(inputs.shape[0])[:REFERENCE])]


def _shown(response: Response, part: tuple[Any, Array], model: Any, rng: np.random.Generator) -> tuple[Any, Array]:
    inputs, labels = response(*part, model, rng)
    if inputs.shape[0] != len(labels) or len(labels) == 0 or inputs.shape[1:] != part[0].shape[1:]:
        raise InputError(
            f"the response returned inputs of shape {inputs.shape} and {len(labels)} labels for inputs of shape "
            f"{part[0].shape}; return as many rows of each, with the same columns"
        )
    values = inputs.data if sparse.issparse(inputs) else inputs
    if not (np.isfinite(values).all() and np.isfinite(labels).all()):
        raise InputError("the response returned numbers that are not finite; bound what the world can do")
    return inputs, labels


def _next(fit: Fit, old: Any, history: list[tuple[Any, Array]], policy: Policy, number: int) -> Any:
    if policy.every == 0 or number % policy.every:
        return old
    stack = sparse.vstack if sparse.issparse(history[0][0]) else np.concatenate
    inputs = history[0][0] if len(history) == 1 else stack([part[0] for part in history])
    new = fit(inputs, np.concatenate([part[1] for part in history]))
    if policy.share == 1:
        return new
    if not all(hasattr(model, name) for model in (old, new) for name in ("coef_", "intercept_")):
        raise InputError(
            f"a {type(new).__name__} has no coef_ and intercept_ to damp; use a linear model or no damping"
        )
    return between_fits(old, new, policy.share)


def between_fits(old: Any, new: Any, share: float) -> Any:
    """A linear model ``share`` of the way from one fit to another."""
    mixed = copy.copy(new)
    for name in ("coef_", "intercept_"):
        was, now = np.asarray(getattr(old, name)), np.asarray(getattr(new, name))
        setattr(mixed, name, (1 - share) * was + share * now)
    return mixed
