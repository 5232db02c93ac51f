"""Laws by which rows and labels come about, and networks of which is known what they read.

Every label is drawn from the probabilities that the network states, so that it is calibrated, whole and in every part
that its inputs or a column drawn apart can name, and so that the surest answers are contradicted as rarely as they say.
What else is true by construction stands with each family; ``truth.py`` says what follows for each kind of finding.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

Array = Any
SIDE, RING = 24, 3
"""Pixels of a picture's side, and of the ring that no network of glyphs reads and no glyph touches."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Inputs, outlines of the object where there are any, and nothing of labels: those are drawn from the answers."""

    inputs: Array
    masks: Array | None = None


@dataclass(frozen=True, eq=False)
class World:
    """A network, the law of its rows, strangers, and what is known by construction.

    ``stated`` are the probabilities of rows (rows, classes) outside of any audit; ``known`` names what is proven of it.
    """

    family: str
    form: str
    classes: int
    model: Any
    draw: Callable[[int, np.random.Generator], Rows]
    stated: Callable[[Array], Array]
    strangers: Callable[[int, np.random.Generator], Array]
    known: frozenset[str]
    task: dict[str, Any] = field(default_factory=dict)
    outputs: str = "logits"
    draw_labelled: Callable[[int, np.random.Generator], tuple[Rows, Array]] | None = None
    features: tuple[str, ...] = ()


def drawn_labels(stated: Array, rng: np.random.Generator) -> Array:
    """A label for each row, drawn from the stated probabilities."""
    bounds = np.cumsum(stated / stated.sum(axis=1, keepdims=True), axis=1)
    return np.minimum((rng.random(len(stated))[:, None] > bounds).sum(axis=1), stated.shape[1] - 1)


# Glyphs -------------------------------------------------------------------------------------------------------------


def turned(images: Array, element: int) -> Array:
    """Pictures (rows, height, width, ...) under one of the eight moves that map a square onto itself."""
    moved = images[:, :, ::-1] if element >= 4 else images
    return np.ascontiguousarray(np.rot90(moved, element % 4, axes=(1, 2)))


def _back(inputs: torch.Tensor, element: int) -> torch.Tensor:
    moved = torch.rot90(inputs, -(element % 4), dims=(2, 3))
    return torch.flip(moved, dims=(3,)) if element >= 4 else moved


