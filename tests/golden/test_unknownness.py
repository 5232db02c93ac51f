"""Scores of strangeness by hand, and on digits against letters and clothes."""

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from pfungst.errors import InputError
from pfungst.methods.feature_scores import unknownness_scores
from pfungst.methods.input_statistics import fit_gaussian, pixel_distance, pixel_statistics
from pfungst.methods.unknownness import needed, needs, why_not
from pfungst.outputs import Outputs, from_logits, from_probabilities, from_top
from pfungst.statistics.auroc import accepted_at_95_id, auroc, rejected_at_95_ood

OF_ANSWERS = [name for name in unknownness_scores if "features" not in needed(name)]


def test_scores_by_hand() -> None:
    outputs = from_logits(np.array([[math.log(6), math.log(3), math.log(1)]]))
    p = np.array([0.6, 0.3, 0.1])
    by_hand = {
        "max-probability": -0.6,
        "max-logit": -math.log(6),
        "energy": -math.log(10),
        "entropy": -float((p * np.log(p)).sum()),
        "gen": float(((p * (1 - p)) ** 0.1).sum()),
        "margin": -math.log(2),
        "hot-probability": -(6**0.001) / (6**0.001 + 3**0.001 + 1),
    }
    assert set(by_hand) == set(OF_ANSWERS)
    for name, value in by_hand.items():
        assert unknownness_scores[name](outputs)[0] == pytest.approx(value, rel=1e-6)


def test_gen_counts_the_hundred_largest_probabilities() -> None:
    logits = np.random.default_rng(0).normal(size=(3, 150))
    p = np.sort(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), axis=1)[:, -100:]
    expected = ((p * (1 - p)) ** 0.1).sum(axis=1)
    assert unknownness_scores["gen"](from_logits(logits)) == pytest.approx(expected, rel=1e-5)


def test_gen_keeps_what_a_probability_of_one_hides() -> None:
    sure, surer = from_logits(np.array([[60.0, 0.0]])), from_logits(np.array([[80.0, 0.0]]))
    assert unknownness_scores["gen"](surer)[0] < unknownness_scores["gen"](sure)[0]


def test_true_logits_are_asked_for_by_name() -> None:
    logits = from_logits(np.array([[2.0, 0.0], [0.0, 1.0]]))
    assert [why_not(name, logits) for name in OF_ANSWERS] == [""] * len(OF_ANSWERS)
    declared = from_probabilities(np.array([[0.5, 0.5], [0.9, 0.1]]))
    skipped = {name for name in OF_ANSWERS if why_not(name, declared)}
    assert skipped == {"max-logit", "energy"}


def test_undeclared_log_probabilities_are_noticed() -> None:
    logs = np.log(np.array([[0.7, 0.3], [0.2, 0.8]], np.float32))
    assert "log-probabilities" in why_not("energy", Outputs(logs))
    one_row_that_is_not = np.concatenate([logs, np.array([[3.0, 1.0]], np.float32)])
    assert why_not("energy", Outputs(one_row_that_is_not)) == ""


def test_only_the_top_class_leaves_only_its_probability() -> None:
    top = from_top(np.array([1, 0]), np.array([0.9, 0.4]), 3)
    assert [name for name in unknownness_scores if not why_not(name, top)] == ["max-probability"]
    assert unknownness_scores["max-probability"](top) == pytest.approx([-0.9, -0.4])


def test_a_score_may_say_what_it_needs() -> None:
    @needs("all classes", "true logits")
    def spread(outputs: Outputs) -> np.ndarray:
        return -np.ptp(outputs.logits, axis=1)

    assert spread.needs == {"all classes", "true logits"}


def test_pixel_statistics_by_hand() -> None:
    picture = np.zeros((1, 2, 3, 3), np.uint8)
    picture[0, 1, 2] = (255, 0, 51)
    values = picture / 255
    expected = [values.mean(), values.std(), 1.2 / 12, 1.2 / 9, 1 / 6, 0.2 / 6]
    assert pixel_statistics(picture)[0] == pytest.approx(expected)
    assert pixel_statistics(values.astype(np.float32))[0] == pytest.approx(expected)


