"""What if the world answers the model: rounds of deploying and retraining, simulated on your own rows."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse

from pfungst.arrays import Array, BoolArray, FloatArray
from pfungst.errors import InputError
from pfungst.methods.feedback_models import Deployed, fitting
from pfungst.methods.feedback_responses import (
    BestResponse,
    Congestion,
    Gaming,
    GoodWords,
    Response,
    SelfFulfilling,
)
from pfungst.methods.feedback_rounds import Policy, Round, Training, World, answer, cut, losses, run
from pfungst.methods.feedback_settling import ABOVE, Verdict, alternating, contraction, floor, gains, judged
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.means import paired_mean

__all__ = [
    "BestResponse", "Congestion", "Deployed", "Gaming", "GoodWords", "Policy", "SelfFulfilling", "Simulation",
    "simulate",
]  # fmt: skip

POLICIES = {
    "never": Policy(every=0),
    "every round": Policy(),
    "pooled history": Policy(pooled=True),
    "damped": Policy(damping=0.5),
}
_REFERENCE, _FEWEST_PAIRS, _FEWEST_ROWS = 2000, 10, 20
_ARRAYS = (
    "loss_moved", "loss_retrained", "accuracy_moved", "accuracy_retrained", "recall_moved", "recall_retrained",
)  # fmt: skip
_COLUMNS = ("retrained", "accuracy", "retrained", "recall", "retrained", "gap")
_LOSSES = {"log-odds": "log-loss", "probabilities": "log-loss", "values": "squared error"}
_VERDICTS = {
    "contracting": "Retraining settles",
    "oscillating": "Retraining oscillates: each move undoes the one before",
    "diverging": "Retraining diverges",
    "undetermined": "Whether retraining settles is undetermined",
}


@dataclass(frozen=True, eq=False)
class Simulation:
    """What each round cost, and whether the models settle.

    Arrays are (rounds,): losses, accuracies and recalls just after the world moved and after retraining (equal where
    it was not due; NaN where there are no classes). ``gaps`` (retrainings,) is how far successive models differ on
    the same rows, as they were; ``floor`` is what refits on resampled rows differ by. ``contraction`` is by what a
    round multiplies the gap; ``gains`` by what a retraining multiplies a small change; ``delay`` is the loss between
    the world's move and the retraining; ``models`` (rounds + 1) were in force, the first before anybody answered.
    """

    verdict: Verdict
    loss: str
    loss_before: float
    loss_moved: FloatArray
    loss_retrained: FloatArray
    accuracy_moved: FloatArray
    accuracy_retrained: FloatArray
    recall_moved: FloatArray
    recall_retrained: FloatArray
    retrained: BoolArray
    gaps: FloatArray
    floor: float
    contraction: Estimate | None
    gains: FloatArray
    delay: Estimate | None
    models: tuple[Deployed, ...]

    @property
    def sentence(self) -> str:
        """The verdict, what it rests on, and what the world's answers cost."""
        if not self.retrained.any():
            settled = "The model was never retrained, so that nothing can settle"
        elif self.contraction is not None:
            one = self.contraction
            settled = (
                f"{_VERDICTS[self.verdict]}: each round multiplies the move of the model by {one.value:.2f} "
                f"[{one.low:.2f}, {one.high:.2f}] ({one.rows} rounds)"
            )
        else:
            above = int((self.gaps > ABOVE * self.floor).sum())
            grown = f", and a small change is multiplied by {self.gains[-1]:.2g}" if len(self.gains) else ""
            settled = (
                f"{_VERDICTS[self.verdict]}: models moved by more than {ABOVE:g} times what refits on resampled rows "
                f"differ by ({self.floor:.2g}) in {above} of {len(self.gaps)} retrainings{grown}"
            )
        worst = self.loss_moved.max()
        cost = f"; the {self.loss} was {self.loss_before:.3f}, and up to {worst:.3f} just after the world had moved"
        if self.delay is None:
            return f"{settled}{cost}."
        low, high = self.delay.low, self.delay.high
        return f"{settled}{cost}, on average {self.delay.value:.3f} [{low:.3f}, {high:.3f}] more than after retraining."

    def table(self) -> str:
        """The rounds as a table of text."""
        gaps = iter(self.gaps)
        lines = [f"{'round':>5}{self.loss + ' moved':>25}" + "".join(f"{name:>11}" for name in _COLUMNS)]
        sides = zip(
            self.loss_moved, self.loss_retrained, self.accuracy_moved, self.accuracy_retrained, self.recall_moved,
            self.recall_retrained, strict=True,
        )  # fmt: skip
        for number, (due, (first, *others)) in enumerate(zip(self.retrained, sides, strict=True), start=1):
            cells = "".join(f"{one:>11.4f}" for one in others)
            lines.append(f"{number:>5}{first:>25.4f}{cells}{next(gaps) if due else 0.0:>11.2e}")
        return "\n".join([*lines, f"refits on resampled rows differ by {self.floor:.2e}", self.sentence])


