"""What a module says of itself: its first and last layers, its names of classes, its preprocessing."""

from collections.abc import Mapping
from typing import Any

from pfungst.frame import Frame
from pfungst.models.names import distinct
from pfungst.models.preprocess import Preprocess, Wanted
from pfungst.models.preprocess_files import from_transformers
from pfungst.models.scores import Meaning


def first_layer(torch: Any, module: Any) -> tuple[Wanted, int | None]:
    """What the first convolution or linear layer says about the input."""
    for layer in module.modules():
        if isinstance(layer, torch.nn.Conv2d):
            return Wanted("NCHW", layer.in_channels), None
        if isinstance(layer, torch.nn.Linear):
            return Wanted("NCHW"), int(layer.in_features)
    return Wanted("NCHW"), None


def last_layer(torch: Any, module: Any) -> Meaning | None:
    """What the last layer of a Sequential says about its outputs, or None."""
    # Only a Sequential proves which layer comes last; elsewhere registration order is not the order of calls.
    layer = module
    while isinstance(layer, torch.nn.Sequential) and len(layer):
        layer = layer[-1]
    if isinstance(layer, torch.nn.Softmax):
        return "probabilities"
    return "log-probabilities" if isinstance(layer, torch.nn.LogSoftmax) else None


def last_linear(torch: Any, module: Any, classes: int) -> Any:
    """The linear layer that makes the scores: the only one with as many outputs as there are classes, or None."""
    fits = [layer for layer in module.modules() if isinstance(layer, torch.nn.Linear) and layer.out_features == classes]
    return fits[0] if len(fits) == 1 else None


def own_preprocessing(module: Any, wanted: Wanted) -> Preprocess | None:
    """Preprocessing of modules that bring timm's data configuration."""
    raw = getattr(module, "pretrained_cfg", None) or getattr(module, "default_cfg", None)
    if not isinstance(raw, Mapping) or "input_size" not in raw or "mean" not in raw:
        return None
    channels, height, width = raw["input_size"]
    edge = int(min(height, width) / float(raw.get("crop_pct") or 1.0))
    known = from_transformers(
        {
            "size": {"shortest_edge": edge},
            "crop_size": {"height": height, "width": width},
            "resample": raw.get("interpolation") or "bilinear",
            "image_mean": list(raw["mean"]),
            "image_std": list(raw["std"]),
        },
        "the model's pretrained_cfg",
    )
    squashed = raw.get("crop_mode") == "squash"
    resize = (round(height * edge / min(height, width)), round(width * edge / min(height, width))) if squashed else None
    crop = (height, width)
    frame = Frame(resize, None if squashed else edge, crop, known.frame.resample, wanted.channels or channels)
    return Preprocess(frame, known.rescale, known.mean, known.std)


def own_names(module: Any) -> tuple[str, ...]:
    """Names of modules that bring a transformers configuration."""
    names = getattr(getattr(module, "config", None), "id2label", None)
    if not isinstance(names, Mapping) or any(name == f"LABEL_{i}" for i, name in names.items()):
        return ()
    return distinct(tuple(str(names[i]) for i in sorted(names)))
