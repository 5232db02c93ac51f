"""Proofs are sound: no input of the region has a smaller margin than the bound, whatever the network."""

import itertools

import numpy as np
import pytest

from pfungst.datasets.dataset import Batch
from pfungst.errors import InputError
from pfungst.load import load_model
from pfungst.methods.threats import Norm
from pfungst.passes import Attack, Prove

torch = pytest.importorskip("torch")
from pfungst.models.torch_bounds import Bounds, Region  # noqa: E402 - after torch
from pfungst.models.torch_layers import read_layers  # noqa: E402 - after torch

nn = torch.nn
SEEDS = range(2)


class Residual(nn.Module):
    """Normalising, batch normalisation, two additions, an average, and log-probabilities."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.second, self.third = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.short, self.pool, self.last = nn.Conv2d(4, 6, 1, stride=2), nn.AdaptiveAvgPool2d(1), nn.Linear(6, 3)

    def forward(self, x):
        x = torch.relu(self.norm(self.first((x - 0.5) / 0.25)))
        x = nn.functional.relu_(self.second(x) + x)
        x = nn.functional.leaky_relu(self.third(x) + self.short(x), 0.2)
        return nn.functional.log_softmax(self.last(torch.flatten(self.pool(x), 1)), 1)


class Written(nn.Module):
    """Products, quotients and differences that are written out instead of being layers."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Parameter(torch.randn(2, 8)), nn.Parameter(torch.randn(8, 3))
        self.bias, self.convolution = nn.Parameter(torch.randn(3)), nn.Conv2d(1, 2, 2)

    def forward(self, x):
        found = torch.relu(1 - self.convolution(x).mean((2, 3)) @ self.first)
        found = torch.addmm(self.bias, torch.ones(8) - 0.5 * -found / 3, self.second)
        return torch.sub(found, torch.relu(found), alpha=0.5)


def dense(numbers, classes, **more):
    layers = (nn.Flatten(), nn.Linear(numbers, 8), nn.ReLU(), nn.Linear(8, 8), nn.LeakyReLU(0.3), nn.Dropout())
    return nn.Sequential(*layers, nn.Linear(8, classes), **more)


def convolutions():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(4, 6, 3, padding=1, stride=2), nn.ReLU(),
        nn.Conv2d(6, 6, 2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(54, 4),
    )  # fmt: skip


NETWORKS = {
    "four numbers": (lambda: dense(4, 3), (1, 2, 2)),
    "one score": (lambda: dense(2, 1), (1, 1, 2)),
    "convolutions": (convolutions, (1, 8, 8)),
    "residual": (Residual, (2, 7, 7)),
    "written out": (Written, (1, 4, 4)),
}


def drawn(build, seed):
    """A network with random weights and statistics."""
    torch.manual_seed(seed)
    net = build().eval()
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
            layer.weight.data.uniform_(-1, 1)
    return net


def balanced(net):
    """The same network with every class about as frequent as the others on noise, so that rows lie near a border."""
    with torch.no_grad():
        for layer in net:
            if isinstance(layer, nn.Conv2d):
                layer.weight *= 2
        net[-1].bias -= net(torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))).mean(0)
    return net


def margins(net, inputs, labels):
    scores = net(inputs)
    scores = nn.functional.pad(scores, (1, 0)) if scores.shape[1] == 1 else scores
    true = scores.gather(1, labels[:, None])[:, 0]
    return true - scores.scatter(1, labels[:, None], -torch.inf).amax(1)


def within(x, size, norm, tries, seed):
    """Random inputs of the region, most of them at its edge."""
    draw = torch.Generator().manual_seed(seed)
    change = torch.randn(tries, *x.shape, generator=draw)
    if norm == "linf":
        change = change.sign() * size * torch.rand(tries, *[1] * x.ndim, generator=draw) ** 0.2
    else:
        change = size * change / change.flatten(2).norm(dim=2).reshape(tries, -1, *[1] * (x.ndim - 1))
    return (x + change).clamp(0, 1)


def region(x, size, norm):
    centre, one = x.double(), torch.ones(1, *x.shape[1:]).double()
    low, high = (centre - size).clamp(0, 1), (centre + size).clamp(0, 1)
    return Region(centre, low, high, one, size if norm == "l2" else None)


@pytest.mark.parametrize("name", NETWORKS)
def test_no_input_of_the_region_falls_below_the_bound(name):
    build, shape = NETWORKS[name]
    for seed, norm in itertools.product(SEEDS, ("linf", "l2")):
        net = drawn(build, seed)
        with torch.no_grad():
            x = torch.rand(5, *shape)
            y = (margins(net, x, torch.zeros(5, dtype=torch.long)) < 0).long()
            bounds = Bounds(read_layers(net, x[:2]))
            for size in (0.05, 0.3):
                found = bounds.margins(region(x, size, norm), y)
                tried = within(x, size, norm, 300, seed)
                least = margins(net, tried.flatten(0, 1), y.repeat(300)).reshape(300, 5).amin(0)
                at_worst = margins(net, found.worst.float(), y)
                assert (found.least <= torch.minimum(least, at_worst)).all(), (name, seed, norm, size)