def test_grey_pictures_have_no_colour() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (300, 5, 4, 1), dtype=np.uint8)
    found = pixel_statistics(grey)
    assert found.shape == (300, 6)
    assert (found[:, 4:] == 0).all()
    assert np.isfinite(pixel_distance(found[:200], found[200:])).all()


def test_one_pixel_has_no_gradient() -> None:
    assert pixel_statistics(np.full((2, 1, 1, 3), 255, np.uint8)).tolist() == [[1, 0, 0, 0, 0, 0]] * 2


def test_pixel_distance_is_squared_mahalanobis() -> None:
    rng = np.random.default_rng(1)
    known = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 3))
    rows = rng.normal(size=(20, 3))
    apart = rows - known.mean(axis=0)
    expected = np.einsum("ij,jk,ik->i", apart, np.linalg.inv(np.cov(known, rowvar=False)), apart)
    assert pixel_distance(known, rows) == pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: pixel_statistics(np.zeros((4, 3))),
        lambda: pixel_statistics(np.array(["a", "b"], dtype=object)),
        lambda: fit_gaussian(np.zeros((1, 3))),
        lambda: fit_gaussian(np.ones((5, 3))),
        lambda: fit_gaussian(np.array([[1.0], [np.nan]])),
    ],
)
def test_bad_input_is_a_sentence(ask: object) -> None:
    with pytest.raises(InputError, match=r"\w+ .+"):
        ask()


@cache
def _images(folder: Path, name: str) -> np.ndarray:
    with np.load(folder / "images" / f"{name}.npz") as stored:
        return stored["inputs"][..., None]


@cache
def _answers(folder: Path, net: str, name: str) -> Outputs:
    ort = pytest.importorskip("onnxruntime")
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = 1
    session = ort.InferenceSession(str(folder / "models" / net / "model.onnx"), settings)
    x = _images(folder, name).transpose(0, 3, 1, 2).astype(np.float32) / 255
    return Outputs(np.concatenate([session.run(None, {"input": x[i : i + 500]})[0] for i in range(0, len(x), 500)]))


@pytest.mark.parametrize(
    ("net", "strangers", "area", "accepted", "rejected"),
    [
        ("mnist_convnet_baseline", "notmnist_5000", 96.22, 18.38, 15.93),
        ("mnist_convnet_baseline", "fashion_900", 99.34, 0.67, 2.70),
        ("mnist_convnet_oe_tune", "notmnist_5000", 98.41, 6.86, 6.53),
    ],
)
def test_outlier_exposure_networks_on_strangers(
    shared_data: Path, *, net: str, strangers: str, area: float, accepted: float, rejected: float
) -> None:
    score = unknownness_scores["max-probability"]
    known, strange = score(_answers(shared_data, net, "mnist_test")), score(_answers(shared_data, net, strangers))
    assert 100 * auroc(known, strange).value == pytest.approx(area, abs=0.02)
    assert 100 * accepted_at_95_id(known, strange).value == pytest.approx(accepted, abs=0.3)
    assert 100 * rejected_at_95_ood(known, strange).value == pytest.approx(rejected, abs=0.3)


def test_hendrycks_2019_published_area_lies_in_the_interval(shared_data: Path) -> None:
    score = unknownness_scores["max-probability"]
    net = "mnist_convnet_baseline"
    found = auroc(*(score(_answers(shared_data, net, name)) for name in ("mnist_test", "notmnist_5000")))
    assert found.low <= 0.9604 <= found.high


@pytest.mark.parametrize(("name", "area"), [("max-logit", 97.86), ("energy", 97.85), ("gen", 97.79)])
def test_other_scores_on_letters(shared_data: Path, name: str, area: float) -> None:
    net, score = "mnist_convnet_baseline", unknownness_scores[name]
    known, strange = (score(_answers(shared_data, net, on)) for on in ("mnist_test", "notmnist_5000"))
    assert 100 * auroc(known, strange).value == pytest.approx(area, abs=0.02)


def test_pixels_alone_tell_letters_from_digits(shared_data: Path) -> None:
    fit, known, strange = (
        pixel_statistics(_images(shared_data, name)) for name in ("mnist_train_12000", "mnist_test", "notmnist_5000")
    )
    area = auroc(pixel_distance(fit, known), pixel_distance(fit, strange))
    assert 100 * area.value == pytest.approx(98.97, abs=0.02)
