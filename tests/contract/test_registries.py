"""What every registered method promises."""

import inspect
import os
import re
import subprocess
import sys
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

from pfungst.canonical import canonical
from pfungst.datasets.dataset import Batch, Dataset
from pfungst.methods.accuracy_estimates import accuracy_estimates
from pfungst.methods.attributions import attributions
from pfungst.methods.calibration_errors import calibration_errors
from pfungst.methods.conformal import conformal_scores
from pfungst.methods.feature_scores import unknownness_scores
from pfungst.methods.hiding import Hidden, fills
from pfungst.methods.known import known_rows
from pfungst.methods.occlusion import SlidingOcclusion, SmallestFlip
from pfungst.methods.places import Border, Region
from pfungst.methods.properties import cues
from pfungst.methods.recalibrators import recalibrators
from pfungst.methods.shifts import shifts
from pfungst.methods.strangers import strangers
from pfungst.methods.two_sample import two_sample_tests
from pfungst.methods.unknownness import needed, strangeness
from pfungst.methods.wordwise import ColumnPermutation, TokenOcclusion
from pfungst.methods.writing import text_cues
from pfungst.models.model import Derivatives
from pfungst.outputs import Outputs, from_logits
from pfungst.probe import probes as probe_registry
from pfungst.registry import Registry

import pfungst.methods.masks  # isort: skip - fills the registry
import pfungst.probes  # isort: skip  # noqa: F401 - fills the registry

REGISTRIES = {
    "probes": probe_registry,
    "shifts": shifts,
    "strangers": strangers,
    "cues": cues,
    "calibration-errors": calibration_errors,
    "recalibrators": recalibrators,
    "conformal-scores": conformal_scores,
    "unknownness-scores": unknownness_scores,
    "attributions": attributions,
    "fills": fills,
    "text-cues": text_cues,
    "two-sample-tests": two_sample_tests,
    "accuracy-estimates": accuracy_estimates,
}
EVERY = [
    pytest.param(name, item, id=f"{kind}:{name}") for kind, some in REGISTRIES.items() for name, item in some.items()
]
RNG = np.random.default_rng(0)
OF_PICTURES = (*attributions.values(), SlidingOcclusion(), SmallestFlip())
OF_ALL = (*OF_PICTURES, ColumnPermutation(), TokenOcclusion())
VALUES = tuple(
    item for kind, some in REGISTRIES.items() for item in some.values() if is_dataclass(type(item)) and kind != "shifts"
)
TEXTS = np.array(["", " ", "Call NOW, free!!", "don't", "日本語 🔥", "...", "a", "ß\n\tx", "3.50 http://a.b/c"], object)


def doc(item):
    return inspect.getdoc(item if hasattr(item, "__name__") else type(item)) or ""


@pytest.mark.parametrize(("name", "item"), EVERY)
def test_name_is_lower_case_and_docstring_says_what_it_is(name, item):
    assert re.fullmatch(r"[a-z0-9]+([-:][a-z0-9]+)*", name)
    first = doc(item).split("\n\n")[0]
    assert len(first.split()) >= 4, f"{name} does not say what it is"
    assert first.rstrip().endswith((".", ":"))


def test_each_registry_holds_what_the_audit_needs():
    assert set(probe_registry) == {
        "adversarial",
        "attribution",
        "mistakes",
        "calibration",
        "unknowns",
        "drift",
        "feedback",
        "shift",
        "selection",
        "shortcuts",
        "sites",
    }
    assert {"off-centre", "motion-blur", "brightness", "noise", "foliage"} <= set(shifts)
    assert {"brightness", "contrast", "colour-cast", "sharpness"} <= set(cues)
    assert {"max-probability", "energy"} <= set(unknownness_scores)
    assert set(attributions) >= {
        "gradient-x-input",
        "integrated-gradients",
        "smooth-grad",
        "grad-cam",
        "occlusion",
        "rise",
        "kernel-shap",
    }
    assert set(fills) >= {"mean-colour", "blur", "diffusion"}
    assert set(text_cues) >= {"length", "casing", "punctuation"}


@pytest.mark.parametrize("topic", probe_registry)
def test_probe_is_a_value_with_a_question(topic):
    kind = probe_registry[topic]
    assert kind.topic == topic
    assert kind.question.endswith("?")
    assert kind() == kind()
    assert canonical(kind()) == canonical(kind())


@pytest.mark.parametrize(
    "item", [*cues.values(), *text_cues.values(), *OF_ALL], ids=lambda item: f"{type(item).__name__}:{item.name}"
)
def test_cues_and_attributions_are_values_each_setting_of_which_is_spelled(item):
    again = replace(item)
    assert again == item
    assert hash(again) == hash(item)
    assert canonical(again) == canonical(item)
    assert str(item.name) in canonical(item)
    for field in fields(item):
        value = getattr(item, field.name)
        if isinstance(value, int | float):
            other = replace(item, **{field.name: value + 1 if np.isfinite(value) else 1.0})
            assert other != item
            assert canonical(other) != canonical(item), f"{field.name} can be changed and nobody would know"