def test_corners_of_a_few_numbers_are_all_tried():
    """In two and four dimensions every corner of the box is asked; a proven row keeps its answer at each."""
    proven = 0
    for (name, sides), seed in itertools.product((("four numbers", 4), ("one score", 2)), range(4)):
        build, shape = NETWORKS[name]
        net = drawn(build, seed)
        with torch.no_grad():
            x = torch.rand(6, *shape)
            y = (margins(net, x, torch.zeros(6, dtype=torch.long)) < 0).long()
            found = Bounds(read_layers(net, x[:2])).margins(region(x, 0.1, "linf"), y)
            corners = torch.tensor(list(itertools.product((-0.1, 0.1), repeat=sides))).reshape(-1, 1, *shape)
            tried = (x + corners).clamp(0, 1)
            least = margins(net, tried.flatten(0, 1), y.repeat(len(corners))).reshape(-1, 6).amin(0)
            assert (least[found.least > 0] > 0).all()
            proven += int((found.least > 0).sum())
    assert proven > 10


def test_the_bound_of_an_affine_network_is_its_least_margin():
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    x, y = torch.full((1, 1, 2, 2), 0.5), torch.tensor([0])
    weight = (net[1].weight[0] - net[1].weight[1]).detach()
    with torch.no_grad():
        bounds, here = Bounds(read_layers(net, x.repeat(2, 1, 1, 1))), margins(net, x, y)
        for norm, length in (("linf", weight.abs().sum()), ("l2", weight.norm())):
            found = bounds.margins(region(x, 0.2, norm), y)
            assert float(found.least) == pytest.approx(float(here - 0.2 * length), abs=1e-5)


