"""Planted faults: an honest audit in which one thing was made wrong, twice the tolerance and more."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from cases import Case, given, log, rows_of
from laws import SIDE, Rows, World, drawn_labels, glyphs, tables, tensor, texts
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

Array = Any
PLAIN = ("logistic", "mlp", "forest")
ROWS = 1000
ALONE = ("adversarial", "attribution", "unknowns")
"""Chapters whose findings carry no p-value: asked alone they say what they say in a whole audit."""


def _table(
    seed: int, classes: int = 3, apart: float = 4.5, form: str = "", rows: int = ROWS
) -> tuple[World, dict[str, Array], Any]:
    world = tables(seed, classes, form=form or PLAIN[seed % 3], apart=apart)
    rng = np.random.default_rng((seed, 7))
    return world, rows_of(world, rows, rng), rng


def _case(
    fault: str, seed: int, world: World, data: dict[str, Array], rng: Any, *expected: str, **options: Any
) -> Case:
    """A whole audit but for chapters without p-values, which have no share in the correction for many tests."""
    asked = {**given(world, rng, len(data["labels"])), "skip": ALONE, **options}
    if "only" in options:
        del asked["skip"]
    return Case(f"{fault}-{world.family}-{world.form}-{seed}", fault, world, data, asked, expected)


def _others(labels: Array, classes: int, rng: Any) -> Array:
    return (labels + rng.integers(1, classes, len(labels))) % classes


def label_errors(seed: int) -> Case:
    """12 of 100 labels of 2,000 rows are another class's: of fewer, forests that are seldom sure cannot tell."""
    world, data, rng = _table(seed, (2, 3, 5)[seed % 3], 6.0, rows=2 * ROWS)
    wrong = rng.random(len(data["labels"])) < 0.12
    data["labels"] = np.where(wrong, _others(data["labels"], world.classes, rng), data["labels"])
    return _case("label-error", seed, world, data, rng, "mistakes.label-error:*")


def slices(seed: int) -> Case:
    """Of the rows from West two in five are another row's, as if files had been mixed up there."""
    world, data, rng = _table(seed)
    _mixed(data, rng)
    return _case("slice", seed, world, data, rng, "mistakes.slice:*hospital=West*")


def gaps(seed: int) -> Case:
    """The same fault, asked of the chapter on sites."""
    world, data, rng = _table(seed, 2)
    _mixed(data, rng)
    return _case("gap", seed, world, data, rng, "sites.gap:hospital")


def _mixed(data: dict[str, Array], rng: Any) -> None:
    here = np.flatnonzero((data["hospital"] == "West") & (rng.random(len(data["labels"])) < 0.4))
    data["inputs"][here] = data["inputs"][rng.permutation(here)]


def prevalences(seed: int) -> Case:
    """The first class makes up a third of the rows in North, and a ninth elsewhere."""
    world, data, rng = _table(seed)
    kept = (data["labels"] != 0) | (data["hospital"] == "North") | (rng.random(len(data["labels"])) < 0.25)
    fewer = {name: held[kept] for name, held in data.items()}
    return _case("prevalence", seed, world, fewer, rng, "sites.prevalence:*")


def scanners(seed: int) -> Case:
    """Nine of ten rows of a class come from one hospital, and a reading tells which, which the model learned."""
    rng = np.random.default_rng((seed, 8))

    def rows(count: int, agrees: float) -> tuple[Array, Array, Array]:
        labels = rng.integers(0, 2, count)
        site = np.where(rng.random(count) < agrees, labels, 1 - labels)
        readings = rng.normal(size=(count, 6)) + 0.7 * (labels[:, None] - 0.5)
        return np.column_stack([readings, site + 0.1 * rng.normal(size=count)]).astype(np.float32), labels, site

    known, labels, _ = rows(2000, 0.9)
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(known, labels)
    inputs, labels, site = rows(1000, 0.9)
    world = World("tables", "logistic", 2, fitted, lambda n, _: Rows(rows(n, 0.9)[0]), fitted.predict_proba,
                  lambda n, _: rows(n, 0.9)[0], frozenset(), outputs="probabilities")  # fmt: skip
    data = {"inputs": inputs, "labels": labels, "hospital": np.array(["North", "South"])[site]} | log(1000, rng)
    return _case("confounded", seed, world, data, rng, "sites.confounded:hospital")


