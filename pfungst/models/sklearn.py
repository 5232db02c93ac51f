"""scikit-learn estimators and pipelines."""

import hashlib
import importlib
import importlib.util
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pfungst.arrays import Array
from pfungst.canonical import fingerprint
from pfungst.errors import Incomplete, InputError, Unanswered, damage, first_line
from pfungst.frame import Frame
from pfungst.models.names import numbered, settled
from pfungst.models.pickled import names_in_file, told
from pfungst.models.preprocess import Preprocess, Wanted
from pfungst.models.preprocess_files import preprocessing
from pfungst.models.scores import Meaning, as_numbers, outputs_of
from pfungst.outputs import Outputs
from pfungst.packed import checked_zip
from pfungst.task import Task


@dataclass(eq=False)
class SklearnModel:
    """An estimator asked through ``method``; images become rows of numbers, channels last.

    ``column_names`` are the columns it was fitted on, where it was fitted on a table with names.
    """

    source: str
    classes: tuple[str, ...]
    named: bool
    fingerprint: str
    estimator: Any
    method: str
    means: Meaning
    preprocess: Preprocess
    column_names: tuple[str, ...] = ()
    width: int | None = None
    portable: bool = False
    notes: tuple[str, ...] = ()
    offers: frozenset[str] = frozenset({"new inputs"})
    flattens: bool = True

    @property
    def frame(self) -> Frame | None:
        """Geometry that images must have."""
        return self.preprocess.frame

    @property
    def normalised(self) -> bool:
        """Whether its answers are log-probabilities."""
        return self.means != "logits"

    def predict(self, inputs: Array) -> Outputs:
        """Answer rows of a table, texts, or images. Raises InputError if the estimator cannot be run on them."""
        try:
            answer = getattr(self.estimator, self.method)(self._prepared(inputs))
        except InputError:
            raise
        except Exception as error:
            gaps = self._gaps(inputs)
            if gaps:
                raise Incomplete(
                    f"{self.source} could not be run on rows with missing values in {gaps}: {first_line(error)}"
                ) from error
            raise Unanswered(
                f"{self.source} could not be run on rows of shape {inputs.shape[1:]}: {first_line(error)}"
            ) from error
        scores = np.asarray(answer, dtype=np.float64)
        return outputs_of(scores, self.means, len(inputs), self.source, len(self.classes))

    def _gaps(self, inputs: Array) -> str:
        """Names of the columns in which values are missing, if any are."""
        if inputs.ndim != 2:
            return ""
        missing = np.isnan(inputs) if inputs.dtype != object else np.frompyfunc(_gap, 1, 1)(inputs).astype(bool)
        names = self.column_names if len(self.column_names) == inputs.shape[1] else range(inputs.shape[1])
        gone = [f"column {name}" for name, held in zip(names, np.any(missing, axis=0), strict=True) if held]
        return ", ".join(gone[:5]) + (", ..." if len(gone) > 5 else "")

    def _prepared(self, inputs: Array) -> Any:
        if inputs.ndim == 4:
            return self.preprocess(inputs).reshape(len(inputs), -1)
        if inputs.ndim == 1:
            return list(inputs)
        if self.column_names and len(self.column_names) == inputs.shape[1]:
            return _table(inputs, self.column_names)
        return inputs if inputs.dtype == object else as_numbers(inputs, self.source)

    def describe(self) -> Mapping[str, Any]:
        """Kind and method."""
        last = self.estimator[-1] if hasattr(self.estimator, "steps") else self.estimator
        return {
            "kind": "scikit-learn",
            "estimator": type(last).__name__,
            "outputs": self.means,
            "classes": len(self.classes),
            "asked through": self.method,
        }


def load_sklearn(path: Path, task: Task, *, outputs: str | None, trust_pickle: bool) -> SklearnModel:
    """Open a ``.skops`` file, or a ``.joblib``/``.pkl`` that the user trusts.

    Raises:
        InputError: if it needs trust that was not given, or holds no fitted classifier.
    """
    if path.suffix.lower() == ".skops":
        estimator, notes = _skops(path, task.limits.unpacked, trust_pickle=trust_pickle)
    elif trust_pickle:
        calls = told(names_in_file(path))
        estimator, notes = _pickled(path), (f"the model was read from a pickle that the user trusts: {calls}",)
    else:
        raise InputError(
            f"{path} is a pickle, which can run any code when it is opened ({told(names_in_file(path))}); save it with "
            "skops, or give --trust-pickle if you trust its origin"
        )
    identity = hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    return sklearn_model(
        estimator, task, str(path), outputs=outputs, identity=identity, folder=path.parent, notes=notes
    )


