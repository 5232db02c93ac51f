"""Attacks beside Foolbox, ART, torchattacks and AutoAttack: a small network for digits and one trained against attacks.

Every changed input is drawn into the ball and the network asked again before it counts, ours and theirs alike. Equal
passes: rows that cannot fall, so that both spend as many forward and backward passes. Equal success: as few of our
steps as break at least as many rows as theirs, for a row of ours that fell is asked no more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits

from beside.measured import Plan, Row, Task, compared, running
from beside.networks_of_layers import small, weights
from beside.peer import Package
from pfungst.arrays import Array, BoolArray, FloatArray
from pfungst.datasets.dataset import Batch
from pfungst.load import load_model
from pfungst.methods.attack_losses import scale_free_cross_entropy
from pfungst.methods.balls import Linf
from pfungst.methods.gradient_attack import Search, climb, inside
from pfungst.methods.threats import Norm
from pfungst.passes import Attack

WIDE, ROWS, STEPS, TRAINED_AT = 16, 500, 40, 0.15
SIZES = {"clean": (0.1, 0.2), "trained against": (0.1, 0.2)}
FEWER = (3, 5, 10, 20, 40, 80)
"""Steps of ours that are tried for equal success."""

TINY = 1e-6
"""A budget within which nothing falls that is right."""

PLAIN = {"foolbox": "foolbox", "adversarial-robustness-toolbox": "art", "torchattacks": "torchattacks"}
AUTO = {"adversarial-robustness-toolbox": "art-auto", "torchattacks": "torchattacks-auto"}
EQUAL = {"steps": 100, "targets": 24, "queries": 5000}
"""As many queries as AutoAttack's search by squares has, and in all no more passes than it takes."""

HAND = (
    "the loss that does not depend on the scale of the scores and the search's books are kept in NumPy: on a network "
    "of 15,000 weights that is a share of the step, on larger ones none"
)


@dataclass(frozen=True)
class Case:
    """A network by name with the rows it is attacked on."""

    name: str
    net: torch.nn.Module
    batch: Batch

    @property
    def given(self) -> dict[str, Array]:
        """What a package is given."""
        x = np.ascontiguousarray(self.batch.inputs.transpose(0, 3, 1, 2))
        return {**weights(self.net), "x": x, "y": self.batch.labels}  # type: ignore[dict-item]

    def right(self) -> "Case":
        """Only the rows that the network answers rightly."""
        answers = load_model(self.net).predict(self.batch.inputs).predictions
        return Case(self.name, self.net, self.batch.take(answers == self.batch.labels))


def rows(plan: Plan) -> Iterator[Row]:
    """Equal passes, equal success, and the whole search beside the published ensemble."""
    every = cases(plan.quick)
    for name in sorted({*PLAIN, *AUTO}):
        package = Package(name, "attacks", "attacks")
        with running(package) as peer:
            yield from compared("attacks", package, peer, tasks(name, every, plan), plan)
    bare = Package("torch", "attacks", "attacks", "a loop written by hand, nothing beside it", "BSD-3-Clause")
    with running(bare) as peer:
        yield from compared(
            "attacks", bare, peer, iter([equal_passes("loop by hand", "hand", every[-1].right())]), plan
        )
    package = Package("pyautoattack", "attacks", "attacks")
    with running(package) as peer:
        yield from compared("attacks", package, peer, ensembles(every, plan), plan)


def tasks(name: str, every: tuple[Case, ...], plan: Plan) -> Iterator[Task]:
    """The plain attack of a package at equal passes and at equal success, and its auto-step one."""
    kinds = [(words, every_[name]) for words, every_ in (("PGD", PLAIN), ("auto-step PGD", AUTO)) if name in every_]
    for words, by in kinds:
        case = every[-1].right()
        yield equal_passes(words, by, case)
        for case in every:
            for size in SIZES[case.name][: plan.rows(2, 1)]:
                yield equal_success(words, by, case, size)


def equal_passes(words: str, by: str, case: Case) -> Task:
    """As many passes a row on both sides: nothing falls."""
    model, size = load_model(case.net), TINY

    def ours() -> FloatArray:
        search = plain(model, case.batch, size, STEPS)
        return np.array([search.fell.sum(), search.forwards.sum(), search.backwards.sum()])

    def same(mine: Array, theirs: dict[str, Array]) -> tuple[bool, str]:
        count = len(case.batch)
        spent = [round(float(one) / count) for one in (theirs["forwards"], theirs["backwards"])]
        said = f"forwards + backwards a row: {mine[1] / count:.0f} + {mine[2] / count:.0f}, {spent[0]} + {spent[1]}"
        return not mine[0] and (mine[1] + mine[2]) / count >= sum(spent) - 5, said

    on = f"{len(case.batch)} digits of 8 px that cannot fall, {STEPS} steps"
    settings = {"by": by, "size": size, "steps": STEPS, "wide": WIDE}
    return Task(f"{words}, equal passes", on, ours, "attack", case.given, same, settings, HAND)