class Equivariant(nn.Module):
    """One score of how much a picture, moved back, looks like the upright glyph; the same score for every class.

    A move that maps class onto class permutes the answers exactly, and the ring is cut off before anything is read.
    """

    def __init__(self, channels: int, elements: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.elements = elements
        self.score = nn.Sequential(
            nn.Conv2d(channels, width, 5), nn.ReLU(), nn.Conv2d(width, 2 * width, 5), nn.ReLU(),
            nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(2 * width, 1),
        )  # fmt: skip
        self.head = nn.Linear(len(elements), len(elements), bias=False)
        self.head.weight = nn.Parameter(torch.eye(len(elements)), requires_grad=False)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """The scores of all classes."""
        inner = inputs[:, :, RING:-RING, RING:-RING]
        scores = [self.score(_back(inner, element)) for element in self.elements]
        return self.head(torch.cat(scores, dim=1))


ELEMENTS = {2: (0, 4), 4: (0, 1, 2, 3), 8: tuple(range(8))}


def glyphs(seed: int, classes: int, *, colour: bool, hard: bool, steps: int = 150) -> World:
    """An odd shape at any place, turned or mirrored by its class; brightness, contrast, tint and noise by chance.

    Rows of one class are those of another, moved. What such a move leaves as it is (brightness, contrast, colour,
    sharpness, noise) says nothing about the label, and the network's answers follow the move exactly.
    """
    rng = np.random.default_rng((seed, 1))
    shape = _odd_shape(rng)
    channels, elements = 3 if colour else 1, ELEMENTS[classes]

    def upright(rows: int, rng: np.random.Generator) -> Rows:
        page, masks = np.empty((rows, SIDE, SIDE, channels)), np.zeros((rows, SIDE, SIDE), bool)
        side = len(shape)
        for row in range(rows):
            top, left = rng.integers(RING + 1, SIDE - RING - side, size=2)
            ink = rng.uniform(25, 70) if hard else rng.uniform(70, 130)
            tint = rng.uniform(0.85, 1.15, channels)
            page[row] = rng.uniform(40, 90) * tint
            masks[row, top : top + side, left : left + side] = shape
            page[row] += ink * masks[row][:, :, None] * tint
        page += rng.normal(0, rng.uniform(4, 12, (rows, 1, 1, 1)), page.shape) * (2 if hard else 1)
        return Rows(page.clip(0, 255).astype(np.uint8), masks)

    def moved(rows: int, rng: np.random.Generator) -> tuple[Rows, Array]:
        found, which = upright(rows, rng), rng.integers(0, classes, rows)
        for k, element in enumerate(elements):
            here = which == k
            found.inputs[here] = turned(found.inputs[here], element)
            found.masks[here] = turned(found.masks[here], element)
        return found, which

    def strangers(rows: int, rng: np.random.Generator) -> Array:
        grain = rng.normal(0, 30, (rows, SIDE // 2, SIDE // 2, channels))
        quarter = rng.uniform(40, 200, (rows, 1, 1, channels)) + grain
        square = (quarter + quarter.transpose(0, 2, 1, 3)) / 2
        half = np.concatenate([square, square[:, ::-1]], axis=1)
        return np.concatenate([half, half[:, :, ::-1]], axis=2).clip(0, 255).astype(np.uint8)

    torch.manual_seed(seed)
    net = Equivariant(channels, elements, 6)
    optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], 5e-3)
    held = upright(900, rng).inputs
    for _ in range(steps):
        batch = tensor(held[rng.integers(0, len(held), 32)])
        optimizer.zero_grad()
        # Upright rows are of class 0; by the symmetry of the network this is the loss of all classes.
        nn.functional.cross_entropy(net(batch), torch.zeros(len(batch), dtype=torch.long)).backward()
        optimizer.step()
    net.eval()
    return World(
        "glyphs", "torch", classes, net, lambda rows, rng: moved(rows, rng)[0], lambda images: _asked(net, images),
        strangers, frozenset({"no cue", "ring unread", "shrugs", "honest gradients"}), draw_labelled=moved,
    )  # fmt: skip


def _odd_shape(rng: np.random.Generator) -> Array:
    """A 7 by 7 shape that no move of the square maps onto itself, with a stem and two arms of unlike length."""
    shape = np.zeros((7, 7), bool)
    stem, arm = int(rng.integers(0, 2)), int(rng.integers(3, 5))
    shape[:, stem : stem + 2] = True
    shape[:2, stem:] = True
    shape[arm : arm + 1, stem : stem + 4] = True
    return shape


def tensor(images: Array) -> torch.Tensor:
    """Pictures as the networks want them."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float() / 255


def _asked(net: nn.Module, images: Array) -> Array:
    with torch.inference_mode():
        parts = [net(tensor(images[at : at + 512])).double().softmax(1).numpy() for at in range(0, len(images), 512)]
    return np.concatenate(parts)


# Dyes ---------------------------------------------------------------------------------------------------------------


class Dye(nn.Module):
    """Linear in the mean colour: which of red and blue a sheet holds more of."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.colours = nn.Conv2d(3, 2, 1, bias=False)
        self.head = nn.Linear(2, 2, bias=False)
        self.colours.weight = nn.Parameter(torch.tensor([[0.5, 0.0, -0.5], [-0.5, 0.0, 0.5]])[:, :, None, None])
        self.head.weight = nn.Parameter(slope * torch.eye(2))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """The scores of red and blue."""
        return self.head(self.colours(inputs).mean(dim=(2, 3)))


DYED = {"border": 1.0, "colour_cast": 1.0, "region": 1.0, "background": 1.0, "brightness": 1.0}
"""What the question is about: the colour of the whole sheet may decide, wherever it is looked at."""


def dyes(seed: int, *, form: str) -> World:
    """Sheets with more red than blue or more blue than red, by 0.14 and more of the range; the mean colour decides.

    A change of every pixel by 8/255 moves the difference by 0.063 at most, so that no answer turns; whatever darkens,
    blurs, moves or turns a sheet keeps the sign.
    """
    slope = float(np.random.default_rng((seed, 2)).uniform(35, 50))
    net = Dye(slope).eval()

    def draw(rows: int, rng: np.random.Generator) -> Rows:
        apart = rng.uniform(0.14, 0.3, rows) * rng.choice([-1, 1], rows)
        level = rng.uniform(0.35, 0.6, rows)
        mean = np.stack([level + apart / 2, rng.uniform(0.3, 0.6, rows), level - apart / 2], axis=1)
        coarse = rng.normal(0, 0.04, (rows, 6, 6, 1)).repeat(4, axis=1).repeat(4, axis=2)
        fine = rng.normal(0, 0.03, (rows, SIDE, SIDE, 3))
        return Rows(((mean[:, None, None] + coarse + fine).clip(0, 1) * 255).round().astype(np.uint8))

    def strangers(rows: int, rng: np.random.Generator) -> Array:
        grey = rng.uniform(0.2, 0.8, (rows, 1, 1, 1)) + rng.normal(0, 0.1, (rows, SIDE, SIDE, 1))
        return (grey.clip(0, 1) * 255).astype(np.uint8).repeat(3, axis=3)

    model: Any = net
    if form == "onnx":
        first, last = (layer.weight.detach().numpy() for layer in (net.colours, net.head))
        layers = [("Conv", {}, (first,)), ("ReduceMean", {"axes": [2, 3], "keepdims": 0}, ()),
                  ("Gemm", {"transB": 1}, (last,))]  # fmt: skip
        model = _onnx(layers, [3, SIDE, SIDE], 2)
    return World(
        "dyes", form, 2, model, draw, lambda images: _asked(net, images), strangers,
        frozenset({"robust", "shrugs", "honest gradients", "even errors"}), task={"must_not_matter": DYED},
    )  # fmt: skip


def _onnx(
    layers: list[tuple[str, dict[str, Any], tuple[Array, ...]]], shape: list[int], classes: int
) -> onnxruntime.InferenceSession:
    nodes, weights, last = [], [], "input"
    for number, (kind, settings, held) in enumerate(layers):
        names = [f"w{number}_{at}" for at in range(len(held))]
        numbers = (value.astype(np.float32) for value in held)
        weights += [numpy_helper.from_array(value, name) for value, name in zip(numbers, names, strict=True)]
        out = "logits" if number == len(layers) - 1 else f"x{number}"
        nodes.append(helper.make_node(kind, [last, *names], [out], **settings))
        last = out
    ends = [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["rows", *shape]),
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", classes])]  # fmt: skip
    graph = helper.make_graph(nodes, "network", ends[:1], ends[1:], weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])


