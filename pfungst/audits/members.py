"""Members: the other models of an ensemble, opened from whatever names them."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pfungst.audits.request import Request
from pfungst.errors import InputError
from pfungst.load import load_model
from pfungst.models.model import Model
from pfungst.models.presented import Change, moved, presented
from pfungst.models.torch import TorchModel
from pfungst.models.torch_dropout import thinned

_MADE = re.compile(r"(?P<kind>dropout|moved):(?P<count>\d{1,3})|mirrored")
_WEIGHTS = (".safetensors", ".pt", ".pth", ".th", ".ckpt", ".bin")
_FOREIGN = re.compile(r"(?:hf|timm|https?):.*?(?P<name>[^/:]+)/?")
_PLAIN = {"model", "network", "net", "answers"}
"""File names that say nothing: the folder's name is taken."""


def opened_members(sources: Sequence[Any], model: Model, model_source: Any, request: Request) -> dict[str, Model]:
    """The members by name; a name ends in ``@`` and eight letters of the member's fingerprint.

    A source is a model of any form, weights for the model's own factory (snapshots), ``dropout:N`` (N thinned
    networks), ``moved:N`` (N looks at the moved picture) or ``mirrored``. Where paths are to stay out of what is
    written, those that were opened are numbered: their names stand in passes, reasons and names of files.

    Raises:
        InputError: if a member cannot be opened, answers other classes, or wants other inputs than the model.
    """
    found: dict[str, Model] = {}
    for number, source in enumerate(sources, 1):
        made = _is_made(source)
        for words, member in _made(source, model) if made else [_other(source, model_source, request)]:
            _same(words, member, model)
            if member.fingerprint in {model.fingerprint, *(one.fingerprint for one in found.values())}:
                raise InputError(f"--member {words} is the model itself or given twice; an ensemble needs other models")
            name = f"member {number}" if request.redact_paths and not made else words
            found[f"{name}@{member.fingerprint[:8]}"] = member
    return found


def _is_made(source: Any) -> bool:
    return isinstance(source, str) and _MADE.fullmatch(source) is not None


def _made(source: str, model: Model) -> Iterator[tuple[str, Model]]:
    """Members made of the model itself."""
    asked = _MADE.fullmatch(source)
    assert asked is not None, "only such sources are made"
    if asked["kind"] is None:
        yield source, presented(model, Change(mirrored=True))
        return
    if asked["kind"] == "dropout" and not isinstance(model, TorchModel):
        raise InputError(f"--member {source} leaves dropout on, for which the model must be a PyTorch module")
    for number in range(int(asked["count"])):
        made = thinned(model, number) if isinstance(model, TorchModel) and asked["kind"] == "dropout" else None
        yield f"{asked['kind']} {number + 1}", made or presented(model, moved(number))


def _other(source: Any, model_source: Any, request: Request) -> tuple[str, Model]:
    """Another model, or other weights for the model's factory."""
    is_path = isinstance(source, str | Path)
    weights = str(source) if is_path and str(source).lower().endswith(_WEIGHTS) else None
    if weights is not None and request.weights is None:
        raise InputError(
            f"--member {source} holds weights; they go with a factory as MODEL (file.py:factory --weights FILE)"
        )
    opened = load_model(
        model_source if weights is not None else source, task=request.task, weights=weights, outputs=request.outputs,
        trust_pickle=request.trust_pickle, device=request.device,
    )  # fmt: skip
    return _words(source) if is_path else type(source).__name__, opened


def _words(source: str | Path) -> str:
    foreign = _FOREIGN.fullmatch(str(source))
    if foreign is not None:
        return foreign["name"]
    path = Path(str(source).split(":")[0])
    stem = path.name.split(".")[0]
    return path.absolute().parent.name if stem in _PLAIN else stem


def _same(words: str, member: Model, model: Model) -> None:
    if ("new inputs" in member.offers) != ("new inputs" in model.offers):
        raise InputError(f"--member {words} and the model must both be networks, or both recorded answers")
    if member.named and model.named and member.classes != model.classes:
        raise InputError(
            f"--member {words} answers {', '.join(member.classes[:5])} and the model {', '.join(model.classes[:5])}: "
            "the members of an ensemble answer the same classes in the same order"
        )
    if member.classes and model.classes and len(member.classes) != len(model.classes):
        raise InputError(
            f"--member {words} gives {len(member.classes)} scores a row and the model {len(model.classes)}; give "
            "members with the same classes"
        )
    if member.frame != model.frame:
        raise InputError(
            f"--member {words} wants pictures as {member.frame} and the model as {model.frame}; rows are framed "
            "once for all members, so give members of the same size"
        )
