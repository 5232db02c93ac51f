"""Whether one gradient pass says which places need interventions: python benchmarks/screening.py [NETS] [FAMILIES].

Networks with a planted mark (``planted.py``) are audited as ever, and again with only the upper half of the proposed
places, ranked by the attribution (gradient times input, 64 rows) over their area. Printed is how many planted marks are
named by either, and the rows shown.
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))

from networks import tensor
from planted import Network, audited, planted, settings

from pfungst.datasets.dataset import Dataset
from pfungst.methods.candidates import Candidates
from pfungst.methods.places import Region
from pfungst.outputs import Outputs
from pfungst.passes import Passes
from pfungst.probes.case import Case
from pfungst.probes.shortcuts import Shortcuts


@dataclass
class Counting:
    """A network that counts the rows it is shown."""

    network: Network
    offers: frozenset[str] = frozenset({"new inputs"})
    shown: int = 0

    def predict(self, inputs: np.ndarray) -> Outputs:
        """Its answers."""
        self.shown += len(inputs)
        return self.network.model.predict(inputs)


@dataclass(frozen=True, kw_only=True)
class Screened(Shortcuts):
    """The same with only the places that hold most attribution for their area."""

    map: tuple[tuple[float, ...], ...] = ()

    def case(self, data: Dataset, done: Passes) -> Case:
        """With fewer places."""
        return Fewer(**vars(super().case(data, done)), map=self.map)


@dataclass(frozen=True)
class Fewer(Case):
    """Rows of which only some places are proposed."""

    map: tuple[tuple[float, ...], ...] = ()

    def candidates(self) -> Candidates:
        """The upper half of the places, and all other cues."""
        known = super().candidates()
        places = sorted((cue for cue in known.proposed if isinstance(cue, Region)), key=self._density, reverse=True)
        kept = set(places[: -(-len(places) // 2)])
        return replace(known, proposed=tuple(c for c in known.proposed if not isinstance(c, Region) or c in kept))

    def _density(self, cue: Region) -> float:
        whole = np.array(self.map)
        height, width = whole.shape
        top, left, bottom, right = cue.box
        rows = slice(int(top * height), max(int(top * height) + 1, round(bottom * height)))
        part = whole[rows, int(left * width) : max(int(left * width) + 1, round(right * width))]
        return float(part.mean())


def attribution(network: Network, rows: int = 64) -> tuple[tuple[float, ...], ...]:
    """Mean size of gradient times input of the stated class, over discovery rows."""
    batch, _ = network.data.batch(network.data.sample(rows, "discovery"), "discovery")
    inputs = tensor(batch.inputs).requires_grad_(True)
    scores = network.model.net(inputs)
    scores.max(dim=1).values.sum().backward()
    found = (inputs.grad * inputs.detach()).sum(dim=1).abs()
    each = found / found.sum(dim=(1, 2), keepdim=True)
    return tuple(tuple(row) for row in each.mean(dim=0).tolist())


def main() -> None:
    """A line for each network, and the sums."""
    torch.set_num_threads(1)
    nets = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    families = (sys.argv[2] if len(sys.argv) > 2 else "digits,mnist").split(",")
    named, lost, shown = 0, 0, np.zeros(2)
    for setting in settings(families, nets):
        if setting.trick != "mark" or not (network := planted(setting)).learned:
            continue
        models = Counting(network), Counting(network)
        probes = Shortcuts(), Screened(map=attribution(network))
        said = [
            {f.subject for f in audited(m, network.data, p) if f.kind == "cue" and f.status == "found"}
            for m, p in zip(models, probes, strict=True)
        ]
        hit, kept = (network.truth in one for one in said)
        named, lost = named + hit, lost + (hit and not kept)
        shown += [one.shown for one in models]
        print(setting.family, setting.seed, network.truth, hit, kept, [one.shown for one in models], flush=True)
    print(f"{lost} of {named} planted marks that are named are lost; rows shown {shown[1] / shown[0]:.3f} of all")


if __name__ == "__main__":
    main()
