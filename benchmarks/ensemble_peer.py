"""The published AutoAttack ensemble on a network: runs in an environment with torch and pyautoattack, see ensemble.py.

    PYTHON -P benchmarks/ensemble_peer.py FOLDER

FOLDER holds ``rows.npz`` (inputs (rows, channels, height, width) in [0, 1] and labels) and networks, whole modules of
torch, as NAME.pt. For each line on standard input, ``{"network", "size", "out"}``, the file ``out`` in FOLDER gets the
changed inputs, and one line is printed: processor seconds, and the forward and backward passes of all rows together.
The first line it prints is its versions.
"""

import json
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch


class Counted(torch.nn.Module):
    """A network that counts the rows it is asked about and those whose derivative is taken."""

    def __init__(self, net: torch.nn.Module) -> None:
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


def main() -> None:
    """Answer until there are no more lines."""
    from pyautoattack import AutoAttack  # noqa: PLC0415 - in the package's environment

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    rows = np.load(folder / "rows.npz")
    x, y = torch.from_numpy(rows["inputs"]), torch.from_numpy(rows["labels"])
    print(json.dumps({name: version(name) for name in ("pyautoattack", "torch", "numpy")}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        net = Counted(torch.load(folder / f"{asked['network']}.pt", weights_only=False).eval())
        attack = AutoAttack(net, norm="Linf", eps=asked["size"], version="standard", seed=0)
        began = time.process_time()
        found = attack.run_standard_evaluation(x, y, batch_size=len(x))
        spent = time.process_time() - began
        np.save(folder / asked["out"], (found[0] if isinstance(found, tuple) else found).numpy())
        print(json.dumps({"seconds": spent, "forwards": net.forwards, "backwards": net.backwards}), flush=True)


if __name__ == "__main__":
    main()
