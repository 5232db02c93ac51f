"""Cues of pictures: what each measures, that a push moves the measure, and that odd pictures break none of them."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from pfungst.canonical import canonical
from pfungst.errors import InputError
from pfungst.methods.compression import Jpeg, compressed, steps, zeros
from pfungst.methods.cues import Masked, Property, cues, grey, unit
from pfungst.methods.grain import Noise, level
from pfungst.methods.marks import Mark, likeness
from pfungst.methods.overlays import Overlay, erased
from pfungst.methods.photometric import Saturation
from pfungst.methods.properties import properties
from pfungst.methods.segmentation import Background, Position, guessed

REGISTERED = sorted(name for name in properties(3) for name in [name.name])
BANDS = tuple(cues[f"frequency:{name}"] for name in ("low", "middle", "high"))


def smooth(rows=12, side=32, channels=3, seed=0):
    """Pictures with slopes, edges and no noise, float32."""
    rng = np.random.default_rng(seed)
    small = rng.uniform(0.2, 0.8, (rows, 5, 5, channels)).astype(np.float32)
    large = [
        cv2.resize(one, (side, side), interpolation=cv2.INTER_CUBIC).reshape(side, side, channels) for one in small
    ]
    pictures = np.stack(large)
    pictures[:, side // 5 : 2 * side // 3, side // 3 : 3 * side // 5] = rng.uniform(0.2, 0.8, (rows, 1, 1, channels))
    return pictures.clip(0.1, 0.9)


def eight_bits(pictures):
    return (pictures * 255).round().astype(np.uint8)


def noisy(rows=12, side=32, seed=0, sigma=8):
    rng = np.random.default_rng(seed)
    return eight_bits((smooth(rows, side, seed=seed) + rng.normal(0, sigma / 255, (rows, side, side, 3))).clip(0, 1))


def odd_pictures():
    for channels in (1, 2, 3, 4):
        for height, width in ((1, 1), (2, 3), (3, 2), (8, 8), (9, 17), (24, 16)):
            for value in (0, 127, 255):
                yield np.full((3, height, width, channels), value, np.uint8)
            yield np.random.default_rng(0).integers(0, 256, (3, height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("name", REGISTERED)
def test_odd_pictures_have_finite_measures_and_take_every_push(name):
    cue = cues[name]
    assert isinstance(cue, Property)
    for whole in odd_pictures():
        if whole.shape[3] != 3 and name in {"colour-cast", "saturation"}:
            continue
        for inputs in (whole, unit(whole)):
            before = inputs.copy()
            measured = cue.measure(inputs)
            assert measured.shape[0] == 3
            assert np.isfinite(measured).all()
            for change in (-9.0, -0.3, 0.3, 9.0):
                given = cue.push(inputs, np.full_like(measured, change))
                assert (given.shape, given.dtype) == (inputs.shape, inputs.dtype)
                assert np.isfinite(given).all()
                assert given.max() <= (255 if given.dtype == np.uint8 else 1)
            assert np.array_equal(inputs, before)


@pytest.mark.parametrize("name", ["saturation", "noise", "frequency:low", "frequency:middle", "frequency:high"])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_a_push_moves_the_measure_the_way_it_was_asked(name, kind):
    cue, inputs = cues[name], noisy()
    inputs = inputs if kind == np.uint8 else unit(inputs)
    own = cue.measure(inputs)
    for change in (-0.5, 0.25, 0.5):
        moved = cue.measure(cue.push(inputs, np.full_like(own, change))) - own
        assert (np.sign(moved) == np.sign(change)).all(), change
        assert np.abs(moved - change).max() < 0.2, change


def test_noise_is_measured_as_it_was_added_and_edges_are_none():
    for sigma in (2, 8, 20):
        found = level(unit(noisy(side=64, sigma=sigma))).mean() * 255
        assert abs(found / sigma - 1) < 0.2, sigma
    assert level(smooth(side=64)).max() * 255 < 1
    stripes = np.tile(np.repeat([0.2, 0.8], 8), 4).astype(np.float32)[None, None, :, None].repeat(64, axis=1)
    assert level(stripes).max() == 0


def test_equal_pictures_get_equal_grain_and_others_another():
    inputs = noisy(3)
    inputs[1] = inputs[0]
    given = Noise().push(inputs, np.full((3, 1), 1.0)).astype(int) - inputs
    assert np.array_equal(given[0], given[1])
    assert not np.array_equal(given[0], given[2])


def test_less_noise_never_makes_more():
    for inputs in (
        noisy(),
        eight_bits(smooth()),
        np.random.default_rng(1).integers(0, 2, (4, 9, 9, 3), np.uint8) * 255,
    ):
        own = Noise().measure(inputs)
        assert (Noise().measure(Noise().push(inputs, np.full_like(own, -1.0))) <= own + 0.02).all()


def test_bands_part_the_frequencies_and_a_push_of_one_leaves_the_others():
    inputs = unit(noisy(8, 32, seed=3)) * 0.3 + 0.35
    for pushed in BANDS:
        given = pushed.push(inputs, np.full((8, 1), -0.7))
        for cue in BANDS:
            moved = cue.measure(given) - cue.measure(inputs)
            assert np.allclose(moved, -0.7 if cue is pushed else 0, atol=0.05), (pushed.name, cue.name)
        assert np.allclose(given.mean(axis=(1, 2)), inputs.mean(axis=(1, 2)), atol=1e-5)


def test_saturation_is_that_of_the_channels_and_grey_pictures_keep_theirs():
    inputs = smooth()
    less = Saturation().push(inputs, np.full((12, 1), -0.7))
    assert np.allclose(grey(less), grey(inputs), atol=1e-5)
    assert np.allclose(
        (less - grey(less)[..., None]) / (inputs - grey(inputs)[..., None] + 1e-9), np.exp(-0.7), atol=0.02
    )
    flat = np.repeat(grey(inputs)[..., None], 3, axis=3)
    assert np.allclose(Saturation().push(flat, np.full((12, 1), 1.5)), flat, atol=1e-6)


def test_jpeg_is_seen_at_every_quality_and_not_off_its_grid():
    plain = noisy(30, 64, sigma=3)
    for quality in (90, 75, 50, 30, 15):
        traced = np.stack([compressed(one, quality) for one in plain])
        assert (Jpeg().measure(traced)[:, 0] > Jpeg().measure(plain)[:, 0].max() + 0.05).all(), quality
        assert Jpeg().measure(traced[:, 4:, 4:])[:, 0].mean() < 0, quality
    assert steps(grey(unit(traced))).mean() > steps(grey(unit(plain))).mean() + 0.2
    assert np.allclose(zeros(np.zeros((1, 16, 16), np.float32)), 1)


def test_a_push_of_jpeg_comes_nearer_to_the_donor_and_small_ones_do_nothing():
    plain, others = noisy(30, 48, sigma=3), noisy(30, 48, seed=1, sigma=3)
    traced = np.stack([compressed(one, 40) for one in others])
    for inputs, donors in ((plain, traced), (traced, plain)):
        own, wanted = Jpeg().measure(inputs), Jpeg().measure(donors)
        left = np.linalg.norm(Jpeg().measure(Jpeg().swap(inputs, donors)) - wanted, axis=1)
        assert (left < 0.5 * np.linalg.norm(own - wanted, axis=1)).mean() > 0.9
    assert np.array_equal(Jpeg().push(plain, np.full((30, 2), 0.02)), plain)


def test_compressed_pictures_keep_their_colours():
    for channels in (1, 2, 3, 4):
        picture = eight_bits(smooth(1, 32, channels))[0]
        assert np.abs(compressed(picture, 95).astype(int) - picture).mean() < 4


def masks_and_pictures(seed=0):
    rng = np.random.default_rng(seed)
    inputs = rng.integers(0, 256, (6, 20, 14, 3), dtype=np.uint8)
    masks = np.zeros((6, 20, 14), bool)
    for mask in masks[:4]:
        top, left = rng.integers(0, 10, 2)
        mask[top : top + 5, left : left + 4] = True
    masks[5] = True
    return inputs, masks


def test_a_background_is_given_only_where_neither_object_lies():
    inputs, masks = masks_and_pictures()
    donors, theirs = masks_and_pictures(1)
    theirs = theirs[::-1]
    given = Background().swap_in(inputs, masks, donors, theirs)
    either = masks | theirs
    shown = masks.any(axis=(1, 2))
    assert not shown.all()
    assert np.array_equal(given[either], inputs[either])
    assert np.array_equal(given[shown][~either[shown]], donors[shown][~either[shown]])
    assert np.array_equal(given[~shown], inputs[~shown])


def test_backgrounds_of_rows_without_object_or_without_background_are_finite():
    inputs, masks = masks_and_pictures()
    for kind in (inputs, unit(inputs)):
        for each in (masks, masks.astype(np.uint8)):
            assert np.isfinite(Background().measure_in(kind, each)).all()
            assert np.isfinite(Position().measure_in(kind, each)).all()
    assert (Background().measure_in(inputs, masks)[5] == 0).all()
    middle = Background().measure_in(inputs, masks)[4, 4:7]
    assert np.allclose(middle, unit(inputs)[4].mean(axis=(0, 1)), atol=1e-5)


def test_a_background_measure_does_not_see_the_object():
    inputs, masks = masks_and_pictures()
    other = inputs.copy()
    other[masks] = 255 - other[masks]
    one, two = (Background().measure_in(each, masks) for each in (inputs, other))
    fine = 3
    assert np.allclose(np.delete(one, fine, axis=1), np.delete(two, fine, axis=1))


def test_position_brings_the_centroid_to_the_donors_and_rows_without_object_stay():
    inputs = np.full((4, 30, 20, 1), 50, np.uint8)
    masks, theirs = np.zeros((2, 4, 30, 20), bool)
    masks[:3, 10:14, 8:12] = True
    theirs[:, 14:18, 3:7] = True
    inputs[masks] = 200
    given = Position().swap_in(inputs, masks, inputs, theirs)
    assert np.array_equal(given[:3, 14:18, 3:7] == 200, np.ones((3, 4, 4, 1), bool))
    assert (given[:3] == 200).sum() == 3 * 16
    assert np.array_equal(given[3], inputs[3])
    assert np.array_equal(Position().swap_in(inputs, masks, inputs, masks), inputs)
    assert np.allclose(Position().measure_in(inputs, theirs), [[1 / 30, -5 / 20]] * 4)


@pytest.mark.parametrize("cue", [Background(), Position()])
def test_nothing_is_guessed_unasked(cue):
    inputs = noisy()
    assert isinstance(cue, Masked)
    with pytest.raises(InputError, match="masks"):
        cue.measure(inputs)
    with pytest.raises(InputError, match="masks"):
        cue.swap(inputs, inputs)
    asked = replace(cue, guess=True)
    assert np.array_equal(asked.swap(inputs, inputs), inputs)
    assert np.isfinite(asked.measure(inputs)).all()


def test_guesses_are_the_same_in_any_batch_and_of_any_picture():
    inputs = noisy(10, 40)
    whole = guessed(inputs)
    assert whole.shape == (10, 40, 40)
    assert np.array_equal(np.concatenate([guessed(inputs[at : at + 3]) for at in range(0, 10, 3)]), whole)
    for odd in odd_pictures():
        assert guessed(odd).shape == odd.shape[:3]
    assert not guessed(np.full((2, 32, 32, 3), 90, np.uint8)).any()
    large = guessed(np.zeros((1, 300, 100, 1), np.uint8))
    assert large.shape == (1, 300, 100)


def a_mark(channels=3, side=5, seed=0):
    pixels = np.random.default_rng(seed).choice(np.array([0, 255], np.uint8), (side, side, 1)).repeat(channels, axis=2)
    return Mark(pixels.tobytes().hex(), pixels.shape), pixels


def test_likeness_is_one_for_equal_windows_and_low_where_contrasts_differ():
    picture, (mark, pixels) = smooth(1, 32)[0], a_mark()
    picture[10:15, 7:12] = 0.3 + 0.4 * (pixels / 255)
    found = likeness(picture, (0.3 + 0.4 * (pixels / 255)).astype(np.float32))
    assert found.shape == (28, 28)
    assert np.unravel_index(found.argmax(), found.shape) == (10, 7)
    assert found[10, 7] == pytest.approx(1, abs=1e-4)
    assert likeness(picture, mark.picture)[10, 7] == pytest.approx(2 * 0.4 / (1 + 0.4**2), abs=1e-3)
    assert np.abs(likeness(np.full((9, 9, 3), 0.5, np.float32), mark.picture)).max() < 1e-4


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_overlays_are_taken_away_and_laid_where_the_donor_bears_them(channels, kind):
    mark, pixels = a_mark(channels)
    cue = Overlay((mark,))
    clean = eight_bits(smooth(4, 24, channels))
    bearing = clean.copy()
    bearing[1, 2:7, 3:8] = bearing[2, 12:17, 15:20] = bearing[3, 2:7, 3:8] = pixels
    donors = np.roll(bearing, 1, axis=0)
    inputs, donors = (each if kind == np.uint8 else unit(each) for each in (bearing, donors))
    measured = cue.measure(inputs)
    assert (measured[:, 0] > 0.8).tolist() == [False, True, True, True]
    assert np.allclose(measured[1, 1:], [4.5 / 24, 5.5 / 24])
    given = cue.swap(inputs, donors)
    assert given.dtype == kind
    assert (cue.measure(given)[:, 0] > 0.8).tolist() == [True, False, True, True]
    assert np.array_equal(cue.measure(given)[[0, 2, 3], 1:], cue.measure(donors)[[0, 2, 3], 1:])
    assert np.array_equal(cue.swap(inputs, inputs), inputs)
    for row in range(4):
        assert np.array_equal(cue.swap(inputs[row : row + 1], donors[row : row + 1])[0], given[row])


def test_overlays_are_values_and_marks_larger_than_the_picture_are_not_borne():
    mark, _ = a_mark()
    assert hash(Overlay((mark,))) == hash(Overlay((a_mark()[0],)))
    assert canonical(Overlay((mark,))) != canonical(Overlay((a_mark(seed=1)[0],)))
    assert (Overlay((mark,)).measure(np.zeros((2, 4, 4, 3), np.uint8)) == 0).all()


def test_an_erased_box_takes_the_colours_around_it_and_nothing_else_changes():
    picture = np.full((12, 12, 3), 80, np.uint8)
    picture[3:7, 3:7] = 255
    given = erased(picture, slice(3, 7), slice(3, 7))
    assert np.abs(given.astype(int) - 80).max() <= 2
    whole = np.random.default_rng(0).integers(0, 255, (12, 12, 1), dtype=np.uint8)
    changed = (erased(whole, slice(0, 5), slice(8, 12)) != whole)[..., 0]
    assert not changed[5:].any()
    assert not changed[:, :8].any()
