"""What if the world answers the model: rounds of deployment and retraining, played before they happen."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from pfungst.arrays import Array, FloatArray
from pfungst.errors import InputError
from pfungst.findings import Finding, Round, Rounds
from pfungst.methods.contraction import Verdict, contraction
from pfungst.methods.critical_strength import CriticalStrength, critical_strength
from pfungst.methods.feedback_responses import (
    Congestion,
    GoodWords,
    LinearGaming,
    Response,
    SelfFulfilling,
    ThresholdGaming,
)
from pfungst.methods.feedback_rounds import Loss, fitter, play, policy_of, refit_floor
from pfungst.methods.gaming_cost import GamingCost, gaming_cost
from pfungst.report.figures import draw
from pfungst.report.files import written
from pfungst.report.html import text_of
from pfungst.report.markup import html, tag
from pfungst.report.zigzag import alone
from pfungst.statistics.estimate import Estimate, Severity, Status

__all__ = [
    "Congestion", "CriticalStrength", "GamingCost", "GoodWords", "LinearGaming", "Response", "SelfFulfilling",
    "Simulation", "ThresholdGaming", "critical_strength", "gaming_cost", "simulate",
]  # fmt: skip

STANDS: dict[Verdict, tuple[Status, Severity]] = {
    "diverging": ("found", "high"),
    "oscillating": ("found", "medium"),
    "contracting": ("absent", "none"),
    "undetermined": ("inconclusive", "none"),
}
"""What a verdict is as a finding: models that run away are graver than models that run in a circle."""


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
    policy: str = "every"

    @property
    def picture(self) -> Rounds:
        """The losses before and after each fit, as a report draws them."""
        pairs = enumerate(zip(self.moved, self.retrained, strict=True), start=1)
        rounds = tuple(Round(number=number, moved=moved, retrained=anew) for number, (moved, anew) in pairs)
        title = f"{self.moved[0].name.capitalize()} before and after each fit (policy: {self.policy})"
        return Rounds(title=title, rounds=rounds, quantity=self.moved[0].name)

    @property
    def finding(self) -> Finding:
        """The verdict as a finding of kind ``unstable``: found where models run away or in a circle.

        Its effect is the factor from change to change, or, where there is none, the largest loss.
        """
        status, severity = STANDS[self.verdict]
        return Finding(
            probe="feedback",
            kind="unstable",
            subject="",
            status=status,
            severity=severity,
            claim=self.sentence,
            effect=self.rho or max(self.moved, key=lambda one: one.value),
            tolerance=None if self.rho is None else 1.0,
            evidence=(self.picture,),
            remedy="damp each step, retrain on pooled history, or keep rows that the model does not act on"
            if status == "found"
            else "",
        )

    def _repr_html_(self) -> str:
        heading = tag("h1", "Does retraining settle?")
        shown = tag("main", heading, tag("p", self.sentence), draw(self.picture))
        title = html(tag("title", "pfungst: rounds of deployment and retraining"))
        style = f"<style>{text_of('style.css')}</style>"
        head = f'<meta charset="utf-8">{title}{style}'
        return f'<!doctype html><html lang="en"><head>{head}</head><body>{shown}</body></html>'

    def save(self, path: str | Path) -> Path:
        """Write the picture of the rounds: a page (``.html``) that needs no other file, or the drawing (``.svg``).

        Raises:
            InputError: if the name ends otherwise.
        """
        file = Path(path)
        if file.suffix not in {".html", ".svg"}:
            raise InputError(f"{file.name} is neither a page nor a drawing; give a name in .html or .svg")
        page = self._repr_html_() if file.suffix == ".html" else alone(self.picture)
        written(file, page.encode("utf-8", "replace"))
        return file

    def table(self) -> str:
        """The rounds as lines of text, with intervals, and the sentence."""
        name = self.moved[0].name
        lines = [f"{'round':>5}  {name + ', world moved':>32}  {'fitted anew':>11}  {'model moved':>11}"]
        for number, (moved, anew, gap) in enumerate(zip(self.moved, self.retrained, self.gaps, strict=True), start=1):
            seen = f"{moved:.4f}"
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
        f"the {lost.name} is up to {lost:.3f} (round {worst + 1}); afterwards "
        f"{done.retrained[worst].value:.3f}."
    )
    return Simulation(found.verdict, said, done.moved, done.retrained, done.gaps, floor, found.rho, done.models, policy)


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
