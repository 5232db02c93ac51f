"""Model: what every adapter offers, whatever stands behind it."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.frame import Frame
from pfungst.outputs import Outputs


class Derivatives(NamedTuple):
    """Whose score it is (rows,), the score (rows,), what it is derived by, and the derivative, shaped like that."""

    targets: IntArray
    scores: FloatArray
    by: FloatArray
    gradient: FloatArray


class Linearised(NamedTuple):
    """Scores of inputs, (rows, classes), and what turns a derivative by them into one by the inputs, once."""

    scores: FloatArray
    pulled_back: Callable[[FloatArray], FloatArray]


class Proof(NamedTuple):
    """What holds of all inputs near some: ``least`` (rows,) bounds the true score less any other's from below.

    ``worst`` are inputs near which the bound was taken, for another look; ``cost`` (rows,) is in forward passes, by
    multiplications.
    """

    least: FloatArray
    worst: FloatArray
    cost: FloatArray


class Model(Protocol):
    """Something that answers inputs.

    ``classes`` names the answers in order; ``named`` is False where the names are only numbers and the data or the
    task file may name them. ``offers`` holds ``new inputs`` (all but recorded answers), ``features``, ``gradients``,
    ``bounds`` and ``quicker`` where they can be had. ``fingerprint`` changes with weights, graph, preprocessing and
    class order. ``portable``: another process can load it from ``source``. ``notes`` are sentences about what was
    inferred.
    """

    source: str
    classes: tuple[str, ...]
    named: bool
    offers: frozenset[str]
    fingerprint: str
    portable: bool
    notes: tuple[str, ...]

    @property
    def frame(self) -> Frame | None:
        """Geometry that images must have, if it wants any."""
        ...

    @property
    def normalised(self) -> bool:
        """Whether answers are log-probabilities."""
        ...

    def predict(self, inputs: Array) -> Outputs:
        """Answer inputs as a person sees them: (rows, height, width, channels), (rows, columns) or (rows,) texts."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """What is known about the model, for the report: kind, size, preprocessing."""
        ...


class Differentiable(Model, Protocol):
    """A model that offers ``gradients``."""

    def gradient(self, inputs: FloatArray, targets: IntArray | None = None) -> Derivatives:
        """Derivative of each row's score by the inputs; without targets of the score of the answer.

        ``inputs`` are as a person sees them, pictures as float32 in [0, 1]; scores are logits where the model gives
        logits, else log-probabilities.
        """
        ...

    def layer_gradient(self, inputs: FloatArray, targets: IntArray | None = None, layer: str = "") -> Derivatives:
        """Derivative of each row's score by the activations of a layer, (rows, channels, height, width).

        Without a name the last layer is taken whose output is a lattice; tokens are laid out as the square they are.
        """
        ...

    def linearised(self, inputs: FloatArray) -> Linearised:
        """Scores, and the way back from any function of them: one forward pass, and one backward pass if asked.

        ``inputs`` are as for ``gradient``; a single score z is the pair (0, z).
        """
        ...


class Quickened(Model, Protocol):
    """A model that offers ``quicker``: it can be told to answer in a faster way."""

    @property
    def inference(self) -> str:
        """How plain answers are computed."""
        ...

    def quicken(self, inputs: Array, precision: str = "float32", seen: str = "") -> None:
        """From now on answer in a quicker way, if these inputs are answered alike, or if that way was ``seen`` to be.

        Raises:
            InputError: if another precision is asked for and moves the answers.
        """
        ...


class Bounded(Model, Protocol):
    """A model that offers ``bounds``; whether its network is covered shows when it is asked."""

    def proof(self, inputs: FloatArray, labels: IntArray, norm: str, size: float) -> Proof:
        """Bounds over all pictures within ``size`` of ``inputs``, float32 in [0, 1], and in [0, 1] themselves.

        Raises:
            InputError: if the network holds something that proofs do not cover; it is named.
        """
        ...
