"""What can be proven of a PyTorch network's answers to every picture near a given one."""

from typing import Any

import numpy as np

from pfungst.arrays import FloatArray, IntArray
from pfungst.errors import InputError
from pfungst.models.model import Proof
from pfungst.models.torch_bounds import Bounds, Region
from pfungst.models.torch_forms import loaded
from pfungst.models.torch_layers import read_layers

NORMS = ("linf", "l2")
FLOAT32 = 2.0**-24
"""Unit roundoff of float32. Networks in float64 are allowed as much."""

TENSOR_FLOAT = 2.0**-11
"""Unit roundoff of factors on graphics cards that are allowed to shorten them."""

_LAYOUT = 2.0**-21
"""Share of the range that preparing a picture may lose, whether it comes as whole grey levels or as shares."""


def proof(model: Any, inputs: FloatArray, labels: IntArray, norm: str, size: float) -> Proof:
    """Lower bounds of the true score less any other's over all pictures within ``size`` of ``inputs`` and in [0, 1].

    ``model`` is a ``TorchModel``. The bounds hold for the network as it runs: pictures are given the room that
    rounding could take them, and every layer's rounding is part of the bound.

    Raises:
        InputError: if the network holds something that proofs do not cover, or is too large.
    """
    torch = loaded()
    if norm not in NORMS:
        raise InputError(f"nothing is proven within {norm}; proofs cover {' and '.join(NORMS)}")
    with torch.no_grad():
        bounds = bounds_of(model, inputs)
        region = _region(model, inputs, norm, size)
        _checked(model, bounds, inputs, region.centre)
        found = bounds.margins(region, torch.as_tensor(labels, device=region.low.device))
        change = ((found.worst - region.centre) / region.scale**2).float().cpu().numpy()
    moved = inputs + model.preprocess.pulled_back(change, inputs.shape)
    worst = np.clip(moved, 0.0, 1.0).astype(np.float32)
    return Proof(found.least.cpu().numpy(), worst, np.full(len(inputs), found.cost))


def bounds_of(model: Any, inputs: FloatArray) -> Bounds:
    """The bounds of a model's network, read once."""
    if model.bounds is None:
        torch = loaded()
        kinds = {p.dtype for p in model.module.parameters() if p.is_floating_point()}
        if not kinds <= {torch.float32, torch.float64}:
            raise InputError("nothing is proven: the network computes in half precision; proofs cover float32")
        if model.preprocess.integer:
            raise InputError("nothing is proven: the network takes whole grey levels; proofs cover shares of the range")
        example = model.tensor(inputs[:1]).repeat_interleave(model.batch or 2, dim=0)
        shortened = torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32
        coarse = TENSOR_FLOAT if example.is_cuda and shortened else 0.0
        model.bounds = Bounds(read_layers(model.module, example), FLOAT32, coarse)
    return model.bounds  # type: ignore[no-any-return]


def _region(model: Any, inputs: FloatArray, norm: str, size: float) -> Region:
    """The pictures that are meant, as the network is given them: a box, and in l2 a ball."""
    # A sum in float32 may end a little outside the ball that it was clipped to.
    reach = size * (1 + 1e-6) + 1e-7
    low, high = (model.tensor(np.clip(inputs + sign * reach, 0.0, 1.0).astype(np.float32)).double() for sign in (-1, 1))
    black, white = (model.tensor(np.full_like(inputs[:1], level)).double() for level in (0.0, 1.0))
    scale, room = white - black, _LAYOUT * ((white - black).abs() + black.abs())
    if not bool((scale > 0).all()):
        raise InputError("nothing is proven: the preprocessing does not raise every number with the picture's")
    radius = None
    if norm == "l2":
        numbers = inputs[0].size
        radius = reach + numbers**0.5 * float((room / scale).max())
    return Region(model.tensor(inputs).double(), low - room, high + room, scale, radius)


def _checked(model: Any, bounds: Bounds, inputs: FloatArray, values: Any) -> None:
    """The steps that were read must answer as the network does."""
    torch = loaded()
    scores = bounds.layers.applied(values)
    if scores.shape[1] == 1:
        scores = torch.nn.functional.pad(scores, (1, 0))
    known = torch.from_numpy(np.asarray(model.predict(inputs).logits, np.float64)).to(scores.device)
    wide = 1.0 + scores.abs().amax(dim=1, keepdim=True)
    if not bool(((scores.log_softmax(1) - known.log_softmax(1)).abs() <= 1e-2 * wide).all()):
        raise InputError("nothing is proven: the graph that was drawn of the network does not answer as it does")
