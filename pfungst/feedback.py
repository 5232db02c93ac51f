"""What if the world answers the model: rounds of deployment and retraining, played before they happen."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from pfungst.arrays import Array, FloatArray
from pfungst.errors import InputError
from pfungst.methods.contraction import Verdict, contraction
from pfungst.methods.feedback_responses import (
    Congestion,
    GoodWords,
    LinearGaming,
    Response,
    SelfFulfilling,
    ThresholdGaming,
)
from pfungst.methods.feedback_rounds import Loss, fitter, play, policy_of, refit_floor
from pfungst.statistics.estimate import Estimate

__all__ = [
    "Congestion", "GoodWords", "LinearGaming", "Response", "SelfFulfilling", "Simulation", "ThresholdGaming",
    "simulate",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Simulation:
    """Rounds as they would go: ``moved`` and ``retrained`` are losses once the world moved and once fitted anew.

    The second is of the rows that were fitted; what new rows of the world cost is the next round's ``moved``.

    ``gaps`` (rounds,) are root mean square changes of the answers on fixed rows, ``floor`` that between two fits to
    samples of one round, ``rho`` the factor from gap to gap (None without enough rounds), ``models`` the first and one
    for each round.
    """

    verdict: Verdict
    sentence: str
    moved: tuple[Estimate, ...]
    retrained: tuple[Estimate, ...]
    gaps: FloatArray
    floor: float
    rho: Estimate | None
    models: tuple[Any, ...]

    def table(self) -> str:
        """The rounds as lines of text, with intervals, and the sentence."""
        name = self.moved[0].name
        lines = [f"{'round':>5}  {name + ', world moved':>32}  {'fitted anew':>11}  {'model moved':>11}"]
        for number, (moved, anew, gap) in enumerate(zip(self.moved, self.retrained, self.gaps, strict=True), start=1):
            seen = f"{moved.value:.4f} [{moved.low:.4f}, {moved.high:.4f}]"
            lines.append(f"{number:>5}  {seen:>32}  {anew.value:>11.4f}  {gap:>11.3g}")
        return "\n".join([*lines, f"fits to other samples of a round differ by {self.floor:.3g}", self.sentence])


def simulate(  # noqa: PLR0917 - read in this order, what, whom, how the world answers, what is done
    fit: Any,
    inputs: Any,
    labels: Array,
    response: Response,
    policy: str = "every",
    rounds: int = 10,
    *,
    parts: int = 1,
    loss: Loss | None = None,
    refits: int = 10,
    seed: int = 0,
) -> Simulation:
    """Deploy a model, let the world answer it, retrain by the policy, and say whether that settles and what it costs.

    ``fit`` is a scikit-learn estimator or a function of (inputs, labels) to a model with ``predict_proba`` or
    ``predict``, or that is itself a function of inputs. ``inputs`` (rows, columns) may be scipy sparse. ``response`` is
    one of this module or a function of (inputs, labels, model, rng) to new (inputs, labels). ``policy`` is never,
    every, ``every 3``, pooled or ``damped 0.5``. With ``parts`` above 1 the rows are dealt out by lot and each round
    sees the next part. ``loss`` takes (answers, labels) to a loss for each row that counts; by default log-loss, or
    squared error where no probabilities are stated.

    Raises:
        InputError: if rows, labels, rounds or parts do not fit, or what ``fit`` or ``response`` return does not.

    >>> from sklearn.linear_model import LogisticRegression
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(500, 3))
    >>> y = (x[:, 0] + rng.normal(size=500) > 0).astype(int)
    >>> simulate(LogisticRegression(), x, y, LinearGaming((0,), 0.5), rounds=5).verdict
    'contracting'
    """
    x = inputs.tocsr() if sparse.issparse(inputs) else np.asarray(inputs)
    y = np.asarray(labels)
    dealt = _dealt(x, y, rounds, parts, seed)
    way = policy_of(policy)
    fitted = fitter(fit, seed)
    done = play(fitted, dealt, response, way, rounds, loss=loss, seed=seed)
    floor = refit_floor(fitted, dealt[0], refits, seed)
    found = contraction(done.gaps, done.turns, floor)
    if way.every != 1:
        found = type(found)("undetermined", None, "a model that is not fitted anew every round has no rate of its own")
    worst = max(range(len(done.moved)), key=lambda number: done.moved[number].value)
    lost = done.moved[worst]
    said = (
        f"{found.verdict.capitalize()}: {found.because}. Once the world has moved and before the model is fitted anew, "
        f"the {lost.name} is up to {lost.value:.3f} [{lost.low:.3f}, {lost.high:.3f}] (round {worst + 1}); afterwards "
        f"{done.retrained[worst].value:.3f}."
    )
    return Simulation(found.verdict, said, done.moved, done.retrained, done.gaps, floor, found.rho, done.models)


def _dealt(x: Any, y: Array, rounds: int, parts: int, seed: int) -> list[tuple[Any, Array]]:
    """Checked rows, in so many parts dealt out by lot."""
    if x.ndim != 2 or y.ndim != 1 or x.shape[0] != len(y):
        raise InputError(f"inputs have shape {x.shape} and labels {y.shape}; give (rows, columns) and one label a row")
    values = x.data if sparse.issparse(x) else x
    for what, numbers in (("inputs", values), ("labels", y)):
        if numbers.dtype.kind not in "biuf" or not np.isfinite(numbers).all():
            raise InputError(f"{what} must be finite numbers, and some are not; encode or leave out such rows")
    if rounds < 1 or parts < 1 or len(y) < 20 * parts:
        raise InputError(
            f"{rounds} rounds on {parts} parts of {len(y)} rows were asked for; at least 1 round and 20 rows a part "
            "are needed"
        )
    if parts == 1:
        return [(x, y)]
    order = np.random.default_rng(seed).permutation(len(y))
    return [(x[rows], y[rows]) for rows in np.array_split(order, parts)]
