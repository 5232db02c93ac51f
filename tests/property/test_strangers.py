"""Made strangers keep shape, type and range, and give a row the same bytes in any batch, order and company."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pfungst.canonical import canonical
from pfungst.datasets.dataset import Batch
from pfungst.errors import InputError
from pfungst.methods.strangers import ColumnsShuffled, LettersShuffled, PatchShuffled, PhaseRandomised, strangers
from pfungst.passes import is_perturbation

PICTURES = [kind() for kind in strangers.values() if kind.modality == "image"]
NAMES = [one.topic for one in PICTURES]


class Bank:
    """Donors of a table."""

    def __init__(self, inputs):
        self.inputs = inputs


def batch_of(inputs, donors=None):
    rows = np.arange(len(inputs))
    return Batch(tuple(f"row {row}" for row in rows), rows, inputs, np.full(len(rows), -1), donors=donors)


def some(rows=9, channels=3, kind="uint8", side=20):
    values = np.random.default_rng(0).integers(0, 256, (rows, side, side + 5, channels))
    return values.astype(np.uint8) if kind == "uint8" else (values / 255).astype(np.float32)


TABLE = np.random.default_rng(1).normal(size=(60, 4))
TEXTS = np.array([f"call me at {row} or send word {'x' * row}" for row in range(60)], dtype=object)
EVERY = [(one, batch_of(some(60))) for one in PICTURES]
EVERY += [(ColumnsShuffled(), batch_of(TABLE, Bank(TABLE))), (LettersShuffled(), batch_of(TEXTS))]


def test_each_kind_of_rows_has_strangers_that_can_stand_in_a_pass():
    assert {kind.modality for kind in strangers.values()} == {"image", "table", "text"}
    assert len(PICTURES) * 200 <= 1200
    for kind in strangers.values():
        assert is_perturbation(kind())
        assert canonical(kind()) == canonical(kind())


@pytest.mark.parametrize(("one", "whole"), EVERY, ids=[one.topic for one, _ in EVERY])
def test_a_row_depends_on_nothing_but_the_row(one, whole):
    before = whole.inputs.copy()
    expected = one(whole)
    for size in (1, 7):
        parts = [one(whole.take(np.arange(at, min(at + size, 60)))) for at in range(0, 60, size)]
        np.testing.assert_array_equal(np.concatenate(parts), expected)
    order = np.random.default_rng(1).permutation(60)
    np.testing.assert_array_equal(one(whole.take(order)), expected[order])
    np.testing.assert_array_equal(whole.inputs, before)
    assert expected.dtype == before.dtype
    assert not np.array_equal(expected, before)


@pytest.mark.parametrize("one", PICTURES, ids=NAMES)
@pytest.mark.parametrize("kind", ["uint8", "float32"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_shape_type_and_range_are_kept(one, kind, channels):
    inputs = some(channels=channels, kind=kind)
    out = one(batch_of(inputs))
    assert (out.shape, out.dtype) == (inputs.shape, inputs.dtype)
    assert out.min() >= 0
    assert out.max() <= (255 if kind == "uint8" else 1)


@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 40), value=st.sampled_from([0, 255, 128]))
def test_pictures_of_any_size_are_taken(height, width, value):
    inputs = np.full((2, height, width, 3), value, np.uint8)
    for one in PICTURES:
        assert one(batch_of(inputs)).shape == inputs.shape


def test_pieces_are_those_of_the_picture_and_none_stays():
    inputs = np.repeat(np.repeat(np.arange(16).reshape(1, 4, 4, 1), 5, axis=1), 5, axis=2).astype(np.uint8)
    out = PatchShuffled()(batch_of(inputs))
    assert sorted(out[0, ::5, ::5, 0].ravel().tolist()) == list(range(16))
    assert not (out == inputs).any()


def test_random_phases_keep_spectrum_and_relation_of_channels():
    inputs = (0.5 + 0.02 * np.random.default_rng(2).normal(size=(3, 21, 16, 3))).astype(np.float32)
    inputs[..., 1] = inputs[..., 0] * 0.5 + 0.2
    out = PhaseRandomised()(batch_of(inputs))
    before, after = (np.abs(np.fft.rfft2(one, axes=(1, 2))) for one in (inputs, out))
    np.testing.assert_allclose(after[:, :, 1:-1], before[:, :, 1:-1], atol=2e-2 * before[:, 1:].max())
    np.testing.assert_allclose(out[..., 1], out[..., 0] * 0.5 + 0.2, atol=1e-5)


def test_shuffled_columns_keep_their_values_and_lose_their_company():
    table = np.stack([np.arange(400.0), np.arange(400.0)], axis=1)
    out = ColumnsShuffled()(batch_of(table, Bank(table)))
    assert set(out.ravel()) <= set(table.ravel())
    assert abs(np.corrcoef(out.T)[0, 1]) < 0.2
    with pytest.raises(InputError, match="no labels"):
        ColumnsShuffled()(batch_of(table))


def test_shuffled_letters_keep_the_letters_of_each_word():
    texts = np.array(["Winner takes all", "", "a  b"], dtype=object)
    out = LettersShuffled()(batch_of(texts))
    for before, after in zip(texts, out, strict=True):
        assert [sorted(word) for word in before.split(" ")] == [sorted(word) for word in after.split(" ")]