SPELLED = """
from pfungst.canonical import canonical
from pfungst.methods.attributions import attributions
from pfungst.methods import masks, occlusion
from pfungst.methods.properties import cues
from pfungst.methods.writing import text_cues
for item in (*attributions.values(), *cues.values(), *text_cues.values()):
    print(canonical(item))
"""


@pytest.mark.parametrize("seed", ["1", "2"])
def test_a_value_is_spelled_alike_in_every_process(seed):
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    said = subprocess.run(
        [sys.executable, "-c", SPELLED], env=environment, check=True, capture_output=True, text=True, timeout=60
    )
    here = [canonical(item) for item in (*attributions.values(), *cues.values(), *text_cues.values())]
    assert said.stdout.splitlines() == here


def test_no_two_values_are_spelled_alike():
    spelled = [canonical(item) for item in (*VALUES, *(one for one in OF_ALL if one not in attributions.values()))]
    assert len(set(spelled)) == len(spelled) > 20


@pytest.mark.parametrize("name", text_cues)
def test_text_cue_measures_one_finite_row_a_text_and_a_swap_keeps_the_rows(name):
    cue = text_cues[name]
    assert cue.name == name
    measured = cue.measure(TEXTS)
    assert measured.shape == (len(TEXTS), measured.shape[1])
    assert measured.dtype == np.float64
    assert np.isfinite(measured).all()
    assert len(np.unique(measured, axis=0)) > 1, "it tells no text from another"
    for some in (TEXTS[:1], TEXTS[:0]):
        assert cue.measure(some).shape == (len(some), measured.shape[1])
        assert cue.swap(some, some).shape == some.shape
    for turn in range(1, len(TEXTS)):
        donors = np.roll(TEXTS, turn)
        before = TEXTS.copy()
        given = cue.swap(TEXTS, donors)
        assert (given.shape, given.dtype) == (TEXTS.shape, TEXTS.dtype)
        assert all(isinstance(text, str) for text in given)
        assert given[0] == "", "an empty text has nothing that could be changed"
        assert TEXTS.tolist() == before.tolist()
        assert np.isfinite(cue.measure(given)).all()


def pictures(kind, channels, rows=12, height=9, width=14):
    drawn = np.random.default_rng(5).random((rows, height, width, channels))
    return (drawn * 255).round().astype(np.uint8) if kind == "uint8" else drawn.astype(np.float32)


def batch_of(inputs):
    rows = len(inputs)
    names = tuple(f"r{at}" for at in range(rows))
    data = Dataset("test", "", "image", names, lambda wanted: list(inputs[wanted]), classes=("a", "b"),
                   labels=np.arange(rows) % 2, shape=inputs.shape[1:])  # fmt: skip
    return data.batch(np.arange(rows))[0]


