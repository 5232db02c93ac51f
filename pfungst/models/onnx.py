"""ONNX networks, run by onnxruntime."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from pfungst.arrays import Array, FloatArray
from pfungst.canonical import fingerprint
from pfungst.errors import InputError, Unanswered, damage, first_line
from pfungst.frame import Frame
from pfungst.models.blocks import in_blocks, joined, parted
from pfungst.models.guarding import Ends, Guarding, guarded_graph, scaled_graph
from pfungst.models.names import class_names, settled
from pfungst.models.preprocess import Preprocess, Wanted
from pfungst.models.preprocess_files import preprocessing
from pfungst.models.protobuf import (
    Linear,
    before_softmax,
    holds_its_weights,
    last_linear,
    last_operation,
    with_output,
)
from pfungst.models.scores import Meaning, as_numbers, integers_of, meaning, outputs_of
from pfungst.models.shapes import said_by, static
from pfungst.outputs import Outputs
from pfungst.task import Task

_TYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(string)": object,
}
_PROOFS: dict[str, Meaning] = {"Softmax": "probabilities", "LogSoftmax": "log-probabilities"}


@dataclass(eq=False)
class OnnxModel:
    """A graph with one input and one output that are looked at."""

    source: str
    classes: tuple[str, ...]
    named: bool
    fingerprint: str
    session: Any
    input: Any
    output: Any
    preprocess: Preprocess
    means: Meaning
    portable: bool = True
    notes: tuple[str, ...] = ()
    offers: frozenset[str] = frozenset({"new inputs"})
    linear: Linear | None = None

    @property
    def frame(self) -> Frame | None:
        """Geometry that images must have."""
        return self.preprocess.frame

    @property
    def normalised(self) -> bool:
        """Whether its answers are log-probabilities."""
        return self.means != "logits"

    @property
    def width(self) -> int | None:
        """Number of columns it wants, where it takes tables and says so."""
        return static(self.input.shape, 1) if self.flattens else None

    @property
    def flattens(self) -> bool:
        """Whether images become rows of numbers."""
        return len(self.input.shape) == 2

    @property
    def integers(self) -> np.dtype[Any] | None:
        """The type of integers that it takes tables as, if it does."""
        wanted = np.dtype(_TYPES[self.input.type])
        return wanted if self.flattens and wanted.kind in "iu" else None

    def predict(self, inputs: Array) -> Outputs:
        """Answer inputs as a person sees them.

        Raises:
            InputError: if the inputs do not fit the graph or its answers are no scores.
        """
        answers = in_blocks(self._run, self._prepared(inputs), static(self.input.shape, 0))
        if self.linear is None:
            return outputs_of(answers, self.means, len(inputs), self.source, len(self.classes))
        scores, features = parted(answers, self.linear.width)
        return replace(outputs_of(scores, self.means, len(inputs), self.source, len(self.classes)), features=features)

    def last_layer(self) -> tuple[FloatArray, FloatArray] | None:
        """Weight (classes, width) and bias (classes,) of the linear layer that makes the scores, if it is known."""
        return None if self.linear is None else self.linear.read(Path(self.source).read_bytes())

    def with_last_layer(self, weight: FloatArray, bias: FloatArray) -> bytes:
        """The file with another last layer in place of its own."""
        assert self.linear is not None, "only models that offer features have a last layer to replace"
        return self.linear.replaced(Path(self.source).read_bytes(), weight, bias)

    def guarded(self, guarding: Guarding, example: Array) -> bytes:
        """The file with calibrated probabilities and "none of these" in place of its scores."""
        del example
        return guarded_graph(self._ends(), guarding)

    def scaled(self, temperature: float, example: Array) -> bytes:
        """The file with its scores divided by a temperature."""
        del example
        return scaled_graph(self._ends(), temperature)

    def asked_of(self, exported: bytes, inputs: Array) -> list[Array]:
        """What an exported file gives for inputs as a person sees them, all its outputs, by a session of its own."""
        session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
        values = self._prepared(inputs)
        size = static(self.input.shape, 0) or 256
        parts = []
        for at in range(0, len(values), size):
            part = values[at : at + size]
            short = size - len(part) if static(self.input.shape, 0) else 0
            filled = np.concatenate([part, np.repeat(part[-1:], short, axis=0)]) if short else part
            parts.append([each[: len(part)] for each in session.run(None, {self.input.name: filled})])
        return [np.concatenate(each) for each in zip(*parts, strict=True)]

    def _ends(self) -> Ends:
        data = Path(self.source).read_bytes()
        if not holds_its_weights(data):
            raise InputError(f"the weights of {self.source} lie in a file beside it; save the model as one file first")
        scores, softmax = before_softmax(data, self.output.name)
        if self.means == "probabilities" and not softmax:
            raise InputError(
                f"{self.source} gives probabilities that no softmax makes, so there are no scores to work on; name the "
                "scores with --output"
            )
        features = "" if self.linear is None else self.linear.features
        single = _count(self.output, self.source) == 1
        return Ends(data, scores, softmax, features, self.output.name, len(self.classes), single)

    def _prepared(self, inputs: Array) -> Array:
        wanted = _TYPES[self.input.type]
        if wanted is object:
            values = inputs.reshape(len(inputs), *[1] * (len(self.input.shape) - 1))
        elif self.flattens and inputs.ndim == 4:
            values = self.preprocess(inputs).reshape(len(inputs), -1)
        elif self.integers is not None:
            values = integers_of(inputs, self.integers, self.source)
        else:
            values = as_numbers(inputs, self.source) if self.flattens else self.preprocess(inputs)
        self._fits(values.shape)
        with np.errstate(over="ignore"):  # what it does not hold becomes infinite, and the answer names the row
            return values.astype(wanted, copy=False)

    def _fits(self, shape: tuple[int, ...]) -> None:
        wanted = self.input.shape
        sizes = [static(wanted, axis) for axis in range(1, len(wanted))]
        fits = len(shape) == len(wanted) and all(s in {None, have} for s, have in zip(sizes, shape[1:], strict=True))
        if not fits:
            raise InputError(
                f"{self.source} takes inputs of shape {tuple(wanted)} and the rows come as {shape[1:]} each; give data "
                "of that shape, or say in [preprocess] of the task file how to make them fit"
            )

    def _run(self, block: Array) -> Array:
        names = [self.output.name, *([self.linear.features] if self.linear else [])]
        try:
            found = self.session.run(names, {self.input.name: block})
        except Exception as error:  # onnxruntime raises its own kinds, not one ancestor
            raise Unanswered(
                f"{self.source} could not be run on {block.shape} {block.dtype}: {first_line(error)}"
            ) from error
        if self.linear is not None and np.size(found[1]) != len(block) * self.linear.width:
            self.linear, self.offers = None, self.offers - {"features"}
        return joined(found[: 1 if self.linear is None else 2])

    def describe(self) -> Mapping[str, Any]:
        """Kind, input and output, preprocessing."""
        return {
            "kind": "onnx",
            "input": f"{self.input.name} {self.input.shape} {self.input.type}",
            "output": f"{self.output.name} {self.output.shape}",
            "outputs": self.means,
            "classes": len(self.classes),
            "preprocessing": self.preprocess.sentence(),
            "device": self.session.get_providers()[0],
        }


def load_onnx(
    path: Path,
    task: Task,
    *,
    input: str | None = None,  # noqa: A002 - the option's own name
    output: str | None = None,
    outputs: str | None = None,
    device: str = "auto",
    threads: int = 0,
) -> OnnxModel:
    """Open an ONNX file. Raises InputError if it is none, or is no classifier of images, tables or texts."""
    data = path.read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.use_deterministic_compute = True
    # Between two batches pictures are changed on the same cores, which threads that wait by spinning would take.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    with damage(f"{path} is not an ONNX network that onnxruntime can run"):
        session = onnxruntime.InferenceSession(str(path), options, providers=_providers(device))
    if not session.get_inputs() or not session.get_outputs():
        raise InputError(
            f"{path} has {len(session.get_inputs())} inputs and {len(session.get_outputs())} outputs; a network of one "
            "input and scores is needed"
        )
    given = output or task.output or session.get_outputs()[0].name
    linear = last_linear(data, given)
    if linear is not None:
        session, linear = _opened_wider(session, data, linear, options, device)
    digest = hashlib.blake2b(data, digest_size=16)
    # Weights beyond two gigabytes lie beside the graph: model.onnx.data or model.onnx_data.
    for beside in sorted(path.parent.iterdir()):
        if beside.name.startswith((f"{path.name}.", f"{path.name}_")) and beside.is_file():
            digest.update(beside.read_bytes())
    model = onnx_model(
        session, str(path), data, task, input=input, output=output, outputs=outputs, folder=path.parent,
        identity=digest.hexdigest(),
    )  # fmt: skip
    return replace(model, linear=linear, offers=model.offers | ({"features"} if linear else frozenset()))


def _opened_wider(session: Any, data: bytes, linear: Linear, options: Any, device: str) -> tuple[Any, Linear | None]:
    """A session that also gives the last layer's input, or the one there is where this cannot be had."""
    try:
        wider = onnxruntime.InferenceSession(with_output(data, linear.features), options, providers=_providers(device))
    except Exception:  # noqa: BLE001 - weights beside the file, or a value the runtime does not hand out
        return session, None
    return wider, linear


