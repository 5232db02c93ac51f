"""Corruptions: what each leaves alone, that seeds hold, and that severities mean the same for every size of picture."""

import cv2
import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from pfungst.datasets.dataset import Batch
from pfungst.errors import InputError
from pfungst.methods.breaking import breaking_point
from pfungst.methods.corrupted_blurs import glass
from pfungst.methods.shifts import Shifted, named, shifts
from pfungst.methods.similarity import STRONGEST, TARGETS, dissimilarity, solved

PUBLISHED = [name for name, kind in shifts.items() if kind.family.startswith("imagenet-c")]
KINDS = pytest.mark.parametrize("topic", PUBLISHED)
BLURS = ("gaussian-blur", "defocus-blur", "imagenet-c:motion-blur", "zoom-blur", "motion-blur", "defocus")
COARSE = {"glass-blur": 0.25, "pixelate": 0.25, "zoom-blur": 0.25}
"""Corruptions in whole steps: the mildest of them changes more than the first targets ask for."""


@pytest.fixture(scope="module")
def crops():
    images = load_sample_images().images
    rng = np.random.default_rng(0)
    places = [(images[i % 2], *rng.integers(0, 200, 2)) for i in range(6)]
    return np.stack([image[y : y + 64, x : x + 64] for image, y, x in places])


def batch(images):
    rows = len(images)
    return Batch(tuple(map(str, range(rows))), np.arange(rows), images, np.zeros(rows, int))


@KINDS
@pytest.mark.parametrize("side", [16, 32, 97])
@pytest.mark.parametrize("channels", [1, 3])
def test_shape_type_and_range_are_kept_at_every_size(topic, side, channels):
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (2, side, side + 5, channels), dtype=np.uint8)
    for severity in (1, 5):
        done = Shifted(topic, severity)(batch(images))
        assert done.shape == images.shape
        assert done.dtype == np.uint8
    shares = Shifted(topic)(batch((images / 255).astype(np.float32)))
    assert shares.dtype == np.float32
    assert np.isfinite(shares).all()
    assert 0 <= shares.min() <= shares.max() <= 1


@KINDS
@pytest.mark.parametrize("level", [0, 128, 255])
def test_constant_pictures_stay_finite(topic, level):
    images = np.full((1, 32, 32, 3), level, np.uint8)
    assert Shifted(topic, 5)(batch(images)).shape == images.shape


@KINDS
def test_rows_are_the_same_for_any_batch_and_order(topic, crops):
    whole = batch(crops)
    done = Shifted(topic)(whole)
    order = np.array([4, 1, 3])
    assert np.array_equal(Shifted(topic)(whole.take(order)), done[order])
    assert np.array_equal(Shifted(topic)(whole), done)


@pytest.mark.parametrize(
    "topic",
    [
        "gaussian-blur",
        "defocus-blur",
        "imagenet-c:motion-blur",
        "motion-blur",
        "glass-blur",
        "elastic-transform",
        "contrast",
    ],
)
def test_the_mean_is_kept(topic, crops):
    flat = np.clip(np.pad(crops[:, 16:48, 16:48], ((0, 0), (32, 32), (32, 32), (0, 0)), mode="edge"), 40, 215)
    change = Shifted(topic, 3)(batch(flat)).mean(dtype=float) - flat.mean(dtype=float)
    assert abs(change) < (0.1 if topic != "elastic-transform" else 0.5)


@pytest.mark.parametrize("topic", BLURS)
@pytest.mark.parametrize("severity", [1, 3, 5])
def test_a_blur_moves_nothing(topic, severity):
    dots = np.zeros((12, 65, 65, 1), np.float32)
    dots[:, 31:34, 31:34] = 1
    done = Shifted(topic, severity)(batch(dots))[..., 0].astype(float)
    y, x = np.mgrid[0:65, 0:65]
    for one in done:
        assert abs((one * y).sum() / one.sum() - 32) < 0.25
        assert abs((one * x).sum() / one.sum() - 32) < 0.25


@pytest.mark.parametrize("severity", [1, 3, 5])
def test_glass_moves_nothing_on_the_whole(severity):
    """A dot is spread at random; its middle stays on the average of many."""
    dots = np.zeros((60, 65, 65, 1), np.float32)
    dots[:, 30:35, 30:35] = 1
    done = Shifted("glass-blur", severity)(batch(dots))[..., 0].astype(float)
    y, x = np.mgrid[0:65, 0:65]
    for place in (y, x):
        assert abs(((done * place).sum(axis=(1, 2)) / done.sum(axis=(1, 2))).mean() - 32) < 0.25


