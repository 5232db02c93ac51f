"""PyTorch networks: modules in memory and ``torch.export`` archives."""

import copy
import hashlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.canonical import fingerprint
from pfungst.errors import InputError, Unanswered, first_line
from pfungst.frame import Frame
from pfungst.models.blocks import in_blocks, joined, parted
from pfungst.models.guarding import Guarding
from pfungst.models.model import Derivatives, Linearised, Proof
from pfungst.models.names import class_names, settled
from pfungst.models.preprocess import Preprocess, Wanted
from pfungst.models.preprocess_files import preprocessing
from pfungst.models.protobuf import NO_BIAS
from pfungst.models.scores import Meaning, as_numbers, meaning, outputs_of
from pfungst.models.torch_gradients import by_input, by_layer, last_lattice, linearised, redrawn
from pfungst.models.torch_guard import archived, asked_of, guarded_module, scaled_module
from pfungst.models.torch_inspection import first_layer, last_layer, last_linear, own_names, own_preprocessing
from pfungst.models.torch_proofs import proof
from pfungst.models.torch_quick import Quick, alike, lowered, moved, rearranged, tried
from pfungst.outputs import Outputs
from pfungst.task import Task

AS_IT_IS = "as it is"
"""The way of plain answers where a network itself gives them."""


@dataclass(eq=False)
class TorchModel:
    """A module in evaluation mode that is given one tensor.

    ``width`` is the number of columns it wants, where it begins with a linear layer; images are then flattened.
    ``batch`` is the number of rows it was exported for, if fixed. ``quick`` answers in the module's place.
    """

    source: str
    classes: tuple[str, ...]
    named: bool
    fingerprint: str
    module: Any
    preprocess: Preprocess
    means: Meaning
    device: str
    width: int | None = None
    batch: int | None = None
    portable: bool = False
    notes: tuple[str, ...] = ()
    offers: frozenset[str] = frozenset({"new inputs"})
    linear: Any = None
    lattice: str = ""
    bounds: Any = None
    quick: Quick | None = None

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
        return self.width is not None

    def predict(self, inputs: Array) -> Outputs:
        """Answer inputs as a person sees them.

        Raises:
            InputError: if the module cannot be run on them or its answers are no scores.
        """
        values = self._prepared(inputs)
        answers = in_blocks(self._run, values, self.batch)
        if self.linear is None:
            return outputs_of(answers, self.means, len(inputs), self.source, len(self.classes))
        scores, features = parted(answers, self.linear.in_features)
        return replace(outputs_of(scores, self.means, len(inputs), self.source, len(self.classes)), features=features)

    def quicken(self, inputs: Array, precision: str = "float32", seen: str = "") -> None:
        """From now on answer by a quicker copy of the network, if it answers these inputs alike.

        Gradients, bounds and what is exported stay those of the network itself. ``seen`` is the way that an earlier
        comparison on these inputs ended with: where it can be taken again, nothing is compared.

        Raises:
            InputError: if another precision is asked for and moves the answers.
        """
        traceable = inputs.ndim == 4 and not self.flattens and "gradients" in self.offers
        copied = rearranged(self.module, self.linear, self.device) if traceable else None
        ways: tuple[Quick | None, ...] = (copied, None)
        if precision != "float32":
            ways = tuple(lowered(precision, one, self.module, self.linear, self.device) for one in ways)
        known = [one for one in ways if seen == (AS_IT_IS if one is None else one.way)]
        if known or ways == (None, None):
            self.quick = known[0] if known else None
            return
        plain = self.predict(inputs)
        again = self.predict(inputs)
        self.quick = copied
        steady = copied is not None and alike(plain.logits, again.logits)
        if not steady or not self._answers_alike(plain, inputs):
            self.quick = None
        if precision != "float32":
            self.quick = ways[0] if self.quick else ways[1]
            low = tried(self.predict, inputs, precision, self.source)
            moved(plain.probabilities, low.probabilities, precision, self.source)

    @property
    def inference(self) -> str:
        """How plain answers are computed."""
        return AS_IT_IS if self.quick is None else self.quick.way

    def _answers_alike(self, plain: Outputs, inputs: Array) -> bool:
        """Also for one row: a traced graph may hold the number of rows."""
        try:
            whole, first = self.predict(inputs), self.predict(inputs[:1])
        except InputError:
            return False
        return alike(plain.logits, whole.logits) and alike(plain.logits[:1], first.logits)

    def find_last_layer(self) -> None:
        """Look for the linear layer that makes the scores, now that it is known how many classes there are."""
        if "gradients" in self.offers:
            self.linear = last_linear(import_torch(self.source), self.module, len(self.classes))
            self.offers |= {"features"} if self.linear is not None else frozenset()

    def last_layer(self) -> tuple[FloatArray, FloatArray] | None:
        """Weight (classes, width) and bias (classes,) of the linear layer that makes the scores, if it is known."""
        if self.linear is None:
            return None
        weight = self.linear.weight.detach().cpu().float().numpy()
        bias = (
            np.zeros(len(weight), np.float32)
            if self.linear.bias is None
            else self.linear.bias.detach().cpu().float().numpy()
        )
        return weight, bias

    def guarded(self, guarding: Guarding, example: Array) -> bytes:
        """A ``torch.export`` archive with calibrated probabilities and "none of these"; ``example``: two inputs."""
        return archived(guarded_module(self, guarding), self.tensor(example), self.source)

    def scaled(self, temperature: float, example: Array) -> bytes:
        """A ``torch.export`` archive whose scores are divided by a temperature."""
        return archived(scaled_module(self, temperature), self.tensor(example), self.source)

    def asked_of(self, exported: bytes, inputs: Array) -> list[Array]:
        """What such an archive gives for inputs as a person sees them, all its outputs."""
        return asked_of(self, exported, inputs)

    def gradient(self, inputs: FloatArray, targets: IntArray | None = None) -> Derivatives:
        """Derivative of each row's score by the inputs; pictures are float32 in [0, 1]."""
        found = by_input(self.module, self.tensor(inputs), targets, self.scored)
        gradient = self.preprocess.pulled_back(found.gradient, inputs.shape) if inputs.ndim == 4 else found.gradient
        return found._replace(by=inputs, gradient=gradient)

    def linearised(self, inputs: FloatArray) -> Linearised:
        """Scores, and the way back from any function of them to pictures as float32 in [0, 1]."""
        found = linearised(self.module, self.tensor(inputs), partial(self.scored, paired=True))
        if inputs.ndim != 4:
            return found
        return found._replace(
            pulled_back=lambda slope: self.preprocess.pulled_back(found.pulled_back(slope), inputs.shape)
        )

    def proof(self, inputs: FloatArray, labels: IntArray, norm: str, size: float) -> Proof:
        """Lower bounds of the true score less any other's over all pictures within ``size`` of these."""
        return proof(self, inputs, labels, norm, size)

    def layer_gradient(self, inputs: FloatArray, targets: IntArray | None = None, layer: str = "") -> Derivatives:
        """Derivative of each row's score by the activations of a layer, (rows, channels, height, width)."""
        values = self.tensor(inputs)
        if not layer:
            self.lattice = self.lattice or last_lattice(self.module, values[:1])
        return by_layer(self.module, values, targets, self.scored, layer or self.lattice)

    def redrawn(self, seed: int = 0) -> "TorchModel":
        """The same network with the numbers of each parameter shuffled: nothing it learned is left."""
        module = copy.deepcopy(self.module)
        module.load_state_dict(redrawn(module, seed))
        return self.with_module(module, f"redrawn {seed}")

    def with_module(self, module: Any, mark: str) -> "TorchModel":
        """The same adapter around a changed copy of its module."""
        linear = last_linear(import_torch(self.source), module, len(self.classes))
        return replace(
            self, module=module, linear=linear, bounds=None, quick=None, fingerprint=fingerprint(self.fingerprint, mark)
        )

    def tensor(self, inputs: Array) -> Any:
        """What the module is given for inputs as a person sees them."""
        return self._placed(self._prepared(inputs))

    def scored(self, answer: Any, *, paired: bool = False) -> Any:
        """What a module answered as scores (rows, classes); ``paired``: one score z is the pair (0, z)."""
        scores = _scores(answer, self.source)
        while scores.ndim > 2 and scores.shape[-1] == 1:
            scores = scores[..., 0]
        if scores.shape[-1] == 1 and paired and self.means == "logits":
            return import_torch(self.source).nn.functional.pad(scores, (1, 0))
        if scores.shape[-1] == 1:
            raise InputError(f"{self.source} gives one score; gradients are taken of one score for each class")
        return scores.clamp_min(1e-12).log() if self.means == "probabilities" else scores

    def with_last_layer(self, weight: FloatArray, bias: FloatArray) -> bytes:
        """All weights as a safetensors file, with another last layer.

        Raises:
            InputError: if safetensors is not installed, or the layer has no bias to put another in place of.
        """
        if self.linear.bias is None and np.any(bias):
            raise InputError(NO_BIAS)
        return self.state({id(self.linear.weight): weight, id(self.linear.bias): bias})

    def state(self, instead: Mapping[int, FloatArray] | None = None) -> bytes:
        """All weights as a safetensors file; ``instead`` holds other values for parameters, by their identity.

        Raises:
            InputError: if safetensors is not installed.
        """
        try:
            from safetensors.numpy import save  # noqa: PLC0415 - an extra
        except ImportError:
            raise InputError("weights are written with safetensors; run `pip install pfungst[torch]`") from None
        own = instead or {}
        held = dict(self.module.named_parameters()) | dict(self.module.named_buffers())
        arrays = {name: own.get(id(tensor), tensor.detach().cpu().numpy()) for name, tensor in held.items()}
        return bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))

    def _prepared(self, inputs: Array) -> Array:
        values = self.preprocess(inputs) if inputs.ndim == 4 else as_numbers(inputs, self.source)
        if not self.flattens:
            return values
        flat = values.reshape(len(values), -1)
        if flat.shape[1] != self.width:
            raise InputError(
                f"{self.source} takes {self.width} numbers a row and the rows hold {flat.shape[1]} "
                f"(shape {inputs.shape[1:]}); give data of that width"
            )
        return flat

    def _run(self, values: Array) -> Array:
        given, asked = self._placed(values), self.quick or self.module
        return self.answered(lambda: asked(given), f"an input of shape {values.shape}")

    def _placed(self, values: Array) -> Any:
        """Numbers on the device of the network, in its own precision."""
        torch = import_torch(self.source)
        kind = next((p.dtype for p in self.module.parameters() if p.is_floating_point()), torch.float32)
        held = torch.from_numpy(np.ascontiguousarray(values))
        if self.device.startswith("cuda"):
            # The card reads pinned memory by itself, without the detour that a copy of other memory takes.
            return held.pin_memory().to(self.device, kind, non_blocking=True)
        return held.to(self.device, kind)

    def answered(self, ask: Callable[[], Any], shown: str) -> Array:
        """Scores (rows, classes) of what ``ask`` answers, with the last layer's input beside them if it is known.

        Raises:
            InputError: if it raises; the sentence names what was ``shown``.
        """
        torch = import_torch(self.source)
        seen: list[Any] = []
        last = self.linear if self.linear is None or self.quick is None else self.quick.linear
        hook = None if last is None else last.register_forward_pre_hook(lambda _, taken: seen.append(taken[0]))
        try:
            with torch.inference_mode():
                answer = ask()
        except Exception as error:
            raise Unanswered(f"{self.source} could not be run on {shown}: {first_line(error)}") from error
        finally:
            if hook is not None:
                hook.remove()
        if seen and seen[-1].ndim != 2:
            # A layer that is asked for every token makes no scores of rows.
            self.linear, self.offers = None, self.offers - {"features"}
        found = [_scores(answer, self.source), *(seen[-1:] if self.linear is not None else [])]
        return joined([each.detach().to("cpu", torch.float32).numpy() for each in found])

    def describe(self) -> Mapping[str, Any]:
        """Kind, size and preprocessing."""
        return {
            "kind": "torch",
            "module": type(self.module).__name__,
            "parameters": sum(p.numel() for p in self.module.parameters()),
            "outputs": self.means,
            "classes": len(self.classes),
            "preprocessing": self.preprocess.sentence(),
            "device": self.device,
        }


