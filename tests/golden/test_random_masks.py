"""RISE and KernelSHAP against what can be worked out by hand, and against Captum."""

from itertools import permutations

import numpy as np
import pytest

from pfungst.datasets.dataset import Batch
from pfungst.errors import InputError
from pfungst.methods.attributions import plain_picture
from pfungst.methods.masks import KernelShap, MaskPool, Rise, shapley
from pfungst.methods.occlusion import windows
from pfungst.models.function import function_model
from pfungst.task import Task

RNG = np.random.default_rng(1)
WEIGHTS = RNG.normal(size=(12, 18)).astype(np.float32)


def batch_of(inputs, seed=0):
    names = tuple(f"r{at}" for at in range(len(inputs)))
    return Batch(names, np.arange(len(inputs)), inputs, np.full(len(inputs), -1), seed=seed)


def pictures(rows=4):
    return RNG.random((rows, 12, 18, 1), dtype=np.float32)


def linear():
    def scores(inputs):
        seen = np.asarray(inputs, np.float32)[..., 0]
        one = 5 + (seen * WEIGHTS).sum(axis=(1, 2)) / 10
        return np.stack([one, np.zeros_like(one)], axis=1)

    return function_model(scores, Task(), outputs="logits")


def bent():
    """A score in which cells depend on each other."""

    def scores(inputs):
        seen = np.asarray(inputs, np.float32)[..., 0]
        halves = np.stack([(seen[:, :6] * WEIGHTS[:6]).sum((1, 2)), (seen[:, 6:] * WEIGHTS[6:]).sum((1, 2))])
        one = 20 + halves[0] * halves[1] / 10 + np.abs(halves[0])
        return np.stack([one, np.zeros_like(one)], axis=1)

    return function_model(scores, Task(), outputs="logits")


def cells(maps, count):
    """Sum of a map in each cell of the lattice, (rows, cells)."""
    return np.stack(
        [maps.values[:, a:b, c:d].sum(axis=(1, 2)) for a, b, c, d in windows(*maps.values.shape[1:], count)], axis=1
    )


def test_kernel_shap_of_a_linear_score_is_what_each_cell_added():
    batch = batch_of(pictures())
    added = (batch.inputs - plain_picture(batch.inputs))[..., 0] * WEIGHTS / 10
    exact = np.stack([added[:, a:b, c:d].sum(axis=(1, 2)) for a, b, c, d in windows(12, 18, 5)], axis=1)
    maps = KernelShap()(linear(), batch)
    np.testing.assert_allclose(cells(maps, 5), exact, atol=1e-4)
    assert (maps.error < 1e-4).all()
    assert (maps.forwards == 143).all()


def test_kernel_shap_of_all_coalitions_is_the_mean_over_all_orders():
    batch = batch_of(pictures(2))
    model, plain = bent(), plain_picture(batch.inputs)
    places = windows(12, 18, 2)

    def scored(kept):
        shown = plain.copy()
        for at in kept:
            a, b, c, d = places[at]
            shown[:, a:b, c:d] = batch.inputs[:, a:b, c:d]
        return model.predict(shown).logits[:, 0].astype(np.float64)

    exact = np.zeros((2, 4))
    for order in permutations(range(4)):
        for rank, at in enumerate(order):
            exact[:, at] += (scored(order[: rank + 1]) - scored(order[:rank])) / 24
    maps = KernelShap(cells=2)(model, batch)
    np.testing.assert_allclose(cells(maps, 2), exact, rtol=1e-4, atol=1e-3)
    assert (maps.error == 0).all()
    assert (maps.forwards == 17).all()


@pytest.mark.parametrize("count", [3, 5])
def test_kernel_shap_sums_to_what_the_score_gained(count):
    batch, model = batch_of(pictures()), bent()
    gained = model.predict(batch.inputs).logits[:, 0] - model.predict(plain_picture(batch.inputs)).logits[:, 0]
    np.testing.assert_allclose(KernelShap(cells=count)(model, batch).values.sum(axis=(1, 2)), gained, rtol=1e-3)


def test_kernel_shap_equals_captum_given_the_same_coalitions():
    torch = pytest.importorskip("torch", reason="the oracle needs PyTorch")
    captum = pytest.importorskip("captum.attr", reason="the oracle is Captum: pip install captum==0.9.0")
    picture = pictures(1)
    plain = plain_picture(picture)
    label = np.zeros((12, 18), np.int64)
    for at, (a, b, c, d) in enumerate(windows(12, 18, 2)):
        label[a:b, c:d] = at
    model = bent()
    theirs = captum.ShapleyValueSampling(lambda x: torch.from_numpy(model.predict(x.numpy()).logits))
    with torch.no_grad():
        torch.manual_seed(0)
        found = theirs.attribute(
            torch.from_numpy(picture), torch.from_numpy(plain.copy()), 0, n_samples=400,
            feature_mask=torch.from_numpy(label[None, :, :, None]),
        ).numpy()  # fmt: skip
    once = [found[0, a, c, 0] for a, _, c, _ in windows(12, 18, 2)]
    ours = cells(KernelShap(cells=2)(model, batch_of(picture)), 2)[0]
    # Captum draws orders at random: four hundred leave a few per cent of noise.
    np.testing.assert_allclose(ours, once, atol=0.1 * np.abs(ours).max())


