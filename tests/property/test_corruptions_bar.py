"""The ten corruptions of ImageNet-C-bar: shapes, seeds, rest, strengths that rise, and the numbers they are made of."""

from itertools import pairwise

import numpy as np
import pytest

from pfungst.methods.corrupted_bar import BAR, COVER, caustic, checkerboard
from pfungst.methods.corrupted_fields import blue, brownish, perlin, single_frequency
from pfungst.methods.similarity import dissimilarity

KINDS = pytest.mark.parametrize(("name", "change", "rest", "table"), BAR, ids=[row[0] for row in BAR])
SHAPES = ((16, 16, 3), (33, 47, 3), (47, 33, 1), (224, 224, 3), (64, 64, 1))


def textured(shape, seed=0):
    """Waves of many lengths, alike in all channels but for their brightness."""
    rng = np.random.default_rng(seed)
    y, x = (np.arange(length) / 64 for length in shape[:2])
    grey = sum(
        np.sin(2 * np.pi * (f * y[:, None] + g * x[None]) + phase) / 6
        for f, g, phase in zip(*rng.uniform(-8, 8, (2, 12)), rng.uniform(0, 7, 12), strict=True)
    )
    return np.clip(0.5 + 0.5 * grey[..., None] * np.linspace(0.6, 1, shape[2]), 0, 1).astype(np.float32)


def whole(image):
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def test_there_are_ten_with_five_severities_and_as_many_parameters_each():
    assert len({name for name, *_ in BAR}) == 10
    for _, _, rest, table in BAR:
        assert len(table) == 5
        assert {len(row) for row in table} == {len(rest)}


@KINDS
@pytest.mark.parametrize("shape", SHAPES)
def test_shape_and_single_precision_are_kept_at_every_size(name, change, rest, table, shape):
    del name, rest
    done = change(textured(shape), np.random.default_rng(1), *table[4])
    assert done.shape == shape
    assert done.dtype == np.float32
    assert np.isfinite(done).all()


@KINDS
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_constant_pictures_stay_finite(name, change, rest, table, level):
    del name, rest
    for parameters in table:
        assert np.isfinite(change(np.full((32, 32, 3), level, np.float32), np.random.default_rng(2), *parameters)).all()


@KINDS
def test_equal_generators_give_equal_pictures_and_others_do_not(name, change, rest, table):
    del name, rest
    image = textured((48, 48, 3))
    first, again, other = (change(image, np.random.default_rng(seed), *table[2]) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@KINDS
@pytest.mark.parametrize("channels", [1, 3])
def test_nothing_is_changed_at_rest_and_the_picture_given_is_left_alone(name, change, rest, table, channels):
    del name
    image = textured((40, 56, channels))
    kept = image.copy()
    assert np.abs(change(image, np.random.default_rng(5), *rest) - kept).max() < 1e-6
    change(image, np.random.default_rng(5), *table[4])
    assert np.array_equal(image, kept)


@KINDS
def test_pictures_grow_less_alike_with_severity(name, change, rest, table):
    pictures = [textured((96, 96, 3), seed) for seed in range(6)]
    clean = np.stack([whole(image) for image in pictures])
    unlike = [
        dissimilarity(
            clean,
            np.stack([whole(change(image, np.random.default_rng(seed), *row)) for seed, image in enumerate(pictures)]),
        ).mean()
        for row in (rest, *table)
    ]
    assert unlike[0] < 1e-4
    assert all(after > before for before, after in pairwise(unlike)), (name, unlike)
    assert unlike[5] > 0.05


@KINDS
def test_all_severities_share_their_random_numbers(name, change, rest, table):
    del name, rest
    image, left = textured((32, 32, 3)), set()
    for row in table:
        rng = np.random.default_rng(6)
        change(image, rng, *row)
        left.add(float(rng.random()))
    assert len(left) == 1


@pytest.mark.parametrize(
    "name", ["caustic-refraction", "cocentric-sine-waves", "inverse-sparkles", "sparkles", "plasma-noise"]
)
def test_a_picture_of_twice_the_size_is_changed_alike(name):
    _, change, _, table = next(row for row in BAR if row[0] == name)
    shares = []
    for seed in range(5):
        small, large = (
            change(np.full((side, side, 3), 0.4, np.float32), np.random.default_rng(seed), *table[2])
            for side in (112, 224)
        )
        means = large.reshape(112, 2, 112, 2, 3).mean(axis=(1, 3))
        away = np.abs(np.clip(means, 0, 1) - np.clip(small, 0, 1)).mean()
        shares.append(away / np.abs(np.clip(small, 0, 1) - 0.4).mean())
    assert np.median(shares) < 0.3, shares


def test_blue_noise_blackens_the_share_asked_for_and_its_dots_keep_apart():
    image = np.ones((128, 128, 1), np.float32)
    black = blue(image, np.random.default_rng(0), 0.1)[..., 0] == 0
    assert abs(black.mean() - 0.1) < 0.01
    beside = (black[:, 1:] & black[:, :-1]).mean()
    assert beside < 0.4 * 0.1**2


def test_brownish_noise_has_its_deviation_and_is_smooth():
    image = np.full((128, 96, 1), 0.5, np.float32)
    noise = brownish(image, np.random.default_rng(0), 0.1)[..., 0] - 0.5
    assert abs(noise.std() - 0.1) < 1e-3
    assert abs(noise.mean()) < 0.1
    assert np.diff(noise, axis=0).std() < 0.02


def test_a_single_frequency_is_one_peak_and_grey():
    image = np.full((64, 64, 3), 0.5, np.float32)
    done = single_frequency(image, np.random.default_rng(3), 0.2)
    assert np.array_equal(done[..., 0], done[..., 2])
    power = np.abs(np.fft.rfft2(done[..., 0] - 0.5)) ** 2
    high = np.sort(power.ravel())[::-1]
    assert high[:12].sum() > 0.7 * high.sum()
    assert abs(np.abs(done - 0.5).max() - 0.2) < 0.02


def test_perlin_noise_is_grey_light_never_below_half():
    done = perlin(np.zeros((112, 112, 3), np.float32), np.random.default_rng(0), 1.0)
    assert done.min() >= 0.5
    assert done.max() <= 1
    assert done.std() > 0.05
    assert np.array_equal(done[..., 0], done[..., 1])


def test_a_checkerboard_covers_half_of_the_share_and_more_of_it_adds_fields():
    image = np.zeros((96, 96, 1), np.float32)
    shares = []
    for seed in range(60):
        few, many = (checkerboard(image, np.random.default_rng(seed), share) > 0 for share in (0.3, 0.6))
        assert not (few & ~many).any()
        shares.append(many.mean())
    assert abs(np.mean(shares) - 0.3) < 0.05
    assert set(np.unique(checkerboard(image, np.random.default_rng(0), 1.0))) == {np.float32(0), np.float32(COVER)}


def test_light_alone_bends_nothing_and_a_lens_alone_makes_nothing_up():
    image = textured((64, 64, 1))
    bent = caustic(image, np.random.default_rng(0), 0.3, 0.0)
    assert bent.min() >= image.min() - 1e-5
    assert bent.max() <= image.max() + 1e-5
    flat = np.full((64, 64, 1), 0.5, np.float32)
    assert np.allclose(caustic(flat, np.random.default_rng(0), 0.3, 0.0), flat)
    assert np.abs(caustic(flat, np.random.default_rng(0), 0.0, 1.0) - flat).max() > 0.02
