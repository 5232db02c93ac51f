"""Networks of timm by name, prepared as their own data configuration says."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pfungst.errors import InputError, first_line
from pfungst.models.torch import Origin, TorchModel, import_torch, torch_model
from pfungst.models.torch_files import fitted
from pfungst.task import Task


@dataclass(frozen=True)
class _Created:
    module: Any
    notes: tuple[str, ...] = ()


def load_timm(
    source: str,
    task: Task,
    *,
    weights: Path | None = None,
    outputs: str | None = None,
    device: str = "auto",
    threads: int = 0,
) -> TorchModel:
    """A network of timm, ``timm:name``: its published weights, or with ``weights`` only its architecture and those.

    With weights the task file's classes say how many outputs there are, else as many as it was published with.

    Raises:
        InputError: if timm cannot be imported, knows no such name, or cannot fetch the weights.
    """
    import_torch(source)
    made = _created(source, task, published=weights is None)
    module, notes = (made.module, ()) if weights is None else fitted(made.module, weights)
    count = getattr(module, "num_classes", None)
    if count == 0:
        raise InputError(f"{source} has no classes (num_classes is 0); name a network that classifies")
    folder = None if weights is None else weights.parent
    origin = Origin(source, folder, source, portable=True, notes=(*made.notes, *notes), count=count)
    return torch_model(module, task, origin, outputs=outputs, device=device, threads=threads)


def _created(source: str, task: Task, *, published: bool) -> _Created:
    timm, name = _imported(source), source.removeprefix("timm:")
    more = {"num_classes": len(task.task.classes)} if task.task.classes and not published else {}
    try:
        module = timm.create_model(name, pretrained=published, **more)
    except Exception as error:
        raise InputError(
            f"{source} could not be made by timm {getattr(timm, '__version__', '')} ({type(error).__name__}: "
            f"{first_line(error)}); check the name (timm.list_models()) and the network, or give --weights FILE"
        ) from error
    known = getattr(module, "pretrained_cfg", None)
    if known:
        return _Created(module)
    return _Created(module, (f"{source} brings no data configuration: see what is inferred about its inputs",))


def _imported(source: str) -> Any:
    try:
        import timm  # noqa: PLC0415 - an extra
    except ImportError as error:
        if "torchvision" in str(error):
            raise _without_torchvision(source, error) from error
        raise InputError(f"{source} needs timm, which is not installed; run `pip install timm`") from error
    except Exception as error:
        # A torchvision that was built for another PyTorch raises whatever its extension raises.
        sys.modules.pop("timm", None)
        raise _without_torchvision(source, error) from error
    return timm


def _without_torchvision(source: str, error: Exception) -> InputError:
    return InputError(
        f"{source} needs timm, whose import fails for torchvision ({first_line(error)}); install the torchvision that "
        "belongs to this PyTorch, or export the network to ONNX elsewhere"
    )
