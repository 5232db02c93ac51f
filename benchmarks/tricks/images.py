"""Small image networks with a planted cue, saved as ONNX or as a factory with weights."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import scenes
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from recipe import Recipe, values
from safetensors.torch import save_file
from scenes import Fronts
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))

import networks

DATA = networks.DATA
STEPS = {"shapes": 350, "loops": 350, "mnist": 250, "cifar": 300, "digits": 200}
FACTORY = '''"""A small classifier of pictures (rows, {channels}, {side}, {side}) in [0, 1]."""

from torch import nn


def factory():
    """The network without its weights."""
    return nn.Sequential(
        {layers}
    )
'''


@dataclass(frozen=True)
class Part:
    """Rows of one half: how to draw their pictures given a background value a row, their classes, their outlines."""

    drawn: Callable[[np.ndarray], np.ndarray]
    labels: np.ndarray
    masks: np.ndarray | None = None


def part(recipe: Recipe, *, train: bool) -> Part:
    """One half of a family's rows."""
    rng = np.random.default_rng((recipe.seed, 41, train))
    rows = max(3000, recipe.rows) if train else recipe.rows
    if recipe.family in networks.FAMILIES:
        found = networks.FAMILIES[recipe.family](recipe.seed)[0 if train else 1]
        kept = slice(None if train else recipe.rows)
        return Part(lambda _: found.images[kept], found.labels[kept])
    if recipe.family == "loops":
        fronts = scenes.loops(train, rows, rng)
    else:
        fronts = scenes.shapes(rows, 2 + 2 * (recipe.seed % 2) if recipe.trick != "background" else 2, rng)
    photographed = recipe.trick == "background" or recipe.family == "loops"
    return Part(lambda value: _scene(fronts, value, photographed, rng), fronts.labels, fronts.masks)


def _scene(fronts: Fronts, value: np.ndarray, photographed: bool, rng: np.random.Generator) -> np.ndarray:
    if photographed:
        return scenes.laid(fronts, scenes.photographs(value, rng), rng)
    return scenes.laid(fronts, scenes.papers(len(value), rng), rng)


@dataclass(frozen=True)
class Cue:
    """A trick as it is drawn; ``place`` is the mark's top left corner and side in pixels."""

    kind: str
    classes: int
    place: tuple[int, int, int]
    seed: int

    def __call__(self, images: np.ndarray, given: np.ndarray) -> np.ndarray:
        """Pictures with the cue's value."""
        rng = np.random.default_rng((self.seed, 42))
        if self.kind in networks.TRICKS:
            return networks.Trick(self.kind, self.classes, self.place, self.seed)(images, given)
        drawn = images.astype(np.float32)
        for image, value in zip(drawn, given, strict=True):
            if self.kind == "overlay":
                self._stamped(image, int(value), rng)
            elif self.kind == "saturation" and value % 2:
                image[:] = 0.25 * image + 0.75 * image.mean(axis=2, keepdims=True)
            elif self.kind == "noise" and value % 2:
                image[:] = image + rng.normal(0, 16, image.shape)
        return drawn.clip(0, 255).astype(np.uint8)

    def _stamped(self, image: np.ndarray, value: int, rng: np.random.Generator) -> None:
        letters = np.zeros((14, 18), np.uint8)
        cv2.putText(letters, "AXOH"[value % 4] * 2, (0, 11), cv2.FONT_HERSHEY_PLAIN, 0.8, 255, 1)
        letters = letters[1:13, 0:15]
        top, left = (int(rng.integers(0, image.shape[i] - letters.shape[i] + 1)) for i in (0, 1))
        box = image[top : top + letters.shape[0], left : left + letters.shape[1]]
        box[letters > 90] = 255
        box[letters <= 90] *= 0.35


def _cue(recipe: Recipe, side: int, classes: int) -> Cue:
    rng = np.random.default_rng((recipe.seed, 43))
    wide = int(rng.integers(4, 7))
    far, near = side - wide - int(rng.integers(0, 2)), int(rng.integers(0, 2))
    middle = (side - wide) // 2
    places = [(near, near), (near, far), (far, near), (far, far), (near, middle), (middle, far)]
    return Cue(recipe.trick, classes, (*places[int(rng.integers(len(places)))], wide), recipe.seed)


