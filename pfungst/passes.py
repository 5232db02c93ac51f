"""Pass: a value naming one run of the model over rows. Equal passes are equal keys, so each runs once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias, overload

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.attacked import Attacked, Proposed, as_levels, as_shares
from pfungst.canonical import canonical, fingerprint
from pfungst.datasets.dataset import Batch, Half
from pfungst.maps import Maps
from pfungst.models.model import Model
from pfungst.outputs import Outputs
from pfungst.proven import Proven

NUDGED = "nudged"
"""Asks, by this name, the model itself about inputs moved towards what it takes them for."""


class Perturbation(Protocol):
    """A frozen dataclass that changes inputs and keeps their shape, type and range; ``name`` says what it does."""

    @property
    def name(self) -> str:
        """Short words for captions and tables."""
        ...

    def __call__(self, batch: Batch) -> Array:
        """The changed inputs of a batch."""
        ...


class Attribution(Protocol):
    """A frozen dataclass that says how much each part of an input carried the answer.

    ``wants`` is what the model must offer: ``new inputs`` for methods that only ask, ``gradients`` for the others.
    """

    @property
    def name(self) -> str:
        """The method's name."""
        ...

    @property
    def wants(self) -> frozenset[str]:
        """What the model must offer."""
        ...

    def __call__(self, model: Any, batch: Batch) -> Maps:
        """Maps of a batch, for the model's own answers."""
        ...


class Threat(Protocol):
    """A frozen dataclass: a set of allowed inputs, and a search in it.

    One that is asked ``by`` a member is called with that member as well.
    """

    @property
    def name(self) -> str:
        """The norm or family."""
        ...

    def __call__(self, model: Any, batch: Batch) -> Proposed:
        """Search; what comes back is clipped and asked again by the framework."""
        ...

    def kept_to(self, originals: Array, inputs: Array, budget: FloatArray) -> Array:
        """The inputs drawn back into what each row's budget allows."""
        ...

    def distance(self, originals: Array, inputs: Array) -> FloatArray:
        """How far each row's input lies from the original."""
        ...


@dataclass(frozen=True)
class Predict:
    """Ask the model about rows of a set, as they are or ``under`` a perturbation.

    ``rows`` limits the pass to a seeded sample, ``half`` to the discovery or the confirmation rows. With ``after`` it
    goes on where a pass of so many rows of each half ended. With ``features`` the answers keep the last layer's input,
    where the model offers it. ``by`` names another member of an ensemble, which is asked in the model's place.

    >>> Predict(on="test") == Predict()
    True
    """

    under: Perturbation | None = None
    on: str = "test"
    rows: int | None = None
    half: Half = ""
    features: bool = False
    by: str = ""
    after: int = 0

    @property
    def key(self) -> str:
        """Hash of the canonical spelling; names the file of answers."""
        return fingerprint(canonical(self))

    @property
    def shown(self) -> str:
        """Hash of the perturbation alone; empty for rows as they are."""
        return "" if self.under is None else fingerprint(canonical(self.under))

    @property
    def name(self) -> str:
        """A few words for people."""
        shown = "as it is" if self.under is None else self.under.name
        return shown if not self.by else f"{shown}, asked of {self.by.partition('@')[0]}"

    @property
    def wants(self) -> frozenset[str]:
        """What a model must offer: recorded answers cannot be asked about new inputs."""
        if self.by == NUDGED:
            return frozenset({"new inputs", "gradients"})
        return frozenset() if self.under is None and self.on == "test" else frozenset({"new inputs"})

    def inputs(self, batch: Batch) -> Array:
        """What the model is shown for these rows."""
        return batch.inputs if self.under is None else self.under(batch)

    def run(self, model: Model, batch: Batch) -> Outputs:
        """Ask the model; recorded answers are looked up by the rows' positions."""
        return model.predict(self.inputs(batch) if "new inputs" in model.offers else batch.rows)

    def kept(self, outputs: Outputs) -> Outputs:
        """The answers with what this pass keeps of them."""
        return outputs if self.features or outputs.features is None else replace(outputs, features=None)


@dataclass(frozen=True)
class Attribute:
    """Ask which parts of the inputs carry the model's own answers, by one method."""

    method: Attribution
    on: str = "test"
    rows: int | None = None
    half: Half = ""

    @property
    def key(self) -> str:
        """Hash of the canonical spelling; names the file of maps."""
        return fingerprint(canonical(self))

    @property
    def shown(self) -> str:
        """Empty: the pictures are those of the rows as they are."""
        return ""

    @property
    def name(self) -> str:
        """A few words for people."""
        return f"attributed by {self.method.name}"

    @property
    def wants(self) -> frozenset[str]:
        """What a model must offer."""
        return self.method.wants

    def run(self, model: Model, batch: Batch) -> Maps:
        """Ask the model, as often as the method needs."""
        return self.method(model, batch)


