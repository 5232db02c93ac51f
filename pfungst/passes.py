"""Pass: a value naming one run of the model over rows. Equal passes are equal keys, so each runs once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pfungst.arrays import Array
from pfungst.canonical import canonical, fingerprint
from pfungst.datasets.dataset import Batch, Half
from pfungst.models.model import Model
from pfungst.outputs import Outputs


class Perturbation(Protocol):
    """A frozen dataclass that changes inputs and keeps their shape, type and range; ``name`` says what it does."""

    @property
    def name(self) -> str:
        """Short words for captions and tables."""
        ...

    def __call__(self, batch: Batch) -> Array:
        """The changed inputs of a batch."""
        ...


@dataclass(frozen=True)
class Predict:
    """Ask the model about rows of a set, as they are or ``under`` a perturbation.

    ``rows`` limits the pass to a seeded sample, ``half`` to the discovery or the confirmation rows.

    >>> Predict(on="test") == Predict()
    True
    """

    under: Perturbation | None = None
    on: str = "test"
    rows: int | None = None
    half: Half = ""

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
        return "as it is" if self.under is None else self.under.name

    @property
    def wants(self) -> frozenset[str]:
        """What a model must offer: recorded answers cannot be asked about new inputs."""
        return frozenset() if self.under is None and self.on == "test" else frozenset({"new inputs"})

    def inputs(self, batch: Batch) -> Array:
        """What the model is shown for these rows."""
        return batch.inputs if self.under is None else self.under(batch)

    def run(self, model: Model, batch: Batch) -> Outputs:
        """Ask the model; recorded answers are looked up by the rows' positions."""
        return model.predict(self.inputs(batch) if "new inputs" in model.offers else batch.rows)


class Passes(Mapping[Predict, Outputs]):
    """Answers of the passes done so far."""

    def __init__(self, done: Mapping[Predict, Outputs] | None = None) -> None:
        self._done = dict(done or {})

    def __getitem__(self, key: Predict) -> Outputs:
        return self._done[key]

    def __iter__(self) -> Iterator[Predict]:
        return iter(self._done)

    def __len__(self) -> int:
        return len(self._done)

    def with_(self, more: Mapping[Predict, Outputs]) -> "Passes":
        """These and more."""
        return Passes({**self._done, **more})


def is_perturbation(value: Any) -> bool:
    """Whether a value can stand in a pass: it has a name, can be called and has a canonical spelling."""
    try:
        canonical(value)
    except TypeError:
        return False
    return callable(value) and isinstance(getattr(value, "name", None), str)