def test_pixels_of_glass_change_places():
    image = np.random.default_rng(0).random((40, 33, 1)).astype(np.float32)
    for reach, rounds in ((1, 2), (2, 3), (4, 2)):
        done = glass(image, np.random.default_rng(1), 0.0, reach, rounds)
        assert np.array_equal(np.sort(done, axis=None), np.sort(image, axis=None))
        assert (done != image).mean() > 0.7


def test_a_mirrored_picture_has_mirrored_boxes(crops):
    for severity in (1, 3, 5):
        straight = Shifted("pixelate", severity)(batch(crops)).astype(int)
        turned = Shifted("pixelate", severity)(batch(np.ascontiguousarray(crops[:, ::-1, ::-1])))
        assert np.abs(turned[:, ::-1, ::-1] - straight).max() <= 1, severity


@KINDS
def test_severities_tell_themselves_apart_and_unknown_ones_are_refused(topic):
    assert len({Shifted(topic, level).name for level in range(1, 6)}) == 5
    with pytest.raises(InputError, match="1, 2, 3, 4 and 5"):
        Shifted(topic, 6)


@KINDS
@pytest.mark.parametrize(("side", "channels"), [(16, 1), (33, 3), (64, 3), (97, 1)])
def test_solved_severities_rise_at_every_size_and_leave_pictures_as_alike_as_asked(topic, side, channels, crops):
    some = np.stack(
        [cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA) for crop in crops[: 6 if side == 64 else 3]]
    )
    some = some if channels == 3 else some[..., 1:2]
    strengths = solved(lambda strength: Shifted(topic, strength=strength)(batch(some)), some)
    assert list(strengths) == sorted(strengths)
    met = [dissimilarity(some, Shifted(topic, strength=one)(batch(some))).mean() for one in strengths]
    assert met == sorted(met)
    assert met[0] > 0.01 or topic == "saturate"
    if side < 64:
        return
    for target, got, strength in list(zip(TARGETS, met, strengths, strict=True))[1:4]:
        near = abs(got - target) < 0.04 or target < COARSE.get(topic, 0)
        assert near or (strength >= STRONGEST - 0.01 and got < target), (topic, target, got)


@pytest.mark.parametrize("topic", ["defocus-blur", "gaussian-noise", "fog", "elastic-transform"])
def test_solved_severities_mean_the_same_on_larger_pictures(topic):
    images = load_sample_images().images
    for side in (64, 224):
        crops = np.stack([image[150 : 150 + side, 100 : 100 + side] for image in images])
        strengths = solved(lambda strength, crops=crops: Shifted(topic, strength=strength)(batch(crops)), crops)
        met = dissimilarity(crops, Shifted(topic, strength=strengths[2])(batch(crops))).mean()
        assert abs(met - 0.2) < 0.02


def test_strengths_of_whole_numbers_are_the_table():
    for topic, kind in shifts.items():
        for severity in range(1, 6):
            assert kind.at(severity) == pytest.approx(kind.table[severity - 1]), topic
        assert kind.at(0) == pytest.approx(kind.rest)


def test_nothing_is_changed_at_rest(crops):
    for topic in PUBLISHED:
        if topic in {"jpeg-compression", "snow", "spatter", "zoom-blur"}:
            continue
        done = Shifted(topic, strength=0.0)(batch(crops))
        assert np.abs(done.astype(int) - crops).max() <= 2, topic


def test_families_and_single_names_are_asked_for():
    usual, field = named(("usual",)), named(("field",))
    assert {"off-centre", "foliage", "night", "typos", "missing"} <= set(usual) < set(field)
    family = named(("imagenet-c",))
    assert len(family) == 19
    assert {"imagenet-c:motion-blur", "fog"} <= set(family)
    assert len(named(("imagenet-c-bar",))) == 10
    assert named(("fog", "imagenet-c", "mine"), {"mine": None})[0] == "fog"
    with pytest.raises(InputError, match="no shift 'rainbows'"):
        named(("rainbows",))


def test_identical_pictures_are_alike_and_unlike_ones_are_not(crops):
    assert np.allclose(dissimilarity(crops, crops), 0, atol=1e-6)
    noise = np.random.default_rng(0).integers(0, 256, crops.shape, dtype=np.uint8)
    assert (dissimilarity(crops, noise) > 0.8).all()


def test_the_breaking_point_is_where_a_tenth_is_lost():
    rng = np.random.default_rng(0)
    before = np.ones(4000, bool)
    after = np.stack([rng.random(4000) > share for share in (0.02, 0.04, 0.08, 0.16, 0.32)])
    point = breaking_point(before, after)
    assert 3.0 < point.low < 3.25 < point.high < 3.6
    assert breaking_point(before, after[:3]) is None
