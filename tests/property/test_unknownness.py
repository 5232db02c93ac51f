"""What every score of strangeness must keep."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pfungst.methods.unknownness import pixel_distance, pixel_statistics, unknownness_scores
from pfungst.outputs import from_logits

shapes = st.tuples(st.integers(1, 12), st.integers(2, 130))
logits = shapes.flatmap(lambda shape: hnp.arrays(np.float32, shape, elements=st.floats(-50, 50, width=32)))
every = pytest.mark.parametrize("name", list(unknownness_scores))


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
