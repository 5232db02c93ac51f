"""Every registered shift of tables and texts, whatever the cells: kind and shape stay, and rows stand alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pfungst.datasets.dataset import Dataset
from pfungst.methods.shifts import maker, shifts

TEXTS = [name for name, kind in shifts.items() if kind.modality == "text"]
TABLES = [name for name, kind in shifts.items() if kind.modality == "table"]
WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=30) | st.sampled_from(
    ["", " ", "aaa", "İ", "ß\n", "🐎 a"]
)
CELLS = st.one_of(
    st.none(),
    st.floats(),
    st.integers(),
    st.booleans(),
    st.text(max_size=5),
    st.sampled_from(["nan", "1e400", 10**400]),
)


def data_of(rows, modality):
    ids = tuple(f"row {at}" for at in range(len(rows)))
    shape = () if modality == "text" else rows.shape[1:]
    return Dataset("test", "", modality, ids, lambda at: rows[at], classes=("a", "b"),
                   labels=np.arange(len(rows)) % 2, shape=shape)  # fmt: skip


def alike(one, other):
    return all(a is b or a == b or (a != a and b != b) for a, b in zip(one.ravel(), other.ravel(), strict=True))  # noqa: PLR0124 - NaN


def held_to_it(name, rows, modality, level, order):
    """A shift keeps rows, type and its input, and gives a row the same in any order and company."""
    data = data_of(rows, modality)
    batch, _ = data.batch(np.arange(len(rows)))
    before = batch.inputs.copy()
    shift = maker(name, data)(severity=level)
    done = shift(batch)
    assert (done.shape, done.dtype) == (before.shape, before.dtype)
    assert alike(batch.inputs, before)
    assert alike(shift(batch.take(np.array(order))), done[order])
    for at in range(len(rows)):
        assert alike(shift(batch.take(np.array([at]))), done[[at]])
    return before, done


@pytest.mark.parametrize("name", TEXTS)
@given(texts=st.lists(WORDS, min_size=1, max_size=5), level=st.integers(1, 5), data=st.data())
@settings(max_examples=30)
def test_texts_stay_texts(name, texts, level, data):
    rows = np.empty(len(texts), object)
    rows[:] = texts
    order = data.draw(st.permutations(range(len(texts))))
    _, done = held_to_it(name, rows, "text", level, order)
    assert all(isinstance(one, str) for one in done)


@pytest.mark.parametrize("name", TABLES)
@given(data=st.data(), level=st.integers(1, 5))
@settings(max_examples=30)
def test_cells_that_are_no_numbers_are_kept_or_filled_with_another_of_their_column(name, data, level):
    shape = data.draw(st.tuples(st.integers(1, 8), st.integers(1, 3)))
    rows = np.empty(shape, object)
    for at in np.ndindex(shape):
        rows[at] = data.draw(CELLS)
    before, done = held_to_it(name, rows, "table", level, data.draw(st.permutations(range(shape[0]))))
    for at in np.ndindex(shape):
        if isinstance(before[at], str) or before[at] is None:
            # The usual value of a column of numbers is their median, which need not be one of them.
            filled = name == "missing" and (done[at] in list(before[:, at[1]]) or isinstance(done[at], float))
            assert done[at] is before[at] or filled


@pytest.mark.parametrize("name", TABLES)
@given(
    numbers=st.lists(st.tuples(st.floats(-1e6, 1e6, width=32), st.integers(0, 1)), min_size=1, max_size=12),
    level=st.integers(1, 5),
)
@settings(max_examples=30)
def test_numbers_stay_finite(name, numbers, level):
    rows = np.array(numbers, np.float32)
    _, done = held_to_it(name, rows, "table", level, list(range(len(rows)))[::-1])
    assert np.isfinite(done).all()
