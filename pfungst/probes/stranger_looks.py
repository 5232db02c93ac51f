"""The looks at made strangers: which kinds are asked further, and which the first rows have settled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from pfungst.datasets.dataset import Dataset
from pfungst.passes import Passes
from pfungst.probes.detection import chosen
from pfungst.probes.detection_words import missed
from pfungst.probes.known_parts import known_parts
from pfungst.probes.stated_confidence import stated_surely, weight
from pfungst.probes.stranger_sets import Kind, StrangerSet, pooled
from pfungst.statistics.estimate import Estimate, Severity


@dataclass(frozen=True)
class Bounds:
    """What is looked for: the share stated above ``sure``, the share let through, and the rows that are least."""

    tolerance: float
    sure: float
    let_through: float
    rows: int
    least: int


def unsettled(data: Dataset, done: Passes, kinds: Sequence[Kind], bounds: Bounds) -> list[Kind]:
    """The kinds whose verdicts the first look left open; all of them where one about them together is open.

    A kind of which no stranger was stated surely is asked no further: of kinds that all rows would accuse, at most two
    in a hundred are lost by that (64 rows of 256, a tolerance of 0.02). What is stated of all together is a verdict
    where no kind is accused.
    """
    *each, every = pooled(data, done, kinds, 1)
    if not _told_apart(data, done, every, bounds):
        return list(kinds)
    left = [kind for kind, some in zip(kinds, each, strict=True) if not _clear(data, some, bounds)]
    if all(one in done for kind in left for one in kind):
        last = [stated_surely(some, bounds.sure) for some in list(pooled(data, done, kinds))[:-1]]
        accused = any(share.against(bounds.tolerance) == "found" for share in last)
        if not accused and stated_surely(every, bounds.sure).against(bounds.tolerance) == "inconclusive":
            return list(kinds)
    return left


def _clear(data: Dataset, some: StrangerSet, bounds: Bounds) -> bool:
    share = stated_surely(some, bounds.sure)
    return share.value == 0 or settled(share, bounds.tolerance, lambda one: weight(data, some, one, bounds.tolerance))


def settled(effect: Estimate, tolerance: float, severity: Callable[[Estimate], Severity]) -> bool:
    """Whether more would change nothing: it lies inside the tolerance, or beyond with both bounds in one severity."""
    if effect.against(tolerance) != "found":
        return effect.against(tolerance) == "absent"
    return severity(effect) == severity(msgspec.structs.replace(effect, low=effect.high))


def _told_apart(data: Dataset, done: Passes, every: StrangerSet, bounds: Bounds) -> bool:
    """Whether it is settled how many of all strangers the best score lets through, or nothing can be said of it."""
    parts = known_parts(data, done, bounds.rows, [every.scored])
    if parts is None or min(len(parts.threshold), len(parts.report)) < bounds.least:
        return True
    best = chosen(data, done, parts, every)
    # Strangers that the score does not tell from known rows may be none: that verdict is open whatever is let through.
    return best is None or (best.area.low > 0.5 and settled(best.through, bounds.let_through, missed))
