"""The frame that a model wants is put around any picture: shape, range and what is in the middle are as promised."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pfungst.frame import Frame

SIDES = st.integers(1, 24)


def picture(height, width, channels, kind=np.uint8):
    drawn = np.random.default_rng(2).integers(0, 256, (height, width, channels)).astype(np.uint8)
    return drawn if kind is np.uint8 else (drawn / 255).astype(np.float32)


@given(SIDES, SIDES, st.sampled_from([1, 3, 4]), st.sampled_from([1, 3]), st.sampled_from([np.uint8, np.float32]))
@settings(max_examples=60, deadline=None)
def test_channels_are_matched(height, width, have, want, kind):
    given_ = picture(height, width, have, kind)
    framed = Frame(channels=want)(given_)
    assert (framed.shape, framed.dtype) == ((height, width, want), given_.dtype)
    if have in {want, 1}:
        np.testing.assert_array_equal(framed, np.broadcast_to(given_, framed.shape))
    elif want == 3:
        np.testing.assert_array_equal(framed, given_[:, :, :3])
    else:
        grey = given_[:, :, :3] @ [0.299, 0.587, 0.114]
        assert np.abs(framed[:, :, 0] - grey).max() <= (1 if kind is np.uint8 else 1e-5)


@given(SIDES, SIDES, st.tuples(SIDES, SIDES), st.sampled_from([0, 2]), st.sampled_from([1, 3]))
@settings(max_examples=60, deadline=None)
def test_floats_are_resized_as_whole_numbers_are(height, width, size, resample, channels):
    whole = picture(height, width, channels)
    frame = Frame(resize=size, resample=resample)
    exact, rounded = frame((whole / 255).astype(np.float32)), frame(whole)
    assert exact.shape == rounded.shape == (*size, channels)
    assert (exact.dtype, rounded.dtype) == (np.float32, np.uint8)
    # Bicubic overshoots: whole numbers are clipped after each axis, floats after both.
    bicubic = Frame(resize=size, resample=3)((whole / 255).astype(np.float32))
    assert 0 <= bicubic.min() <= bicubic.max() <= 1
    assert np.abs(exact * 255 - rounded).max() <= 1.5


@given(SIDES, SIDES, st.integers(1, 24))
@settings(max_examples=60, deadline=None)
def test_the_shorter_side_becomes_the_edge(height, width, edge):
    found = Frame(shortest_edge=edge)(picture(height, width, 3)).shape[:2]
    assert min(found) == edge
    assert max(found) == max(height, width) * edge // min(height, width)


@given(SIDES, SIDES, st.tuples(SIDES, SIDES))
@settings(max_examples=60, deadline=None)
def test_a_crop_keeps_the_middle_and_fills_up_with_black(height, width, crop):
    framed = Frame(crop=crop)(np.full((height, width, 1), 200, np.uint8))
    assert framed.shape == (*crop, 1)
    inside = min(height, crop[0]) * min(width, crop[1])
    assert (framed == 200).sum() == inside
    assert (framed == 0).sum() == framed.size - inside
    assert framed[(crop[0] - 1) // 2, (crop[1] - 1) // 2, 0] == 200


@pytest.mark.parametrize(
    ("frame", "size"),
    [
        (Frame(), None),
        (Frame(shortest_edge=9), None),
        (Frame(resize=(4, 6)), (4, 6)),
        (Frame(resize=(9, 9), crop=(8, 7)), (8, 7)),
    ],
)
def test_a_size_is_fixed_by_resizing_or_cropping_alone(frame, size):
    assert frame.size == size
    if size is not None:
        assert frame(picture(5, 11, 3)).shape[:2] == size
