"""A frame lies in the background and a mark in the frame: the smaller one that explains the answer is named."""

import numpy as np
import pytest

import pfungst
from pfungst.methods.places import Border, Region
from pfungst.methods.segmentation import Background
from pfungst.methods.standing import explained, within

ROWS, SIDE = 600, 24
CORNER, MIDDLE = Region((0.02, 0.02, 0.15, 0.15)), Region((0.4, 0.4, 0.6, 0.6))


def pictures(part, seed=0):
    """Grey noise, an object in the middle, and a part that is lighter for the second class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(ROWS) % 2
    shown = np.where(rng.random(ROWS) < 0.9, labels, 1 - labels)
    grounds = rng.integers(95, 125, (ROWS, SIDE, SIDE, 3))
    masks = np.zeros((ROWS, SIDE, SIDE), bool)
    for row, (down, across) in enumerate(rng.integers(5, 10, (ROWS, 2))):
        masks[row, down : down + 9, across : across + 9] = True
    lighter = {"border": np.broadcast_to(Border().inside(SIDE, SIDE), masks.shape), "background": ~masks}[part]
    inputs = grounds + 70 * (lighter & (shown == 1)[:, None, None])[..., None]
    inputs[masks] = rng.integers(0, 255, (int(masks.sum()), 3))
    return inputs.clip(0, 255).astype(np.uint8), labels, masks


def reads(part):
    """A model that answers by how light the part is: the outer two pixels, or all but the middle."""
    ring = Border().inside(SIDE, SIDE) if part == "border" else ~MIDDLE.inside(SIDE, SIDE)

    def answer(inputs):
        light = np.asarray(inputs, np.float64)[:, ring].mean(axis=(1, 2)) * (1 if np.max(inputs) > 1 else 255)
        score = (light - (145 if part == "border" else 138)) / 8
        return np.stack([-score, score], axis=1)

    return answer


def judged(part):
    inputs, labels, masks = pictures(part)
    given = {"inputs": inputs, "labels": labels, "masks": masks}
    said = pfungst.audit(reads(part), given, only=("shortcuts",), images=False)
    reasons = {one.subject: one.reason for one in said.skipped}
    return {one.subject: one for one in said.findings if one.kind == "cue"}, reasons


def test_a_frame_that_is_read_is_named_though_masks_make_it_background():
    cues, _ = judged("border")
    assert (cues["border"].status, cues["border"].severity) == ("found", "critical")
    assert cues["background"].status == "absent"
    assert "while its own border is kept" in cues["background"].claim


def test_a_background_that_differs_in_brightness_is_not_cleared_with_the_brightness_kept():
    cues, reasons = judged("background")
    assert {name for name, one in cues.items() if one.status == "found"} == {"brightness"}
    assert "background" not in cues
    assert "carried by the brightness too" in reasons["background"]


def test_a_mark_lies_in_the_border_and_the_border_in_the_background():
    assert within(CORNER, Border())
    assert within(CORNER, Background())
    assert within(Border(), Background(guess=True))
    assert not within(MIDDLE, Border())
    assert not within(Border(), CORNER)


@pytest.mark.parametrize(
    ("moved", "late"),
    [
        ({Border(): 0.8, CORNER: 0.5}, {Border()}),
        ({Border(): 0.8, CORNER: 0.3}, set()),
        ({Border(): 0.8, MIDDLE: 0.7}, set()),
        ({Background(): 0.9, Border(): 0.8}, {Background()}),
        ({Background(): 0.9, Border(): 0.6}, set()),
        ({Background(guess=True): 0.9, MIDDLE: 0.5}, {Background(guess=True)}),
    ],
)
def test_what_holds_a_smaller_one_that_explains_it_comes_late(moved, late):
    assert explained(moved) == late
