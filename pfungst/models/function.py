"""Any callable that turns an array into scores."""

import hashlib
import inspect
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pfungst.arrays import Array, array_of
from pfungst.canonical import canonical, fingerprint
from pfungst.errors import Unanswered, first_line
from pfungst.frame import Frame
from pfungst.models.names import settled
from pfungst.models.preprocess import Preprocess, Wanted
from pfungst.models.preprocess_files import preprocessing
from pfungst.models.scores import Meaning, meaning, outputs_of
from pfungst.outputs import Outputs
from pfungst.task import Task


@dataclass(eq=False)
class FunctionModel:
    """A callable from inputs as a person sees them (or prepared as the task file says) to scores (rows, classes)."""

    source: str
    classes: tuple[str, ...]
    named: bool
    fingerprint: str
    function: Callable[[Array], Any]
    means: Meaning
    preprocess: Preprocess | None = None
    portable: bool = False
    notes: tuple[str, ...] = ()
    offers: frozenset[str] = frozenset({"new inputs"})

    @property
    def frame(self) -> Frame | None:
        """Geometry that images must have, if the task file says any."""
        return None if self.preprocess is None else self.preprocess.frame

    @property
    def normalised(self) -> bool:
        """Whether its answers are log-probabilities."""
        return self.means != "logits"

    def predict(self, inputs: Array) -> Outputs:
        """Answer inputs. Raises InputError if the callable raises or its answers are no scores."""
        shown = self.preprocess(inputs) if self.preprocess is not None and inputs.ndim == 4 else inputs
        try:
            scores = array_of(self.function(shown))
        except (Exception, SystemExit) as error:
            raise Unanswered(
                f"{self.source} raised {type(error).__name__} on an array of shape {shown.shape}: {first_line(error)}"
            ) from error
        scores = scores.astype(np.float64) if scores.dtype.kind in "iu" else scores
        return outputs_of(scores, self.means, len(inputs), self.source, len(self.classes))

    def describe(self) -> Mapping[str, Any]:
        """Kind and what it is shown."""
        shown = "inputs as they are" if self.preprocess is None else self.preprocess.sentence()
        return {"kind": "callable", "outputs": self.means, "classes": len(self.classes), "preprocessing": shown}


def function_model(function: Callable[[Array], Any], task: Task, *, outputs: str | None = None) -> FunctionModel:
    """A model from a callable; scores are logits unless declared otherwise."""
    name = getattr(function, "__qualname__", type(function).__qualname__)
    known = None if task.preprocess is None else preprocessing(None, task.preprocess, Wanted())
    means = meaning(outputs or task.outputs, None)
    classes, named = settled((), task.task.classes, None, name)
    notes = ("the callable is shown inputs as they are",) if known is None else known.notes
    marks = fingerprint(_identity(function), means, classes, known)
    if outputs is None and task.outputs is None:
        notes = (*notes, "its scores are read as logits")
    return FunctionModel(name, classes, named, marks, function, means, known, notes=notes)


def _identity(function: Callable[[Array], Any]) -> str:
    """Hash of a plain function's code and of what it closes over.

    Whatever has no canonical spelling makes the identity new each time: a stale cache would be worse than none.
    """
    code = getattr(function, "__code__", None)
    if code is None or any(inspect.iscode(constant) for constant in code.co_consts):
        return uuid.uuid4().hex
    free = inspect.getclosurevars(function)
    outside = {name: value for name, value in free.globals.items() if not inspect.ismodule(value)}
    held = {"closed": dict(free.nonlocals), "outside": outside, "defaults": getattr(function, "__defaults__", None)}
    try:
        spelled = canonical(held)
    except TypeError:
        return uuid.uuid4().hex
    shown = f"{code.co_consts}{code.co_names}{spelled}"
    return hashlib.blake2b(code.co_code + shown.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
