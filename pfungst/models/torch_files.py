"""Files that hold PyTorch networks: exported archives, and factories with weights."""

import argparse
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PosixPath
from typing import Any

from pfungst.errors import InputError, damage, first_line
from pfungst.imported import imported
from pfungst.models.exported import checked_export
from pfungst.models.preprocess import Wanted
from pfungst.models.torch import Origin, TorchModel, import_torch, torch_model
from pfungst.models.torchscript import is_torchscript, torchscript
from pfungst.task import Task

_NESTED = ("state_dict", "model_state_dict", "model", "net", "weights")


def load_exported(
    path: Path, task: Task, *, outputs: str | None, device: str, threads: int, trust_pickle: bool = False
) -> TorchModel:
    """Open a ``torch.export`` archive. Raises InputError if it is none, or holds code and is not trusted."""
    torch = import_torch(str(path))
    if not trust_pickle:
        checked_export(path, torch, task.limits.unpacked)
    with damage(f"{path} is not a torch.export archive that this PyTorch reads"):
        with _muted("torch.export", "torch._export"):
            program = torch.export.load(str(path))
        module = program.module()
    shape = _input_shape(program, str(path))
    origin = Origin(str(path), path.parent, "", True, _wanted(shape), _at(shape, 1) if len(shape) == 2 else None,
                    _at(shape, 0), exported=True)  # fmt: skip
    return torch_model(module, task, origin, outputs=outputs, device=device, threads=threads)


@contextmanager
def _muted(*names: str) -> Iterator[None]:
    """PyTorch logs whole tracebacks about archives that it cannot read; one sentence says it here."""
    loggers = [logging.getLogger(name) for name in names]
    before = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for one, level in zip(loggers, before, strict=True):
            one.setLevel(level)


def _input_shape(program: Any, source: str) -> list[Any]:
    names = set(program.graph_signature.user_inputs)
    shapes = [list(node.meta["val"].shape) for node in program.graph.nodes if node.name in names and "val" in node.meta]
    if len(shapes) != 1:
        raise InputError(f"{source} takes {len(shapes)} tensors; a classifier of one input is needed")
    return shapes[0]


def _wanted(shape: list[Any]) -> Wanted:
    if len(shape) != 4:
        return Wanted("NCHW")
    height, width = _at(shape, 2), _at(shape, 3)
    return Wanted("NCHW", _at(shape, 1), None if height is None or width is None else (height, width))


def _at(shape: list[Any], axis: int) -> int | None:
    return shape[axis] if axis < len(shape) and isinstance(shape[axis], int) else None


def built(source: str) -> tuple[Any, Path | None, str]:
    """What the factory ``file.py:factory`` or ``pkg.module:factory`` returns, its folder, and a hash of its file.

    Raises:
        InputError: if the file, the module or the factory is not there, or it raises.
    """
    with imported(source) as named:
        try:
            made = named.function()
        except (Exception, SystemExit) as error:
            raise InputError(
                f"{source} raised {type(error).__name__}: {first_line(error)}; it is called without arguments"
            ) from error
    return made, named.folder, named.hash


def fitted(module: Any, path: Path) -> tuple[Any, tuple[str, ...]]:
    """The module with weights from a file, and what was left out of the file to make them fit.

    A nested dictionary and a ``module.`` prefix are seen through. Where the file is a checkpoint of more than the
    network (Lightning names it ``model.``), the one part that the network is made of is taken.

    Raises:
        InputError: if the file cannot be read without running code, or does not fit; the first names are given.
    """
    weights, notes = _part(read_weights(path), module, path)
    try:
        missing, unknown = module.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise InputError(f"the weights {path} do not fit {type(module).__name__}: {_second(error)}") from None
    if missing or unknown:
        raise InputError(
            f"the weights {path} do not fit {type(module).__name__}: {len(missing)} tensors are missing "
            f"({', '.join(missing[:3]) or 'none'}) and {len(unknown)} are unknown ({', '.join(unknown[:3]) or 'none'})"
        )
    return module, notes


def _part(weights: dict[str, Any], module: Any, path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The tensors below the one prefix under which all of the module's are, if they are not there without one."""
    wanted = set(module.state_dict())
    if wanted <= set(weights):
        return weights, ()
    prefixes = sorted({name.split(".")[0] + "." for name in weights if "." in name})
    parts = {prefix: {n[len(prefix) :]: v for n, v in weights.items() if n.startswith(prefix)} for prefix in prefixes}
    fitting = [prefix for prefix in prefixes if wanted == set(parts[prefix])]
    if len(fitting) > 1:
        raise InputError(
            f"{path} holds {len(fitting)} networks that fit {type(module).__name__} ({', '.join(fitting)}); save the "
            "state_dict of the one that is meant"
        )
    if not fitting:
        return weights, ()
    left = len(weights) - len(wanted)
    also = f"; {left} other tensors of the file are left out" if left else ""
    return parts[fitting[0]], (f"of {path.name} the tensors below {fitting[0]!r} are taken{also}",)


def read_weights(path: Path) -> dict[str, Any]:
    """Tensors by name from ``.safetensors``, ``.pt``, ``.pth``, ``.th``, ``.ckpt`` or ``.bin``; no code is run."""
    torch = import_torch(str(path))
    if not path.is_file():
        raise InputError(f"there is no weights file {path}; give .safetensors, .pt, .pth, .th or .ckpt")
    if is_torchscript(path):
        raise InputError(torchscript(str(path)))
    with damage(f"{path} cannot be read as plain weights", "save `model.state_dict()`"):
        raw = _safetensors(path) if path.suffix == ".safetensors" else _unpickled(torch, path)
    tensors = _tensors(torch, raw, path)
    stripped = {name.removeprefix("module.").removeprefix("_orig_mod."): value for name, value in tensors.items()}
    return stripped if len(stripped) == len(tensors) else tensors


def _unpickled(torch: Any, path: Path) -> Any:
    # Checkpoints of trainers hold their settings as namespaces and paths beside the tensors; these run no code.
    with torch.serialization.safe_globals([argparse.Namespace, PosixPath]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a refusal is told in one sentence
        return torch.load(path, map_location="cpu", weights_only=True)


def _safetensors(path: Path) -> dict[str, Any]:
    try:
        from safetensors.torch import load_file  # noqa: PLC0415 - an extra
    except ImportError:
        raise InputError(
            f"{path} needs safetensors, which is not installed; run `pip install pfungst[torch]`"
        ) from None
    return dict(load_file(path))


def _tensors(torch: Any, raw: Any, path: Path) -> dict[str, Any]:
    for key in _NESTED:
        if isinstance(raw, Mapping) and isinstance(raw.get(key), Mapping):
            raw = raw[key]
    if not isinstance(raw, Mapping) or not raw or not all(isinstance(value, torch.Tensor) for value in raw.values()):
        held = ", ".join(map(str, list(raw)[:5])) if isinstance(raw, Mapping) else type(raw).__name__
        raise InputError(f"{path} holds no state dictionary ({held}); save `model.state_dict()`")
    return dict(raw)


def _second(error: Exception) -> str:
    # PyTorch's first line only repeats the class; the second names the tensor.
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[1] if len(lines) > 1 else lines[0])[:300]
