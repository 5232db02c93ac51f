"""Every shift keeps shape, type and range, and gives a row the same bytes in any batch, order and company."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_sample_images

from pfungst.canonical import canonical
from pfungst.datasets.dataset import Batch
from pfungst.methods.field_shifts import line
from pfungst.methods.leaves import layer
from pfungst.methods.shifts import Shifted, shifts
from pfungst.passes import is_perturbation

FIELD = [name for name, one in shifts.items() if one.modality == "image" and not one.family.startswith("imagenet-c")]
EVERY = [Shifted(name, level) for name in FIELD for level in range(1, 6)]
BLURS = [one for one in EVERY if one.topic == "motion-blur"]
NAMES = [f"{one.topic}-{one.severity}" for one in EVERY]


def batch_of(inputs, ids=None):
    rows = np.arange(len(inputs))
    return Batch(tuple(ids or (f"row {row}" for row in rows)), rows, inputs, np.full(len(rows), -1))


def some(rows=9, side=20, channels=3, kind="uint8", seed=0):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 256, (rows, side, side + 4, channels))
    return values.astype(np.uint8) if kind == "uint8" else (values / 255).astype(np.float32)


@pytest.mark.parametrize("one", EVERY, ids=NAMES)
def test_bytes_of_a_row_depend_on_nothing_but_the_row(one):
    inputs = some(rows=300, side=12)
    whole = batch_of(inputs)
    expected = one(whole)
    for size in (1, 7, 256):
        parts = [one(whole.take(np.arange(at, min(at + size, 300)))) for at in range(0, 300, size)]
        np.testing.assert_array_equal(np.concatenate(parts), expected)
    order = np.random.default_rng(1).permutation(300)
    np.testing.assert_array_equal(one(whole.take(order)), expected[order])


@pytest.mark.parametrize("one", EVERY, ids=NAMES)
@pytest.mark.parametrize("kind", ["uint8", "float32"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_shape_type_range_and_alpha_are_kept(one, kind, channels):
    inputs = some(channels=channels, kind=kind)
    before = inputs.copy()
    out = one(batch_of(inputs))
    np.testing.assert_array_equal(inputs, before)
    assert out.shape == inputs.shape
    assert out.dtype == inputs.dtype
    assert out.min() >= 0
    assert out.max() <= (255 if kind == "uint8" else 1)
    if channels == 4 and not one.kind.moves:
        np.testing.assert_array_equal(out[..., 3], inputs[..., 3])


@pytest.mark.parametrize("one", EVERY, ids=NAMES)
def test_bytes_and_floats_agree(one):
    whole, share = some(kind="uint8"), some(kind="float32")
    difference = one(batch_of(whole)).astype(np.float64) / 255 - one(batch_of(share))
    assert np.abs(difference).max() <= 1.01 / 255


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(8, 70), width=st.integers(8, 70), value=st.sampled_from([0, 255, 128]), seed=st.integers(0, 99)
)
def test_constant_pictures_of_any_size_stay_finite(height, width, value, seed):
    inputs = np.full((2, height, width, 3), value, np.uint8)
    for one in EVERY[seed % 5 :: 5]:
        out = one(batch_of(inputs, ids=[f"a{seed}", f"b{seed}"]))
        assert out.shape == inputs.shape


@pytest.mark.parametrize("one", EVERY, ids=NAMES)
@pytest.mark.parametrize("size", [(8, 8), (9, 224), (223, 100), (224, 224)], ids=str)
def test_pictures_of_any_size_and_depth_are_taken(one, size):
    for channels, kind in ((1, "uint8"), (3, "float32"), (4, "uint8")):
        values = np.random.default_rng(0).integers(0, 256, (1, *size, channels))
        inputs = values.astype(np.uint8) if kind == "uint8" else (values / 255).astype(np.float32)
        out = one(batch_of(inputs))
        assert out.shape == inputs.shape
        assert out.dtype == inputs.dtype
        assert np.isfinite(out.astype(np.float64)).all()


@pytest.mark.parametrize("topic", FIELD)
def test_a_higher_severity_changes_a_photograph_more(topic):
    photograph = load_sample_images().images[0][::3, ::3]
    inputs = np.repeat(photograph[None], 6, axis=0)
    change = [np.abs(Shifted(topic, level)(batch_of(inputs)).astype(float) - inputs).mean() for level in range(1, 6)]
    assert np.all(np.diff(change) > 0), change


@pytest.mark.parametrize("one", BLURS, ids=lambda one: str(one.severity))
def test_motion_blur_moves_neither_the_object_nor_the_mean(one):
    inputs = np.zeros((8, 61, 61, 1), np.float32)
    inputs[:, 30, 30] = 1
    out = one(batch_of(inputs))[..., 0].astype(np.float64)
    rows, columns = np.mgrid[:61, :61]
    for image in out:
        assert abs((image * rows).sum() / image.sum() - 30) < 0.05
        assert abs((image * columns).sum() / image.sum() - 30) < 0.05
        assert image.sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("side", [32, 64, 224])
def test_motion_blur_of_middle_severity_keeps_the_mean_grey_level(side):
    rng = np.random.default_rng(0)
    corners = [(rng.integers(427 - side), rng.integers(640 - side)) for _ in range(20)]
    crops = [image[y : y + side, x : x + side] for image in load_sample_images().images for y, x in corners]
    inputs = np.stack(crops)
    out = Shifted("motion-blur")(batch_of(inputs))
    means = out.mean(axis=(1, 2, 3)) - inputs.mean(axis=(1, 2, 3))
    assert np.abs(means).max() < 0.1, "the edge of a photograph is counted more than once"


@pytest.mark.parametrize("share", [share for (share,) in shifts["foliage"].table])
@pytest.mark.parametrize("side", [16, 64, 224])
def test_foliage_covers_what_it_says(share, side):
    for seed in range(5):
        alpha, _ = layer(np.random.default_rng(seed), side, side, share)
        assert alpha.mean() == pytest.approx(share, abs=0.003)


def test_foliage_is_composited_with_its_opacity():
    white, black = np.ones((5, 64, 64, 1), np.float32), np.zeros((5, 64, 64, 1), np.float32)
    foliage = Shifted("foliage", 4)
    seen = foliage(batch_of(white)) - foliage(batch_of(black))  # 1 - opacity, whatever the leaves' colour
    assert seen.mean(axis=(1, 2, 3)) == pytest.approx(0.7, abs=0.003)


def test_noise_has_the_strength_it_says():
    inputs = np.full((4, 64, 64, 3), 0.5, np.float32)
    for level, deviation in enumerate((0.08, 0.12), start=1):
        out = Shifted("noise", level)(batch_of(inputs))
        assert (out - 0.5).std() == pytest.approx(deviation, rel=0.02)


def test_off_centre_moves_by_what_it_says():
    inputs = np.zeros((20, 100, 100, 1), np.float32)
    inputs[:, 48:53, 48:53] = 1
    out = Shifted("off-centre")(batch_of(inputs))[..., 0]
    rows, columns = np.mgrid[:100, :100]
    for image in out:
        dy, dx = (image * rows).sum() / image.sum() - 50, (image * columns).sum() / image.sum() - 50
        assert np.hypot(dx, dy) == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize("angle", range(-45, 46, 15))
@pytest.mark.parametrize("length", [2.0, 4.3, 9.0])
def test_blur_kernel_is_centred_and_sums_to_one(length, angle):
    kernel = line(length, angle)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-7)
    assert kernel.sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("one", EVERY, ids=NAMES)
def test_equal_settings_are_equal_values(one):
    again = Shifted(one.topic, one.severity)
    assert one == again
    assert hash(one) == hash(again)
    assert canonical(one) == canonical(again)
    assert is_perturbation(one)
    assert one.parameter