@dataclass(frozen=True)
class Attack:
    """Search the worst input that a threat allows; the search may be sloppy, what counts is asked again here.

    ``by`` names a member of an ensemble on which the search climbs in the model's place; what it finds is shown to the
    model, which alone is judged.
    """

    threat: Threat
    on: str = "test"
    rows: int | None = None
    half: Half = ""
    by: str = ""

    @property
    def key(self) -> str:
        """Hash of the canonical spelling; names the file of answers."""
        return fingerprint(canonical(self))

    @property
    def shown(self) -> str:
        """Names the pictures of what the attack left."""
        return self.key

    @property
    def name(self) -> str:
        """A few words for people."""
        made = f", made on {self.by.partition('@')[0]}" if self.by else ""
        return f"attacked within {self.threat.name}{made}"

    @property
    def wants(self) -> frozenset[str]:
        """What a model must offer; where it offers gradients they are used."""
        return frozenset({"new inputs"})

    def run(self, model: Model, batch: Batch, member: Model | None = None) -> Attacked:
        """Search, draw what was found into the budget, and let the model's own answer decide.

        ``member`` is the one that ``by`` names.
        """
        search: Any = self.threat
        proposed: Proposed = search(model, batch, member) if self.by else search(model, batch)
        pictures = batch.inputs.ndim == 4
        originals = as_shares(batch.inputs) if pictures else batch.inputs
        inputs = self.threat.kept_to(originals, proposed.inputs, proposed.budget)
        answers = model.predict(inputs)
        labels = np.where(batch.labels < 0, model.predict(batch.inputs).predictions, batch.labels)
        broken = (answers.predictions != labels) & np.isfinite(proposed.budget)
        whole = as_levels(originals, inputs) if pictures else inputs
        again = model.predict(whole) if batch.inputs.dtype == np.uint8 else answers
        distance = np.where(proposed.budget == 0, 0.0, self.threat.distance(originals, inputs))
        return Attacked(
            broken=broken,
            budget=np.where(broken, proposed.budget, np.inf),
            distance=np.where(broken, distance, np.inf),
            stage=np.where(broken, proposed.stage, 0),
            stored=broken & (again.predictions != labels),
            answers=answers.predictions,
            confidence=answers.confidence,
            forwards=proposed.forwards + 2,
            backwards=proposed.backwards,
            signs=proposed.signs,
            left=whole,
        )


@dataclass(frozen=True)
class Prove:
    """Up to which of some sizes a proof shows that no input of a norm's ball, and of the range, turns a right answer.

    Sizes are tried by halving: a proof for one holds for all smaller ones. The input at which a proof is nearest to
    failing is shown to the model again.
    """

    norm: str
    sizes: tuple[float, ...]
    on: str = "test"
    rows: int | None = None
    half: Half = ""

    @property
    def key(self) -> str:
        """Hash of the canonical spelling; names the file of answers."""
        return fingerprint(canonical(self))

    @property
    def shown(self) -> str:
        """Empty: the pictures are those of the rows as they are."""
        return ""

    @property
    def name(self) -> str:
        """A few words for people."""
        return f"proven within {self.norm}"

    @property
    def wants(self) -> frozenset[str]:
        """What a model must offer."""
        return frozenset({"new inputs", "bounds"})

    def run(self, model: Any, batch: Batch) -> Proven:
        """Prove what can be proven, row by row; the model is one that offers ``bounds``."""
        sizes = np.array(sorted(self.sizes))
        originals, answers = as_shares(batch.inputs), model.predict(batch.inputs).predictions
        labels = np.where(batch.labels < 0, answers, batch.labels)
        done = np.zeros(len(batch), np.int64)  # how many sizes are proven
        left = np.where(answers == labels, len(sizes), 0)  # how many may be
        refuted, forwards = np.zeros(len(batch), bool), np.ones(len(batch))
        while len(open_ := np.flatnonzero(done < left)):
            tried = (done + left + 1) // 2
            for number in np.unique(tried[open_]):
                rows = open_[tried[open_] == number]
                found = model.proof(originals[rows], labels[rows], self.norm, float(sizes[number - 1]))
                holds = found.least > 0
                done[rows[holds]], left[rows[~holds]] = number, number - 1
                refuted[rows] |= holds & (model.predict(found.worst).predictions != labels[rows])
                forwards[rows] += found.cost + 1
        return Proven(np.concatenate([[0.0], sizes])[done], refuted, forwards)


Pass: TypeAlias = Predict | Attribute | Attack | Prove
Answers: TypeAlias = Outputs | Maps | Attacked | Proven


class Passes(Mapping[Pass, Answers]):
    """Answers of the passes done so far: of ``Predict`` Outputs, of ``Attribute`` Maps, and so on."""

    def __init__(self, done: Mapping[Any, Answers] | None = None) -> None:
        self._done: dict[Pass, Answers] = dict(done or {})

    @overload
    def __getitem__(self, key: Predict) -> Outputs: ...
    @overload
    def __getitem__(self, key: Attribute) -> Maps: ...
    @overload
    def __getitem__(self, key: Attack) -> Attacked: ...
    @overload
    def __getitem__(self, key: Prove) -> Proven: ...
    def __getitem__(self, key: Pass) -> Answers:
        return self._done[key]

    def __iter__(self) -> Iterator[Pass]:
        return iter(self._done)

    def __len__(self) -> int:
        return len(self._done)

    def with_(self, more: Mapping[Pass, Answers]) -> "Passes":
        """These and more."""
        return Passes({**self._done, **more})


def is_perturbation(value: Any) -> bool:
    """Whether a value can stand in a pass: it has a name, can be called and has a canonical spelling."""
    try:
        canonical(value)
    except TypeError:
        return False
    return callable(value) and isinstance(getattr(value, "name", None), str)
