import numpy as np

from pfungst.methods.gatherings import gatherings
from pfungst.methods.regions import likeness


def scattered(rows, rng):
    return rng.exponential(1.0, (rows, 16, 16)).astype(np.float32)


def test_a_place_where_half_of_a_class_is_attributed_is_found():
    rng = np.random.default_rng(0)
    maps, classes = scattered(120, rng), np.repeat([0, 1], 60)
    maps[:30, 12:15, 1:4] += 40
    boxes = gatherings(maps, classes)
    assert max(likeness(box, (12 / 16, 1 / 16, 15 / 16, 4 / 16)) for box in boxes) > 0.5


def test_no_place_is_found_in_attributions_that_gather_nowhere():
    hits = [len(gatherings(scattered(120, np.random.default_rng(seed)), np.repeat([0, 1], 60))) for seed in range(20)]
    assert sum(count > 0 for count in hits) <= 1, hits


def test_order_of_rows_does_not_matter():
    rng = np.random.default_rng(1)
    maps, classes = scattered(80, rng), np.repeat([0, 1], 40)
    maps[:40, 2:5, 10:14] += 40
    order = rng.permutation(80)
    assert gatherings(maps, classes)[0] == gatherings(maps[order], classes[order])[0]


def test_few_maps_and_empty_maps_are_no_crash():
    assert gatherings(np.zeros((5, 4, 4), np.float32), np.zeros(5, int)) == ()
    assert gatherings(np.zeros((40, 4, 4), np.float32), np.zeros(40, int)) == ()
