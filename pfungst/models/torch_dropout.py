"""Dropout left on, with the same units dropped for every row: one thinned network a number, whose answers repeat."""

import copy
from typing import Any

import numpy as np

from pfungst.errors import InputError
from pfungst.models.torch import TorchModel, import_torch


def thinned(model: TorchModel, number: int) -> TorchModel:
    """The ``number``-th network that dropout leaves of a model (Monte-Carlo dropout; Gal & Ghahramani 2016).

    The units are drawn once and dropped for all rows alike, so answers depend neither on the batch nor on the order.

    Raises:
        InputError: if the network holds no layer of dropout.
    """
    nn = import_torch(model.source).nn
    module = copy.deepcopy(model.module)
    across = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
    layers = [layer for layer in module.modules() if isinstance(layer, (nn.Dropout, *across)) and layer.p > 0]
    if not layers:
        raise InputError(
            f"dropout members were asked of {model.source}, which has no layer of dropout; give other members"
        )
    for at, layer in enumerate(layers):
        seed = number * len(layers) + at
        layer.register_forward_hook(_Dropping(seed, float(layer.p), whole=isinstance(layer, across)))
    return model.with_module(module, f"dropout {number}")


class _Dropping:
    """A hook that puts zeros into the units drawn for it (``whole``: channels), and scales the others up."""

    def __init__(self, seed: int, share: float, *, whole: bool) -> None:
        self.seed, self.share, self.whole = seed, share, whole
        self.kept: dict[tuple[int, ...], Any] = {}

    def __call__(self, _: Any, taken: tuple[Any, ...], __: Any) -> Any:
        values = taken[0]
        shape = tuple(values.shape[1:2] if self.whole else values.shape[1:])
        if shape not in self.kept:
            drawn = np.random.default_rng(self.seed).random(shape) >= self.share
            self.kept[shape] = drawn.astype(np.float32) / (1 - self.share)
        kept = self.kept[shape].reshape(shape + (1,) * (values.ndim - 1 - len(shape)))
        return values * values.new_tensor(kept)
