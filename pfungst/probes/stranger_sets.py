"""Sets of strangers as the unknowns chapter sees them: the user's own, or made of the test rows."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, BoolArray
from pfungst.datasets.dataset import Dataset
from pfungst.findings import Examples, Shot
from pfungst.methods.strangers import strangers
from pfungst.outputs import Outputs
from pfungst.passes import Passes, Predict
from pfungst.probe import shot

MADE = "built-in"
"""How the subject begins where nobody brought strangers."""

OWN_CLASS = "own class"
"""Column of a stranger set that holds the names of the classes it came with."""


@dataclass(frozen=True, eq=False)
class StrangerSet:
    """Answers about strangers in the order they were drawn, the pass of each row, and its unit or None.

    ``plain`` are all answers, ``scored`` those whose features are kept too. ``origins`` are places in ``passes``,
    and ``scored_origins`` in ``scored_passes``, which are as many.
    ``named_known`` counts the rows left out because they came with the name of one of the model's classes.
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

    @property
    def words(self) -> str:
        """What they are, in a claim."""
        if not self.made:
            return self.subject
        return "strangers made of test rows" + (f" ({self.passes[0].name})" if len(self.passes) == 1 else "")

    def shots(self, data: Dataset, index: Array, *, scored: bool = False) -> tuple[tuple[Shot], ...]:
        """Pictures of some rows with the answers under them."""
        outputs, origins = (self.scored, self.scored_origins) if scored else (self.plain, self.origins)
        return tuple((shot(data, self.passes[int(origins[i])], outputs, int(i)),) for i in index)


def own(data: Dataset) -> list[str]:
    """Names of the sets of strangers that the user brought."""
    return [name for name in data.companions if name.startswith("ood:")]


def made(data: Dataset, rows: int) -> list[Predict]:
    """Passes over strangers made of the test rows, one a kind; none where nothing can be made."""
    if data.modality == "table" and data.labels is None:
        return []
    kinds = [kind for kind in strangers.values() if kind.modality == data.modality]
    return [Predict(under=kind(), rows=rows, features=True) for kind in kinds]


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


def pooled(data: Dataset, done: Passes, passes: list[Predict]) -> Iterator[StrangerSet]:
    """Each kind of made strangers, and last all of them together."""
    asked = [one for one in passes if one in done]
    for one in asked:
        assert one.under is not None, "strangers are made by changing rows"
        yield _together(data, done, [one], f"{MADE}:{getattr(one.under, 'topic', one.under.name)}")
    if asked:
        yield _together(data, done, asked, MADE)


def _together(data: Dataset, done: Passes, passes: list[Predict], subject: str) -> StrangerSet:
    answers = [done[one] for one in passes]
    # Rows made of one row, or of rows of one unit, are not independent of each other; kinds take turns.
    rows = np.concatenate([one.rows for one in answers if one.rows is not None])
    origins = np.repeat(np.arange(len(passes)), [len(one) for one in answers])
    turn = np.argsort(np.concatenate([np.arange(len(one)) for one in answers]), kind="stable")
    features = [one.features for one in answers if one.features is not None]
    every = Outputs(
        np.concatenate([one.logits for one in answers])[turn],
        np.concatenate(features)[turn] if len(features) == len(answers) else None,
        rows[turn],
        answers[0].normalised,
        answers[0].complete,
    )
    units = rows[turn] if data.units is None else data.units[rows[turn]]
    alone = len(passes) == 1 and data.units is None
    own_units = None if alone else units
    return StrangerSet(
        subject,
        tuple(passes),
        tuple(passes),
        every,
        every,
        origins[turn],
        origins[turn],
        own_units,
        own_units,
        made=True,
    )


def gallery(data: Dataset, some: StrangerSet, shown: int) -> Iterator[Examples]:
    """The strangers the model is surest of, and some drawn at random; those made in one way are all alike."""
    surest = np.argsort(-some.plain.confidence, kind="stable")[: shown // 2 if some.made else shown]
    yield Examples(title="The strangers it is surest of", items=some.shots(data, surest))
    if some.made:
        return
    typical = np.arange(min(shown, len(some.plain)))  # rows come in a random order
    yield Examples(title="Strangers drawn at random", items=some.shots(data, typical))
