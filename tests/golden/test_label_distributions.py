"""Distances to labellers: closed forms, and what is known of the CIFAR-10H votes."""

import os
from pathlib import Path

import numpy as np
import pytest

from pfungst.errors import InputError
from pfungst.methods.label_distributions import entropy, noise, squared_distance, total_variation
from pfungst.outputs import Outputs

DATA = Path(os.environ.get("PFUNGST_DATA", Path(__file__).parents[3] / "shared" / "data"))


def test_the_floor_is_the_noise_of_shares():
    """Labellers who follow a known distribution: their shares lie from it, squared, as far as the floor says."""
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), 4000)
    counts = np.stack([rng.multinomial(12, one) for one in p])
    truth = Outputs(np.log(p).astype(np.float32))
    apart = squared_distance(truth, counts / 12).mean()
    assert noise(counts).floor == pytest.approx(apart, rel=0.03)


def test_a_model_that_states_the_shares_is_at_no_distance():
    shares = np.array([[0.7, 0.2, 0.1], [1.0, 0.0, 0.0]])
    same = Outputs(np.log(np.maximum(shares, 1e-30)).astype(np.float32))
    assert np.allclose(total_variation(same, shares), 0, atol=1e-6)
    assert np.allclose(squared_distance(same, shares), 0, atol=1e-6)
    assert entropy(shares)[1] == 0


def test_single_votes_show_no_noise():
    with pytest.raises(InputError, match="two a row"):
        noise(np.eye(3, dtype=int))


@pytest.mark.skipif(not (DATA / "images" / "cifar10_test_jpeg.npz").exists(), reason="PFUNGST_DATA is not here")
def test_cifar10h_labellers_are_as_far_apart_as_known():
    """Published of all 10,000 rows: split-half total variation .037, Brier .0060, floor .0015, entropy .1545."""
    counts = np.load(DATA / "images" / "cifar10_test_jpeg.npz")["label_counts"]
    apart = noise(counts)
    assert apart.variation == pytest.approx(0.037, abs=0.001)
    assert apart.squared == pytest.approx(0.0060, abs=0.0003)
    assert apart.floor == pytest.approx(0.0015, abs=0.0001)
    assert entropy(counts / counts.sum(axis=1, keepdims=True)).mean() == pytest.approx(0.1545, abs=0.005)