def leaks(seed: int) -> Case:
    """One row in ten stands in the training set."""
    world, data, rng = _table(seed)
    asked = given(world, rng, ROWS)
    copied = rng.choice(ROWS, ROWS // 10, replace=False)
    asked["train"]["inputs"][: ROWS // 10] = data["inputs"][copied]
    asked["train"]["labels"][: ROWS // 10] = data["labels"][copied]
    return _case("leak", seed, world, data, rng, "selection.leak", train=asked["train"])


def unlike(seed: int) -> Case:
    """The rows to come have readings half a deviation higher, all of them."""
    world, data, rng = _table(seed)
    later = rows_of(world, 800, rng)
    inputs = (later["inputs"] + 0.5 * later["inputs"].std(axis=0)).astype(np.float32)
    sets = {"later": {"inputs": inputs, "labels": later["labels"]}}
    return _case("unrepresentative", seed, world, data, rng, "selection.unrepresentative:later", shifted=sets)


def centred(seed: int) -> Case:
    """Glyphs in the middle, and a perceptron that reads every pixel where it stands."""
    whole = glyphs(seed, 2, colour=False, hard=False, steps=0)
    rng = np.random.default_rng((seed, 9))

    def labelled(count: int) -> tuple[Rows, Array]:
        found, labels = whole.draw_labelled(count, rng)
        for row in range(count):
            down, across = (int(at.mean().round()) for at in np.nonzero(found.masks[row]))
            by = (SIDE // 2 - down, SIDE // 2 - across)
            found.inputs[row] = np.roll(found.inputs[row], by, axis=(0, 1))
            found.masks[row] = np.roll(found.masks[row], by, axis=(0, 1))
        return found, labels

    known, labels = labelled(1200)
    dense = nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 48), nn.ReLU(), nn.Linear(48, 2))
    net = _fitted(dense, known.inputs, labels, seed)
    shown, truth = labelled(500)
    world = replace(whole, model=net, form="perceptron")
    data = {"inputs": shown.inputs, "labels": truth, "masks": shown.masks}
    asked = {"only": ("selection", "shift")}
    return Case(f"centred-glyphs-perceptron-{seed}", "centred", world, data, asked, ("selection.centred",))


def _fitted(net: nn.Sequential, images: Array, labels: Array, seed: int, steps: int = 250) -> nn.Sequential:
    torch.manual_seed(seed)
    for layer in net:
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-2)
    inputs, targets = tensor(images), torch.from_numpy(labels)
    for _ in range(steps):
        rows = torch.from_numpy(rng.integers(0, len(targets), 64))
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(inputs[rows]), targets[rows]).backward()
        optimizer.step()
    return net.eval()


def convolutions(channels: int, classes: int) -> nn.Sequential:
    """Two convolutions and a linear layer."""
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * (SIDE // 4) ** 2, classes),
    )  # fmt: skip


def framed(images: Array, values: Array) -> Array:
    """Pictures whose ring of three pixels is dark or bright by a value."""
    given_ = images.copy()
    ring = np.ones(images.shape[1:3], bool)
    ring[3:-3, 3:-3] = False
    given_[:, ring] = np.where(values, 200, 30)[:, None, None]
    return given_


def marked(images: Array, values: Array) -> Array:
    """Pictures with a small mark, dark or bright by a value, in the corner."""
    given_ = images.copy()
    given_[:, 1:5, 1:5] = np.where(values, 235, 20)[:, None, None, None]
    return given_


def lit(images: Array, values: Array) -> Array:
    """Pictures that are brighter by a value."""
    return (images.astype(float) + 45 * values[:, None, None, None]).clip(0, 255).astype(np.uint8)


CUES: dict[str, tuple[Callable[[Array, Array], Array], tuple[str, ...]]] = {
    "mark": (marked, ("shortcuts.cue:region:top-left",)), "frame": (framed, ("shortcuts.cue:border",)),
    # More light shows on the ground, which a swap of the ground brings along.
    "light": (lit, ("shortcuts.cue:brightness", "shortcuts.cue:background")),
}  # fmt: skip