def test_the_range_is_part_of_the_proof():
    """A white picture cannot become whiter: half of the box, and less of the ball, is left."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        net[1].weight[:] = torch.tensor([[1.0, -1.0], [0.0, 0.0]])
        white, y = torch.tensor([[[[1.0, 1.0]]]]), torch.tensor([0])
        bounds = Bounds(read_layers(net, white.repeat(2, 1, 1, 1)))
        for norm, least in (("linf", -0.1), ("l2", -0.1)):
            assert float(bounds.margins(region(white, 0.1, norm), y).least) == pytest.approx(least, abs=1e-4)


def test_windows_say_what_whole_layers_say():
    """Convolutions as windows, and the same network as matrices, have the same bounds."""
    net = drawn(convolutions, 0)
    with torch.no_grad():
        x, y = torch.rand(3, 1, 8, 8), torch.zeros(3, dtype=torch.long)
        parts, values = [nn.Flatten()], torch.zeros(1, 1, 8, 8)
        for layer in net:
            if isinstance(layer, nn.Conv2d | nn.AvgPool2d):
                eye = torch.eye(values.numel()).reshape(-1, *values.shape[1:])
                offset = layer(values * 0).flatten()
                same = nn.Linear(values.numel(), len(offset))
                same.weight[:], same.bias[:] = (layer(eye).flatten(1) - offset).T, offset
                parts.append(same)
            elif not isinstance(layer, nn.Flatten):
                parts.append(layer)
            values = layer(values)
        found = [
            Bounds(read_layers(one, x[:2]), unit=0.0).margins(region(x, 0.03, "linf"), y).least
            for one in (net, nn.Sequential(*parts))
        ]
    assert torch.allclose(*found, atol=1e-5)


def test_rounding_takes_from_the_bound():
    """With coarser arithmetic less is proven, and with none of it nothing is taken."""
    net, x, y = drawn(convolutions, 1), torch.rand(2, 1, 8, 8), torch.zeros(2, dtype=torch.long)
    with torch.no_grad():
        layers = read_layers(net, x)
        exact, usual, coarse = (
            Bounds(layers, unit, short).margins(region(x, 0.01, "linf"), y).least
            for unit, short in ((0.0, 0.0), (2.0**-24, 0.0), (2.0**-24, 2.0**-11))
        )
    assert (exact > usual).all()
    assert (usual - coarse > 10 * (exact - usual)).all()


def test_dear_layers_fall_back_to_intervals_and_stay_sound():
    net, x = drawn(convolutions, 2), torch.rand(4, 1, 8, 8)
    with torch.no_grad():
        y = net(x).argmax(1)
        layers = read_layers(net, x[:2])
        tight, loose = (Bounds(layers, dearest=most) for most in (5e8, 3e5))
        assert any(most == 0 for most in loose.most.values())
        assert all(tight.most.values())
        assert (loose.margins(region(x, 0.2, "linf"), y).least <= tight.margins(region(x, 0.2, "linf"), y).least).any()
        with pytest.raises(InputError, match="multiplications a row"):
            Bounds(layers, dearest=1e3)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_no_attack_breaks_a_proven_row(norm):
    broken = proven = 0
    for seed in range(2):
        model = load_model(balanced(drawn(convolutions, seed)))
        rng = np.random.default_rng(seed)
        inputs = rng.integers(0, 256, (12, 8, 8, 1)).astype(np.uint8)
        labels = model.predict(inputs).predictions
        batch = Batch(tuple(map(str, range(12))), np.arange(12), inputs, labels, seed)
        sizes = (0.002, 0.02, 0.2) if norm == "linf" else (0.01, 0.1, 1.0)
        found = Attack(Norm(norm, sizes, steps=20, targets=2, queries=30)).run(model, batch)
        shown = Prove(norm, sizes).run(model, batch)
        assert not (found.broken & (shown.radius > 0) & (found.budget <= shown.radius)).any()
        assert not shown.refuted.any()
        broken, proven = broken + int(found.broken.sum()), proven + int((shown.radius > 0).sum())
    assert broken
    assert proven


@pytest.mark.parametrize(
    ("layer", "words"),
    [(nn.GELU(), "gelu"), (nn.MaxPool2d(2), "max_pool2d"), (nn.LeakyReLU(1.5), "slope 1.5"), (nn.Sigmoid(), "sigmoid")],
)
def test_what_proofs_do_not_cover_is_named(layer, words):
    pooled = nn.AdaptiveAvgPool2d(1)
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), layer, pooled, nn.Flatten(), nn.Linear(2, 2))
    model = load_model(net.eval())
    assert "bounds" in model.offers
    with pytest.raises(InputError, match=f"nothing is proven.*{words}"):
        model.proof(np.zeros((1, 8, 8, 1), np.float32), np.zeros(1, np.int64), "linf", 0.1)


class Made(nn.Module):
    """A module whose answer to two pictures (1, 8, 8) is a function of theirs."""

    def __init__(self, made):
        super().__init__()
        self.forward = made
        self.weight = nn.Parameter(torch.ones(64, 64))


def flat(x):
    return torch.flatten(x, 1)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda x: torch.softmax(flat(x), 1) * 2, "mul after a softmax"),
        (lambda x: torch.softmax(x, 2), "a softmax over other axes"),
        (lambda x: flat(x) * torch.relu(flat(x)), "a product of two layers"),
        (lambda x: torch.addmm(flat(x), flat(x), torch.ones(64, 64)), "a product of two layers"),
        (lambda x: torch.ones(2, 2) @ flat(x), "a product of two layers"),
        (lambda x: flat(x) / (torch.relu(flat(x)) + 1), "a quotient of two layers"),
        (lambda x: x + nn.functional.adaptive_avg_pool2d(x, 1), "a sum of layers of different shapes"),
        (lambda x: flat(x) + torch.arange(128.0).reshape(2, 64), "differs from row to row"),
        (lambda x: nn.functional.dropout(flat(x), 0.5, training=True), "dropout"),
        (lambda x: x @ torch.ones(8, 2), "more than one vector a row"),
        (lambda x: nn.functional.conv2d(x, torch.ones(1, 1, 3, 3), padding="same"), "padded by name"),
        (lambda x: nn.functional.avg_pool2d(x, 3, ceil_mode=True), "with a ceiling"),
        (lambda x: nn.functional.adaptive_avg_pool2d(x, 3), "does not divide"),
        (lambda x: x.mean((1, 2)), "a mean over other axes"),
        (lambda x: torch.ones(2, 3), "do not depend on the input"),  # noqa: ARG005 - that is what is refused
        (lambda x: flat(x) if x.sum() > 0 else -flat(x), "cannot be drawn as a graph"),
    ],
)
def test_arithmetic_that_proofs_do_not_cover_is_named(made, words):
    with pytest.raises(InputError, match=f"nothing is proven.*{words}"):
        read_layers(Made(made), torch.rand(2, 1, 8, 8))


def test_a_module_that_answers_otherwise_than_its_graph_is_refused():
    class Turning(nn.Module):
        """Drawn as one network, run as another."""

        def __init__(self):
            super().__init__()
            self.last = nn.Linear(4, 2)

        def forward(self, x):
            scores = self.last(torch.flatten(x, 1))
            return scores if torch.compiler.is_exporting() else -scores

    model = load_model(Turning().eval())
    with pytest.raises(InputError, match="does not answer as it does"):
        model.proof(np.ones((1, 2, 2, 1), np.float32), np.zeros(1, np.int64), "linf", 0.1)
