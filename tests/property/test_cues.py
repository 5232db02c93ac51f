"""Cues: what a swap keeps, what it changes, and that the two arms differ in nothing but the class of the donor."""

from dataclasses import replace

import numpy as np
import pytest

from pfungst.datasets.dataset import Dataset
from pfungst.methods.opportunity import discriminant, folds_of
from pfungst.methods.photometric import ColourCast
from pfungst.methods.places import Border, Region, grid
from pfungst.methods.properties import cues, properties
from pfungst.methods.regions import Scan, place_tie, places
from pfungst.methods.swaps import Swap, Transport, arms, ways
from pfungst.passes import is_perturbation

SHAPES = [((16, 12, 3), np.uint8), ((9, 14, 1), np.uint8), ((16, 12, 3), np.float32), ((16, 12, 4), np.float32)]
PLACES = (Border(), Region((0.0, 0.0, 0.3, 0.3)), Region((0.6, 0.2, 1.0, 0.9)))


def pictures(shape, dtype, rows=40, seed=0):
    rng = np.random.default_rng(seed)
    base = rng.uniform(0.1, 0.9, (rows, 1, 1, shape[2])) + 0.12 * rng.standard_normal((rows, *shape))
    base = np.clip(base, 0, 1)
    return (base * 255).round().astype(np.uint8) if dtype == np.uint8 else base.astype(np.float32)


def dataset(images, classes=3, unlabelled=0, seed=0):
    labels = np.arange(len(images)) % classes
    labels[:unlabelled] = -1
    return Dataset(
        "test", "", "image", tuple(f"row {i}" for i in range(len(images))), lambda rows: list(images[rows]),
        classes=tuple("abc"[:classes]), labels=labels, seed=seed, shape=images.shape[1:],
    )  # fmt: skip


def every_cue(channels):
    return (*properties(channels), *PLACES)


def every_arm(channels):
    for cue in every_cue(channels):
        for held in ((), (Border(share=0.2),)):
            for way in ways(cue):
                yield from arms(cue, way, held)


@pytest.mark.parametrize(("shape", "dtype"), SHAPES)
def test_a_row_that_gets_its_own_cue_stays_as_it_is(shape, dtype):
    images = pictures(shape, dtype)
    for cue in every_cue(shape[2]):
        given = cue.swap(images, images)
        assert np.abs(given.astype(float) - images.astype(float)).max() <= (0 if dtype == np.uint8 else 1e-5), cue.name


@pytest.mark.parametrize(("shape", "dtype"), SHAPES)
def test_every_arm_keeps_shape_type_and_range_and_leaves_its_batch_alone(shape, dtype):
    data = dataset(pictures(shape, dtype))
    batch, _ = data.batch(np.arange(20))
    before = batch.inputs.copy()
    for arm in every_arm(shape[2]):
        given = arm(batch)
        assert given.shape == before.shape, arm.name
        assert given.dtype == before.dtype, arm.name
        assert 0 <= given.min() <= given.max() <= (255 if dtype == np.uint8 else 1), arm.name
        assert np.array_equal(batch.inputs, before), arm.name
        assert is_perturbation(arm)


@pytest.mark.parametrize(("shape", "dtype"), SHAPES)
def test_arms_are_bit_identical_for_any_batch_size_and_order(shape, dtype):
    data = dataset(pictures(shape, dtype))
    order = np.random.default_rng(5).permutation(len(data))
    for arm in every_arm(shape[2]):
        whole = arm(data.batch(np.arange(len(data)))[0])
        for size in (1, 7, 256):
            for rows in (np.arange(len(data)), order):
                parts = [arm(data.batch(rows[at : at + size])[0]) for at in range(0, len(rows), size)]
                assert np.array_equal(np.concatenate(parts), whole[rows]), (arm.name, size)


def test_a_swapped_property_is_the_donors_and_a_swapped_place_leaves_the_rest():
    images = pictures((16, 12, 3), np.float32) * 0.4 + 0.3
    donors = pictures((16, 12, 3), np.float32, seed=1) * 0.4 + 0.3
    for name, near in (("brightness", 1e-3), ("contrast", 5e-2), ("colour-cast", 3e-2), ("sharpness", 0.2)):
        cue = cues[name]
        assert np.abs(cue.measure(cue.swap(images, donors)) - cue.measure(donors)).max() < near, name
    ring = Border().inside(16, 12)
    given = Border().swap(images, donors)
    assert np.array_equal(given[:, ring], donors[:, ring])
    assert np.array_equal(given[:, ~ring], images[:, ~ring])
    down, across = PLACES[1].slices(16, 12)
    given = PLACES[1].swap(images, donors)
    assert np.array_equal(given[:, down, across], donors[:, down, across])
    given[:, down, across] = images[:, down, across]
    assert np.array_equal(given, images)


