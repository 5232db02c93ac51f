"""Planted cues of pictures are found where they are and only there; objects are guessed where they lie."""

import cv2
import numpy as np
import pytest
from sklearn.datasets import load_digits, load_sample_images

from pfungst.methods.compression import Jpeg, compressed
from pfungst.methods.opportunity import discriminant, folds_of
from pfungst.methods.overlays import find_overlays
from pfungst.methods.properties import cues
from pfungst.methods.segmentation import Background, Position, guessed

ROWS, SIDE = 120, 24


def digits(seed, side=SIDE):
    """Handwritten digits of all classes or of two, a little noisy."""
    rng = np.random.default_rng(seed)
    raw, labels = load_digits(return_X_y=True)
    kept = rng.permutation(len(labels))
    if seed % 2:
        kept = kept[np.isin(labels[kept], rng.choice(10, 2, replace=False))]
    kept = kept[:ROWS]
    large = np.stack([cv2.resize(raw[row].reshape(8, 8).astype(np.float32), (side, side)) for row in kept])
    pictures = large * 12 + 20 + rng.normal(0, 5, large.shape)
    return pictures.clip(0, 255).astype(np.uint8)[..., None], np.unique(labels[kept], return_inverse=True)[1], rng


def photographs(seed, side=36, rows=ROWS):
    """Cut-outs of two photographs, one a class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, rows)
    photos = load_sample_images().images
    cuts = []
    for label in labels:
        wide = int(rng.integers(50, 200))
        top, left = (int(rng.integers(0, photos[label].shape[axis] - wide)) for axis in (0, 1))
        cut = photos[label][top : top + wide, left : left + wide]
        cuts.append(cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA))
    return np.stack(cuts), labels, rng


def marked(pictures, labels, rng, side):
    """The pictures with a mark at a random place, in nine of ten rows of the even classes and one of ten of the odd."""
    mark = rng.choice(np.array([0, 255], np.uint8), (side, side, 1)).repeat(pictures.shape[3], axis=2)
    bears = (labels % 2 == 0) ^ (rng.random(len(labels)) < 0.1)
    corners = rng.integers(0, np.array(pictures.shape[1:3]) - side + 1, (len(labels), 2))
    given = pictures.copy()
    for row in np.flatnonzero(bears):
        down, across = corners[row]
        given[row, down : down + side, across : across + side] = mark
    return given, bears, corners


def recovered(pictures, bears, corners, labels, side):
    """Whether one overlay is found, is seen in the rows that bear it and no others, and where it lies."""
    found = find_overlays(pictures, labels)
    if len(found) != 1:
        return False
    measured = found[0].measure(pictures)
    seen = measured[:, :-2].max(axis=1) > 0
    middles = (corners + side / 2) / pictures.shape[1:3]
    off = np.abs(measured[:, -2:] - middles)[bears & seen].max(axis=1)
    return (seen == bears).mean() > 0.95 and np.median(off) * pictures.shape[1] <= 1


def test_marks_of_five_pixels_at_random_places_on_digits_are_recovered():
    hits = []
    for seed in range(10):
        pictures, labels, rng = digits(seed)
        pictures, bears, corners = marked(pictures, labels, rng, 5)
        hits.append(recovered(pictures, bears, corners, labels, 5))
    assert sum(hits) >= 9, hits


def test_marks_at_random_places_on_photographs_are_recovered():
    hits = []
    for seed in range(4):
        pictures, labels, rng = photographs(seed)
        pictures, bears, corners = marked(pictures, labels, rng, 7)
        hits.append(recovered(pictures, bears, corners, labels, 7))
    assert sum(hits) == 4, hits


def test_a_mark_on_large_pictures_is_recovered():
    pictures, labels, rng = photographs(1, side=100)
    pictures, bears, corners = marked(pictures, labels, rng, 18)
    assert recovered(pictures, bears, corners, labels, 18)


def test_no_marks_are_found_on_unmarked_digits():
    assert sum(bool(find_overlays(*digits(seed)[:2])) for seed in range(20)) <= 1


def test_no_marks_are_found_on_unmarked_photographs_nor_where_they_say_nothing_of_the_class():
    for seed in range(2):
        pictures, labels, rng = photographs(seed)
        assert not find_overlays(pictures, labels)
        pictures, *_ = marked(pictures, rng.integers(0, 2, ROWS), rng, 7)
        assert not find_overlays(pictures, labels)


def test_a_mark_at_a_fixed_place_is_left_to_the_regions():
    pictures, labels, rng = digits(1)
    mark = rng.choice(np.array([0, 255], np.uint8), (5, 5, 1))
    pictures[labels == 0, 2:7, 2:7] = mark
    assert not find_overlays(pictures, labels)


def opportunity(cue, pictures, labels):
    return discriminant(cue.measure(pictures), labels, 2, folds_of(len(labels))).opportunity()


@pytest.mark.parametrize(
    ("name", "plant"),
    [
        ("noise", lambda picture, rng: picture + rng.normal(0, 12, picture.shape)),
        ("saturation", lambda picture, _: 0.2 * picture + 0.8 * picture.mean(axis=2, keepdims=True)),
        ("jpeg", lambda picture, _: compressed(picture, 60)),
        ("frequency:high", lambda picture, _: cv2.GaussianBlur(picture, (0, 0), 1.5)),
    ],
)
def test_a_planted_property_says_the_label_and_a_swap_takes_that_away(name, plant):
    cue = cues[name]
    pictures, _, rng = photographs(4, rows=400)
    labels = np.arange(400) % 2
    assert opportunity(cue, pictures, labels).low < 0.55
    for row in np.flatnonzero(labels):
        pictures[row] = plant(pictures[row].copy(), rng).clip(0, 255).astype(np.uint8)
    planted = opportunity(cue, pictures, labels)
    # Every row gets the measure of a row of the other class.
    swapped = cue.swap(pictures, pictures[np.arange(len(labels)) ^ 1])
    after = discriminant(
        np.concatenate([cue.measure(pictures), cue.measure(swapped)]),
        np.concatenate([labels, labels]),
        2,
        np.repeat([0, 1], len(labels)),
    )
    assert planted.low > 0.58
    follows = after.scores[len(labels) :].argmax(axis=1) == 1 - labels
    assert follows.mean() > planted.value - 0.1


def test_jpeg_has_no_say_on_pictures_that_never_were_compressed():
    rng = np.random.default_rng(0)
    smooth = np.stack([cv2.GaussianBlur(rng.normal(128, 60, (32, 32, 3)), (0, 0), 1.5) for _ in range(200)])
    pictures = smooth.clip(0, 255).astype(np.uint8)
    assert np.abs(Jpeg().measure(pictures).mean(axis=0)).max() < 0.03


def scene(seed):
    """Discs of any colour at any place on cut-outs of photographs, and where they lie."""
    pictures, labels, rng = photographs(seed)
    masks = np.zeros(pictures.shape[:3], bool)
    for picture, mask in zip(pictures, masks, strict=True):
        centre = tuple(int(at) for at in rng.integers(12, 24, 2))
        disc = cv2.circle(np.zeros(mask.shape, np.uint8), centre, int(rng.integers(7, 11)), 1, -1) > 0
        mask[:] = disc
        picture[:] = picture * 0.5
        picture[disc] = rng.uniform(150, 250, 3)
    return pictures, masks, labels


def test_objects_are_guessed_where_they_are():
    pictures, masks, _ = scene(0)
    found = guessed(pictures)
    shared = (found & masks).sum(axis=(1, 2)) / (found | masks).sum(axis=(1, 2))
    assert np.median(shared) > 0.7
    assert ((found & masks).sum(axis=(1, 2)) > 0.9 * masks.sum(axis=(1, 2))).mean() > 0.9


@pytest.mark.parametrize("guess", [False, True])
def test_a_background_that_goes_with_the_class_is_seen_and_its_swap_brings_the_other(guess):
    pictures, masks, labels = scene(1)
    cue = Background(guess=guess)
    seen = cue.measure(pictures) if guess else cue.measure_in(pictures, masks)
    scored = discriminant(seen, labels, 2, folds_of(ROWS))
    assert scored.opportunity().low > 0.75
    others = np.array([np.flatnonzero(labels != label)[row % 40] for row, label in enumerate(labels)])
    if guess:
        given = cue.swap(pictures, pictures[others])
        now = cue.measure(given)
    else:
        given = cue.swap_in(pictures, masks, pictures[others], masks[others])
        now = cue.measure_in(given, masks)
    after = discriminant(np.concatenate([seen, now]), np.concatenate([labels, labels]), 2, np.repeat([0, 1], ROWS))
    assert (after.scores[ROWS:].argmax(axis=1) != labels).mean() > 0.75
    if not guess:
        assert np.array_equal(given[masks], pictures[masks])


def test_positions_are_guessed_to_a_few_pixels():
    pictures, masks, _ = scene(2)
    off = np.abs(Position(guess=True).measure(pictures) - Position().measure_in(pictures, masks))
    assert np.median(off) * 36 < 1.5