def simulate(  # noqa: PLR0917 - in the order in which one says it
    fit: Any,
    inputs: Any,
    labels: Any,
    response: Response,
    policy: str | Policy = "every round",
    rounds: int = 10,
    *,
    threshold: float = 0.5,
    false_alarms: float | None = None,
    parts: bool = False,
    held_out: float = 0.25,
    pairs: int = 10,
    seed: int = 0,
) -> Simulation:
    """Deploy a model, let the world answer it, retrain, again and again; say what it costs and whether it settles.

    Args:
        fit: a scikit-learn estimator (copied and fitted), or a function of inputs and labels that returns a model with
            ``predict_proba``, ``decision_function`` or ``predict``, or a function of inputs.
        inputs: rows as they are without a model: (rows, columns), or a scipy sparse matrix.
        labels: (rows,) 0 and 1, or numbers.
        response: ``Gaming``, ``BestResponse``, ``GoodWords``, ``SelfFulfilling``, ``Congestion``, or your function of
            inputs, labels and the model in force (a ``Deployed``; ask it and nothing else) to inputs and labels.
            Every round it is given the rows as they are without a model.
        policy: "never", "every round", "every 3 rounds", "pooled history", "damped", or a ``Policy``.
        rounds: how many.
        threshold: the probability from which on rows are decided 1 (values: the number).
        false_alarms: instead, the share of rows labelled 0 that each new model decides 1 in its training.
        parts: whether rows are cut at random so that each round sees others.
        held_out: share of the rows on which losses are judged and nothing is trained; 0 judges the rows trained on.
        pairs: pairs of refits on resampled rows behind the floor, at least 10.
        seed: of everything drawn.

    Raises:
        InputError: if inputs and labels do not fit each other, the policy or a number cannot be meant, the fit fails,
            or the response changes rows as it must not.

    The contraction is the slope of log gap over rounds whose gap is above 3 floors (Perdomo et al. 2020,
    arXiv:2002.06673, prove that gaps shrink where answers are weak; here it is measured).

    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(400, 2))
    >>> from sklearn.linear_model import LinearRegression
    >>> crowd = lambda inputs, labels, model: (inputs, labels - 0.5 * model(inputs))
    >>> simulate(LinearRegression(), x, x @ np.array([1.0, 2.0]) + 0.1 * rng.normal(size=400), crowd).verdict
    'contracting'
    """
    if not isinstance(rounds, int) or rounds < 1 or pairs < _FEWEST_PAIRS:
        raise InputError(
            f"{rounds} rounds and {pairs} pairs of refits were asked for; ask for at least 1 and {_FEWEST_PAIRS}"
        )
    world = _world(inputs, labels, rounds, parts=parts, held_out=held_out, seed=seed)
    chosen = _policy(policy)
    if world.binary and not 0 < threshold < 1:
        raise InputError(f"a threshold of {threshold} was given; give a probability between 0 and 1")
    if false_alarms is not None and not (world.binary and 0 < false_alarms < 1):
        raise InputError(f"a share of false alarms of {false_alarms} was given; give one within 0 and 1, for classes")
    train = Training(fitting(fit, seed), world.binary, threshold, false_alarms, chosen.damping)
    done = list(run(world, train, response, chosen))
    return _judged(world, train, response, done, (pairs, seed))


