"""What is always asked of rows of a kind, what the data propose, and that no rows, however odd, break the asking."""

import warnings

import numpy as np
import pytest

from pfungst.datasets.dataset import Dataset, Roles
from pfungst.methods.candidates import MOST_COLUMNS, candidates
from pfungst.methods.columns import Column
from pfungst.methods.cues import measured, swapped
from pfungst.methods.photometric import Brightness
from pfungst.methods.places import Border, Region
from pfungst.methods.regions import likeness
from pfungst.methods.segmentation import Background
from pfungst.methods.tokens import Token
from pfungst.methods.writing import text_cues

ROWS = 120
LOOKS = {"brightness", "contrast", "noise", "jpeg", "sharpness", "border"}
SIZES = [(1, 1), (1, 2), (2, 1), (2, 2), (1, 40), (40, 1), (1, 300), (3, 5), (4, 4), (7, 9)]


def dataset(inputs, labels=None, modality="image", **more):
    labels = np.arange(len(inputs)) % 2 if labels is None else labels
    ids = tuple(f"r{at}" for at in range(len(inputs)))
    return Dataset("test", "", modality, ids, lambda rows: list(inputs[rows]), classes=("a", "b"), labels=labels,
                   shape=inputs.shape[1:], **more)  # fmt: skip


def lit(height, width, channels=1, kind="uint8", seed=0):
    """Noise, brighter for the second class."""
    rng = np.random.default_rng(seed)
    values = 0.6 * rng.random((ROWS, height, width, channels)) + 0.3 * (np.arange(ROWS) % 2)[:, None, None, None]
    return (values * 255).astype(np.uint8) if kind == "uint8" else values.astype(np.float32)


def texts(*given):
    held = np.empty(len(given), object)
    held[:] = given
    return held


def names(cues):
    return [cue.name for cue in cues]


