"""Proofs of a published network: Wong and Kolter 2018 prove an error of at most 5.8 % at linf 0.1 on the test digits.

All 10,000 rows take minutes: ``python benchmarks/proofs.py`` prints them. Here the first rows stand for them.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pfungst.datasets.bound import bind
from pfungst.load import load_data, load_model
from pfungst.methods.threats import Norm
from pfungst.passes import Attack, Prove

ROWS = 40


def test_wong_and_kolters_digits_are_proven_but_for_a_few(shared_data: Path):
    torch = pytest.importorskip("torch")
    from pfungst.models.torch_bounds import RULES, Region

    nn = torch.nn
    net = nn.Sequential(
        nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(), nn.Flatten(),
        nn.Linear(1568, 100), nn.ReLU(), nn.Linear(100, 10),
    )  # fmt: skip
    held = torch.load(
        shared_data / "models" / "mnist_wong_kolter_linf0.1" / "state_dict.pt", weights_only=True, map_location="cpu"
    )
    while "state_dict" in held:
        held = held["state_dict"][0] if isinstance(held["state_dict"], list) else held["state_dict"]
    net.load_state_dict({str(name).removeprefix("module."): value for name, value in held.items()})
    model = load_model(net)
    data = bind(model, load_data(shared_data / "images" / "mnist_test.npz"))
    batch, _ = data.batch(np.arange(ROWS))
    proven = Prove("linf", (0.1,)).run(model, batch)
    attacked = Attack(Norm("linf", (0.1,), steps=40, targets=1, queries=1)).run(model, batch)
    assert not (proven.within(0.1) & attacked.broken).any()
    assert not proven.refuted.any()
    assert (~proven.within(0.1) & ~attacked.broken).sum() <= 1
    # With the lines and the ball of the paper, which is not cut to the range, no row more is proven.
    centre = model.tensor(batch.inputs).double()
    with torch.no_grad():
        bounds = replace(model.bounds, rules=RULES[1:])
        found = bounds.margins(Region(centre, centre - 0.1, centre + 0.1), torch.from_numpy(batch.labels))
    published = found.least.numpy() > 0
    assert not (published & ~proven.within(0.1)).any()
    assert 0.9 <= published.mean() <= 0.975