def _skops(path: Path, most: int, *, trust_pickle: bool) -> tuple[Any, tuple[str, ...]]:
    try:
        from skops import io  # noqa: PLC0415 - an extra
    except ImportError:
        raise InputError(f"{path} needs skops, which is not installed; run `pip install pfungst[sklearn-io]`") from None
    checked_zip(path, "is not a skops file", most)
    with damage(f"{path} is not a skops file"):
        listed = io.get_untrusted_types(file=path)
    # skops knows only some of scikit-learn's own classes; trees and optimizers of its networks are among the others.
    # NumPy's name of a kind of numbers, which imputers keep, it does not know either.
    unknown = [name for name in listed if not name.startswith("sklearn.") and name != "numpy.dtype"]
    if unknown and not trust_pickle:
        raise InputError(
            f"{path} holds types that are not of scikit-learn, NumPy or SciPy ({', '.join(unknown[:5])}); give "
            "--trust-pickle if you trust them"
        )
    with damage(f"{path} could not be loaded"):
        return io.load(path, trusted=listed), tuple(f"type {name} was trusted as asked" for name in unknown)


def _pickled(path: Path) -> Any:
    try:
        import joblib  # noqa: PLC0415 - comes with scikit-learn
    except ImportError:
        raise InputError(f"{path} needs joblib, which is not installed; run `pip install joblib`") from None
    with damage(f"{path} could not be unpickled"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return joblib.load(path)


def sklearn_model(
    estimator: Any,
    task: Task,
    source: str,
    *,
    outputs: str | None = None,
    identity: str = "",
    folder: Path | None = None,
    notes: tuple[str, ...] = (),
) -> SklearnModel:
    """A model from a fitted classifier.

    Raises:
        InputError: if it is not fitted, is no classifier, or gives margins that nobody declared to be logits.
    """
    method, means, said = _asked_through(estimator, outputs or task.outputs, source)
    found = getattr(estimator, "classes_", None)
    if found is None or isinstance(found, list):
        raise InputError(
            f"{source} ({type(estimator).__name__}) has no classes_; give a fitted classifier of one label"
        )
    with damage(f"{source} has a classes_ that lists no classes", "save it again"):
        own = tuple(str(name) for name in np.asarray(found))
    classes, named = settled(own, task.task.classes, len(own), source)
    named = named and classes != numbered(len(classes))
    known = preprocessing(folder if identity else None, task.preprocess, Wanted("NHWC"))
    columns = tuple(str(name) for name in getattr(estimator, "feature_names_in_", ()))
    marks = fingerprint(identity or _content(estimator), method, classes, known)
    return SklearnModel(
        source, classes, named, marks, estimator, method, means, known, columns,
        getattr(estimator, "n_features_in_", None), bool(identity), (*notes, *said),
    )  # fmt: skip


def _asked_through(estimator: Any, declared: str | None, source: str) -> tuple[str, Meaning, tuple[str, ...]]:
    kind = type(estimator).__name__
    margins, probabilities = hasattr(estimator, "decision_function"), hasattr(estimator, "predict_proba")
    if declared == "logits" and margins:
        return "decision_function", "logits", (f"{kind}.decision_function is read as logits, as declared",)
    if declared == "logits":
        raise InputError(f"{source} ({kind}) has no decision_function to read as logits; leave `outputs` out")
    if probabilities:
        return "predict_proba", "probabilities", ()
    if margins:
        raise InputError(
            f"{source} ({kind}) has no predict_proba and its decision_function is a margin, not a logit; wrap it in "
            'CalibratedClassifierCV, or declare outputs = "logits" to read it so'
        )
    raise InputError(f"{source} ({kind}) has neither predict_proba nor decision_function; give a fitted classifier")


def _content(estimator: Any) -> str:
    import joblib  # noqa: PLC0415 - comes with scikit-learn

    return str(joblib.hash(estimator))


def _table(inputs: Array, names: tuple[str, ...]) -> Any:
    """A table with column names: pandas where it is installed, for pipelines that pick columns by name."""
    columns = {name: _column(inputs[:, i]) for i, name in enumerate(names)}
    if importlib.util.find_spec("pandas") is None:
        return pa.table(columns)
    return importlib.import_module("pandas").DataFrame(columns)


def _gap(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


def _column(values: Array) -> Array:
    """A column as a data frame would hold it: words stay words, though they be digits."""
    held = values.tolist() if values.dtype == object else []
    if not held or any(isinstance(value, str) for value in held):
        return values
    try:
        found = np.array(held)
        return found if found.dtype.kind in "biuf" else values.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        return values
