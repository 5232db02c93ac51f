"""Sets of strangers as the unknowns chapter sees them: the user's own, or made of the test rows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pfungst.arrays import Array, BoolArray
from pfungst.datasets.dataset import Dataset, Half
from pfungst.findings import Examples, Shot
from pfungst.methods.strangers import strangers
from pfungst.outputs import Outputs, joined_outputs
from pfungst.passes import Passes, Predict
from pfungst.probe import shot
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.sequential import repeated

MADE = "built-in"
"""How the subject begins where nobody brought strangers."""

EARLY = 0.2
"""Share of the error that the first look at made strangers may make: most verdicts come from it."""

Kind = tuple[Predict, ...]
"""One kind of made strangers: the pass of each look at it, of rows of its own."""

OWN_CLASS = "own class"
"""Column of a stranger set that holds the names of the classes it came with."""


@dataclass(frozen=True, eq=False)
class StrangerSet:
    """Answers about strangers in the order they were drawn, the pass of each row, and its unit or None.

    ``plain`` are all answers, ``scored`` those whose features are kept too. ``origins`` are places in ``passes``,
    and ``scored_origins`` in ``scored_passes``, which are as many.
    ``named_known`` counts the rows left out because they came with the name of one of the model's classes. ``look``
    is the number of the last look at them, ``of`` how many there could be.
    """

    subject: str
    passes: tuple[Predict, ...]
    scored_passes: tuple[Predict, ...]
    plain: Outputs
    scored: Outputs
    origins: Array
    scored_origins: Array
    units: Array | None = None
    scored_units: Array | None = None
    made: bool = False
    named_known: int = 0
    look: int = 1
    of: int = 1

    def estimated(self, estimate: Callable[[float], Estimate]) -> Estimate:
        """An estimate of a level about them, whose interval holds whenever one stops asking for more."""
        return repeated(estimate, look=self.look, of=self.of, early=EARLY)

    @property
    def words(self) -> str:
        """What they are, in a claim."""
        if not self.made:
            return self.subject
        names = {one.name for one in self.passes}
        return "strangers made of test rows" + (f" ({names.pop()})" if len(names) == 1 else "")

    def shots(self, data: Dataset, index: Array, *, scored: bool = False) -> tuple[tuple[Shot], ...]:
        """Pictures of some rows with the answers under them."""
        outputs, origins = (self.scored, self.scored_origins) if scored else (self.plain, self.origins)
        return tuple((shot(data, self.passes[int(origins[i])], outputs, int(i)),) for i in index)


def own(data: Dataset) -> list[str]:
    """Names of the sets of strangers that the user brought."""
    return [name for name in data.companions if name.startswith("ood:")]


def made(data: Dataset, first: int, rest: int) -> list[Kind]:
    """The kinds of strangers that can be made of the test rows; none where nothing can be made.

    The first look at a kind are so many confirmation rows, the second the ``rest`` of discovery rows: other rows for
    each kind, as far as there are enough, so that strangers of two kinds are independent of each other.
    """
    if data.modality == "table" and data.labels is None:
        return []
    halves: tuple[tuple[Half, int], ...] = (("confirmation", first), ("discovery", rest))
    looks = [(half, rows, have) for half, rows in halves if (have := data.extent(half=half)[half])]

    def asked(kind: Any, number: int, half: Half, rows: int, have: int) -> Predict:
        after = number % max(1, have // rows) * rows
        return Predict(under=kind(), rows=after + rows, half=half, features=True, after=after)

    kinds = [kind for kind in strangers.values() if kind.modality == data.modality]
    return [tuple(asked(kind, number, *look) for look in looks) for number, kind in enumerate(kinds)] if looks else []


def asked_of(one: Predict, data: Dataset) -> int:
    """Rows that a pass over made strangers asks."""
    return sum(max(0, rows - one.after) for rows in data.extent(one.rows, one.half).values())


def brought(data: Dataset, done: Passes, name: str, rows: int) -> StrangerSet | None:
    """One of the user's sets without rows whose own class is one of the model's, or None if nothing was answered."""
    whole, some = Predict(on=name), Predict(on=name, features=True, rows=rows)
    if whole not in done or some not in done:
        return None
    known = _named_known(data, data.on(name))
    plain, scored = (_without(done[one], known) for one in (whole, some))
    units = data.on(name).units
    return StrangerSet(
        name.removeprefix("ood:"),
        (whole,),
        (some,),
        plain,
        scored,
        np.zeros(len(plain), np.int64),
        np.zeros(len(scored), np.int64),
        None if units is None else units[plain.rows],
        None if units is None else units[scored.rows],
        named_known=len(done[whole]) - len(plain),
    )


def _without(outputs: Outputs, known: BoolArray) -> Outputs:
    return outputs if not known.any() else outputs.take(~known[outputs.rows])


def _named_known(data: Dataset, strangers_: Dataset) -> BoolArray:
    """Which strangers came with the name of a class of the model; numbers name nothing."""
    names = strangers_.columns.get(OWN_CLASS)
    if names is None or not data.named:
        return np.zeros(len(strangers_), bool)
    classes = {_spelled(name) for name in data.classes} - {""}
    return np.array([_spelled(str(name)) in classes for name in names], bool)


def _spelled(name: str) -> str:
    plain = "".join(letter for letter in name.casefold() if letter.isalnum())
    return "" if plain.isdigit() else plain


def pooled(data: Dataset, done: Passes, kinds: Sequence[Kind], looks: int = 2) -> Iterator[StrangerSet]:
    """Each kind of made strangers as far as it was asked, and last all together as far as every kind was."""
    asked = [some for kind in kinds if (some := [one for one in kind[:looks] if one in done and len(done[one])])]
    of = max(map(len, kinds), default=1)
    for some in asked:
        under = some[0].under
        assert under is not None, "strangers are made by changing rows"
        yield _together(data, done, some, f"{MADE}:{getattr(under, 'topic', under.name)}", look=len(some), of=of)
    if asked:
        look = min(map(len, asked))
        yield _together(data, done, [one for some in asked for one in some[:look]], MADE, look=look, of=of)


def _together(data: Dataset, done: Passes, passes: list[Predict], subject: str, *, look: int, of: int) -> StrangerSet:
    every = joined_outputs([done[one] for one in passes])
    assert every.rows is not None, "answers of a pass know their rows"
    origins = np.repeat(np.arange(len(passes)), [len(done[one]) for one in passes])
    # Rows made of one row, or of rows of one unit, are not independent of each other.
    apart = data.units is None and len(np.unique(every.rows)) == len(every)
    units = None if apart else every.rows if data.units is None else data.units[every.rows]
    return StrangerSet(
        subject, tuple(passes), tuple(passes), every, every, origins, origins, units, units, made=True,
        look=look, of=of,
    )  # fmt: skip


def gallery(data: Dataset, some: StrangerSet, shown: int) -> Iterator[Examples]:
    """The strangers the model is surest of, and some drawn at random; those made in one way are all alike."""
    surest = np.argsort(-some.plain.confidence, kind="stable")[: shown // 2 if some.made else shown]
    yield Examples(title="The strangers it is surest of", items=some.shots(data, surest))
    if some.made:
        return
    typical = np.arange(min(shown, len(some.plain)))  # rows come in a random order
    yield Examples(title="Strangers drawn at random", items=some.shots(data, typical))