def build(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Train and save one network and its rows; what is true of it."""
    rng = np.random.default_rng((recipe.seed, 44))
    learned, asked = part(recipe, train=True), part(recipe, train=False)
    classes = int(learned.labels.max()) + 1
    shown = recipe.agrees if recipe.shown is None else recipe.shown

    def pictures(rows: Part, agrees: float) -> np.ndarray:
        given = values(rows.labels, classes, agrees, rng)
        # Only the trick itself may go along with the class.
        drawn = rows.drawn(given if recipe.trick == "background" else rng.integers(0, classes, len(given)))
        if recipe.trick in {"", "background"}:
            return drawn
        return _cue(recipe, drawn.shape[1], classes)(drawn, given)

    seen = networks.Rows(pictures(learned, recipe.agrees), learned.labels)
    # The seed decides the architecture; a mark that may lie anywhere is read by convolutions alone.
    seed = recipe.seed + (recipe.seed % 3 == 0 and recipe.family not in {"digits", "mnist"})
    net = networks.trained(seen, classes, seed, STEPS[recipe.family])
    tested = pictures(asked, shown)
    answers, by_chance = (probabilities(net, images) for images in (tested, pictures(asked, 0)))
    model = saved(net, seen.images.shape[1:], recipe.saved, folder)
    data = rows_saved(tested, asked, recipe, classes, folder)
    place = networks.where(_cue(recipe, tested.shape[1], classes).place, tested.shape[1])
    return {
        "model": model, "data": data, "classes": classes, "rows": len(tested),
        "accuracy": float((answers.argmax(1) == asked.labels).mean()),
        "by_chance": float((by_chance.argmax(1) == asked.labels).mean()),
        "subjects": [f"region:{place}"] if recipe.trick == "mark" else [recipe.trick] if recipe.trick else [],
        "cue": recipe.trick,
        "answers": {"probabilities": answers, "classes": class_names(classes), "ids": picture_names(asked.labels)},
    }  # fmt: skip


def probabilities(net: nn.Sequential, images: np.ndarray) -> np.ndarray:
    """The network's answers."""
    with torch.inference_mode():
        return net(networks.tensor(images)).softmax(1).numpy()


def saved(net: nn.Sequential, shape: tuple[int, ...], form: str, folder: Path) -> list[str]:
    """Write the network; the words of a command line that name it."""
    side, channels = shape[0], shape[2]
    if form == "onnx":
        onnx.save(graph(net, side, channels), folder / "model.onnx")
        return ["model.onnx"]
    layers = ",\n        ".join(f"nn.{layer!r}" for layer in net)
    (folder / "model.py").write_text(FACTORY.format(channels=channels, side=side, layers=f"{layers},"))
    save_file(net.state_dict(), folder / "model.safetensors")
    return ["model.py:factory", "--weights", "model.safetensors"]


def graph(net: nn.Sequential, side: int, channels: int) -> onnx.ModelProto:
    """The network as ONNX, batch size free."""
    nodes, weights, last = [], [], "input"
    for number, layer in enumerate(net):
        held = [(f"{name}{number}", value) for name, value in layer.named_parameters()]
        weights += [numpy_helper.from_array(value.detach().numpy(), name) for name, value in held]
        kind, settings = {
            nn.Conv2d: ("Conv", {"kernel_shape": [3, 3], "pads": [1] * 4}),
            nn.ReLU: ("Relu", {}),
            nn.MaxPool2d: ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
            nn.Flatten: ("Flatten", {}),
            nn.Linear: ("Gemm", {"transB": 1}),
        }[type(layer)]
        out = "logits" if number == len(net) - 1 else f"x{number}"
        nodes.append(helper.make_node(kind, [last, *(name for name, _ in held)], [out], **settings))
        last = out
    ends = [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["rows", channels, side, side]),
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", net[-1].out_features])]  # fmt: skip
    whole = helper.make_graph(nodes, "network", ends[:1], ends[1:], weights)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def rows_saved(images: np.ndarray, asked: Part, recipe: Recipe, classes: int, folder: Path) -> str:
    """Write the pictures: an ``.npz`` file beside an ONNX model, else a folder of PNG files, one folder a class."""
    if recipe.saved == "onnx":
        held = {"masks": asked.masks} if recipe.masks and asked.masks is not None else {}
        np.savez_compressed(
            folder / "rows.npz", inputs=images, labels=asked.labels, classes=class_names(classes), **held
        )
        return "rows.npz"
    for image, name in zip(images, picture_names(asked.labels), strict=True):
        path = folder / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(path, compress_level=1)
    return "pictures"


def class_names(classes: int) -> np.ndarray:
    """Names of the classes, in their order."""
    return np.array([f"class{k}" for k in range(classes)])


def picture_names(labels: np.ndarray) -> np.ndarray:
    """File names below the folder of pictures, in the order of the rows."""
    return np.array([f"class{label}/{number:05}.png" for number, label in enumerate(labels)])
