"""A model behind an address that speaks the Open Inference Protocol, version 2 (Triton, KServe, MLServer)."""

import json
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from pfungst.arrays import Array
from pfungst.canonical import fingerprint
from pfungst.errors import InputError
from pfungst.frame import Frame
from pfungst.models.endpoint_http import Server
from pfungst.models.endpoint_tensors import SCORES, TYPES, Tensor, answer, objects, question
from pfungst.models.names import settled
from pfungst.models.preprocess import Preprocess, Wanted
from pfungst.models.preprocess_files import preprocessing
from pfungst.models.scores import Meaning, as_numbers, integers_of, meaning, outputs_of
from pfungst.models.shapes import said_by, static
from pfungst.outputs import Outputs
from pfungst.task import Task

_ADDRESS = re.compile(r"(?P<root>(?:/[^/]+)*?/v2)/models/(?P<name>[^/]+)(?:/versions/(?P<version>[^/]+))?/?")
BINARY = "binary_tensor_data"


@dataclass(eq=False)
class EndpointModel:
    """A black box: rows go out in requests of ``server.asked.rows``, several at once, and scores come back."""

    source: str
    classes: tuple[str, ...]
    named: bool
    fingerprint: str
    server: Server
    path: str
    input: Tensor
    output: Tensor
    preprocess: Preprocess
    means: Meaning
    binary: bool
    about: Mapping[str, Any]
    portable: bool = True
    notes: tuple[str, ...] = ()
    offers: frozenset[str] = frozenset({"new inputs"})

    @property
    def frame(self) -> Frame | None:
        """Geometry that images must have."""
        return self.preprocess.frame

    @property
    def normalised(self) -> bool:
        """Whether its answers are log-probabilities."""
        return self.means != "logits"

    @property
    def flattens(self) -> bool:
        """Whether images become rows of numbers."""
        return len(self.input.shape) == 2 and self.input.datatype != "BYTES"

    @property
    def width(self) -> int | None:
        """Number of columns it wants, where it takes tables and says so."""
        return static(self.input.shape, 1) if self.flattens else None

    @property
    def integers(self) -> np.dtype[Any] | None:
        """The type of integers that it takes tables as, if it does."""
        wanted = np.dtype(TYPES[self.input.datatype]) if self.flattens else None
        return wanted if wanted is not None and wanted.kind in "iub" else None

    def predict(self, inputs: Array) -> Outputs:
        """Answer inputs as a person sees them.

        Raises:
            InputError: if the server cannot be asked, or what it answers are no scores of these rows.
        """
        values = self._prepared(inputs)
        fixed = static(self.input.shape, 0)
        size = fixed or self.server.asked.rows
        blocks = [values[at : at + size] for at in range(0, len(values), size)]
        with ThreadPoolExecutor(self.server.asked.in_flight) as pool:
            answers = list(pool.map(lambda block: self._answered(block, fixed), blocks))
        with np.errstate(over="ignore"):  # what no float32 holds becomes infinite, and is refused by its row
            scores = np.concatenate(answers).astype(np.float32)
        return outputs_of(scores, self.means, len(inputs), self.source, len(self.classes))

    def _answered(self, block: Array, fixed: int | None) -> Array:
        short = 0 if fixed is None else fixed - len(block)
        filled = np.concatenate([block, np.repeat(block[-1:], short, axis=0)]) if short else block
        body, headers = question(filled, self.input, self.output.name, binary=self.binary)
        found = answer(self.server.ask(f"{self.path}/infer", body, headers), self.output.name, self.source)
        if found.ndim < 1 or len(found) != len(filled):
            raise InputError(
                f"{self.source} answers an array of shape {found.shape} for {len(filled)} rows; scores for each of "
                "them are needed: name another output with --output"
            )
        return found[: len(block)]

    def _prepared(self, inputs: Array) -> Array:
        if self.input.datatype == "BYTES":
            return np.asarray(inputs, dtype=object).reshape(len(inputs), *[1] * (len(self.input.shape) - 1))
        if inputs.ndim == 4:
            values = self.preprocess(inputs)
        elif self.integers is not None:
            values = integers_of(inputs, self.integers, self.source)
        else:
            values = as_numbers(inputs, self.source)
        values = values.reshape(len(values), -1) if self.flattens else values
        wanted = self.input.shape
        sides = [static(wanted, axis) for axis in range(1, len(wanted))]
        fits = values.ndim == len(wanted) and all(
            side in {None, have} for side, have in zip(sides, values.shape[1:], strict=False)
        )
        if not fits:
            raise InputError(
                f"{self.source} takes inputs of shape {wanted} and the rows come as {values.shape[1:]} each; give data "
                "of that shape, or say in [preprocess] of the task file how to make them fit"
            )
        with np.errstate(over="ignore"):  # what it does not hold becomes infinite, and the answer names the row
            return values.astype(np.dtype(TYPES[self.input.datatype]), copy=False)

    def describe(self) -> Mapping[str, Any]:
        """Kind, server, input and output, preprocessing."""
        return {
            "kind": "endpoint",
            **self.about,
            "input": f"{self.input.name} {list(self.input.shape)} {self.input.datatype}",
            "output": f"{self.output.name} {list(self.output.shape)} {self.output.datatype}",
            "outputs": self.means,
            "classes": len(self.classes),
            "preprocessing": self.preprocess.sentence(),
            "tensors": "binary" if self.binary else "JSON",
        }


