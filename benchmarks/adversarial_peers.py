"""Projected gradient descent by one other package: runs in that package's environment, see adversarial.py.

    PYTHON -P benchmarks/adversarial_peers.py foolbox|art|torchattacks FOLDER

FOLDER holds ``rows.npz`` (inputs (rows, channels, height, width) in [0, 1] and labels) and networks, whole modules of
torch, as NAME.pt. For each line on standard input, ``{"network", "size", "steps", "out"}``, the file ``out`` in FOLDER
gets the changed inputs and one line is printed, the processor seconds. The first line it prints is its versions. Steps
are 2.5 x size / steps wide and begin at the row itself; batches hold all rows.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import torch

Descent = Callable[[torch.nn.Module, torch.Tensor, torch.Tensor, float, int], Any]
PACKAGES = {"foolbox": "foolbox", "art": "adversarial-robustness-toolbox", "torchattacks": "torchattacks"}
WIDE = 2.5
"""Steps together, in sizes of the ball."""


def foolbox(net: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, size: float, steps: int) -> Any:
    """Foolbox' linf PGD."""
    import foolbox as fb  # noqa: PLC0415 - in the package's environment

    model = fb.PyTorchModel(net, bounds=(0, 1), device="cpu")
    attack = fb.attacks.LinfProjectedGradientDescentAttack(
        abs_stepsize=WIDE * size / steps, steps=steps, random_start=False
    )
    return attack(model, x, y, epsilons=size)[1].numpy()


def art(net: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, size: float, steps: int) -> Any:
    """ART's PGD for PyTorch."""
    from art.attacks.evasion import ProjectedGradientDescentPyTorch  # noqa: PLC0415 - in the package's environment
    from art.estimators.classification import PyTorchClassifier  # noqa: PLC0415

    classes = int(net(x[:1]).shape[1])
    loss = torch.nn.CrossEntropyLoss()
    model = PyTorchClassifier(net, loss, tuple(x.shape[1:]), classes, clip_values=(0, 1), device_type="cpu")
    attack = ProjectedGradientDescentPyTorch(
        model, eps=size, eps_step=WIDE * size / steps, max_iter=steps, batch_size=len(x), verbose=False
    )
    return attack.generate(x.numpy(), y.numpy())


def torchattacks(net: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, size: float, steps: int) -> Any:
    """The PGD of torchattacks."""
    import torchattacks as ta  # noqa: PLC0415 - in the package's environment

    return ta.PGD(net, eps=size, alpha=WIDE * size / steps, steps=steps, random_start=False)(x, y).numpy()


def main() -> None:
    """Answer until there are no more lines."""
    warnings.simplefilter("ignore")
    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
        sys.modules.setdefault(name, MagicMock(name=name))
    torch.set_num_threads(1)
    name, folder = sys.argv[1], Path(sys.argv[2])
    descent: Descent = {"foolbox": foolbox, "art": art, "torchattacks": torchattacks}[name]
    rows = np.load(folder / "rows.npz")
    x, y = torch.from_numpy(rows["inputs"]), torch.from_numpy(rows["labels"])
    nets = {path.stem: torch.load(path, weights_only=False).eval() for path in folder.glob("*.pt")}
    for net in nets.values():
        descent(net, x[:2], y[:2], 0.1, 2)
    print(json.dumps({name: version(name) for name in (PACKAGES[name], "torch", "numpy")}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        began = time.process_time()
        found = descent(nets[asked["network"]], x, y, asked["size"], asked["steps"])
        spent = time.process_time() - began
        np.save(folder / asked["out"], found)
        print(json.dumps(spent), flush=True)


if __name__ == "__main__":
    main()
