"""Confounding of label and site: what is known of a column, and the verdict that it bears."""

from dataclasses import dataclass
from typing import Literal

from pfungst.methods.site_pairs import Area, Decomposition, Moved, PairTest
from pfungst.methods.site_tests import Association, Inseparable, Sited
from pfungst.probes.calibration_by_part import outward
from pfungst.statistics.estimate import Estimate, Severity, Status, severity
from pfungst.statistics.significance import p_at_most

OWED = 0.03
"""Area under the curve that may be owed to the site."""

ORDER = 0.05
"""How far from one half the order of answers given the label may go with the site."""

AGAINST = 0.15
"""Probability that may go against the site: a scanner that darkens moves answers one way or the other, and what goes
against what is commoner earns nothing on these rows; from what is severe on, it was learned elsewhere."""

WEAK, NEAR = 0.1, 0.05
"""Cramer's V, and area of the site alone above one half, below which label and site hardly go together."""

Rests = Literal["answers", "area", "order", "site"]


@dataclass(frozen=True, eq=False)
class Confounding:
    """What is known of a column: how it goes with the label, with the model's answers, and whether that can be told.

    ``alone`` is the area of the column alone, ``beyond`` the model's area less that one, of the same pairs, ``why``
    says why label and site cannot be told apart.
    """

    column: str
    classes: tuple[str, ...]
    sited: Sited
    link: Association
    alone: Area
    beyond: Estimate
    why: Inseparable
    parts: Decomposition
    moved: Moved | None
    tests: tuple[PairTest, ...]
    metadata: Area | None

    @property
    def by_chance(self) -> bool:
        """Whether what label and site have in common may be chance."""
        return self.link.p_value > 0.05

    @property
    def associated(self) -> bool:
        """Whether label and site go together, beyond chance and to speak of; a rare class shows in the area alone."""
        strong = self.link.cramers_v >= WEAK or self.alone.estimate("", self.sited.units).low >= 0.5 + NEAR
        return strong and not self.by_chance

    @property
    def measurable(self) -> bool:
        """Whether any site holds enough rows of a class and of others for an area within sites."""
        return bool(self.sited.areas.any()) and self.parts.within.pairs > 0

    @property
    def owed(self) -> Estimate | None:
        """Pooled area less that of pairs from one site."""
        return self.parts.excess(self.sited.units) if self.measurable and not self.why else None


@dataclass(frozen=True)
class Verdict:
    """The status of a column, the effect it rests on, what that is held against, and what kind of effect it is.

    ``against`` says that answers go against the site: what is commoner there is stated with less probability.
    """

    status: Status
    effect: Estimate
    bound: float
    rests: Rests
    against: bool = False

    @property
    def severity(self) -> Severity:
        """On the common scale; an order of answers that hardly moves any probability is low."""
        if self.status != "found":
            return "none"
        return "low" if self.rests == "order" else severity(self.effect, "loss", self.bound)

    @property
    def p_value(self) -> float:
        """Two-sided p-value of no effect."""
        return min(1.0, 2 * p_at_most(self.effect, 0.0))


def verdict(one: Confounding, tolerance: float) -> Verdict:
    """``found`` where label and site go together and the answer goes with the site, label for label, or far against it.

    An answer goes against the site if it was learned where other classes were commoner at it.
    """
    owed = one.owed
    if not one.associated:
        return _hardly_together(one, owed)
    moved = one.moved
    shown = moved is not None and moved.p_value <= 0.05
    if moved is not None and shown and moved.estimate.low > tolerance:
        return Verdict("found", moved.estimate, tolerance, "answers")
    if moved is not None and shown and moved.estimate.high < -AGAINST:
        return Verdict("found", outward(moved.estimate), AGAINST, "answers", against=True)
    if owed is not None and owed.low > OWED:
        return Verdict("found", owed, OWED, "area")
    if moved is not None and shown and moved.order.low > ORDER:
        return Verdict("found", moved.order, ORDER, "order")
    if moved is not None:
        clean = moved.estimate.low >= -AGAINST and moved.estimate.high <= tolerance
        return Verdict("absent" if clean else "inconclusive", moved.estimate, tolerance, "answers")
    if owed is None:
        return _site_alone(one)
    return Verdict(owed.against(OWED), owed, OWED, "area")


def _hardly_together(one: Confounding, owed: Estimate | None) -> Verdict:
    if owed is None:
        return _site_alone(one)
    status = owed.against(OWED)
    # What is owed to an association that may be chance is chance.
    return Verdict("inconclusive" if status == "found" and one.by_chance else status, owed, OWED, "area")


def _site_alone(one: Confounding) -> Verdict:
    area = one.alone.estimate("AUC of the site alone, above guessing", one.sited.units)
    above = Estimate(
        name=area.name, value=area.value - 0.5, low=area.low - 0.5, high=area.high - 0.5, rows=area.rows, unit=area.unit
    )
    return Verdict("inconclusive", above, OWED, "site")
