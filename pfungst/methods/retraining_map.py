"""How retraining stretches a small change of the model: the largest eigenvalue of the map from model to next model."""

import copy
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.errors import InputError
from pfungst.methods.feedback_responses import Response, answers
from pfungst.methods.feedback_rounds import REFERENCE, Fit

_LOST = 1e-9


@dataclass(frozen=True, eq=False)
class Stretch:
    """Size of the largest eigenvalue, whether a change comes back turned round, and the factor of every step."""

    size: float
    turns: bool
    steps: FloatArray


def largest_eigenvalue(
    fit: Fit,
    part: tuple[Any, Array],
    response: Response,
    model: Any,
    *,
    by: float = 1e-3,
    steps: int = 10,
    reference: Any = None,
    seed: int = 0,
) -> Stretch:
    """By how much one round of answer and retraining multiplies a small change of the model, along its worst direction.

    Power iteration by finite differences: the model is moved by ``by`` (root mean square of the change of its answers)
    towards a fit to resampled rows; the change of the next model, divided by that, is one step, and its direction the
    next one's. Below 1 small changes die out, above 1 they grow (Perdomo et al. 2020, arXiv:2002.06673, give bounds).
    The last third of the steps counts, by its geometric mean. Models with ``coef_`` and ``intercept_`` are moved in
    these, others in their answers. The response gets the same random numbers every time. Costs ``steps`` + 2 fits. A
    Answers are compared on the ``reference`` rows (as many as 2000 of the part where none are given). A
    policy that takes a share d of each step makes 1 - d + d l of every eigenvalue l.

    Raises:
        InputError: if fewer than 3 steps are asked for, a fit fails, or answers do not follow the coefficients.

    >>> from types import SimpleNamespace
    >>> level = lambda x, y: SimpleNamespace(predict=lambda rows: np.full(len(rows), y.mean()))
    >>> rows, loads = np.zeros((50, 1)), np.arange(50.0)
    >>> shy = lambda x, y, model, rng: (x, y - 0.5 * model.predict(x))
    >>> found = largest_eigenvalue(level, (rows, loads), shy, level(rows, loads))
    >>> round(found.size, 6), found.turns
    (0.5, True)
    """
    if steps < 3:
        raise InputError(f"{steps} steps cannot find the worst direction; ask for at least 3")
    inputs, labels = part
    some, drawn = _drawn(len(labels), seed)
    reference = inputs[some] if reference is None else reference

    def again(one: Any) -> Any:
        return fit(*response(inputs, labels, one, np.random.default_rng([seed, 2])))

    stayed, towards, away = again(model), fit(inputs[drawn], labels[drawn]), model
    here, change = answers(model, reference), answers(towards, reference) - answers(away, reference)
    still, found, turned = answers(stayed, reference), [], []
    for _ in range(steps):
        width = float(np.sqrt((change**2).mean()))
        if width == 0:
            found.append(0.0)
            break
        nudged = _moved(model, by / width, towards, away)
        given = answers(nudged, reference) - here
        if not given.any():
            name = type(model).__name__
            raise InputError(f"a {name} answers the same when its coef_ changes; let it answer by it, or hide it")
        towards, away = again(nudged), stayed
        change = answers(towards, reference) - still
        found.append(float(np.sqrt((change**2).mean() / (given**2).mean())))
        turned.append(float((change * given).sum()) < 0)
        if found[-1] < _LOST:
            break
    return Stretch(_settled(found), bool(turned and turned[-1]), np.array(found))


def _drawn(rows: int, seed: int) -> tuple[Array, Array]:
    """At most 2000 rows by lot, and as many rows as there are, drawn anew."""
    rng = np.random.default_rng([seed, 1])
    return np.sort(rng.permutation(rows)[:REFERENCE]), rng.integers(0, rows, rows)


def _settled(found: list[float]) -> float:
    """The geometric mean of the last third."""
    last = np.array(found[-max(1, len(found) // 3) :])
    return float(np.exp(np.log(last).mean())) if last.min() > 0 else 0.0


def _moved(model: Any, by: float, towards: Any, away: Any) -> Any:
    """The model with ``by`` times the difference of two others added, in coefficients where all have them."""
    names: tuple[str, ...] = ("coef_", "intercept_")
    if all(hasattr(one, name) for one in (model, towards, away) for name in names):
        mixed = copy.copy(model)
        for name in names:
            was, ahead, behind = (np.asarray(getattr(one, name), np.float64) for one in (model, towards, away))
            setattr(mixed, name, was + by * (ahead - behind))
        return mixed

    def said(inputs: Any) -> FloatArray:
        one, ahead, behind = (answers(each, inputs) for each in (model, towards, away))
        return one + by * (ahead - behind)

    def stated(inputs: Any) -> FloatArray:
        one = np.clip(said(inputs), 0.0, 1.0)
        return np.stack([1 - one, one], axis=1) if one.ndim == 1 else one

    return SimpleNamespace(predict_proba=stated) if hasattr(model, "predict_proba") else SimpleNamespace(predict=said)
