"""Budget: measure what a row costs, and cut rows until the plan fits the time."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pfungst.engine.local import Inline
from pfungst.engine.plan import Piece, Shard, pieces, possible, row_passes, wanted
from pfungst.engine.rounds import Listener
from pfungst.findings import Skipped
from pfungst.passes import Pass, Passes
from pfungst.probe import Probe
from pfungst.study import Study

FEWEST_ROWS = 200


@dataclass(frozen=True)
class Cost:
    """What the first round of a plan asks for: seconds a row of each pass, measured on one batch, and rows of it."""

    seconds_a_row: dict[Pass, float]
    asked: dict[Pass, tuple[str, ...]]

    def seconds(self, study: Study) -> float:
        """Seconds for the plan with the rows the study allows."""
        return (
            sum(rate * row_passes([one], study.data) for one, rate in self.seconds_a_row.items())
            / study.request.workers
        )


def measured(study: Study, chosen: Sequence[Probe]) -> Cost:
    """Run one batch of every pass of the first round and take the time."""
    asked, _ = possible(wanted(chosen, study.data, Passes()), study.model.offers)
    size = study.request.batch_size
    first: dict[Shard, list[Piece]] = {}
    for one in asked:
        piece = next(pieces(one, study.data))
        first.setdefault(piece.shard, []).append(replace(piece, rows=min(size, piece.rows)))
    rates: dict[Pass, float] = {}
    inline = Inline(replace(study.sweep(), batch_size=size))
    for swept in inline.map(list(first.values())):
        rates |= {
            one: spent / min(size, len(swept.answers[one]))
            for one, spent in swept.seconds.items()
            if spent and one in swept.answers
        }
    return Cost(rates, asked)


def within(study: Study, chosen: Sequence[Probe], hear: Listener) -> tuple[Study, list[Skipped]]:
    """The study with as many rows as the budget allows, and a word about it if rows were cut.

    Two fifths of the budget are kept for later rounds and for judging. Cutting rows at random beforehand leaves every
    interval valid; stopping when something turned significant would not.
    """
    budget = study.request.budget
    if budget is None:
        return study, []
    began = time.perf_counter()
    cost = measured(study, chosen)
    left = 0.6 * (budget - (time.perf_counter() - began))
    most = low = min(study.data.limit or len(study.data), len(study.data))
    if cost.seconds(study) > left:
        low, high = min(FEWEST_ROWS, most), most
        while high - low > max(1, low // 50):
            middle = (low + high) // 2
            fits = cost.seconds(replace(study, data=replace(study.data, limit=middle))) <= left
            low, high = (middle, high) if fits else (low, middle)
    if low == most:
        return study, []
    hear("budget", {"rows": low, "of": most})
    reason = (
        f"{low} of {most} rows were asked, drawn at random, to end within {budget:.0f} s; intervals are wider for it"
    )
    return replace(study, data=replace(study.data, limit=low)), [Skipped(probe="budget", kind="rows", reason=reason)]