def onnx_model(
    session: Any,
    source: str,
    data: bytes,
    task: Task,
    *,
    input: str | None = None,  # noqa: A002 - the option's own name
    output: str | None = None,
    outputs: str | None = None,
    folder: Path | None = None,
    identity: str = "",
) -> OnnxModel:
    """A model from an open session and the bytes of its graph (for what onnxruntime does not tell)."""
    _legible(session, source)
    taken = _named(session.get_inputs(), input or task.input, "input", source)
    if len(session.get_inputs()) > 1:
        listed = ", ".join(item.name for item in session.get_inputs())
        raise InputError(
            f"{source} takes {len(session.get_inputs())} inputs at once ({listed}); networks of one are read"
        )
    given = _named(session.get_outputs(), output or task.output, "output", source)
    if taken.type not in _TYPES:
        raise InputError(f"{source} takes {taken.type} as {taken.name!r}; images, tables of numbers or texts are read")
    known = _preprocess(taken, folder, task)
    operation = last_operation(data, given.name)
    count = _count(given, source)
    declared = outputs or task.outputs
    if operation == "Sigmoid" and declared is None and count != 1:
        raise InputError(
            f"{source} ends in a sigmoid for each of {count or 'its'} outputs, so its answers do not exclude each "
            "other; name the scores before it with --output, or declare what they are with `outputs`"
        )
    means = meaning(declared, "probabilities" if operation == "Sigmoid" else _PROOFS.get(operation))
    classes, named = settled(class_names(folder), task.task.classes, 2 if count == 1 else count, source)
    marks = fingerprint(identity, taken.name, given.name, means, classes, known)
    notes = (*(() if len(taken.shape) < 3 else known.notes), *_said(declared, operation, means))
    return OnnxModel(
        source, classes, named, marks, session, taken, given, known, means, portable=folder is not None, notes=notes
    )