def load_endpoint(
    source: str,
    task: Task,
    *,
    input: str | None = None,  # noqa: A002 - the option's own name
    output: str | None = None,
    outputs: str | None = None,
) -> EndpointModel:
    """A model at ``http(s)://host/v2/models/NAME[/versions/V]``; the server is asked what it takes and gives.

    Raises:
        InputError: if the address is another, the server does not answer, or what it holds is no classifier.
    """
    parts = urlsplit(source)
    found = _ADDRESS.fullmatch(parts.path)
    if found is None or parts.query or parts.fragment:
        raise InputError(f"{source} is no model of the Open Inference Protocol; write http(s)://host/v2/models/NAME")
    server = Server(source, task.endpoint)
    path = parts.path.rstrip("/")
    told = objects(server.ask(path).body, source)
    known = objects(server.ask(str(found["root"])).body, source)
    taken = _chosen(told, "inputs", input or task.input, source)
    given = _chosen(told, "outputs", output or task.output, source)
    wanted = _checked(taken, given, source)
    prepared = Preprocess() if taken.datatype == "BYTES" else preprocessing(None, task.preprocess, wanted)
    means = meaning(outputs or task.outputs, None)
    count = static(given.shape, 1) if len(given.shape) > 1 else None
    classes, named = settled((), task.task.classes, 2 if count == 1 else count, source)
    notes = (
        *_notes(told, found["version"], server),
        *(prepared.notes if len(taken.shape) > 2 else ()),
        *(("outputs are read as logits",) if means == "logits" else ()),
    )
    extensions = known.get("extensions")
    binary = isinstance(extensions, list) and BINARY in extensions
    about = _about(told, known)
    model = EndpointModel(
        source, classes, named, "", server, path, taken, given, prepared, means, binary, about, notes=notes
    )  # fmt: skip
    marks = json.dumps([told, known], sort_keys=True)
    model.fingerprint = fingerprint(source, marks, taken, given, means, classes, prepared, _sample_answers(model))
    return model


def _about(told: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, str]:
    own = {name: str(told[name])[:100] for name in ("platform", "versions") if told.get(name)}
    return {"server": f"{known.get('name', 'unnamed')} {known.get('version', '')}".strip()[:100], **own}


def _chosen(told: Mapping[str, Any], kind: str, asked: str | None, source: str) -> Tensor:
    listed = told.get(kind)
    if not isinstance(listed, list) or not listed or not all(isinstance(each, dict) for each in listed):
        raise InputError(
            f"the metadata of {source} name no {kind}; write the model's {kind} into its settings on the server"
        )
    try:
        tensors = [
            Tensor(str(each["name"]), str(each["datatype"]), tuple(int(side) for side in each["shape"]))
            for each in listed
        ]
    except (KeyError, TypeError, ValueError, OverflowError):
        raise InputError(f"the metadata of {source} describe {kind} without name, datatype and shape") from None
    if asked is None and kind == "inputs" and len(tensors) > 1:
        names = ", ".join(each.name for each in tensors)
        raise InputError(f"{source} takes {len(tensors)} inputs ({names}); a classifier of one input is needed")
    chosen = next((each for each in tensors if asked in {None, each.name}), None)
    if chosen is None:
        raise InputError(f"{source} has no {kind[:-1]} {asked!r}; it has {', '.join(each.name for each in tensors)}")
    return chosen


def _checked(taken: Tensor, given: Tensor, source: str) -> Wanted:
    if given.datatype not in SCORES:
        raise InputError(
            f"the output {given.name!r} of {source} is {given.datatype}, not scores of classes; name another with "
            "--output"
        )
    if taken.datatype == "BYTES":
        return Wanted()
    if taken.datatype not in TYPES or not 2 <= len(taken.shape) <= 4:
        raise InputError(
            f"{source} takes {taken.datatype} of shape {list(taken.shape)}; images have three or four axes, tables "
            "two, texts are BYTES"
        )
    return said_by(taken.shape, integer=not taken.datatype.startswith("FP"))


def _notes(told: Mapping[str, Any], version: str | None, server: Server) -> tuple[str, ...]:
    versions = ", ".join(map(str, told.get("versions") or ())) if isinstance(told.get("versions"), list) else ""
    served = f"the server chooses among its versions ({versions or 'not told'}); /versions/V in the address fixes one"
    exposed = "the headers go to the server unencrypted; use https"
    return (*((served,) if version is None else ()), *((exposed,) if server.exposed else ()))


def _sample_answers(model: EndpointModel) -> str:
    """What it answers to one fixed input, to three digits: another model under the same name is another model."""
    sides = [static(model.input.shape, axis) for axis in range(1, len(model.input.shape))]
    if model.input.datatype == "BYTES":
        row: Array = np.full((1, *[1] * len(sides)), "one fixed text", dtype=object)
    elif None in sides:
        return ""
    else:
        shape = [side for side in sides if side is not None]
        row = (np.arange(np.prod(shape)) % 7 / 7).reshape(1, *shape).astype(TYPES[model.input.datatype])
    scores = model._answered(row, static(model.input.shape, 0))  # noqa: SLF001 - its own kind
    return " ".join(f"{value:.2e}" for value in scores.ravel())
