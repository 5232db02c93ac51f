"""What every score of strangeness must keep."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pfungst.errors import InputError
from pfungst.methods.feature_scores import unknownness_scores
from pfungst.methods.input_statistics import pixel_distance, pixel_statistics
from pfungst.methods.known import known_rows
from pfungst.methods.known_features import class_gaussians, head_of, neighbours
from pfungst.methods.unknownness import needed, strangeness
from pfungst.outputs import Outputs, from_logits

shapes = st.tuples(st.integers(1, 12), st.integers(2, 130))
logits = shapes.flatmap(lambda shape: hnp.arrays(np.float32, shape, elements=st.floats(-50, 50, width=32)))
every = pytest.mark.parametrize("name", [name for name in unknownness_scores if "features" not in needed(name)])


@every
@given(z=logits, data=st.data())
def test_one_finite_score_a_row_whatever_stands_beside_it(name: str, z: np.ndarray, data: st.DataObject) -> None:
    scores = unknownness_scores[name](from_logits(z))
    assert scores.shape == (len(z),)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    order = np.array(data.draw(st.permutations(range(len(z)))))
    assert unknownness_scores[name](from_logits(z[order])) == pytest.approx(scores[order], rel=1e-9, abs=1e-12)


@every
@given(z=logits, data=st.data())
def test_the_order_of_classes_does_not_count(name: str, z: np.ndarray, data: st.DataObject) -> None:
    order = np.array(data.draw(st.permutations(range(z.shape[1]))))
    scores = unknownness_scores[name](from_logits(z))
    assert unknownness_scores[name](from_logits(z[:, order])) == pytest.approx(scores, rel=1e-6, abs=1e-6)


@every
@given(sure=st.floats(1, 20), surer=st.floats(0.1, 20), classes=st.integers(2, 100))
def test_surer_is_less_strange(name: str, sure: float, surer: float, classes: int) -> None:
    z = np.zeros((2, classes), np.float32)
    z[0, 0], z[1, 0] = sure, sure + surer
    less_sure, more_sure = unknownness_scores[name](from_logits(z))
    assert more_sure <= less_sure


pictures = st.tuples(st.integers(3, 8), st.integers(1, 6), st.integers(1, 6), st.sampled_from([1, 3, 4])).flatmap(
    lambda shape: hnp.arrays(np.uint8, shape)
)


@given(inputs=pictures)
def test_pixel_statistics_agree_between_bytes_and_shares(inputs: np.ndarray) -> None:
    found = pixel_statistics(inputs)
    assert found == pytest.approx(pixel_statistics(inputs / 255.0), abs=1e-12)
    assert (np.abs(found) <= 1).all()


@given(factor=st.floats(1e-4, 1e4), seed=st.integers(0, 1000))
def test_distance_does_not_depend_on_the_scale(factor: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    known, rows = rng.normal(size=(50, 4)), rng.normal(size=(5, 4))
    assert pixel_distance(factor * known, factor * rows) == pytest.approx(pixel_distance(known, rows), rel=1e-6)
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    assert pixel_distance(known @ turn, rows @ turn) == pytest.approx(pixel_distance(known, rows), rel=1e-6)


def drawn(seed: int, rows: int = 200, width: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Features of 0 or more of three classes, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % 3
    return np.abs(rng.normal(size=(rows, width)) + 3 * np.eye(width)[labels]), labels


@given(factor=st.floats(1e-4, 1e4), seed=st.integers(0, 1000))
def test_distances_of_features_know_neither_unit_nor_axes(factor: float, seed: int) -> None:
    features, labels = drawn(seed)
    rows = np.random.default_rng(seed + 1).normal(size=(7, 5)) * 2
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(5, 5)))[0] * factor
    fit, turned = class_gaussians(features, labels, 3), class_gaussians(features @ turn, labels, 3)
    assert turned.squared_distances(rows @ turn) == pytest.approx(fit.squared_distances(rows), rel=1e-3, abs=1e-3)
    assert turned.overall_distances(rows @ turn) == pytest.approx(fit.overall_distances(rows), rel=1e-3, abs=1e-3)
    near, there = neighbours(features), neighbours(features @ turn)
    assert there.distance(rows @ turn) == pytest.approx(near.distance(rows), abs=2e-3)


FITTED = [name for name in unknownness_scores if "features" in needed(name)]


@pytest.mark.parametrize("name", FITTED)
def test_a_fitted_score_does_not_depend_on_what_stands_beside_a_row(name: str) -> None:
    features, labels = drawn(0)
    weights = np.random.default_rng(0).normal(size=(3, 5))
    answers = [Outputs((f @ weights.T).astype(np.float32), f) for f in (features, drawn(1, 40)[0] * 1.5)]
    known = known_rows(answers[0], labels, answers[1:])
    whole = strangeness(name, answers[1], known)
    parts = [strangeness(name, answers[1].take(np.arange(at, at + 5)), known) for at in range(0, 40, 5)]
    assert np.concatenate(parts) == pytest.approx(whole, rel=1e-4, abs=1e-4)


@given(seed=st.integers(0, 1000), rows=st.integers(20, 60), shift=st.floats(-5, 5))
def test_last_layer_comes_back_and_a_crooked_one_is_refused(seed: int, rows: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    f, weights = rng.normal(size=(rows, 4)) + shift, rng.normal(size=(3, 4))
    head = head_of(f, f @ weights.T + 2)
    assert head.weights == pytest.approx(weights, abs=1e-6)
    assert head.bias == pytest.approx(np.full(3, 2.0), abs=1e-5)
    logs = f @ weights.T - np.logaddexp.reduce(f @ weights.T, axis=1, keepdims=True)
    apart = head_of(f, logs, normalised=True)
    assert apart.weights == pytest.approx(weights - weights[-1], abs=1e-6)
    with pytest.raises(InputError, match="not linear"):
        head_of(f, f**2 @ weights.T)