@dataclass(frozen=True)
class Origin:
    """Where a module comes from: its name, the folder of its files, what identifies it beyond its weights.

    ``wanted``, ``preprocess`` and the ``count`` of classes are known before the module is looked at, if given;
    ``exported`` programs cannot be put into another mode or differentiated part by part.
    """

    source: str
    folder: Path | None = None
    identity: str = ""
    portable: bool = False
    wanted: Wanted | None = None
    width: int | None = None
    batch: int | None = None
    exported: bool = False
    preprocess: Preprocess | None = None
    notes: tuple[str, ...] = ()
    count: int | None = None


def torch_model(
    module: Any, task: Task, origin: Origin, *, outputs: str | None = None, device: str = "auto", threads: int = 0
) -> TorchModel:
    """A model from a module; it is put into evaluation mode.

    Raises:
        InputError: if its files contradict each other, or a device is asked that is not there.
    """
    torch = import_torch(origin.source)
    place = _device(torch, device)
    if threads:
        torch.set_num_threads(threads)
    if not origin.exported:
        module = module.eval()
    module = module.to(place)
    wanted, width = (origin.wanted, origin.width) if origin.wanted is not None else first_layer(torch, module)
    own = origin.preprocess or own_preprocessing(module, wanted)
    known = own or preprocessing(origin.folder, task.preprocess, wanted)
    means = meaning(outputs or task.outputs, last_layer(torch, module))
    classes, named = _named(module, task, origin)
    marks = fingerprint(weights_hash(module), type(module).__qualname__, origin.identity, known, means, classes)
    notes = (
        *origin.notes,
        *(known.notes if width is None else ()),
        *(("outputs are read as logits",) if means == "logits" and not outputs else ()),
    )
    linear = last_linear(torch, module, len(classes))
    # An exported program holds no module that could be differentiated part by part.
    more = (("features", linear is not None), ("gradients", not origin.exported))
    offers = frozenset({"new inputs", "bounds", "quicker", *(name for name, there in more if there)})
    return TorchModel(
        origin.source, classes, named, marks, module, known, means, place, width, origin.batch, origin.portable, notes,
        offers, linear,
    )  # fmt: skip