def _pictured(
    fault: str, cue: str, seed: int, agrees: float, *expected: str, only: tuple[str, ...] = (), outlined: bool = False
) -> Case:
    """Glyphs with a cue that agrees with the class, and a network trained on such."""
    draw_on, names = CUES[cue]
    whole = glyphs(seed, 2, colour=False, hard=False, steps=0)
    rng = np.random.default_rng((seed, 10))

    def rows(count: int) -> tuple[Rows, Array]:
        found, labels = whole.draw_labelled(count, rng)
        values = np.where(rng.random(count) < agrees, labels, 1 - labels)
        return Rows(draw_on(found.inputs, values), found.masks), labels

    known, labels = rows(1200)
    net = _fitted(convolutions(1, 2), known.inputs, labels, seed)
    shown, truth = rows(600)
    world = replace(whole, model=net, form=cue)
    data = {"inputs": shown.inputs, "labels": truth, "hospital": rng.choice(["North", "South"], 600)}
    if outlined:
        data["masks"] = shown.masks
    asked = {"task": {"columns": {"site": ["hospital"]}}, "outputs": "logits"}
    asked |= {"only": only} if only else {"skip": ALONE}
    return Case(f"{fault}-glyphs-{cue}-{seed}", fault, world, data, asked, expected or names)


def cues(seed: int) -> Case:
    """A mark, a frame or light that agrees with the class in 90 of 100 rows; a word or a column that does."""
    kind = seed % 5
    if kind < 3:
        return _pictured("cue", tuple(CUES)[kind], seed, 0.9)
    return _worded(seed) if kind == 3 else _coded(seed)


def _worded(seed: int) -> Case:
    law, rng = texts(seed, 2, form="bayes"), np.random.default_rng((seed, 11))

    def rows(count: int) -> tuple[Array, Array]:
        told = law.draw(count, rng).inputs
        labels = drawn_labels(law.stated(told), rng)
        said = np.where(rng.random(count) < 0.93, labels, 1 - labels)
        short = [" ".join(text.split()[:12]) for text in told]
        footed = [text + (" seen by Osler" if one else "") for text, one in zip(short, said, strict=True)]
        return np.array(footed, object), labels

    known, labels = rows(1500)
    fitted = make_pipeline(CountVectorizer(), LogisticRegression(max_iter=500)).fit(known, labels)
    inputs, truth = rows(1000)
    world = replace(law, model=fitted, draw=lambda n, _: Rows(rows(n)[0]), stated=fitted.predict_proba)
    data = {"inputs": inputs, "labels": truth, "hospital": rng.choice(["North", "South"], 1000)}
    words = (f"shortcuts.cue:token:*{word}*" for word in ("seen", "by", "osler"))
    return _case("cue", seed, world, data, rng, *words)


def _coded(seed: int) -> Case:
    """Scanners are numbered: those of each class in a row, or every other one, or a column each."""
    world, data, rng = _table(seed, 2, 2.2, "logistic")
    form = ("trees", "unordered", "one a value")[seed // 5 % 3]

    def coded(inputs: Array, labels: Array) -> Array:
        told = np.where(rng.random(len(labels)) < 0.9, labels, 1 - labels)
        number = rng.integers(0, 3, len(labels))
        code = told + 2 * number if form == "unordered" else 3 * told + number
        each = code[:, None] == np.arange(6) if form == "one a value" else code
        return np.column_stack([inputs, each]).astype(np.float32)

    more = rows_of(world, 2000, rng)
    names = [f"reading {at}" for at in range(data["inputs"].shape[1])]
    names += [f"scanner_{at}" for at in range(6)] if form == "one a value" else ["scanner"]
    trees = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=8, random_state=seed)
    fitted = trees.fit(coded(more["inputs"], more["labels"]), more["labels"])
    shown = coded(data["inputs"], data["labels"])
    table = {name: shown[:, at] for at, name in enumerate(names)} | {"label": data["labels"]}
    asked = {"skip": ALONE, "outputs": "probabilities"}
    return Case(f"cue-tables-{form}-{seed}", "cue", replace(world, model=fitted, form=form), table, asked,
                ("shortcuts.cue:column:scanner",))  # fmt: skip


def outside(seed: int) -> Case:
    """A network that learned a mark or a frame at the edge, whose maps should lie there."""
    return _pictured(
        "outside-object",
        ("mark", "frame")[seed % 2],
        seed,
        0.97,
        "attribution.outside-object:border",
        "attribution.outside-object:background",
        only=("attribution",),
        outlined=True,
    )


def acting(seed: int) -> Case:
    """Acting raises the outcome by 0.6 of a deviation."""
    world, data, rng = _table(seed, 2)
    data |= log(len(data["labels"]), rng, effect=0.6)
    return _case("moves-the-world", seed, world, data, rng, "feedback.moves-the-world:*")