def equal_success(words: str, by: str, case: Case, size: float) -> Task:
    """As few steps of ours as break at least as many rows as all of theirs; found when theirs is known."""
    model, chosen = load_model(case.net), {"steps": FEWER[-1]}

    def ours() -> BoolArray:
        return broken(model, case.batch, plain(model, case.batch, size, chosen["steps"]).found, size)

    def same(mine: Array, theirs: dict[str, Array]) -> tuple[bool, str]:
        fell = broken(model, case.batch, theirs["answer"].transpose(0, 2, 3, 1), size)
        for steps in FEWER:
            chosen["steps"] = steps
            mine = ours()
            if mine.sum() >= fell.sum():
                break
        alone = int((fell & ~whole(model, case.batch, size)).sum())
        said = (
            f"broken: {mine.sum()} of ours in {chosen['steps']} steps, {fell.sum()}; by them and not by the whole "
            f"search: {alone}"
        )
        return bool(mine.sum() >= fell.sum()), said

    settings = {"by": by, "size": size, "steps": STEPS, "wide": WIDE}
    on = f"{len(case.batch)} digits, network {case.name}, linf {size}, {STEPS} steps of theirs"
    return Task(f"{words}, equal success", on, ours, "attack", case.given, same, settings, HAND)


def ensembles(every: tuple[Case, ...], plan: Plan) -> Iterator[Task]:
    """The whole search beside AutoAttack at no more passes."""
    for case in every[plan.rows(0, 1) :]:
        for size in SIZES[case.name][plan.rows(0, 1) :]:
            few = Case(case.name, case.net, case.batch.take(np.arange(plan.rows(200, 50))))
            yield ensemble(few, size)


def ensemble(case: Case, size: float) -> Task:
    """One network at one budget."""
    model = load_model(case.net)
    search = partial(Attack(Norm("linf", (size,), **EQUAL)).run, model, case.batch)

    def ours() -> FloatArray:
        found = search()
        return np.stack([found.broken, found.forwards + found.backwards], axis=1).astype(float)

    def same(mine: Array, theirs: dict[str, Array]) -> tuple[bool, str]:
        fell = broken(model, case.batch, theirs["answer"].transpose(0, 2, 3, 1), size)
        own = mine[:, 0] > 0
        spent = float(theirs["forwards"] + theirs["backwards"]) / len(fell)
        said = (
            f"broken: {own.sum()}, {fell.sum()} (by one alone {(own & ~fell).sum()}, {(fell & ~own).sum()}); passes a "
            f"row: {mine[:, 1].mean():.0f}, {spent:.0f}"
        )
        return bool(own.sum() >= fell.sum()), said

    on = f"{len(case.batch)} digits, network {case.name}, linf {size}"
    settings = {"by": "autoattack", "size": size, "steps": 0, "wide": WIDE}
    return Task("whole search at no more passes", on, ours, "attack", case.given, same, settings, HAND)


def plain(model: Any, batch: Batch, size: float, steps: int) -> Search:
    """Auto-step ascent alone; a row that fell is asked no more."""
    search = Search.of(model, batch.inputs, batch.labels)
    climb(search, Linf(size), scale_free_cross_entropy, steps)
    return search


def broken(model: Any, batch: Batch, inputs: FloatArray, size: float) -> BoolArray:
    """Which rows are wrong after the changes were drawn into the ball: nobody's own word counts."""
    kept = inside(Linf(size), batch.inputs, inputs.astype(np.float32))
    return np.asarray(model.predict(kept).predictions != batch.labels)


def whole(model: Any, batch: Batch, size: float) -> BoolArray:
    """Which rows the search with targets and squares breaks."""
    return Attack(Norm("linf", (size,), steps=STEPS, queries=500)).run(model, batch).broken


def by_hand(net: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, size: float, steps: int) -> torch.Tensor:
    """Projected gradient ascent on the cross-entropy, as one writes it down."""
    at = x
    for _ in range(steps):
        at = at.detach().requires_grad_(True)
        loss = torch.nn.functional.cross_entropy(net(at), y, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, at)
        at = at.detach() + 2.5 * size / steps * gradient.sign()
        at = torch.minimum(torch.maximum(at, x - size), x + size).clamp(0, 1)
    return at.detach()


def trained(x: torch.Tensor, y: torch.Tensor, size: float, epochs: int) -> torch.nn.Module:
    """A network for digits; beyond size 0 it sees only attacked pictures (Madry et al. 2018, arXiv:1706.06083)."""
    torch.manual_seed(0)
    net = small(WIDE, 8, 1)
    best, order = torch.optim.Adam(net.parameters(), 2e-3), torch.Generator().manual_seed(0)
    for _ in range(epochs):
        for some in torch.randperm(len(x), generator=order).split(128):
            seen = by_hand(net, x[some], y[some], size, 7) if size else x[some]
            best.zero_grad()
            torch.nn.functional.cross_entropy(net(seen), y[some]).backward()
            best.step()
    return net.requires_grad_(False)


@cache
def cases(quick: bool) -> tuple[Case, ...]:
    """The two networks, and the rows that they are attacked on."""
    digits = load_digits()
    inputs, labels = (digits.images[..., None] / 16).astype(np.float32), digits.target.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(labels))
    test, train = order[:ROWS], order[ROWS:]
    x, y = torch.from_numpy(inputs[train].transpose(0, 3, 1, 2).copy()), torch.from_numpy(labels[train])
    batch = Batch(tuple(map(str, test)), np.arange(ROWS), inputs[test], labels[test])
    some = batch.take(np.arange(200 if quick else ROWS))
    return tuple(
        Case(name, trained(x, y, size, epochs), some)
        for name, size, epochs in (("clean", 0.0, 30), ("trained against", TRAINED_AT, 60))
    )
