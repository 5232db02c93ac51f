"""Maps that gather in a place are proposed as that place; maps of noise, as long as its tails are light, as none."""

import cv2
import numpy as np
import pytest

from pfungst.methods.gatherings import FEWEST, LARGEST, gatherings
from pfungst.methods.regions import likeness

SEEDS = 20
CORNERS = {"top-left": (0, 0), "top-right": (0, 1), "bottom-left": (1, 0), "bottom-right": (1, 1)}


def noise(kind, rows, side, rng):
    """Attributions that gather nowhere: signed and even, of one sign and uneven, or in patches of a few pixels."""
    if kind == "even":
        return rng.normal(size=(rows, side, side)).astype(np.float32)
    if kind == "uneven":
        return rng.exponential(1.0, (rows, side, side)).astype(np.float32)
    drawn = rng.normal(size=(rows, side, side)).astype(np.float32)
    return np.stack([cv2.GaussianBlur(each, (0, 0), 2) for each in drawn])


def classes_of(rows):
    return np.arange(rows) % 2


def cornered(corner, side, rows=64, *, share=1.0, seed=0, strength=12.0):
    """Even noise, and a quarter of a side's square in one corner that carries much in a share of the second class."""
    rng = np.random.default_rng(seed)
    maps, size = noise("even", rows, side, rng), side // 4
    down, across = ((side - size) * edge for edge in CORNERS[corner])
    marked = np.flatnonzero(classes_of(rows) == 1)
    marked = marked[: round(share * len(marked))]
    signs = rng.choice([-1, 1], (len(marked), size, size))
    maps[marked, down : down + size, across : across + size] += strength * signs
    return maps, tuple(edge / side for edge in (down, across, down + size, across + size))


@pytest.mark.parametrize("side", [8, 16, 28, 64])
@pytest.mark.parametrize("corner", CORNERS)
def test_maps_of_a_class_that_gather_in_a_corner_are_proposed_as_that_corner_and_nothing_else(corner, side):
    for seed in range(3):
        maps, box = cornered(corner, side, seed=seed)
        found = gatherings(maps, classes_of(len(maps)))
        assert likeness(found[0], box) > 0.7
        assert all(likeness(other, box) > 0 for other in found)


@pytest.mark.parametrize("corner", CORNERS)
def test_a_corner_that_only_a_part_of_the_class_rests_on_is_proposed_too(corner):
    # An eighth does not show in the mean of the class, only in the mean of the cluster that it is.
    for share in (0.125, 0.3, 0.5):
        maps, box = cornered(corner, 28, rows=128, share=share)
        assert max(likeness(found, box) for found in gatherings(maps, classes_of(len(maps)))) > 0.7


def test_classes_of_fewer_maps_than_a_cluster_shows_propose_nothing():
    maps, _ = cornered("top-left", 16, rows=2 * FEWEST)
    assert gatherings(maps, classes_of(len(maps)))
    assert gatherings(maps[:-1], classes_of(len(maps) - 1)) == (), "one map of the second class less"
    assert gatherings(maps, np.arange(len(maps))) == ()


def test_two_classes_that_gather_in_two_corners_give_both_the_denser_first():
    one, first = cornered("top-left", 28, strength=4.0)
    other, second = cornered("bottom-right", 28)
    maps = np.where((classes_of(len(one)) == 1)[:, None, None], one, other[::-1])
    found = gatherings(maps, classes_of(len(maps)))
    assert len(found) == 2
    assert likeness(found[0], second) > 0.7
    assert likeness(found[1], first) > 0.7


def test_boxes_are_shares_of_the_side_in_pictures_longer_than_high_and_no_larger_than_a_place_may_be():
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(64, 12, 40)).astype(np.float32)
    maps[1::2, :4, 30:] += 12
    found = gatherings(maps, classes_of(64))
    assert likeness(found[0], (0.0, 0.75, 4 / 12, 1.0)) > 0.7
    assert all(box[2] - box[0] <= LARGEST and box[3] - box[1] <= LARGEST for box in found)
    strip = rng.normal(size=(64, 16, 16)).astype(np.float32)
    strip[1::2, :3] += 12
    assert not gatherings(strip, classes_of(64)), "what goes from side to side is no place"


def test_how_loud_a_map_is_does_not_weigh():
    maps, box = cornered("top-left", 28)
    factors = np.random.default_rng(3).lognormal(0, 6, (len(maps), 1, 1)).astype(np.float32)
    found = gatherings(maps * factors, classes_of(64))
    assert likeness(found[0], box) > 0.7
    loud, _ = cornered("top-left", 28, share=1 / 32)
    loud[1] *= 1e6
    assert not gatherings(loud, classes_of(64)), "one loud map of thirty-two"


@pytest.mark.parametrize(
    ("kind", "rows", "side", "most"),
    [
        ("even", 12, 16, 0),
        ("even", 12, 64, 0),
        ("even", 32, 28, 0),
        ("even", 32, 64, 0),
        ("even", 100, 28, 0),
        ("patches", 12, 64, 1),
        ("patches", 32, 28, 1),
        ("patches", 32, 64, 1),
        ("patches", 100, 64, 1),
        ("uneven", 100, 16, 1),
        ("uneven", 100, 28, 1),
        ("uneven", 100, 64, 1),
    ],
)
def test_maps_of_noise_propose_nothing_but_in_few_of_twenty_draws(kind, rows, side, most):
    drawn = (noise(kind, 2 * rows, side, np.random.default_rng(seed)) for seed in range(SEEDS))
    found = [len(gatherings(maps, classes_of(2 * rows))) for maps in drawn]
    assert sum(count > 0 for count in found) <= most, found


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_maps_that_are_the_same_everywhere_gather_nowhere(value):
    assert gatherings(np.full((64, 16, 16), value, np.float32), classes_of(64)) == ()