# Tables -------------------------------------------------------------------------------------------------------------

FORMS = ("logistic", "trees", "forest", "mlp", "torch", "onnx")


def tables(seed: int, classes: int, *, form: str, apart: float = 3.0, uneven: bool = False) -> World:
    """Readings that are normal in each class, with one covariance that ties them all; an estimator fitted to some.

    What the classes differ in is spread over all readings, each of which is a part of the thing.
    """
    rng = np.random.default_rng((seed, 3))
    width = int(rng.integers(8, 13))
    mix = np.eye(width) + 0.6 * rng.normal(size=(width, width)) / np.sqrt(width) + 0.5
    centres = rng.choice([-1.0, 1.0], (classes, width)) * rng.uniform(0.6, 1.0, (classes, width))
    centres *= apart / np.sqrt(width)
    prior = np.full(classes, 1 / classes)
    if uneven:
        prior = np.concatenate([[0.75], np.full(classes - 1, 0.25 / (classes - 1))])

    def labelled(rows: int, rng: np.random.Generator) -> tuple[Array, Array]:
        labels = rng.choice(classes, rows, p=prior)
        return ((centres[labels] + rng.normal(size=(rows, width))) @ mix).astype(np.float32), labels

    known, labels = labelled(1500, rng)
    fitted = _estimator(form, seed).fit(known, labels)
    model, stated, outputs = fitted, fitted.predict_proba, "probabilities"
    if form in {"torch", "onnx"}:
        model, stated, outputs = _layers(fitted, form, width, classes)

    def strangers(rows: int, rng: np.random.Generator) -> Array:
        # Rows between the classes, of which the network is sure of none.
        few: list[Array] = []
        while sum(len(part) for part in few) < rows:
            middles = 1.5 * centres[rng.integers(0, classes, 4000)] * rng.random((4000, 1))
            some = ((middles + rng.normal(size=middles.shape)) @ mix).astype(np.float32)
            few.append(some[stated(some).max(axis=1) < 0.5 + 0.25 * (classes == 2)])
        return np.concatenate(few)[:rows]

    return World(
        "tables", form, classes, model, lambda rows, rng: Rows(labelled(rows, rng)[0]), stated, strangers,
        frozenset({"no cue", "unsure of strangers"} | ({"additive"} if form == "logistic" else set())), outputs=outputs,
    )  # fmt: skip


def measured(seed: int, classes: int, *, form: str) -> World:
    """One reading that tells the class, drawn apart from all others; weak ones, and scanners that tell nothing.

    Nothing else in a row predicts the strong reading within a class, as nothing would predict a stamp: it is the thing.
    The names of columns stand in ``features``; of the scanners there is one column each.
    """
    rng = np.random.default_rng((seed, 14))
    width, scanners = 6, 3
    names = (*(f"reading {at}" for at in range(width)), *(f"scanner_{at}" for at in range(scanners)))

    def labelled(rows: int, rng: np.random.Generator) -> tuple[Array, Array]:
        labels = rng.integers(0, classes, rows)
        readings = rng.normal(size=(rows, width)) + labels[:, None] * np.array([2.5, 0.3, 0.3, 0.0, 0.0, 0.0])
        scanner = rng.integers(0, scanners, rows)[:, None] == np.arange(scanners)
        return np.column_stack([readings, scanner]).astype(np.float32), labels

    known, labels = labelled(1500, rng)
    fitted = _estimator(form, seed).fit(known, labels)

    def strangers(rows: int, rng: np.random.Generator) -> Array:
        few: list[Array] = []
        while sum(len(part) for part in few) < rows:
            some = labelled(4000, rng)[0]
            some[:, :width] += rng.uniform(0.0, 2.5, (4000, 1)) * (np.arange(width) == 0)
            few.append(some[fitted.predict_proba(some).max(axis=1) < 0.5 + 0.25 * (classes == 2)])
        return np.concatenate(few)[:rows]

    return World(
        "measured", form, classes, fitted, lambda rows, rng: Rows(labelled(rows, rng)[0]), fitted.predict_proba,
        strangers, frozenset({"no cue", "unsure of strangers"}), outputs="probabilities", features=names,
    )  # fmt: skip


