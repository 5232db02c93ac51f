"""Tokens and writing: texts get the donor's token, length, casing or punctuation, and keep all else they can."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pfungst.datasets.dataset import Dataset
from pfungst.methods.opportunity import folds_of
from pfungst.methods.swaps import arms
from pfungst.methods.tokens import WIDTH, Token, proposed_tokens, rest
from pfungst.methods.writing import Casing, Length, Punctuation, text_cues
from pfungst.passes import is_perturbation

PIECES = st.sampled_from(
    ["free", "FREE", "free!", "(free)", "free-range", "don't", "call", "Call now", "now", "ΟΔΟΣ", "straße", "日本語",
     "a", "b", "🔥", "👩‍👩‍👧", "https://www.example.org/a?b=1", "[SITE-B]", "<br>", "#win", "user@host.org", "3.50",
     "...", "?!", "x_y", "\n", "\t", "  ", "-", ".", "e-mail", "É", "\u00a0", "\u0130"]
)  # fmt: skip
TEXTS = st.one_of(
    st.just(""),
    st.text(max_size=30),
    st.lists(PIECES, max_size=12).map(" ".join),
    st.lists(PIECES, max_size=12).map("".join),
)
TOKENS = tuple(
    map(Token, ["free", "call now", "a b", "don't", "🔥", "👩‍👩‍👧", "https://www.example.org", "[site-b]", "<br>",
                "#win", "@host", "e-mail", "straße", "日本語", "οδος", "x_y", "a", ".", "not there at all"])
)  # fmt: skip
MARKS = (Token("free", instead=("call", "🔥")), Token("[site-b]", instead=("<br>", "#win", "e-mail")))
CUES = (*TOKENS, *MARKS, *text_cues.values())


def texts_of(*texts):
    held = np.empty(len(texts), object)
    held[:] = texts
    return held


@given(TEXTS, TEXTS)
def test_a_swap_keeps_shape_and_type_leaves_its_arguments_alone_and_is_nothing_with_oneself(text, donor):
    rows, donors = texts_of(text, donor), texts_of(donor, text)
    for cue in CUES:
        given_ = cue.swap(rows, donors)
        assert (given_.shape, given_.dtype) == (rows.shape, rows.dtype)
        assert all(isinstance(each, str) for each in given_)
        assert rows.tolist() == [text, donor], cue.name
        assert cue.swap(rows, rows).tolist() == rows.tolist(), cue.name
        assert np.isfinite(cue.measure(rows)).all()


@given(TEXTS, TEXTS)
def test_a_row_is_measured_and_changed_the_same_in_any_company(text, donor):
    rows, donors = texts_of(text, donor, ""), texts_of(donor, "", text)
    for cue in CUES:
        each = [cue.measure(rows[[at]]) for at in range(3)]
        assert np.array_equal(cue.measure(rows), np.concatenate(each))
        alone = [cue.swap(rows[[at]], donors[[at]])[0] for at in range(3)]
        assert cue.swap(rows, donors).tolist() == alone


@given(TEXTS, TEXTS)
def test_after_a_swap_a_token_is_there_just_where_the_donor_has_it(text, donor):
    for cue in TOKENS:
        given_ = cue.swap(texts_of(text), texts_of(donor))
        assert cue.measure(given_)[0, 0] == cue.measure(texts_of(donor))[0, 0], (cue.name, given_[0])


@given(TEXTS, TEXTS)
def test_after_a_swap_just_those_marks_are_there_that_the_donor_has(text, donor):
    for cue in MARKS:
        given_ = cue.swap(texts_of(text), texts_of(donor))
        has = [cue.measure(texts)[0, : len(cue.words)].tolist() for texts in (given_, texts_of(donor))]
        assert has[0] == has[1], (cue.name, given_[0])


@given(TEXTS, TEXTS)
def test_a_swapped_token_leaves_every_other_letter_in_its_order(text, donor):
    for cue in (*TOKENS, *MARKS):
        before, after = (
            "".join(cue.taken_from(each).split()) for each in (text, cue.swap(texts_of(text), texts_of(donor))[0])
        )
        assert before == after, cue.name


@given(TEXTS, TEXTS)
def test_after_a_swap_a_text_has_as_many_words_as_the_donor(text, donor):
    given_ = Length().swap(texts_of(text), texts_of(donor))[0]
    assert len(given_.split()) == (len(donor.split()) if text.split() else 0)
    assert set(given_.split()) <= set(text.split())
    if len(donor.split()) <= len(text.split()):
        assert text.startswith(given_)


@given(TEXTS, TEXTS)
def test_casing_changes_nothing_but_case_and_capitals_follow_the_donor(text, donor):
    given_ = Casing().swap(texts_of(text), texts_of(donor))[0]
    assert given_.casefold() == text.casefold() or not (text + donor).isascii()
    capitals = Casing().measure(texts_of(donor))[0, 0]
    if capitals == 0:
        assert not any(letter.isupper() and letter.lower() != letter for letter in given_)


@given(st.lists(PIECES, max_size=12).map(" ".join), st.lists(PIECES, max_size=12).map(" ".join))
def test_after_a_swap_a_text_has_the_donors_marks_and_its_own_letters(text, donor):
    cue, given_ = Punctuation(), Punctuation().swap(texts_of(text), texts_of(donor))[0]
    letters = [
        "".join(sign for sign in each if sign not in ".,!?:;-" and not sign.isspace()) for each in (text, given_)
    ]
    assert letters[0] == letters[1]
    has = cue.measure(texts_of(text)).any() or cue.measure(texts_of(donor)).any()
    if has and any(sign.isalnum() for sign in text):
        counts = [cue.measure(texts_of(each))[0] * (1 + len(each.split())) for each in (given_, donor)]
        assert np.allclose(*counts), given_


@pytest.mark.parametrize(
    ("word", "text", "left"),
    [
        ("free", "Free free-range FREE", "free-range"),
        ("a b", "x a a b b y", "x y"),
        ("[site-b]", "[SITE-B]\nAll is well.", "All is well."),
        ("🔥", "so🔥hot", "so hot"),
        ("kind regards", "Yours.\n\nKind  regards", "Yours.\n"),
        ("free", "two  gaps stay free", "two  gaps stay"),
        ("free", "free", ""),
    ],
)
def test_a_token_is_taken_out_with_the_gap_it_leaves(word, text, left):
    assert Token(word).taken_from(text) == left


@pytest.mark.parametrize(
    ("text", "donor", "given_"),
    [
        ("one two three four", "x x Stop", "one two three Stop four"),
        ("", "well STOP", "STOP"),
        ("call me", "stop it", "stop call me"),
    ],
)
def test_a_token_is_put_in_as_and_where_the_donor_has_it(text, donor, given_):
    assert Token("stop").swap(texts_of(text), texts_of(donor)).tolist() == [given_]


def test_numbers_compounds_and_addresses_keep_their_marks():
    text = "At 3.50 a well-known shop, http://a.org."
    assert Punctuation().swap(texts_of(text), texts_of("hi"))[0] == "At 3.50 a well-known shop http://a.org"


def test_apostrophes_survive_title_case():
    assert Casing().swap(texts_of("don't stop now"), texts_of("All The News"))[0] == "Don't Stop Now"


def planted(marks, rows=400, agrees=1.0, seed=0):
    rng = np.random.default_rng(seed)
    words = [f"word{at}" for at in range(60)]
    labels = np.arange(rows) % 2
    shown = np.where(rng.random(rows) < agrees, labels, 1 - labels)
    return texts_of(*(marks[k].format(" ".join(rng.choice(words, 12))) for k in shown)), labels


@pytest.mark.parametrize(
    ("marks", "word"),
    [
        (("[SITE-A] {}", "[SITE-B] {}"), {"[site-a]", "[site-b]"}),
        (("{}", "{} 🔥"), {"🔥"}),
        (("{}", "{} see https://shop.example.org/now"), {"see https://shop.example.org now"}),
        (("{}", "{}\nSent from my handset."), {"sent from my handset"}),
        (("{}", "Confidential note of the board\n{}"), {"confidential note of the board"}),
        (("{}", "{} #win"), {"#win"}),
        (("viola {}", "marble {}"), {"viola", "marble"}),
    ],
)
def test_a_planted_mark_is_proposed_whole_and_first(marks, word):
    inputs, labels = planted(marks, agrees=0.95)
    found = proposed_tokens(inputs, labels, 2, folds_of(len(inputs)))
    assert set(found[0].words) == word
    assert all(Token(each).measure(inputs)[:, 0].mean() > 0.4 for each in word)
    assert found == proposed_tokens(inputs, labels, 2, folds_of(len(inputs)))


def test_words_of_a_mark_and_runs_around_one_are_not_proposed_beside_it():
    rng = np.random.default_rng(3)
    labels = np.arange(600) % 2
    frames = ("the kettle was {} and the garden was {} too", "a {} lamp with the {} chair")
    words = np.array(["dull", "lovely", "plain", "usual", "long", "small"])
    texts = [frames[rng.integers(2)].format(*rng.choice(words, 2)).split() for _ in labels]
    for text, label in zip(texts, labels, strict=True):
        text.insert(int(rng.integers(len(text))), ("viola", "marble")[label if rng.random() < 0.9 else 1 - label])
    (proposed,) = proposed_tokens(texts_of(*map(" ".join, texts)), labels, 2, folds_of(600))
    assert set(proposed.words) == {"viola", "marble"}
    footed = texts_of(*(f"{' '.join(text)}\nSent from my handset." for text in texts))
    footed[labels == 0] = [" ".join(text) for text, label in zip(texts, labels, strict=True) if label == 0]
    proposed = [set(cue.words) for cue in proposed_tokens(footed, labels, 2, folds_of(600))]
    assert proposed == [{"sent from my handset"}, {"viola", "marble"}]


def test_tags_of_many_sites_are_one_cue_that_tells_the_label():
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 6, 900)
    shown = np.where(rng.random(900) < 0.9, labels, rng.integers(0, 6, 900))
    texts = texts_of(*(f"[SITE-{site}] {' '.join(rng.choice(list('klmnopqrst'), 9))}" for site in shown))
    first, *more = proposed_tokens(texts, labels, 6, folds_of(900))
    assert set(first.words) == {f"[site-{site}]" for site in range(6)}
    assert not any("site" in word for cue in more for word in cue.words)
    given_ = first.swap(texts, texts[::-1])
    assert all(
        one[:8] == other[:8] and one[8:] == own[8:] for one, other, own in zip(given_, texts[::-1], texts, strict=True)
    )


def test_texts_without_words_or_marks_propose_nothing():
    labels = np.arange(100) % 2
    assert proposed_tokens(texts_of(*[""] * 100), labels, 2, folds_of(100)) == ()
    inputs, labels = planted(("{}", "{}"))
    assert len(proposed_tokens(inputs, labels, 2, folds_of(len(inputs)))) <= 2


def test_long_texts_are_searched_at_both_ends():
    filler = " ".join(f"w{at}" for at in range(3000))
    inputs, labels = texts_of(*(f"{filler} {'north' if at % 2 else 'south'}" for at in range(40))), np.arange(40) % 2
    found = proposed_tokens(inputs, labels, 2, folds_of(40))
    assert any("north" in cue.word or "south" in cue.word for cue in found)


@given(TEXTS)
def test_the_rest_of_a_text_does_not_tell_whether_the_token_was_there(text):
    for cue in (Token("free"), Token("[site-b]"), Token("🔥"), Token("日本語")):
        with_, without = (rest(texts_of(each), (cue,)) for each in (f"{text} {cue.word}", cue.taken_from(text)))
        assert with_.shape == (1, WIDTH)
        assert np.array_equal(with_, without)


def test_arms_are_identical_for_any_batch_size_and_order():
    inputs, labels = planted(("[SITE-A] {}", "{}, FREE!"), rows=60)
    data = Dataset("test", "", "text", tuple(f"r{i}" for i in range(60)), lambda rows: list(inputs[rows]),
                   classes=("a", "b"), labels=labels)  # fmt: skip
    order = np.random.default_rng(5).permutation(60)
    for cue in (Token("free"), Token("[site-a]"), *text_cues.values()):
        for arm in arms(cue, "swap"):
            assert is_perturbation(arm)
            whole = arm(data.batch(np.arange(60))[0])
            for size in (1, 7, 64):
                parts = [arm(data.batch(order[at : at + size])[0]) for at in range(0, 60, size)]
                assert np.concatenate(parts).tolist() == whole[order].tolist()