@pytest.mark.parametrize("kind", ["uint8", "float32"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", fills)
def test_fill_keeps_shape_and_type_changes_only_what_is_hidden_and_minds_no_order(name, channels, kind):
    inputs = pictures(kind, channels)
    batch, before = batch_of(inputs), inputs.copy()
    for place in (Region((0.1, 0.2, 0.5, 0.6)), Region((0.9, 0.9, 1.0, 1.0)), Border()):
        inside = place.inside(*inputs.shape[1:3])
        filled = fills[name](batch, inside)
        assert (filled.shape, filled.dtype) == (inputs.shape, inputs.dtype)
        hidden = Hidden(place, name)
        shown = hidden(batch)
        assert (shown.shape, shown.dtype) == (inputs.shape, inputs.dtype)
        assert np.array_equal(shown[:, ~inside], inputs[:, ~inside])
        assert np.array_equal(shown[:, inside], filled[:, inside])
        assert (shown != inputs)[:, inside].any(axis=(1, 2)).all(), "a picture of which nothing is hidden"
        assert np.isfinite(shown.astype(float)).all()
        order = np.random.default_rng(1).permutation(len(batch))
        assert np.array_equal(hidden(batch.take(order)), shown[order])
        alone = [hidden(batch.take(np.array([row]))) for row in range(len(batch))]
        assert np.array_equal(np.concatenate(alone), shown)
    assert np.array_equal(batch.inputs, before)


@pytest.mark.parametrize("name", attributions)
def test_attribution_goes_by_its_registered_name(name):
    assert attributions[name].name == name


@pytest.mark.parametrize("method", OF_ALL, ids=lambda method: method.name)
def test_attribution_says_what_the_model_must_offer(method):
    assert isinstance(method.wants, frozenset)
    assert method.wants
    assert method.wants <= {"new inputs", "gradients"}
    assert len({one.name for one in OF_ALL}) == len(OF_ALL)


class Linear:
    """Scores are weighted sums of the pixels, so that all derivatives are known."""

    def __init__(self, shape):
        self.weights = np.random.default_rng(9).normal(size=(3, *shape)).astype(np.float32)
        self.asked_for_gradients = 0

    def scores(self, inputs):
        seen = inputs.astype(np.float64) / (255 if inputs.dtype == np.uint8 else 1)
        # Summed in one order whatever the number of rows.
        return np.stack([[np.sum(weights * picture) for weights in self.weights] for picture in seen])

    def predict(self, inputs):
        return from_logits(self.scores(inputs).astype(np.float32))

    def gradient(self, inputs, targets=None):
        self.asked_for_gradients += 1
        scores = self.scores(inputs)
        chosen = scores.argmax(axis=1) if targets is None else targets
        return Derivatives(chosen, scores[np.arange(len(scores)), chosen], inputs, self.weights[chosen])

    def layer_gradient(self, inputs, targets=None, layer=""):
        del layer
        found = self.gradient(inputs, targets)
        return Derivatives(
            found.targets, found.scores, *(each.transpose(0, 3, 1, 2) for each in (inputs, found.gradient))
        )


@pytest.mark.parametrize("method", OF_PICTURES, ids=lambda method: method.name)
def test_attribution_is_one_finite_map_a_row_of_the_models_own_answer_whatever_the_order(method):
    inputs = pictures("uint8", 3, rows=4)
    model, names = Linear(inputs.shape[1:]), ("a", "b", "c", "d")
    batch = Batch(names, np.arange(4), inputs, np.full(4, -1), seed=2)
    maps = method(model, batch)
    assert maps.values.shape == (4, 9, 14)
    assert maps.values.dtype == np.float32
    assert np.isfinite(maps.values).all()
    assert np.array_equal(maps.targets, model.predict(inputs).predictions)
    assert maps.error.shape == maps.forwards.shape == (4,)
    assert (maps.forwards >= 1).all()
    assert bool(model.asked_for_gradients) == ("gradients" in method.wants)
    order = np.array([2, 0, 3, 1])
    again = method(model, batch.take(order))
    np.testing.assert_allclose(again.values, maps.values[order], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(again.error, maps.error[order], rtol=1e-5, atol=1e-6)


def answered(rows, seed, sure=1.0):
    """Answers of a linear layer of 7 classes about 6 features of 0 or more."""
    rng = np.random.default_rng(seed)
    features = np.abs(rng.normal(size=(rows, 6)) + 4 * np.eye(6)[rng.integers(0, 6, rows)]) * sure
    weights = np.random.default_rng(9).normal(size=(6, 7))
    return Outputs((features @ weights).astype(np.float32), features.astype(np.float32))


KNOWN = known_rows(answered(300, 1), answered(300, 1).predictions)


@pytest.mark.parametrize("name", unknownness_scores)
def test_score_is_one_finite_number_a_row_whatever_the_order(name):
    outputs = answered(50, 2)
    scores = strangeness(name, outputs, KNOWN)
    assert scores.shape == (50,)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    order = RNG.permutation(50)
    np.testing.assert_allclose(strangeness(name, outputs.take(order), KNOWN), scores[order], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", [name for name in unknownness_scores if "features" not in needed(name)])
def test_score_calls_an_unsure_answer_stranger_than_a_sure_one(name):
    sure, unsure = unknownness_scores[name](from_logits(np.array([[9.0, 0, 0], [0.1, 0, 0]], np.float32)))
    assert unsure > sure


@pytest.mark.parametrize("name", calibration_errors)
def test_calibration_error_is_a_share_whatever_the_order(name):
    confidence = RNG.uniform(0.3, 1, 500)
    correct = RNG.random(500) < confidence**2
    value = calibration_errors[name](confidence, correct)
    assert 0 <= value <= 1
    order = RNG.permutation(500)
    assert calibration_errors[name](confidence[order], correct[order]) == pytest.approx(value)


@pytest.mark.parametrize("name", calibration_errors)
def test_calibration_error_of_certain_and_right_answers_is_nothing(name):
    assert calibration_errors[name](np.ones(100), np.ones(100, bool)) == pytest.approx(0, abs=1e-9)


def test_a_name_cannot_be_taken_twice():
    some = Registry("some")

    def method():
        """One."""

    some(method)
    with pytest.raises(ValueError, match="already holds"):
        some(type("other", (), {"__name__": "method", "__call__": lambda _: None})())
