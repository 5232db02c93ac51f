"""Guarded PyTorch modules: calibrated probabilities and "none of these" as one module, and as a file that holds it."""

import copy
import io
from typing import Any

import numpy as np

from pfungst.arrays import Array
from pfungst.errors import InputError, first_line
from pfungst.models.guarding import Guarding

FEATURES = frozenset({"mahalanobis", "knn"})
"""Scores of the last layer's input."""


def guarded_module(model: Any, guarding: Guarding) -> Any:
    """An ``nn.Module`` of what the network takes that gives probabilities, none_of_these, answer and strangeness.

    Raises:
        InputError: if the score needs features and the network does not show its last linear layer.
    """
    torch = _torch()
    body = _without_head(model) if guarding.score in FEATURES else None

    class Guarded(torch.nn.Module):  # type: ignore[misc, name-defined]
        """The network, and what is made of its scores and features."""

        def __init__(self) -> None:
            super().__init__()
            self.network, self.k = model.module if body is None else body, guarding.k
            self.head = None if body is None else model.linear
            for name in ("centre", "turn", "centres", "bank"):
                held = getattr(guarding, name)
                if held is not None:
                    self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(held)).float())

        def forward(self, inputs: Any) -> tuple[Any, Any, Any, Any]:
            given = self.network(inputs)
            scores = model.scored(given if self.head is None else self.head(given), paired=True)
            probabilities = torch.softmax(scores / guarding.temperature, dim=1)
            confidence, top = probabilities.max(dim=1)
            strange = _STRANGENESS[guarding.score](torch, self, scores, given, confidence)
            none = (strange > guarding.stranger_above) | (confidence < guarding.sure_from)
            return probabilities, none, torch.where(none, -torch.ones_like(top), top), strange

    return Guarded().eval()


def scaled_module(model: Any, temperature: float) -> Any:
    """An ``nn.Module`` that gives the network's scores divided by a temperature."""
    torch = _torch()

    class Scaled(torch.nn.Module):  # type: ignore[misc, name-defined]
        """The network, and a division."""

        def __init__(self) -> None:
            super().__init__()
            self.network = model.module

        def forward(self, inputs: Any) -> Any:
            return model.scored(self.network(inputs)) / temperature

    return Scaled().eval()


def archived(module: Any, example: Any, source: str) -> bytes:
    """A ``torch.export`` archive of a module, for any number of rows where it allows that.

    Raises:
        InputError: if the module cannot be exported.
    """
    torch = _torch()
    rows = torch.export.Dim("rows")
    try:
        program = torch.export.export(module, (example,), dynamic_shapes=({0: rows},))
        held = io.BytesIO()
        torch.export.save(program, held)
    except Exception as error:
        raise InputError(f"{source} cannot be written as a torch.export archive: {first_line(error)}") from error
    return held.getvalue()


def asked_of(model: Any, exported: bytes, inputs: Array) -> list[Array]:
    """What an archive gives for inputs as a person sees them, all its outputs."""
    torch = _torch()
    module = torch.export.load(io.BytesIO(exported)).module()
    with torch.inference_mode():
        parts = [module(model.tensor(inputs[at : at + 256])) for at in range(0, len(inputs), 256)]
    return [torch.cat(each).cpu().numpy() for each in zip(*parts, strict=True)]


def _without_head(model: Any) -> Any:
    """The network without its last linear layer: what it gives is that layer's input.

    Raises:
        InputError: if anything else comes after that layer.
    """
    nn = _torch().nn
    if model.linear is None:
        raise InputError(f"{model.source} does not show the input of its last layer; guard it with another score")
    name = next(name for name, layer in model.module.named_modules() if layer is model.linear)
    parent, _, last = name.rpartition(".")
    body = copy.deepcopy(model.module)
    if not name:
        return nn.Identity()
    setattr(body.get_submodule(parent), last, nn.Identity())
    return body


def _torch() -> Any:
    import torch  # noqa: PLC0415 - an extra, and loaded wherever a module is

    return torch


def _mahalanobis(torch: Any, held: Any, scores: Any, features: Any, confidence: Any) -> Any:
    del torch, scores, confidence
    turned = (features - held.centre) @ held.turn
    across = turned @ (-2 * held.centres.T) + (held.centres**2).sum(dim=1)
    return (across + (turned**2).sum(dim=1, keepdim=True)).min(dim=1).values


def _knn(torch: Any, held: Any, scores: Any, features: Any, confidence: Any) -> Any:
    del scores, confidence
    length = features.norm(dim=1, keepdim=True).clamp_min(1e-12)
    return 1 - torch.topk((features / length) @ held.bank.T, held.k, dim=1).values.min(dim=1).values


def _max_probability(torch: Any, held: Any, scores: Any, features: Any, confidence: Any) -> Any:
    del torch, held, scores, features
    return -confidence


def _energy(torch: Any, held: Any, scores: Any, features: Any, confidence: Any) -> Any:
    del held, features, confidence
    return -torch.logsumexp(scores, dim=1)


_STRANGENESS = {"max-probability": _max_probability, "energy": _energy, "mahalanobis": _mahalanobis, "knn": _knn}