def test_both_arms_differ_only_inside_the_place():
    data = dataset(pictures((16, 12, 3), np.uint8))
    batch, _ = data.batch(np.arange(40))
    for cue in PLACES[1:]:
        kept, reversed_ = (arm(batch) for arm in arms(cue, "swap"))
        differs = (kept != reversed_).any(axis=(0, 3))
        down, across = cue.slices(16, 12)
        assert differs[down, across].all()
        differs[down, across] = False
        assert not differs.any()


def test_donors_are_of_the_class_that_was_asked_and_never_the_row_itself():
    images = np.repeat(np.arange(30, dtype=np.uint8)[:, None, None, None], 4, axis=1).repeat(4, axis=2)
    data = dataset(images)
    batch, _ = data.batch(np.arange(30))
    whole = Region((0.0, 0.0, 1.0, 1.0))
    kept, reversed_ = (arm(batch)[:, 0, 0, 0] for arm in arms(whole, "swap"))
    assert (kept % 3 == batch.labels).all()
    assert (reversed_ % 3 != batch.labels).all()
    assert (kept != batch.rows).all()


def test_all_cues_take_the_same_donors():
    images = np.repeat(np.arange(30, dtype=np.uint8)[:, None, None, None], 4, axis=1).repeat(4, axis=2)
    batch, _ = dataset(images).batch(np.arange(30))
    one, other = (Swap(Region(box), "other class")(batch) for box in ((0, 0, 0.25, 0.25), (0.75, 0.75, 1, 1)))
    assert np.array_equal(one[:, 0, 0], other[:, 3, 3])


def test_a_held_cue_stays_the_rows_own():
    data = dataset(pictures((16, 12, 3), np.uint8))
    batch, _ = data.batch(np.arange(40))
    given = Swap(Border(), "other class", held=(PLACES[1],))(batch)
    down, across = PLACES[1].slices(16, 12)
    assert np.array_equal(given[:, down, across], batch.inputs[:, down, across])
    assert not np.array_equal(given, batch.inputs)


def test_transport_moves_a_property_as_far_one_way_as_the_other():
    images = pictures((16, 12, 3), np.float32) * 0.4 + 0.3
    images[np.arange(40) % 3 == 0] += 0.1
    batch, _ = dataset(images).batch(np.arange(40))
    cue = cues["brightness"]
    away, towards = (cue.measure(Transport(cue, way)(batch)) - cue.measure(images) for way in ("away", "towards"))
    assert np.allclose(away, -towards, atol=1e-3)
    assert np.abs(towards).max() > 0.05


def test_rows_without_a_label_stay_as_they_are():
    data = dataset(pictures((16, 12, 3), np.uint8), unlabelled=10)
    batch, _ = data.batch(np.arange(40))
    for arm in every_arm(3):
        assert np.array_equal(arm(batch)[:10], batch.inputs[:10]), arm.name
    assert not np.array_equal(Swap(Border(), "other class")(batch)[10:], batch.inputs[10:])


def test_grey_pictures_have_no_colour_cast_and_the_grid_tiles_the_picture():
    assert ColourCast() not in properties(1)
    covered = np.zeros((18, 23), int)
    for cell in grid(4):
        covered[cell.slices(18, 23)] += 1
    assert (covered == 1).all()


def test_a_mark_is_found_to_the_pixel_and_is_free_while_a_stroke_is_tied():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 600)
    smooth = np.cumsum(rng.standard_normal((600, 24, 24)), axis=1) * 6 + 110
    smooth[:, 6:16, 6:16] += (labels * 12 + 8 * rng.standard_normal(600))[:, None, None]
    shown = np.where(rng.random(600) < 0.8, labels, rng.integers(0, 4, 600))
    smooth[:, 18:22, 1:6] = (40 + 50 * shown)[:, None, None]
    images = smooth.clip(0, 255).astype(np.uint8)[..., None]
    boxes = places(Scan(images, labels, 4, folds_of(600)))
    mark = (18 / 24, 1 / 24, 22 / 24, 6 / 24)
    assert any(np.allclose(box, mark) for box in boxes)

    def how_tied(cue):
        return place_tie(images, cue, discriminant(cue.measure(images), labels, 4, folds_of(600)))

    assert abs(how_tied(Region(mark)).value) < 0.03
    assert how_tied(Region((8 / 24, 8 / 24, 12 / 24, 12 / 24))).value > 0.5


def test_opportunity_of_a_cue_that_says_nothing_is_chance_and_of_one_that_says_all_is_one():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 900)
    noise = discriminant(rng.standard_normal((900, 6)), labels, 3, folds_of(900)).opportunity()
    assert noise.low < 1 / 3 < noise.high
    sure = discriminant(labels[:, None] + 0.01 * rng.standard_normal((900, 1)), labels, 3, folds_of(900))
    assert sure.opportunity().value > 0.99


def test_settings_are_values():
    assert (
        Swap(Border(), "other class") == Swap(Border(), "other class") != replace(Swap(Border(), "other class"), draw=1)
    )
