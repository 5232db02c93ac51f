"""Attacks that cannot look inside, and smallest changes: what is known of linear networks is found, row by row."""

import numpy as np
import pytest

import pfungst
from pfungst.datasets.dataset import Batch
from pfungst.errors import InputError
from pfungst.load import load_model
from pfungst.methods.closest import Closest
from pfungst.methods.threats import DECIDED, TRANSFERRED, Norm
from pfungst.methods.transfer import Transfer
from pfungst.models.function import function_model
from pfungst.passes import Attack
from pfungst.task import Task

torch = pytest.importorskip("torch")
SIDE = 6


def network(seed=0, classes=2, noise=0.0):
    """Linear; ``noise`` turns the weights a little."""
    torch.manual_seed(seed)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(SIDE * SIDE, classes))
    with torch.no_grad():
        torch.manual_seed(99)
        net[1].weight.add_(noise * torch.randn_like(net[1].weight) / SIDE)
        net[1].bias.copy_(-net[1].weight.sum(1) * 0.5)
    return net


def rows(net, count=24):
    images = np.random.default_rng(0).uniform(0.3, 0.7, (count, SIDE, SIDE, 1)).astype(np.float32)
    labels = load_model(net).predict(images).predictions
    return Batch(tuple(map(str, range(count))), np.arange(count), images, labels)


def labels_only(net):
    """The same network as one that says only which class it is."""
    weight, bias = (one.detach().numpy() for one in (net[1].weight, net[1].bias))

    def answer(x):
        return np.eye(len(bias))[(x.reshape(len(x), -1) @ weight.T + bias).argmax(axis=1)] * 10.0

    return function_model(answer, Task())


def distance(net, batch, norm):
    """To the boundary of two classes: the margin over the dual norm."""
    weight = (net[1].weight[1] - net[1].weight[0]).detach().numpy()
    gap = np.abs(batch.inputs.reshape(len(batch), -1) @ weight + float((net[1].bias[1] - net[1].bias[0]).detach()))
    return gap / {"linf": np.abs(weight).sum(), "l2": np.linalg.norm(weight), "l1": np.abs(weight).max()}[norm]


@pytest.mark.parametrize(("norm", "slack"), [("linf", 1.25), ("l2", 1.35)])
def test_answers_alone_find_the_boundary(norm, slack):
    net = network()
    batch = rows(net)
    true = distance(net, batch, norm)
    found = Attack(Closest(norm, queries=1500)).run(labels_only(net), batch)
    assert found.broken.all()
    assert (found.distance >= true * (1 - 1e-4)).all()
    assert np.median(found.distance / true) < slack


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_derivatives_find_the_smallest_change_of_a_linear_network(norm):
    net = network()
    batch = rows(net)
    true = distance(net, batch, norm)
    found = Attack(Closest(norm, steps=30)).run(load_model(net), batch)
    assert (found.distance >= true * (1 - 1e-4)).all()
    assert np.median(found.distance / true) < 1.02


def test_a_model_that_says_only_its_class_falls_within_a_budget():
    net = network()
    batch = rows(net)
    size = float(np.quantile(distance(net, batch, "linf"), 0.5))
    found = Attack(Norm("linf", (1.3 * size,), queries=800)).run(labels_only(net), batch)
    near = distance(net, batch, "linf") < size
    assert (found.stage == DECIDED).sum() > 3
    assert found.broken[near].mean() > 0.9
    assert not found.broken[distance(net, batch, "linf") > 1.301 * size].any()


def test_rows_of_an_attack_by_answers_do_not_depend_on_the_batch():
    net = network(classes=3)
    batch = rows(net, 15)
    model = labels_only(net)
    for attack in (Attack(Norm("l2", (0.15,), queries=120)), Attack(Closest("linf", queries=120))):
        whole = attack.run(model, batch)
        order = np.random.default_rng(1).permutation(15)
        parts = [attack.run(model, batch.take(order[at : at + 4])) for at in range(0, 15, 4)]
        assert np.array_equal(whole.broken[order], np.concatenate([part.broken for part in parts]))
        apart = np.concatenate([part.distance for part in parts])
        assert np.array_equal(np.isfinite(apart), np.isfinite(whole.distance[order]))
        assert np.allclose(apart, whole.distance[order], rtol=1e-3)


def test_queries_are_counted_and_kept_to():
    net = network()
    asked = []
    known = labels_only(net)
    model = function_model(lambda x: asked.append(len(x)) or known.function(x), Task())
    found = Attack(Closest("l2", queries=100)).run(model, rows(net))
    assert found.forwards.max() <= 100 + 2 + 2
    assert sum(asked) <= found.forwards.sum()


def test_changes_made_on_a_like_member_break_the_model():
    net, like = network(), network(noise=0.3)
    batch = rows(net)
    size = 1.5 * float(np.median(distance(net, batch, "linf")))
    attack = Attack(Transfer("linf", (size,)), by="like@00000000")
    found = attack.run(labels_only(net), batch, load_model(like))
    assert found.broken.mean() > 0.4
    assert set(found.stage[found.broken].tolist()) == {TRANSFERRED}
    assert (found.distance[found.broken] <= size * (1 + 1e-5)).all()
    assert found.backwards.any()


def test_a_member_without_derivatives_is_refused():
    net = network()
    with pytest.raises(InputError, match="no gradients"):
        Attack(Transfer("linf", (0.1,)), by="x").run(load_model(net), rows(net), labels_only(net))


def test_an_audit_shows_the_model_what_was_made_on_its_members_and_says_how_far_the_nearest_wrong_answer_lies():
    net, like = network(), network(noise=0.3)
    batch = rows(net, 80)
    images = np.round(batch.inputs * 255).astype(np.uint8)
    size = 1.5 * float(np.median(distance(net, batch, "linf")))
    task = {"adversarial": {"linf": [round(size, 4)]}}
    audit = pfungst.audit(net, (images, batch.labels), task=task, members=(like,), only=("adversarial",), rows=60)
    known = {(one.kind, one.subject): one for one in audit.findings}
    fragile = next(one for (kind, subject), one in known.items() if kind == "fragile" and subject.startswith("linf"))
    assert any("made on" in one.name for one in audit.report.passes)
    (far,) = (one for one in fragile.evidence if getattr(one, "items", None) and hasattr(one.items[0], "value"))
    assert 0 < far.items[0].value < size
