"""Attacks: what must fall falls, what is drawn outside the budget does not count, and hidden gradients hide nothing."""

import os
from pathlib import Path

import numpy as np
import pytest

from pfungst.attacked import as_levels, as_shares
from pfungst.datasets.dataset import Batch
from pfungst.load import bind, load_data, load_model
from pfungst.methods.attack_losses import margin, scale_free_cross_entropy, towards
from pfungst.methods.balls import L0, L1, L2, Linf, balls
from pfungst.methods.gradient_attack import Search, climb, inside
from pfungst.methods.threats import FLAT, SATURATED, Norm, Patch, RotationTranslation
from pfungst.models.function import function_model
from pfungst.passes import Attack
from pfungst.task import Task

torch = pytest.importorskip("torch")
DATA = Path(os.environ.get("PFUNGST_DATA", Path(__file__).parents[3] / "shared" / "data"))
SIDE = 8


def linear(scale=1.0, classes=2, seed=0):
    """A linear network: its smallest change of each norm is known in closed form."""
    torch.manual_seed(seed)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(SIDE * SIDE, classes))
    with torch.no_grad():
        net[1].weight.mul_(scale)
        net[1].bias.zero_()
        net[1].bias.sub_(net[1].weight.sum(1) * 0.5)
    return net


def batch_of(net, rows=40, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.uniform(0.3, 0.7, (rows, SIDE, SIDE, 1)).astype(np.float32)
    model = load_model(net)
    labels = model.predict(images).predictions
    return model, Batch(tuple(map(str, range(rows))), np.arange(rows), images, labels)


def smallest(net, batch, norm):
    """Distance to the boundary of a linear net of two classes: margin over the dual norm of the weights' difference."""
    weight = (net[1].weight[1] - net[1].weight[0]).detach().numpy()
    flat = batch.inputs.reshape(len(batch), -1)
    gap = np.abs(flat @ weight + float((net[1].bias[1] - net[1].bias[0]).detach()))
    dual = {"linf": np.abs(weight).sum(), "l2": np.linalg.norm(weight), "l1": np.abs(weight).max()}[norm]
    return gap / dual


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_rows_fall_exactly_beyond_their_distance_to_the_boundary(norm):
    net = linear()
    model, batch = batch_of(net)
    distance = smallest(net, batch, norm)
    size = float(np.median(distance))
    found = Attack(Norm(norm, (size,), steps=40, queries=1)).run(model, batch)
    assert (found.broken == (distance < size))[np.abs(distance - size) > 0.02 * size].all()
    assert (found.distance[found.broken] <= size * 1.0001).all()


@pytest.mark.parametrize("norm", sorted({"linf", "l2", "l1", "l0"}))
def test_what_breaks_lies_inside_the_ball_and_the_range(norm):
    model, batch = batch_of(linear(4.0))
    size = {"linf": 0.1, "l2": 0.8, "l1": 4.0, "l0": 12.0}[norm]
    threat = Norm(norm, (size,), steps=30, queries=50)
    proposed = threat(model, batch)
    kept = threat.kept_to(batch.inputs, proposed.inputs, proposed.budget)
    assert kept.min() >= 0
    assert kept.max() <= 1
    fell = np.isfinite(proposed.budget)
    assert fell.any()
    assert (threat.distance(batch.inputs, kept)[fell] <= size * (1 + 1e-5)).all()


def test_an_attack_that_cheats_is_drawn_back_and_counts_for_nothing():
    """What a search claims is clipped and asked again: pictures far outside the budget are none of its successes."""
    model, batch = batch_of(linear())

    class Cheat(Norm):
        def __call__(self, model, batch):
            proposed = super().__call__(model, batch)
            return proposed._replace(
                inputs=1 - batch.inputs, budget=np.full(len(batch), self.budgets[0]), stage=np.full(len(batch), 3)
            )

    found = Attack(Cheat("linf", (1e-4,), steps=2, targets=0, queries=1)).run(model, batch)
    assert (model.predict(1 - batch.inputs).predictions != batch.labels).any()
    assert not found.broken.any()


def test_larger_budgets_break_no_fewer_rows():
    net = linear()
    model, batch = batch_of(net)
    sizes = tuple(float(np.quantile(smallest(net, batch, "linf"), q)) for q in (0.25, 0.5, 0.75))
    found = Attack(Norm("linf", sizes, steps=30, queries=1)).run(model, batch)
    counts = [(found.broken & (found.budget <= size)).sum() for size in sizes]
    assert counts == sorted(counts)
    assert 5 <= counts[0] < counts[2]


def test_scores_a_thousand_times_larger_fall_alike():
    sizes = (0.02,)
    plain, steep = (Attack(Norm("linf", sizes, steps=20, queries=1)).run(*batch_of(linear(s))) for s in (1.0, 1e4))
    assert np.array_equal(plain.broken, steep.broken)
    assert (steep.signs & SATURATED).any()


class Stepped(torch.nn.Module):
    """Inputs in four levels: the derivative is zero everywhere, and nothing is gained."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(torch.round(x * 3) / 3)


def test_a_network_that_hides_its_gradients_is_seen_and_falls_to_random_search():
    net = linear(8.0)
    model, batch = batch_of(Stepped(net))
    found = Attack(Norm("linf", (0.3,), steps=10, targets=1, queries=300)).run(model, batch)
    assert (found.signs[found.budget > 0] & FLAT).mean() > 0.5
    assert np.isin(found.stage, (2, 5)).sum() > 0.5 * len(batch)


def test_a_model_without_gradients_is_searched_with_its_scores():
    net = linear(4.0)
    _, batch = batch_of(net)
    weight, bias = (one.detach().numpy() for one in (net[1].weight, net[1].bias))
    model = function_model(lambda x: x.reshape(len(x), -1) @ weight.T + bias, Task())
    found = Attack(Norm("linf", (0.05,), queries=200)).run(model, batch)
    assert found.broken.mean() > 0.5
    assert not found.backwards.any()


def test_answers_do_not_depend_on_the_batch():
    model, batch = batch_of(linear(2.0, classes=4), rows=30)
    attack = Attack(Norm("linf", (0.02,), steps=15, targets=2, queries=40))
    whole = attack.run(model, batch)
    parts = [attack.run(model, batch.take(np.arange(at, at + 7)[np.arange(at, at + 7) < 30])) for at in range(0, 30, 7)]
    assert np.array_equal(whole.broken, np.concatenate([part.broken for part in parts]))
    assert np.array_equal(whole.stage, np.concatenate([part.stage for part in parts]))


def test_rows_that_fell_are_asked_no_more():
    model, batch = batch_of(linear(8.0))
    easy = Attack(Norm("linf", (0.5,), steps=100, queries=100)).run(model, batch)
    assert easy.broken.all()
    assert easy.forwards.max() <= 14


def test_turned_and_moved_pictures_come_from_the_grid():
    threat = RotationTranslation(10.0, 0.1, angles=3, shifts=3)
    grid = threat.grid()
    assert len(grid) == 26
    assert max(abs(angle) for angle, _, _ in grid) == 10.0
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 12, 12, 3), dtype=np.uint8)
    model = function_model(lambda x: np.stack([x[:, 0, 0, 0], 1 - x[:, 0, 0, 0]], 1), Task())
    labels = model.predict(as_shares(images)).predictions
    found = Attack(threat).run(model, Batch(tuple("abcdef"), np.arange(6), images, labels))
    assert found.left.shape == images.shape
    assert set(found.stage.tolist()) <= {0, 6}


def test_a_patch_changes_nothing_but_its_square():
    model, batch = batch_of(linear(4.0))
    threat = Patch(0.1, steps=20)
    proposed = threat(model, batch)
    kept = threat.kept_to(batch.inputs, proposed.inputs, proposed.budget)
    changed = np.abs(kept - batch.inputs).sum(axis=3) > 0
    assert changed.reshape(len(changed), -1).sum(axis=1).max() <= round(0.1**0.5 * SIDE) ** 2
    assert np.isfinite(proposed.budget).any()


def test_whole_grey_levels_lie_towards_the_original():
    rng = np.random.default_rng(0)
    originals = as_shares(rng.integers(0, 256, (50, 4), dtype=np.uint8))
    moved = np.clip(originals + rng.uniform(-0.05, 0.05, originals.shape), 0, 1).astype(np.float32)
    levels = as_levels(originals, moved)
    assert (np.abs(levels / 255 - originals) <= np.abs(moved - originals) + 1e-5).all()


@pytest.mark.parametrize("ball", [Linf(0.1), L2(0.5), L1(1.0), L0(3)])
def test_balls_hold_what_they_project_and_leave_alone_what_they_hold(ball):
    rng = np.random.default_rng(1)
    change = rng.normal(0, 1, (20, 5, 5, 2)).astype(np.float32)
    once = ball.projected(change)
    assert (ball.length(once) <= ball.size * (1 + 1e-5)).all()
    assert np.allclose(ball.projected(once), once, atol=1e-6)
    assert np.isfinite(ball.steepest(np.zeros_like(change))).all()


def test_l1_projection_is_the_nearest_point():
    rng = np.random.default_rng(2)
    change = rng.normal(0, 1, (1, 3, 3, 1))
    near = L1(1.0).projected(change)
    for _ in range(200):
        other = rng.normal(0, 1, change.shape)
        other /= np.abs(other).sum()
        assert np.linalg.norm(change - near) <= np.linalg.norm(change - other) + 1e-9


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("loss", [margin, scale_free_cross_entropy, towards(np.ones(6, int))])
def test_losses_have_the_derivative_they_say(loss, classes):
    """Of the cross-entropy with the gap held still, which is how it is climbed."""
    rng = np.random.default_rng(3)
    scores = rng.normal(0, 2, (6, classes)).astype(np.float64)
    labels = np.zeros(6, int)
    rows = np.arange(6)
    slope = loss(scores, labels, rows).slope
    if loss is scale_free_cross_entropy:
        ordered = -np.sort(-scores, axis=1)
        gap = (ordered[:, 0] - ordered[:, 1])[:, None]

        def value(z):
            return np.log(np.exp(z / gap).sum(1)) - (z / gap)[rows, labels]
    else:

        def value(z):
            return loss(z, labels, rows).values

    for k in range(classes):
        step = np.zeros_like(scores)
        step[:, k] = 1e-6
        wanted = (value(scores + step) - value(scores - step)) / 2e-6
        assert np.allclose(slope[:, k], wanted, rtol=1e-3, atol=1e-4)


def test_all_norms_are_registered():
    assert {"linf", "l2", "l1", "l0"} <= set(balls)


def test_a_climb_never_leaves_the_ball():
    model, batch = batch_of(linear(0.01))
    seen = []

    class Watched:
        def linearised(self, inputs):
            seen.append(max(np.abs(one - batch.inputs).max(axis=(1, 2, 3)).min() for one in inputs))
            return model.linearised(inputs)

    search = Search.of(Watched(), batch.inputs, batch.labels)
    climb(search, Linf(0.03), margin, 25)
    assert max(seen) <= 0.03 + 1e-6
    assert inside(Linf(0.03), batch.inputs, batch.inputs + 1).max() <= 1


@pytest.mark.skipif(not (DATA / "models" / "mnist_wong_kolter_linf0.1").exists(), reason="PFUNGST_DATA is not here")
def test_the_provably_robust_network_keeps_what_is_proven_and_loses_what_is_known():
    """Of the first 500 digits PGD breaks about 4.4 %; of all no attack breaks over 5.82 % (Wong & Kolter 2018)."""
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 4, 2, 1), torch.nn.ReLU(), torch.nn.Conv2d(16, 32, 4, 2, 1), torch.nn.ReLU(),
        torch.nn.Flatten(), torch.nn.Linear(1568, 100), torch.nn.ReLU(), torch.nn.Linear(100, 10),
    )  # fmt: skip
    held = torch.load(
        DATA / "models" / "mnist_wong_kolter_linf0.1" / "state_dict.pt", weights_only=True, map_location="cpu"
    )
    while "state_dict" in held:
        held = held["state_dict"][0] if isinstance(held["state_dict"], list) else held["state_dict"]
    net.load_state_dict({str(name).removeprefix("module."): value for name, value in held.items()})
    model = load_model(net)
    data = bind(model, load_data(DATA / "images" / "mnist_test.npz"))
    batch, _ = data.batch(np.arange(500))
    found = Attack(Norm("linf", (0.1,), steps=40, targets=1, queries=1)).run(model, batch)
    assert 0.040 <= found.broken.mean() <= 0.060
