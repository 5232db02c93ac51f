"""A mark is told from the thing next to it: a box that holds both, and a weak piece of the thing, accuse nobody."""

import pytest

import pfungst
from pfungst.demo import demo_files
from pfungst.methods.columns import Column
from pfungst.methods.opportunity import Tie
from pfungst.methods.places import Region
from pfungst.methods.standing import Standing


def test_the_mark_alone_is_judged_where_boxes_hold_a_piece_of_the_digit_too():
    files = demo_files(clean=True)
    audit = pfungst.audit(str(files.model), str(files.data), only=("shortcuts",), seed=1, images=False)
    region = next(one for one in audit.findings if one.kind == "cue" and one.subject.startswith("region"))
    assert region.status == "absent"
    assert region.effect.high < 0.02


@pytest.mark.parametrize(
    ("opportunity", "tie", "own"), [(0.11, 0.065, False), (0.11, 0.01, True), (0.6, 0.065, True), (0.6, 0.09, False)]
)
def test_what_says_little_must_be_free_of_its_surroundings_altogether(opportunity, tie, own):
    place = Region((0.4, 0.5, 0.8, 0.9))
    assert Standing(place, opportunity, 0.1, Tie(tie, 0.01, 400)).own == own
    assert not Standing(Column(0, "age"), opportunity, 0.1, Tie(tie, 0.01, 400)).own
    assert Standing(Column(0, "scanner"), opportunity, 0.1, Tie(tie, 0.01, 400)).own == (tie < 0.08)