def _judged(world: World, train: Training, response: Response, done: list[Round], draws: tuple[int, int]) -> Simulation:
    """The rounds with their verdict; ``draws`` are the pairs of refits and the seed."""
    reference, last = _reference(world, draws[1]), done[-1]
    steps = [one.after(reference) - one.before(reference) for one in done if one.retrained]
    gaps = np.array([float(np.sqrt(np.mean(step**2))) for step in steps])
    lowest, pair = floor(train, (done[0].inputs, done[0].labels), reference, *draws)

    def step(model: Deployed) -> Deployed:
        moved, answered = answer(world, response, model, len(done))
        trained, _ = world.split(len(done))
        return train(moved[trained], answered[trained], model)

    rho = contraction(gaps, ABOVE * lowest)
    open_ = bool(steps) and (rho is None or rho.low <= 1 <= rho.high)
    grown = gains(step, last.after, pair, lowest, reference) if open_ else np.zeros(0)
    against = alternating(np.stack(steps)) if steps else 0.0
    calm, labels = world.at(0)
    _, apart = world.split(0)
    first = done[0].before
    columns, delay = _costs(done)
    return Simulation(
        verdict=judged(rho, gaps, ABOVE * lowest, against, grown),
        loss=_LOSSES.get(first.answers, "share of wrong decisions"),
        loss_before=float(losses(first, calm[apart], labels[apart])[0].mean()),
        retrained=np.array([one.retrained for one in done]),
        gaps=gaps, floor=lowest, contraction=rho, gains=grown, delay=delay,
        models=(first, *(one.after for one in done)),
        **dict(zip(_ARRAYS, columns, strict=True)),
    )  # fmt: skip


def _costs(done: list[Round]) -> tuple[list[FloatArray], Estimate | None]:
    """Losses, accuracies and recalls (each moved, retrained), and the loss between the move and the retraining."""
    table, late = np.full((6, len(done)), np.nan), []
    for t, one in enumerate(done):
        sides = [losses(model, one.judged_inputs, one.judged_labels) for model in (one.before, one.after)]
        hits = one.judged_labels == 1
        for side, (loss, right) in enumerate(sides):
            table[[side, side + 2], t] = loss.mean(), right.mean()
            table[side + 4, t] = right[hits].mean() if hits.any() else np.nan
        if one.retrained:
            late.append(sides[0][0] - sides[1][0])
    same = len({len(one) for one in late}) == 1
    values = (np.mean(late, axis=0) if same else np.concatenate(late)) if late else None
    delay = None if values is None else paired_mean(values, name="loss between the world's move and the retraining")
    return list(table), delay


def _world(inputs: Any, labels: Any, rounds: int, *, parts: bool, held_out: float, seed: int) -> World:
    rows = inputs.tocsr() if issparse(inputs) else np.asarray(inputs)
    y = np.asarray(labels)
    if y.ndim != 1 or rows.ndim < 1 or rows.shape[0] != len(y):
        raise InputError(f"inputs have shape {rows.shape} and labels {y.shape}; give one label for each row")
    if y.dtype.kind not in "biuf" or not np.isfinite(y).all():
        raise InputError("labels must be finite numbers, or 0 and 1; call one class 1 and all others 0")
    values: Array = rows.data if issparse(rows) else rows
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise InputError("an input is not finite; leave such rows or columns out, or fill them")
    if not 0 <= held_out < 1:
        raise InputError(f"a share held out of {held_out} was asked for; give one from 0 to below 1")
    binary = bool(np.isin(y, (0, 1)).all())
    if binary and y.min() == y.max():
        raise InputError(f"all {len(y)} labels are {int(y[0])}; give rows of both classes")
    pieces = cut(len(y), rounds, seed) if parts else (np.arange(len(y)),) * (rounds + 1)
    if min(len(piece) for piece in pieces) < _FEWEST_ROWS:
        raise InputError(
            f"{len(y)} rows leave {min(len(piece) for piece in pieces)} a round, at least {_FEWEST_ROWS} are needed; "
            "give more rows or ask for fewer rounds"
        )
    apart = np.random.default_rng([seed, 1]).uniform(size=len(y)) < held_out
    return World(rows, y.astype(np.int64) if binary else y.astype(np.float64), pieces, apart, binary)


def _reference(world: World, seed: int) -> Any:
    """The rows on which models are compared: at most 2000, judged ones where some are set apart."""
    rows = np.flatnonzero(world.judged) if world.judged.any() else np.arange(len(world.labels))
    if len(rows) > _REFERENCE:
        rows = np.sort(np.random.default_rng([seed, 2]).choice(rows, _REFERENCE, replace=False))
    return world.inputs[rows]


def _policy(policy: str | Policy) -> Policy:
    if isinstance(policy, str):
        named = re.fullmatch(r"every (\d+) rounds?", policy)
        if policy not in POLICIES and not named:
            raise InputError(f"there is no policy {policy!r}; there are {', '.join(POLICIES)}, every K rounds")
        policy = POLICIES[policy] if policy in POLICIES else Policy(every=int(named[1])) if named else Policy()
    if policy.every < 0 or not 0 < policy.damping <= 1:
        raise InputError(f"{policy} cannot be followed; let every be 0 or more, and damping above 0 and at most 1")
    return policy