def _legible(session: Any, source: str) -> None:
    """Raises InputError if a name of an input, an output or an axis of one is no text; onnxruntime lets such be."""
    with damage(f"{source} gives an input, an output or an axis a name that cannot be read", "save it again"):
        for item in (*session.get_inputs(), *session.get_outputs()):
            _ = item.name, item.shape


def _preprocess(taken: Any, folder: Path | None, task: Task) -> Preprocess:
    rank = len(taken.shape)
    if taken.type == "tensor(string)":
        return Preprocess()
    if rank > 4 or rank < 2:
        raise InputError(f"the network takes inputs of shape {taken.shape}; images have three or four axes, tables two")
    return preprocessing(folder, task.preprocess, _wanted(taken))


def is_session(thing: Any) -> bool:
    """Whether this is an open onnxruntime session."""
    return isinstance(thing, onnxruntime.InferenceSession)


def of_session(session: Any, task: Task, outputs: str | None = None) -> OnnxModel:
    """A model from an open session; its weights identify it where onnxruntime still knows its file or bytes."""
    path = getattr(session, "_model_path", None)
    data = Path(path).read_bytes() if path and Path(path).is_file() else getattr(session, "_model_bytes", None) or b""
    identity = hashlib.blake2b(data, digest_size=16).hexdigest() if data else uuid.uuid4().hex
    return onnx_model(session, "InferenceSession", data, task, outputs=outputs, identity=identity)


def _wanted(taken: Any) -> Wanted:
    integer = taken.type in {"tensor(uint8)", "tensor(int8)", "tensor(int32)", "tensor(int64)"}
    return said_by(taken.shape, integer=integer)


def _count(given: Any, source: str) -> int | None:
    shape = given.shape
    if given.type not in {"tensor(float)", "tensor(float16)", "tensor(double)"}:
        raise InputError(
            f"the output {given.name!r} of {source} is {given.type}, not scores of classes; name another with --output"
        )
    beyond = [size for size in shape[2:] if size != 1]
    if beyond or len(shape) < 1:
        raise InputError(
            f"the output {given.name!r} of {source} has shape {shape}; a classifier's (rows, classes) is needed: name "
            "another with --output"
        )
    return static(shape, 1) if len(shape) > 1 else 1


def _named(items: Any, asked: str | None, what: str, source: str) -> Any:
    if asked is None:
        return items[0]
    for item in items:
        if item.name == asked:
            return item
    raise InputError(f"{source} has no {what} {asked!r}; it has {', '.join(item.name for item in items)}")


def _providers(device: str) -> list[str]:
    cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    if device == "cuda" and not cuda:
        raise InputError("device cuda was asked and this onnxruntime has none; install onnxruntime-gpu, or use cpu")
    return ["CUDAExecutionProvider", "CPUExecutionProvider"] if cuda and device != "cpu" else ["CPUExecutionProvider"]


def _said(declared: str | None, operation: str, means: Meaning) -> tuple[str, ...]:
    if declared is not None:
        return ()
    if means != "logits":
        return (f"the graph ends in {operation}, so its outputs are {means}",)
    return ("outputs are read as logits",)