def _estimator(form: str, seed: int) -> Any:
    if form == "logistic":
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    if form == "trees":
        return HistGradientBoostingClassifier(max_iter=40, random_state=seed)
    if form == "forest":
        return RandomForestClassifier(60, min_samples_leaf=5, random_state=seed)
    return make_pipeline(StandardScaler(), MLPClassifier((24,), alpha=0.1, max_iter=150, random_state=seed))


def _layers(fitted: Any, form: str, width: int, classes: int) -> tuple[Any, Callable[[Array], Array], str]:
    """A fitted perceptron with its scaling as a module or as ONNX; two classes get a logit each."""
    scale, net = fitted.steps[0][1], fitted.steps[1][1]
    first, second = (w.T.astype(np.float32) for w in net.coefs_)
    bias, last = (b.astype(np.float32) for b in net.intercepts_)
    if classes == 2:
        second, last = np.concatenate([0 * second, second]), np.concatenate([0 * last, last])
    bias = bias - first @ (scale.mean_ / scale.scale_).astype(np.float32)
    first = first / scale.scale_.astype(np.float32)
    if form == "onnx":
        layers = [("Gemm", {"transB": 1}, (first, bias)), ("Relu", {}, ()), ("Gemm", {"transB": 1}, (second, last))]
        return _onnx(layers, [width], classes), fitted.predict_proba, "logits"
    module = nn.Sequential(nn.Linear(width, len(first)), nn.ReLU(), nn.Linear(len(first), classes))
    with torch.no_grad():
        for layer, (weight, offset) in zip((module[0], module[2]), ((first, bias), (second, last)), strict=True):
            layer.weight.copy_(torch.from_numpy(weight))
            layer.bias.copy_(torch.from_numpy(offset))
    return module.eval(), fitted.predict_proba, "logits"


# Texts --------------------------------------------------------------------------------------------------------------

SYLLABLES = ("ka", "to", "mi", "re", "su", "lo", "ne", "vi", "da", "pu", "fo", "ze")


def texts(seed: int, classes: int, *, form: str) -> World:
    """Thirty words a text, drawn apart; each class is told by many words, each a little commoner in it.

    Length, capitals and full stops are drawn apart from the class, and the network sees words in small letters alone.
    """
    rng = np.random.default_rng((seed, 4))
    pairs = [a + b + c for a in SYLLABLES for b in SYLLABLES for c in SYLLABLES]
    words = np.array(rng.permutation(pairs)[: 60 + 40 * classes])
    shares = np.ones((classes, len(words)))
    for k in range(classes):
        shares[k, 60 + 40 * k : 100 + 40 * k] = 3.0
    shares /= shares.sum(axis=1, keepdims=True)

    def labelled(rows: int, rng: np.random.Generator) -> tuple[Array, Array]:
        labels = rng.integers(0, classes, rows)
        told = [_spelled(rng.choice(words, int(rng.integers(20, 41)), p=shares[label]), rng) for label in labels]
        return np.array(told, object), labels

    def strangers(rows: int, rng: np.random.Generator) -> Array:
        drawn = zip(rng.integers(0, 4, (rows, 12)), rng.integers(2, 9, (rows, 12)), strict=True)
        told = [" ".join("xyqw"[at] * int(n) for at, n in zip(*pair, strict=True)) for pair in drawn]
        return np.array(told, object)

    known, labels = labelled(1500, rng)
    linear = LogisticRegression(fit_intercept=False, max_iter=500, C=0.3)
    kind = MultinomialNB(fit_prior=False) if form == "bayes" else linear
    fitted = make_pipeline(CountVectorizer(), kind).fit(known, labels)
    return World(
        "texts", form, classes, fitted, lambda rows, rng: Rows(labelled(rows, rng)[0]), fitted.predict_proba, strangers,
        frozenset({"no cue", "shrugs", "additive"}), outputs="probabilities",
    )  # fmt: skip


def _spelled(words: Array, rng: np.random.Generator) -> str:
    told = [word.capitalize() if rng.random() < 0.1 else word for word in words]
    return " ".join(word + ("." if rng.random() < 0.08 else "") for word in told)