def test_rise_of_a_linear_score_is_the_covariance_of_the_masks_with_what_each_pixel_added():
    # f(x under m) = const + sum_q added_q m_q, so the map at p is sum_q added_q cov(m_q, m_p) / mean m_p.
    batch = batch_of(pictures())
    added = ((batch.inputs - plain_picture(batch.inputs))[..., 0] * WEIGHTS / 10).reshape(4, -1)
    masks = MaskPool(0, 12, 18).shifted(7, 64).reshape(64, -1).astype(np.float64)
    covariance = np.cov(masks, rowvar=False, bias=True)
    expected = (added @ covariance / masks.mean(axis=0)).reshape(4, 12, 18)
    np.testing.assert_allclose(Rise(masks=64)(linear(), batch).values, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("place", [(1, 2), (8, 15), (5, 9)])
def test_rise_points_at_the_only_pixels_that_count(place):
    def scores(inputs):
        seen = np.asarray(inputs, np.float32)[:, place[0] : place[0] + 2, place[1] : place[1] + 2].mean(axis=(1, 2, 3))
        return np.stack([5 + 9 * seen, np.zeros_like(seen)], axis=1)

    inputs = pictures(3) * 0.3
    inputs[:, place[0] : place[0] + 2, place[1] : place[1] + 2] = 1
    maps = Rise(masks=512)(function_model(scores, Task(), outputs="logits"), batch_of(inputs))
    down, across = np.unravel_index(maps.values.reshape(3, -1).argmax(axis=1), (12, 18))
    assert (np.abs(down - place[0] - 0.5) <= 2).all()
    assert (np.abs(across - place[1] - 0.5) <= 2).all()


def test_error_of_rise_shrinks_as_masks_grow():
    batch, model = batch_of(pictures(6)), linear()
    few, many = (Rise(masks=count)(model, batch).error.mean() for count in (32, 512))
    assert many < few / 2.5


def test_masks_keep_every_pixel_half_of_the_time():
    masks = MaskPool(3, 15, 22).shifted(7, 400)
    assert masks.min() >= 0
    assert masks.max() <= 1
    np.testing.assert_allclose(masks.mean(axis=0), 0.5, atol=1e-6)
    assert masks.std(axis=0).min() > 0.2


def test_coalition_and_complement_stand_together():
    kept = MaskPool(0, 10, 10).coalitions(25, 60)
    assert (kept[::2] ^ kept[1::2]).all()
    assert ((kept.sum(axis=1) > 0) & (kept.sum(axis=1) < 25)).all()


def test_small_and_large_coalitions_are_drawn_most():
    sizes = MaskPool(0, 10, 10).coalitions(20, 4000).sum(axis=1)
    weights = 1 / (np.arange(1, 20) * np.arange(19, 0, -1.0))
    np.testing.assert_allclose(np.bincount(sizes, minlength=20)[1:] / 4000, weights / weights.sum(), atol=0.02)


@pytest.mark.parametrize("method", [Rise(masks=32), KernelShap(coalitions=60)])
def test_maps_are_the_same_for_any_batch_and_order(method):
    batch, model = batch_of(pictures(7), seed=5), bent()
    whole = method(model, batch)
    order = np.array([4, 0, 6])
    part = method(model, batch.take(order))
    np.testing.assert_allclose(part.values, whole.values[order], atol=1e-5)
    assert not np.allclose(method(model, batch_of(batch.inputs, seed=6)).values, whole.values, atol=1e-4)


def test_too_few_coalitions_are_refused():
    with pytest.raises(InputError, match="10 coalitions for 25 cells"):
        KernelShap(coalitions=10)(linear(), batch_of(pictures()))


@pytest.mark.parametrize("method", [Rise(), KernelShap()])
def test_tables_are_refused(method):
    with pytest.raises(InputError, match="give pictures"):
        method(linear(), batch_of(np.zeros((3, 5), np.float32)))


def test_values_of_one_cell_are_all_there_is():
    batch, model = batch_of(pictures(2)), linear()
    gained = model.predict(batch.inputs).logits[:, 0] - model.predict(plain_picture(batch.inputs)).logits[:, 0]
    np.testing.assert_allclose(KernelShap(cells=1)(model, batch).values.sum(axis=(1, 2)), gained, atol=1e-4)


def test_constraint_holds_whatever_the_scores():
    kept = MaskPool(0, 4, 4).coalitions(6, 40)
    whole = RNG.normal(size=3)
    np.testing.assert_allclose(shapley(kept, RNG.normal(size=(3, len(kept))), whole).sum(axis=1), whole)