def import_torch(asked: str) -> Any:
    """The package torch. Raises InputError if it is not installed."""
    try:
        import torch  # noqa: PLC0415 - an extra
    except ImportError:
        raise InputError(f"{asked} needs PyTorch, which is not installed; run `pip install pfungst[torch]`") from None
    return torch


def is_module(thing: Any) -> bool:
    """Whether this is a PyTorch module; PyTorch is not imported to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(thing, torch.nn.Module)


def _device(torch: Any, asked: str) -> str:
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if asked.startswith("cuda") and not torch.cuda.is_available():
        raise InputError("device cuda was asked and PyTorch sees none; use --device cpu")
    return asked


def _named(module: Any, task: Task, origin: Origin) -> tuple[tuple[str, ...], bool]:
    found = own_names(module) or class_names(origin.folder)
    return settled(found, task.task.classes, origin.count, origin.source)


def weights_hash(module: Any) -> str:
    """Hash of all parameters and buffers by name."""
    torch, digest = import_torch("weights"), hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(module.state_dict().items()):
        if not hasattr(tensor, "detach"):
            continue
        held = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(f"{name}|{held.dtype}|{tuple(tensor.shape)}".encode())
        digest.update(held.view(torch.uint8).numpy().tobytes() if held.numel() else b"")
    return digest.hexdigest()


def _scores(answer: Any, source: str) -> Any:
    found = answer
    if isinstance(found, Mapping):
        found = found.get("logits", found.get("out"))
    elif hasattr(found, "logits"):
        found = found.logits
    elif isinstance(found, tuple | list) and found:
        found = found[0]
    if not hasattr(found, "detach"):
        raise InputError(
            f"{source} answers {type(answer).__name__}; a tensor of scores (rows, classes), or an object with `logits` "
            "is needed"
        )
    return found
