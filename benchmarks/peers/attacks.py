"""Attacks by other packages on a small network: ``ask`` names the package, ``attack`` what of it is asked."""

import sys
from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import torch
from beside.networks_of_layers import small, with_weights
from torch import nn

VERSIONS = ("torch", "numpy")
Answer = Callable[[], dict[str, Any]]
WIDE = 2.5
"""Steps together, in sizes of the ball."""

# torchattacks wants torchvision for models and data sets that no attack needs.
for _name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
    sys.modules.setdefault(_name, MagicMock(name=_name))
torch.set_num_threads(1)


class Counted(nn.Module):
    """A network that counts the rows it is asked about and those whose derivative is taken."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net, self.forwards, self.backwards = net, 0, 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The scores."""
        self.forwards += len(x)
        scores: torch.Tensor = self.net(x)
        if scores.requires_grad:
            scores.register_hook(self._derived)
        return scores

    def _derived(self, slope: torch.Tensor) -> None:
        self.backwards += len(slope)


def foolbox(net: nn.Module, x: torch.Tensor, y: torch.Tensor, *, size: float, steps: int) -> Any:
    """Foolbox' linf PGD."""
    import foolbox as fb  # noqa: PLC0415 - one package is asked at a time

    model = fb.PyTorchModel(net, bounds=(0, 1), device="cpu")
    attack = fb.attacks.LinfProjectedGradientDescentAttack(
        abs_stepsize=WIDE * size / steps, steps=steps, random_start=False
    )

    def answer() -> Any:
        return attack(model, x, y, epsilons=size)[1].numpy()

    return answer


def art(net: nn.Module, x: torch.Tensor, y: torch.Tensor, *, size: float, steps: int) -> Any:
    """ART's PGD for PyTorch."""
    from art.attacks.evasion import ProjectedGradientDescentPyTorch  # noqa: PLC0415 - one package is asked at a time

    attack = ProjectedGradientDescentPyTorch(
        _for_art(net, x), eps=size, eps_step=WIDE * size / steps, max_iter=steps, batch_size=len(x), verbose=False
    )
    return lambda: attack.generate(x.numpy(), y.numpy())


def art_auto(net: nn.Module, x: torch.Tensor, y: torch.Tensor, *, size: float, steps: int) -> Any:
    """ART's auto-step ascent on the cross-entropy."""
    from art.attacks.evasion import AutoProjectedGradientDescent  # noqa: PLC0415 - one package is asked at a time

    attack = AutoProjectedGradientDescent(
        _for_art(net, x), eps=size, eps_step=2 * size, max_iter=steps, nb_random_init=1, batch_size=len(x),
        loss_type="cross_entropy", verbose=False,
    )  # fmt: skip
    return lambda: attack.generate(x.numpy(), y.numpy())


def torchattacks(net: nn.Module, x: torch.Tensor, y: torch.Tensor, *, size: float, steps: int) -> Any:
    """The PGD of torchattacks."""
    import torchattacks as ta  # noqa: PLC0415 - one package is asked at a time

    attack = ta.PGD(net, eps=size, alpha=WIDE * size / steps, steps=steps, random_start=False)
    return lambda: attack(x, y).numpy()


def torchattacks_auto(net: nn.Module, x: torch.Tensor, y: torch.Tensor, *, size: float, steps: int) -> Any:
    """The auto-step ascent of torchattacks on the cross-entropy."""
    import torchattacks as ta  # noqa: PLC0415 - one package is asked at a time

    attack = ta.APGD(net, eps=size, steps=steps, n_restarts=1, seed=0, loss="ce")
    return lambda: attack(x, y).detach().numpy()


def autoattack(net: nn.Module, x: torch.Tensor, y: torch.Tensor, *, size: float, steps: int) -> Any:
    """The published ensemble, standard version: its own numbers of steps."""
    from pyautoattack import AutoAttack  # noqa: PLC0415 - one package is asked at a time

    del steps
    attack = AutoAttack(net, norm="Linf", eps=size, version="standard", seed=0)

    def answer() -> Any:
        found = attack.run_standard_evaluation(x, y, batch_size=len(x))
        return (found[0] if isinstance(found, tuple) else found).numpy()

    return answer


def hand(net: nn.Module, x: torch.Tensor, y: torch.Tensor, *, size: float, steps: int) -> Any:
    """Projected gradient ascent as one writes it down, with nothing beside the network and the steps."""

    def answer() -> Any:
        at = x
        for _ in range(steps):
            at = at.detach().requires_grad_(True)
            loss = nn.functional.cross_entropy(net(at), y, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, at)
            at = at.detach() + WIDE * size / steps * gradient.sign()
            at = torch.minimum(torch.maximum(at, x - size), x + size).clamp(0, 1)
        return at.detach().numpy()

    return answer


def _for_art(net: nn.Module, x: torch.Tensor) -> Any:
    from art.estimators.classification import PyTorchClassifier  # noqa: PLC0415 - one package is asked at a time

    loss = nn.CrossEntropyLoss()
    return PyTorchClassifier(net, loss, tuple(x.shape[1:]), 10, clip_values=(0, 1), device_type="cpu")


ATTACKS = {
    "foolbox": foolbox, "art": art, "art-auto": art_auto, "torchattacks": torchattacks,
    "torchattacks-auto": torchattacks_auto, "autoattack": autoattack, "hand": hand,
}  # fmt: skip


def attack(arrays: dict[str, Any], *, by: str, size: float, steps: int, wide: int) -> Answer:
    """The changed inputs, and the passes of all rows together; what is counted is not timed."""
    x, y = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["y"])
    net = with_weights(small(wide, x.shape[2], x.shape[1]), arrays)
    counted = Counted(net)
    found = ATTACKS[by](counted, x, y, size=size, steps=steps)()
    passes = {"forwards": counted.forwards, "backwards": counted.backwards}
    bare = ATTACKS[by](net, x, y, size=size, steps=steps)
    first = [np.asarray(found)]
    return lambda: {"answer": first.pop() if first else bare(), **passes}


TASKS = {"attack": attack}
