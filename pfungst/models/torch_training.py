"""Further training of PyTorch modules: one step at a time, on inputs as a person sees them."""

import copy

import numpy as np

from pfungst.arrays import Array, IntArray
from pfungst.errors import InputError
from pfungst.models.torch import TorchModel, import_torch


class Training:
    """A copy of a network that learns; the one it was made from stays as it is.

    Layers of dropout are on, statistics of batch normalisation stay what they are: batches here are small.
    """

    def __init__(self, model: TorchModel, rate: float, seed: int = 0) -> None:
        if "gradients" not in model.offers:
            raise InputError(
                f"{model.source} cannot be trained: give the network itself, file.py:factory with --weights"
            )
        torch = import_torch(model.source)
        torch.manual_seed(seed)
        module = copy.deepcopy(model.module)
        for parameter in module.parameters():
            parameter.requires_grad_(True)
        self.model = model.with_module(module, "trained")
        self.optimiser = torch.optim.AdamW(module.parameters(), lr=rate, weight_decay=1e-4)
        self.torch = torch

    def step(self, inputs: Array, labels: IntArray) -> float:
        """One step down the cross-entropy of these rows; the loss before it."""
        module = self.model.module
        for layer in module.modules():
            layer.train("Dropout" in type(layer).__name__)
        scores = self.model.scored(module(self.model.tensor(inputs)), paired=True)
        loss = self.torch.nn.functional.cross_entropy(scores, self.torch.from_numpy(np.asarray(labels, np.int64)))
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        module.eval()
        return float(loss.detach())

    def state(self) -> bytes:
        """All weights as a safetensors file."""
        return self.model.state()