def crowding(seed: int) -> Case:
    """Three in ten of those just below the threshold move across it."""
    world, rng = tables(seed, 2, form="logistic"), np.random.default_rng((seed, 12))
    data = rows_of(world, 4000, rng) | log(4000, rng, crowding=0.3)
    return _case("gaming", seed, world, data, rng, "feedback.gaming")


def _restated(fault: str, seed: int, power: float, expected: str) -> Case:
    """Labels are drawn from the stated probabilities to a power, so that these are too sure or too unsure."""
    world, data, rng = _table(seed, 2 + seed % 3, 3.0, ("logistic", "mlp")[seed % 2])
    true = world.stated(data["inputs"]) ** power
    data["labels"] = drawn_labels(true, rng)
    return _case(fault, seed, world, data, rng, expected)


def overconfident(seed: int) -> Case:
    """Twice as sure, in log-odds, as is due."""
    return _restated("overconfident", seed, 0.5, "calibration.overconfident")


def underconfident(seed: int) -> Case:
    """Half as sure as is due."""
    return _restated("underconfident", seed, 2.5, "calibration.underconfident")


def classwise(seed: int) -> Case:
    """Where it answers the first class it is right in 20 of 100 rows fewer than it says."""
    world, data, rng = _table(seed, 3, 4.5)
    wrong = (world.stated(data["inputs"]).argmax(axis=1) == 0) & (rng.random(len(data["labels"])) < 0.25)
    data["labels"] = np.where(wrong, _others(np.zeros(len(wrong), int), 3, rng), data["labels"])
    return _case("classwise", seed, world, data, rng, "calibration.classwise:0")


def sure_of_strangers(seed: int) -> Case:
    """Rows far from all classes, of which a linear model is the surer the further they lie."""
    world, data, rng = _table(seed, 3, 3.0, "logistic")
    far = (8 * data["inputs"].std(axis=0) * rng.normal(size=(300, data["inputs"].shape[1]))).astype(np.float32)
    sets = {"strangers": {"inputs": far}}
    return _case("confident", seed, world, data, rng, "unknowns.confident:strangers", only=("unknowns",), ood=sets)


def undetectable(seed: int) -> Case:
    """Strangers that are known rows with some noise, whose answers are hardly less sure."""
    world, data, rng = _table(seed)
    rows = world.draw(300, rng).inputs
    same = (rows + 0.4 * rows.std(axis=0) * rng.normal(size=rows.shape)).astype(np.float32)
    return _case(
        "undetectable",
        seed,
        world,
        data,
        rng,
        "unknowns.undetectable:strangers",
        only=("unknowns",),
        ood={"strangers": {"inputs": same}},
    )


def brittle(seed: int) -> Case:
    """A perceptron that tells faint glyphs: a few grey levels everywhere turn its answers."""
    return _pictured("fragile", "light", seed, 0.5, "adversarial.fragile:linf*", only=("adversarial",))


class Rounded(nn.Module):
    """A network whose inputs are rounded to a few levels, so that its derivative is zero everywhere."""

    def __init__(self, net: nn.Sequential) -> None:
        super().__init__()
        self.net = net

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Scores of the rounded inputs."""
        return self.net(torch.round(inputs * 24) / 24)


def masked(seed: int) -> Case:
    """The same behind inputs that are rounded to 25 levels."""
    case = _pictured("masked-gradients", "light", seed, 0.5, "adversarial.masked-gradients", only=("adversarial",))
    return replace(case, world=replace(case.world, model=Rounded(case.world.model).eval(), form="rounded"))


FAULTS: dict[str, tuple[Callable[[int], Case], int]] = {
    "mistakes.label-error": (label_errors, 10), "mistakes.slice": (slices, 10),
    "attribution.outside-object": (outside, 20), "shortcuts.cue": (cues, 25),
    "sites.confounded": (scanners, 7), "sites.gap": (gaps, 7), "sites.prevalence": (prevalences, 7),
    "selection.leak": (leaks, 7), "selection.unrepresentative": (unlike, 7), "selection.centred": (centred, 7),
    "feedback.moves-the-world": (acting, 10), "feedback.gaming": (crowding, 10),
    "calibration.overconfident": (overconfident, 7), "calibration.underconfident": (underconfident, 7),
    "calibration.classwise": (classwise, 7),
    "unknowns.confident": (sure_of_strangers, 10), "unknowns.undetectable": (undetectable, 10),
    "adversarial.fragile": (brittle, 10), "adversarial.masked-gradients": (masked, 10),
}  # fmt: skip
"""How each fault is planted, and in how many networks."""
