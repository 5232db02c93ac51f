"""Steadiness: does a model that is shown the same rows twice say the same?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pfungst.engine.journal import Journal
from pfungst.findings import Skipped
from pfungst.listening import Listener
from pfungst.outputs import Outputs
from pfungst.paged import filled
from pfungst.passes import Passes, Predict

EVENT = "unsteady"
CROSSCHECK = "crosscheck"
TOLERATED = 1e-3
"""Difference of a stated probability that the order of sums on other hardware may make."""


@dataclass
class Steadiness:
    """``first`` are answers given before the sweep; the sweep asks about the same rows again, at no cost.

    What was seen stands in the journal, so that an audit that is only read again still says it.
    """

    first: Outputs | None
    journal: Journal | None = None
    apart: float = 0.0
    scattered: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.first is None and self.journal is not None:
            self.apart = max((float(one.get("apart", 0.0)) for one in self.journal.told(EVENT)), default=0.0)
            for facts in self.journal.told(CROSSCHECK):
                self.heard(CROSSCHECK, facts)

    def heard(self, event: str, facts: Mapping[str, Any]) -> None:
        """Keep what was said of workers that were asked about the same rows."""
        if event == CROSSCHECK and facts["apart"] > max(TOLERATED, self.scattered.get("apart", 0.0)):
            self.scattered = dict(facts)

    def before(self, listen: Listener) -> Listener:
        """A listener that lets this one hear first."""

        def both(event: str, facts: Mapping[str, Any]) -> None:
            self.heard(event, facts)
            listen(event, facts)

        return both

    def seen(self, done: Passes) -> list[Skipped]:
        """An entry for the report where the model answered otherwise the second time."""
        if self.first is not None and Predict() in done:
            apart = _apart(self.first, done[Predict()])
            if apart > max(self.apart, TOLERATED) and self.journal is not None:
                self.journal.write(EVENT, {"apart": apart})
            self.apart = max(self.apart, apart if apart > TOLERATED else 0.0)
        return [*self._unsteady(), *self._scattered()]

    def _scattered(self) -> Iterator[Skipped]:
        if not (facts := self.scattered):
            return
        who = " and ".join(facts["between"]) if facts.get("between") else "of them"
        reason = (
            f"{facts['workers']} workers were asked about the same {facts['rows']} rows, and two ({who}) stated "
            f"probabilities up to {facts['apart']:.2g} apart: rows were not all answered by the same model; give every "
            "machine the same packages, device and files"
        )
        yield Skipped(probe="model", kind="scattered", reason=reason)

    def _unsteady(self) -> Iterator[Skipped]:
        if not self.apart:
            return
        reason = (
            f"asked twice about the same rows, the model stated probabilities up to {self.apart:.2g} apart: the "
            "numbers hold for the answers it gave, another audit will give others; remove random layers, put it into "
            "evaluation mode, or serve one version"
        )
        yield Skipped(probe="model", kind="unsteady", reason=reason)


def _apart(first: Outputs, again: Outputs) -> float:
    """The largest difference of a stated probability on the rows that both answered."""
    if first.rows is None or again.rows is None or not (first.complete and again.complete):
        return 0.0
    rows, asked = again.rows, first.rows
    both = again.take(filled(len(rows), bool, lambda part: np.isin(rows[part], asked)))
    assert both.rows is not None, "rows were there"
    if not len(both):
        return 0.0
    one, other = first.at(both.rows), both
    return float(np.abs(np.exp(one.log_probabilities) - np.exp(other.log_probabilities)).max())
