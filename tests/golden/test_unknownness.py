"""Scores of strangeness by hand, and on digits against letters and clothes."""

import math
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from pfungst.errors import InputError
from pfungst.load import load_data, load_model
from pfungst.methods.feature_scores import unknownness_scores
from pfungst.methods.input_statistics import (
    fit_gaussian,
    input_distances,
    pixel_distance,
    pixel_statistics,
    table_statistics,
    text_statistics,
)
from pfungst.methods.known import Known, known_rows
from pfungst.methods.known_features import class_gaussians, head_of, neighbours, virtual_logit
from pfungst.methods.unknownness import disagreement, needed, needs, strangeness, why_not
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


def planted(rows: int = 3000, width: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features of three Gaussians with one covariance, their labels, the means and the covariance."""
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(width, width))
    means, labels = 5 * rng.normal(size=(3, width)), rng.integers(0, 3, rows)
    return rng.normal(size=(rows, width)) @ half.T + means[labels], labels, means, half @ half.T


def test_mahalanobis_ranks_rows_as_the_density_of_planted_gaussians_does() -> None:
    features, labels, means, covariance = planted()
    rows = planted(500, seed=1)[0] * 1.5
    density = np.max([multivariate_normal(mean, covariance).logpdf(rows) for mean in means], axis=0)
    found = class_gaussians(features, labels, 3)
    apart = np.min([np.einsum("ij,jk,ik->i", rows - m, np.linalg.inv(covariance), rows - m) for m in means], axis=0)
    assert found.squared_distances(rows).min(axis=1) == pytest.approx(apart, rel=0.1)
    assert np.corrcoef(-density, found.squared_distances(rows).min(axis=1))[0, 1] > 0.999
    whole = np.cov(features, rowvar=False, bias=True)
    centred = rows - features.mean(axis=0)
    expected = np.einsum("ij,jk,ik->i", centred, np.linalg.inv(whole), centred)
    assert found.overall_distances(rows) == pytest.approx(expected, rel=1e-3)


def test_nearest_neighbours_are_those_that_are_sorted_out_one_by_one() -> None:
    features, rows = planted(400)[0], planted(30, seed=2)[0]
    units = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in (features, rows)]
    apart = np.sort(np.linalg.norm(units[1][:, None] - units[0][None], axis=2), axis=1)
    assert neighbours(features, 20).distance(rows) == pytest.approx(apart[:, 19], abs=1e-3)
    assert neighbours(features).k == 40
    assert neighbours(features).distance(np.zeros((1, 4))) == pytest.approx([1.0])


def test_scores_of_features_by_hand() -> None:
    """Two classes, two features; the weights are the identity, the bias is 0."""
    features = np.array([[3.0, 1.0], [2.0, 0.0], [0.0, 2.0], [1.0, 3.0]])
    known = known_rows(Outputs(features.astype(np.float32), features), np.array([0, 0, 1, 1]))
    asked = Outputs(np.array([[4.0, 0.0]], np.float32), np.array([[4.0, 0.0]]))
    by_hand = {
        "react": -np.logaddexp(np.percentile(features, 90), 0),
        "scale": -np.logaddexp(4 * math.e, 0),
        "ash-s": -np.logaddexp(4 * math.e, 0),
        "nnguide": -np.logaddexp(4, 0) * np.mean(
            [np.logaddexp(*one) * one[0] / np.linalg.norm(one) for one in features]
        ),
        "fdbd": -(4 / math.sqrt(2)) / np.linalg.norm([2.5, -1.5]),
        "she": -4 * 2.5,
        "gradnorm": -4 * (1 / (1 + math.exp(-4)) - 0.5) * 2,
        "knn": 0.0,
    }  # fmt: skip
    for name, value in by_hand.items():
        assert strangeness(name, asked, known)[0] == pytest.approx(value, abs=1e-5), name


def test_virtual_logit_is_the_norm_outside_the_main_subspace() -> None:
    features = planted(500)[0]
    weights, bias = np.random.default_rng(3).normal(size=(3, 4)), np.array([1.0, 2.0, -1.0])
    logits = features @ weights.T + bias
    head = head_of(features, logits)
    origin = -np.linalg.pinv(weights) @ bias
    vectors = np.linalg.svd(features - origin, full_matrices=False)[2][2:]
    norms = np.linalg.norm((features - origin) @ vectors.T, axis=1)
    expected = norms * logits.max(axis=1).mean() / norms.mean() - np.logaddexp.reduce(logits, axis=1)
    found = virtual_logit(features, logits, head).score(features, np.logaddexp.reduce(logits, axis=1))
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-3)


def test_disagreement_is_what_the_members_do_not_agree_about() -> None:
    alike, apart = from_probabilities(np.array([[0.5, 0.5]])), from_probabilities(np.array([[0.9, 0.1]]))
    other = from_probabilities(np.array([[0.1, 0.9]]))
    assert disagreement([alike, alike])[0] == pytest.approx(0, abs=1e-7)
    entropy = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    assert disagreement([apart, other])[0] == pytest.approx(math.log(2) - entropy, rel=1e-5)


def known_of(features: np.ndarray, labels: np.ndarray | None = None, weights: np.ndarray | None = None) -> Known:
    weights = np.eye(3, features.shape[1]) if weights is None else weights
    answers = Outputs((features @ weights.T).astype(np.float32), features)
    return known_rows(answers, answers.predictions if labels is None else labels)


def test_features_that_are_not_finite_are_refused_by_row_number() -> None:
    features, labels, *_ = planted(50)
    features[[7, 9], 1] = np.nan
    for ask in (lambda: class_gaussians(features, labels, 3), lambda: neighbours(features)):
        with pytest.raises(InputError, match="rows 7, 9 are NaN"):
            ask()
    fit = class_gaussians(features[:5], labels[:5], 3)
    with pytest.raises(InputError, match=r"rows 2, 4 are NaN"):
        fit.squared_distances(features[5:])


def test_class_without_rows_is_left_out_and_named_and_one_with_one_row_is_kept() -> None:
    features, labels, *_ = planted(60)
    labels[labels == 1], labels[0] = 2, 1
    fit = class_gaussians(features, labels, 5)
    assert (fit.kept.tolist(), fit.left_out.tolist()) == ([0, 1, 2], [3, 4])
    assert fit.means[1] == pytest.approx(features[0])


@pytest.mark.parametrize("value", [0.0, 1.0, 1e-20, 0.1, 1e6 / 3])
def test_features_that_do_not_vary_give_no_score(value: float) -> None:
    known = known_of(np.full((60, 4), value))
    for name in ("mahalanobis", "relative-mahalanobis", "knn", "nnguide"):
        with pytest.raises(InputError, match="do not vary"):
            strangeness(name, known.outputs, known)


def test_what_a_score_of_features_lacks_is_said() -> None:
    features, labels, *_ = planted(60)
    below, above = known_of(features, labels), known_of(np.abs(features), labels)
    assert [why_not(name, above.outputs, above) for name in unknownness_scores] == [""] * len(unknownness_scores)
    assert "must not fall below 0" in why_not("scale", below.outputs, below)
    nameless = Known(above.outputs, np.full(60, -1))
    assert "carry none" in why_not("mahalanobis", above.outputs, nameless)
    few = known_of(features[:7], labels[:7])
    assert "twice as many rows as features" in why_not("vim", few.outputs, few)
    answers = Outputs(above.outputs.logits)
    assert "does not offer" in why_not("knn", answers, known_rows(answers, labels))


def test_log_probabilities_leave_scores_that_look_at_differences() -> None:
    features, labels, *_ = planted(60)
    logits = np.abs(features) @ np.random.default_rng(0).normal(size=(3, 4)).T
    logs = (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)
    declared = Outputs(logs, np.abs(features), normalised=True)
    true = Outputs(logits.astype(np.float32), np.abs(features))
    known, plain = known_rows(declared, labels), known_rows(true, labels)
    left = {name for name in unknownness_scores if "features" in needed(name) and not why_not(name, declared, known)}
    assert left == {"mahalanobis", "relative-mahalanobis", "knn", "fdbd", "she", "gradnorm"}
    for name in left:
        assert strangeness(name, declared, known) == pytest.approx(strangeness(name, true, plain), rel=1e-3, abs=1e-4)


def test_looks_of_texts_and_tables_give_away_what_is_plainly_other() -> None:
    texts = np.array(["see you" + " soon" * hour + "." * (hour % 3) for hour in range(1, 30)], dtype=object)
    calm, loud = input_distances(texts, texts[:3], np.array(["WIN 1000 $$$ NOW!!!"], dtype=object))
    assert loud[0] > 10 * calm.max()
    rng = np.random.default_rng(0)
    table = np.stack([rng.normal(size=50), rng.choice(["red", "blue"], 50)], axis=1).astype(object)
    strange = np.array([[0.0, "green"]], dtype=object)
    usual, new = input_distances(table, table, strange)
    assert new[0] > usual.max()
    assert np.isfinite(table_statistics(np.array([[np.nan], [1.0]]), np.array([[3.0], [np.nan]]))).all()
    assert text_statistics(np.array([""], dtype=object), frozenset()).tolist() == [[0.0] * 6]


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


SCORED = (
    "max-probability", "max-logit", "energy", "gen", "react", "scale", "mahalanobis", "relative-mahalanobis", "knn",
    "vim", "nnguide", "fdbd", "gradnorm",
)  # fmt: skip
AREAS = {
    ("mnist_convnet_baseline", "mnist_train_12000", "mnist_test", "notmnist_5000"):
        (96.22, 97.86, 97.85, 97.79, 97.03, None, 93.51, 97.76, 97.36, 91.97, 96.60, 97.73, 96.10),
    ("mnist_convnet_oe_tune", "mnist_train_12000", "mnist_test", "notmnist_5000"):
        (98.41, 99.21, 99.21, 99.18, 98.95, None, 89.48, 98.71, 98.65, 84.91, 98.99, 99.11, 98.58),
    ("cifar10_resnet20", "cifar10_train_jpeg_4000", "cifar10_test_jpeg", "gtsrb_test"):
        (79.80, 85.35, 85.42, 84.88, 86.50, 76.13, 85.91, 86.51, 95.27, 93.97, 87.23, 90.45, 72.24),
}  # fmt: skip


@cache
def _labels(folder: Path, name: str) -> np.ndarray:
    with np.load(folder / "images" / f"{name}.npz") as stored:
        return stored["labels"].astype(np.int64)


@cache
def _with_features(folder: Path, net: str, name: str) -> Outputs:
    model = load_model(folder / "models" / net / "model.onnx", threads=1)
    if name == "gtsrb_test":
        signs = load_data(folder / "images" / "gtsrb_test.zip").read(np.arange(3000))
        inputs = np.stack([cv2.resize(np.asarray(one), (32, 32), interpolation=cv2.INTER_AREA) for one in signs])
    else:
        with np.load(folder / "images" / f"{name}.npz") as stored:
            inputs = stored["inputs"] if stored["inputs"].ndim == 4 else stored["inputs"][..., None]
    parts = [model.predict(inputs[at : at + 500]) for at in range(0, len(inputs), 500)]
    return Outputs(np.concatenate([one.logits for one in parts]), np.concatenate([one.features for one in parts]))


@pytest.mark.parametrize("case", AREAS, ids=lambda case: f"{case[0]}-{case[3]}")
def test_every_score_of_published_networks_as_measured_when_they_were_collected(shared_data: Path, case: tuple) -> None:
    net, fit, test, strange = case
    fitted, known, strangers = (_with_features(shared_data, net, name) for name in (fit, test, strange))
    rows = known_rows(fitted, _labels(shared_data, fit), [strangers])
    assert np.abs(rows.layer.logits(strangers.features) - strangers.logits).max() < 2e-5
    for name, area in zip(SCORED, AREAS[case], strict=True):
        if area is None:
            assert "after GELU" in why_not(name, strangers, rows)
        else:
            assert why_not(name, strangers, rows) == ""
            found = auroc(*(strangeness(name, one, rows) for one in (known, strangers)))
            assert 100 * found.value == pytest.approx(area, abs=0.02), name


def test_pixels_alone_tell_letters_from_digits(shared_data: Path) -> None:
    fit, known, strange = (
        pixel_statistics(_images(shared_data, name)) for name in ("mnist_train_12000", "mnist_test", "notmnist_5000")
    )
    area = auroc(pixel_distance(fit, known), pixel_distance(fit, strange))
    assert 100 * area.value == pytest.approx(98.97, abs=0.02)
