"""Columns: a swap gives the donor's value and nothing else, whatever stands in the cells."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pfungst.datasets.dataset import Dataset
from pfungst.methods.columns import BUCKETS, Column, columns, others
from pfungst.methods.opportunity import discriminant, folds_of
from pfungst.methods.swaps import arms
from pfungst.passes import is_perturbation

CELLS = st.one_of(
    st.none(),
    st.floats(),
    st.integers(),
    st.booleans(),
    st.text(max_size=8),
    st.sampled_from(
        ["nan", "inf", "1e400", "-0", " 7 ", "٣", "B", "\ud800", 10**400, -(10**400), b"3", np.float32(2.5)]
    ),
)


@st.composite
def tables(draw):
    wide, rows = draw(st.integers(1, 5)), draw(st.integers(1, 12))
    table = np.empty((rows, wide), object)
    for at in np.ndindex(rows, wide):
        table[at] = draw(CELLS)
    return table


def alike(one, other):
    return all(a is b or a == b or (a != a and b != b) for a, b in zip(one.ravel(), other.ravel(), strict=True))  # noqa: PLR0124 - NaN


@given(tables(), st.randoms())
def test_a_swap_gives_the_donors_measure_and_leaves_every_other_cell(table, random):
    donors = table[[random.randrange(len(table)) for _ in table]]
    before = table.copy()
    for cue in columns([f"c{at}" for at in range(table.shape[1])]):
        changed = cue.swap(table, donors)
        assert alike(table, before)
        assert (changed.shape, changed.dtype) == (table.shape, table.dtype)
        assert np.array_equal(cue.measure(changed), cue.measure(donors))
        rest = [at for at in range(table.shape[1]) if at != cue.at]
        assert alike(changed[:, rest], table[:, rest])
        assert alike(cue.swap(table, table), table)


@given(tables())
def test_a_measure_is_finite_and_the_same_in_any_company(table):
    for cue in columns([f"c{at}" for at in range(table.shape[1])]):
        whole = cue.measure(table)
        assert whole.shape == (len(table), 3 + 2 * BUCKETS)
        assert np.isfinite(whole).all()
        assert np.isfinite(whole.std(axis=0)).all()
        assert np.array_equal(whole, np.concatenate([cue.measure(table[[row]]) for row in range(len(table))]))


@given(tables())
def test_what_surrounds_a_column_is_finite_narrow_and_knows_nothing_of_it(table):
    for cue in columns([f"c{at}" for at in range(table.shape[1])]):
        around = others(table, cue)
        assert around.shape[0] == len(table)
        assert around.shape[1] <= 64
        assert np.isfinite(around).all()
        other = table.copy()
        other[:, cue.at] = "something else"
        assert np.array_equal(around, others(other, cue))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, bool, object])
def test_numbers_of_any_type_are_measured_alike(dtype):
    table = np.array([[0, 1], [1, 0], [1, 1]]).astype(dtype)
    assert Column(0, "a").measure(table)[:, 0].tolist() == [0, 1, 1]
    assert Column(0, "a").swap(table, table[::-1]).dtype == dtype


def test_text_arrays_are_measured_like_objects():
    table = np.array([["1", "site B"], ["", "2.5"]])
    assert np.array_equal(Column(1, "s").measure(table), Column(1, "s").measure(table.astype(object)))


def test_missing_numbers_are_told_from_zeros_and_buckets_are_those_of_crc32():
    table = np.array([[np.nan], [0.0], [None], ["B"]], object)
    coded = Column(0, "a").measure(table)
    assert coded[:, 2].tolist() == [1, 0, 1, 0]
    hashed = zlib.crc32(b"B")
    assert np.flatnonzero(coded[3]).tolist() == [3 + hashed % 16, 19 + hashed // 16 % 16]
    assert coded[:3, 3:].sum() == 0


def test_codes_of_a_few_hundred_sites_are_nearly_all_told_apart():
    sites = np.array([[f"site {number}"] for number in range(200)], object)
    assert len(np.unique(Column(0, "site").measure(sites), axis=0)) > 120


def test_a_few_huge_values_do_not_hide_what_the_others_say():
    rng = np.random.default_rng(0)
    labels = np.arange(600) % 2
    table = (0.3 * rng.random(600) + 0.3 * labels)[:, None]
    table[rng.choice(600, 3, replace=False)] = 50000.0
    for half in (slice(300), slice(300, None)):
        scored = discriminant(Column(0, "use").measure(table[half]), labels[half], 2, folds_of(300))
        assert scored.opportunity().value > 0.8


def test_a_constant_column_says_nothing():
    table = np.full((40, 2), 3.25)
    scored = discriminant(Column(0, "a").measure(table), np.arange(40) % 2, 2, folds_of(40))
    assert scored.opportunity().value == 0.5
    assert scored.share == 0
    assert others(table, Column(0, "a")).shape == (40, 0)


def test_a_wide_table_is_told_by_its_main_axes():
    rng = np.random.default_rng(0)
    table = rng.standard_normal((200, 3)) @ rng.standard_normal((3, 100))
    around = others(table, Column(7, "x"))
    assert around.shape == (200, 64)
    labels = (table[:, 7] + rng.standard_normal(200) > 0).astype(int)
    scored = discriminant(Column(7, "x").measure(table), labels, 2, folds_of(200))
    assert scored.tie(around).value > 0.9


def test_arms_are_identical_for_any_batch_size_and_order():
    rng = np.random.default_rng(1)
    table = np.empty((60, 3), object)
    table[:, 0], table[:, 1] = rng.standard_normal(60), rng.choice(["A", "B", None], 60)
    table[:, 2] = np.where(rng.random(60) < 0.3, np.nan, rng.integers(0, 5, 60))
    data = Dataset("test", "", "table", tuple(f"r{i}" for i in range(60)), lambda rows: list(table[rows]),
                   classes=("a", "b", "c"), labels=np.arange(60) % 3, shape=(3,))  # fmt: skip
    order = rng.permutation(60)
    for cue in columns(("number", "site", "gaps")):
        for arm in arms(cue, "swap"):
            assert is_perturbation(arm)
            whole = arm(data.batch(np.arange(60))[0])
            for size in (1, 7, 64):
                parts = [arm(data.batch(order[at : at + size])[0]) for at in range(0, 60, size)]
                assert alike(np.concatenate(parts), whole[order])


def test_both_arms_take_the_donors_of_the_class_that_was_asked():
    labels = np.arange(40) % 2
    table = np.stack([labels, np.arange(40)], axis=1).astype(float)
    data = Dataset("test", "", "table", tuple(f"r{i}" for i in range(40)), lambda rows: list(table[rows]),
                   classes=("a", "b"), labels=labels, shape=(2,))  # fmt: skip
    batch, _ = data.batch(np.arange(40))
    kept, reversed_ = (arm(batch) for arm in arms(Column(0, "leak"), "swap"))
    assert np.array_equal(kept, table)
    assert np.array_equal(reversed_[:, 0], 1 - table[:, 0])
    assert np.array_equal(reversed_[:, 1], table[:, 1])


def test_administrative_names_are_known_in_any_spelling():
    named = columns(("Site ID", "hospital_name", "recordNumber", "parasite", "age"))
    assert [cue.administrative for cue in named] == [True, True, False, False, False]
