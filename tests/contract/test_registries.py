"""What every registered method promises."""

import inspect
import re

import numpy as np
import pytest

from pfungst.canonical import canonical
from pfungst.methods.calibration_errors import calibration_errors
from pfungst.methods.properties import cues
from pfungst.methods.shifts import shifts
from pfungst.methods.unknownness import unknownness_scores
from pfungst.outputs import from_logits
from pfungst.probe import probes as probe_registry
from pfungst.registry import Registry

import pfungst.probes  # isort: skip  # noqa: F401 - fills the registry

REGISTRIES = {
    "probes": probe_registry,
    "shifts": shifts,
    "cues": cues,
    "calibration-errors": calibration_errors,
    "unknownness-scores": unknownness_scores,
}
EVERY = [
    pytest.param(name, item, id=f"{kind}:{name}") for kind, some in REGISTRIES.items() for name, item in some.items()
]
RNG = np.random.default_rng(0)


def doc(item):
    return inspect.getdoc(item if hasattr(item, "__name__") else type(item)) or ""


@pytest.mark.parametrize(("name", "item"), EVERY)
def test_name_is_lower_case_and_docstring_says_what_it_is(name, item):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    first = doc(item).split("\n\n")[0]
    assert len(first.split()) >= 4, f"{name} does not say what it is"
    assert first.rstrip().endswith((".", ":"))


def test_each_registry_holds_what_the_audit_needs():
    assert set(probe_registry) == {"attribution", "mistakes", "calibration", "unknowns", "shift", "shortcuts"}
    assert {"off-centre", "motion-blur", "brightness", "noise", "foliage"} <= set(shifts)
    assert {"brightness", "contrast", "colour-cast", "sharpness"} <= set(cues)
    assert {"max-probability", "energy"} <= set(unknownness_scores)


@pytest.mark.parametrize("topic", probe_registry)
def test_probe_is_a_value_with_a_question(topic):
    kind = probe_registry[topic]
    assert kind.topic == topic
    assert kind.question.endswith("?")
    assert kind() == kind()
    assert canonical(kind()) == canonical(kind())


@pytest.mark.parametrize("name", cues)
def test_cue_is_a_value(name):
    again = type(cues[name])()
    assert again == cues[name]
    assert hash(again) == hash(cues[name])
    assert canonical(again) == canonical(cues[name])


@pytest.mark.parametrize("name", unknownness_scores)
def test_score_is_one_finite_number_a_row_whatever_the_order(name):
    logits = RNG.normal(size=(50, 7)).astype(np.float32) * 4
    scores = unknownness_scores[name](from_logits(logits))
    assert scores.shape == (50,)
    assert np.isfinite(scores).all()
    order = RNG.permutation(50)
    np.testing.assert_allclose(unknownness_scores[name](from_logits(logits[order])), scores[order], rtol=1e-6)


@pytest.mark.parametrize("name", unknownness_scores)
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