def sound(data, **more):
    """The candidates, each of which measures and swaps every row without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = candidates(data, **more)
        donors = data.donors("discovery")
        order = np.roll(np.arange(len(donors.inputs)), 1)
        theirs = None if donors.masks is None else donors.masks[order]
        for cue in (*found.always, *found.proposed):
            values = measured(cue, donors.inputs, donors.masks)
            assert values.shape[0] == len(donors.inputs), cue.name
            assert values.shape[1] >= 1, cue.name
            assert np.isfinite(values).all(), cue.name
            given = swapped(cue, donors.inputs, donors.inputs[order], donors.masks, theirs)
            assert (given.shape, given.dtype) == (donors.inputs.shape, donors.inputs.dtype), cue.name
    assert len(set(found.proposed)) == len(found.proposed)
    assert not set(found.always) & set(found.proposed)
    return found


# what is always asked


@pytest.mark.parametrize(("channels", "more"), [(1, set()), (3, {"colour-cast", "saturation"}), (4, set())])
def test_pictures_are_always_asked_about_their_looks_and_their_border(channels, more):
    assert set(names(sound(dataset(lit(6, 6, channels))).always)) == LOOKS | more


def test_background_and_place_are_asked_where_masks_say_which_they_are_or_a_guess_is_asked_for():
    inputs, masks = lit(6, 6), np.zeros((ROWS, 6, 6), bool)
    masks[:, 1:4, 2:5] = True
    known = sound(dataset(inputs, masks=lambda rows: list(masks[rows])))
    assert set(names(known.always)) == {*LOOKS, "background", "position"}
    assert not [cue for cue in (*known.always, *known.proposed) if getattr(cue, "guess", False)]
    guessed = sound(dataset(inputs), stated=("background", "position"))
    assert set(names(guessed.always)) == {*LOOKS, "background", "position"}
    assert all(cue.guess for cue in guessed.always if cue.name in {"background", "position"})
    assert Background(guess=True) not in guessed.proposed


def test_bands_of_frequency_are_asked_only_where_they_are_named():
    assert not [name for name in names(sound(dataset(lit(6, 6))).always) if name.startswith("frequency")]
    named = sound(dataset(lit(6, 6)), stated=("frequency:high",))
    assert set(names(named.always)) == {*LOOKS, "frequency:high"}


def test_texts_are_always_asked_about_their_writing_and_tables_about_nothing():
    said = sound(dataset(texts(*["free call", "good day to you"] * (ROWS // 2)), modality="text"))
    assert said.always == tuple(text_cues.values())
    table = dataset(np.random.default_rng(0).normal(size=(ROWS, 3)), modality="table")
    assert sound(table).always == ()


def test_named_words_and_columns_and_those_of_a_site_are_always_asked():
    inputs = texts(*["free call", "good day to you"] * (ROWS // 2))
    said = sound(dataset(inputs, modality="text"), stated=("token:free", "length"))
    assert said.always == (*text_cues.values(), Token("free"))
    rows = np.random.default_rng(0).normal(size=(ROWS, 3))
    data = dataset(rows, modality="table", features=("age", "ward", "dose"), roles=Roles(site=("ward",)))
    assert set(names(sound(data, stated=("column:dose",)).always)) == {"column:ward", "column:dose"}


@pytest.mark.parametrize("modality", ["image", "text", "table"])
def test_the_users_own_cues_come_first_and_once(modality):
    rng = np.random.default_rng(0)
    words = [" ".join([*rng.choice(["one", "two", "three"], 4), *["harbour"] * (at % 2)]) for at in range(ROWS)]
    inputs, own = {
        "image": (lit(6, 6), Brightness(name="mine")),
        "text": (texts(*words), Token("harbour")),
        "table": (np.arange(ROWS * 2.0).reshape(2, ROWS).T % 2, Column(1, "column 1")),
    }[modality]
    assert modality == "image" or own in sound(dataset(inputs, modality=modality)).proposed
    said = sound(dataset(inputs, modality=modality), own=(own,))
    assert said.always[0] == own
    assert names((*said.always, *said.proposed)).count(own.name) == 1
    assert Brightness() in said.always or modality != "image"


# what the data propose


@pytest.mark.parametrize("seed", range(3))
def test_a_lit_corner_is_proposed_as_the_place_it_is(seed):
    noise = np.random.default_rng(seed).integers(0, 200, (2 * ROWS, 12, 12, 1)).astype(np.uint8)
    noise[1::2, 9:, :3] = 240
    found = [cue for cue in sound(dataset(noise)).proposed if isinstance(cue, Region)]
    assert max(likeness(cue.box, (0.75, 0.0, 1.0, 0.25)) for cue in found) > 0.9


def test_a_telling_word_and_a_telling_column_are_proposed_and_what_says_nothing_is_not():
    rng = np.random.default_rng(0)
    words = ["one", "two", "three", "four"]
    given = texts(*[" ".join([*rng.choice(words, 4), *(["harbour"] if at % 2 else [])]) for at in range(ROWS)])
    assert names(sound(dataset(given, modality="text")).proposed)[0] == "token:harbour"
    rows = rng.normal(size=(ROWS, 20))
    rows[:, 4] += 4 * (np.arange(ROWS) % 2)
    found = names(sound(dataset(rows, modality="table")).proposed)
    assert found[0] == "column:column 4"
    assert len(found) <= 3


def test_no_more_columns_are_proposed_than_are_tried_and_the_strongest_first():
    rng = np.random.default_rng(0)
    strength = np.linspace(0, 8, 30)
    rows = rng.normal(size=(ROWS, 30)) + strength * (np.arange(ROWS) % 2)[:, None]
    found = sound(dataset(rows, modality="table")).proposed
    assert len(found) == MOST_COLUMNS
    assert min(cue.at for cue in found) > 10


# odd rows


@pytest.mark.parametrize("kind", ["uint8", "float32"])
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_pictures_smaller_than_any_grid_or_a_pixel_high_have_candidates_that_measure(height, width, channels, kind):
    said = sound(dataset(lit(height, width, channels, kind)), stated=("background", "position", "frequency:high"))
    assert set(names(said.always)) >= LOOKS
    for cue in said.proposed:
        assert isinstance(cue, Region)
        assert cue.inside(height, width).any()
    assert any(isinstance(cue, Border) for cue in said.always)


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (12, 12)])
def test_plain_pictures_have_nothing_to_propose(height, width, level):
    assert not sound(dataset(np.full((ROWS, height, width, 3), level, np.uint8))).proposed


def test_pictures_without_an_object_or_without_a_background_measure_all_the_same():
    for marked in (False, True):
        masks = np.full((ROWS, 6, 6), marked)
        said = sound(dataset(lit(6, 6), masks=lambda rows, masks=masks: list(masks[rows])))
        assert {"background", "position"} <= set(names(said.always))


@pytest.mark.parametrize("given", [("",), (" ",), ("", " \t", "\n"), ("...",), ("\ud800",)])
def test_texts_that_say_nothing_are_asked_about_their_writing_and_propose_nothing(given):
    said = sound(dataset(texts(*given * (ROWS // len(given))), modality="text"))
    assert names(said.always) == list(text_cues)
    assert not said.proposed


def test_a_word_is_found_among_texts_of_no_length():
    given = texts(*["" if at % 3 == 0 else ("harbour", "lantern")[at % 2] for at in range(ROWS)])
    found = sound(dataset(given, modality="text"), stated=("token:absent", "token:")).proposed
    assert found
    assert {word for cue in found for word in cue.words} <= {"harbour", "lantern"}


def odd(kind):
    """A constant column, one without a value, one unique to each row, one that tells, and one with infinite values."""
    rng = np.random.default_rng(0)
    rows = np.empty((ROWS, 5), object)
    rows[:, 0], rows[:, 1], rows[:, 2] = 3.25, np.nan, np.arange(ROWS) * 1.5
    rows[:, 3], rows[:, 4] = (
        rng.normal(size=ROWS) + 4 * (np.arange(ROWS) % 2),
        np.where(np.arange(ROWS) % 7, 1.0, np.inf),
    )
    if kind != "object":
        return rows.astype(kind)
    rows[:, 0], rows[:, 1] = "same", np.where(np.arange(ROWS) % 2, None, rows[:, 1])
    rows[:, 2] = [f"id {at}" for at in rng.permutation(ROWS)]
    rows[:, 4] = np.where(np.arange(ROWS) % 5, rows[:, 4], 10**400)
    return rows


@pytest.mark.parametrize("kind", ["float32", "float64", "object"])
def test_constant_empty_and_unique_columns_measure_and_only_the_one_that_tells_is_proposed(kind):
    data = dataset(odd(kind), modality="table")
    assert names(sound(data).proposed) == ["column:column 3"]
    stated = tuple(f"column:column {at}" for at in range(5))
    assert names(sound(data, stated=stated).always) == list(stated)


def test_numbers_at_the_ends_of_their_range_measure():
    rows = np.array([[1e308, -1e308, 5e-324], [-np.inf, np.inf, 0.0]] * (ROWS // 2))
    # The least number there is cannot be told from zero.
    assert set(names(sound(dataset(rows, modality="table")).proposed)) == {"column:column 0", "column:column 1"}


def test_a_table_without_columns_has_no_candidates():
    said = sound(dataset(np.zeros((ROWS, 0)), modality="table"))
    assert (said.always, said.proposed) == ((), ())
