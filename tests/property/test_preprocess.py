"""The fast preprocessing equals its formula on any images; the formats of its files mean what transformers means."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pfungst.errors import InputError
from pfungst.frame import Frame
from pfungst.models.preprocess import Preprocess
from pfungst.models.preprocess_files import from_transformers

SIDES = st.integers(1, 40)


@given(st.tuples(st.integers(0, 7), SIDES, SIDES, st.sampled_from([1, 3])), st.booleans(), st.booleans(), st.data())
@settings(max_examples=60, deadline=None)
def test_fast_path_equals_the_formula(shape, floats, bgr, data):
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    layout = data.draw(st.sampled_from(["NCHW", "NHWC"]))
    count = data.draw(st.sampled_from([0, 1, shape[3]]))
    mean = tuple(data.draw(st.lists(st.floats(-2, 2), min_size=count, max_size=count)))
    std = tuple(data.draw(st.lists(st.floats(0.1, 3), min_size=count, max_size=count)))
    rescale = data.draw(st.sampled_from([1 / 255, 1.0, 1 / 127.5]))
    known = Preprocess(Frame(), rescale, mean, std, layout, bgr=bgr)
    seen = images[..., ::-1] if bgr else images
    expected = (seen * rescale - (np.array(mean) if mean else 0)) / (np.array(std) if std else 1)
    expected = expected.transpose(0, 3, 1, 2) if layout == "NCHW" else expected
    got = known((images / 255).astype(np.float32) if floats else images)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4 * max(1, rescale * 255))


def test_means_that_do_not_fit_the_channels_are_refused():
    with pytest.raises(InputError, match="3 values for mean and the images have 1 channels"):
        Preprocess(mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 1.0))(np.zeros((1, 2, 2, 1), np.uint8))


@pytest.mark.parametrize(
    ("raw", "frame", "mean", "rescale"),
    [
        # google/vit-base-patch16-224
        (
            {"do_normalize": True, "do_resize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 2,
             "size": 224},
            Frame(resize=(224, 224), channels=3), (0.5,) * 3, 1 / 255,
        ),
        # openai/clip-vit-base-patch32
        (
            {"crop_size": 224, "do_center_crop": True, "do_normalize": True, "do_resize": True, "resample": 3,
             "size": 224, "image_mean": [0.481, 0.457, 0.408], "image_std": [0.268, 0.261, 0.275]},
            Frame(shortest_edge=224, crop=(224, 224), resample=3, channels=3), (0.481, 0.457, 0.408), 1 / 255,
        ),
        # facebook/convnext-tiny-224
        (
            {"crop_pct": 0.875, "do_normalize": True, "do_resize": True, "image_mean": [0.485, 0.456, 0.406],
             "image_std": [0.229, 0.224, 0.225], "resample": 3, "size": {"shortest_edge": 224}},
            Frame(shortest_edge=256, crop=(224, 224), resample=3, channels=3), (0.485, 0.456, 0.406), 1 / 255,
        ),
        # do_* flags switch values off that are present
        (
            {"do_normalize": False, "do_resize": False, "do_center_crop": False, "do_rescale": False, "size": 9,
             "crop_size": 9, "image_mean": [0.5], "image_std": [0.5]},
            Frame(), (), 1.0,
        ),
        ({"size": {"height": 20, "width": 30}, "resample": "bicubic"}, Frame(resize=(20, 30), resample=3), (), 1 / 255),
        ({"do_normalize": True}, Frame(), (0.5,), 1 / 255),
    ],
    ids=["vit", "clip", "convnext", "flags-off", "height-width", "default-mean"],
)  # fmt: skip
def test_transformers_files_mean_what_transformers_does(raw, frame, mean, rescale):
    known = from_transformers(raw)
    assert (known.frame, known.mean) == (frame, mean)
    assert known.rescale == pytest.approx(rescale)
