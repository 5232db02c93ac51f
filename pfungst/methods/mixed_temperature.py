"""A temperature with a share of the uniform distribution: for sure answers that are wrong at times."""

from dataclasses import dataclass, replace

import numpy as np

from pfungst.arrays import FloatArray, IntArray
from pfungst.methods.affine_recalibration import SEPARATED, enough_rows, least_of, refuse_bounds
from pfungst.methods.recalibration import COLDEST, HOTTEST, checked, temperature
from pfungst.outputs import Outputs, by_class
from pfungst.paged import parts


@dataclass(frozen=True)
class Mixed:
    """(1 - share) softmax(s / temperature) + share / classes; no answer changes.

    >>> Mixed(1.0, 0.2)(Outputs(np.log(np.array([[0.9, 0.1]], np.float32)))).probabilities.round(2).tolist()
    [[0.82, 0.18]]
    """

    temperature: float
    share: float

    def __call__(self, outputs: Outputs) -> Outputs:
        """The same answers, in other probabilities."""
        cooled = replace(outputs, logits=(outputs.logits / np.float32(self.temperature)), normalised=False, clipped=0)
        mixed = (1 - self.share) * cooled.probabilities + self.share / outputs.classes
        return replace(cooled, logits=np.log(np.maximum(mixed, np.finfo(np.float32).tiny)).astype(np.float32))


def temperature_mix(outputs: Outputs, targets: IntArray | FloatArray) -> Mixed:
    """A temperature, and a share of the uniform distribution mixed in: for labels that err at times.

    p = (1 - w) softmax(s / T) + w / K with the least log-loss (ensemble temperature scaling without its middle member;
    Zhang, Kailkhura and Han 2020, arXiv:2003.07329). Two numbers; no answer changes.

    Raises:
        InputError: if there are fewer than 20 rows, no full outputs, impossible targets, or only a bound stops it.

    >>> rng = np.random.default_rng(0)
    >>> true = rng.normal(0, 2, (3000, 3))
    >>> labels = (true + rng.gumbel(size=true.shape)).argmax(axis=1)
    >>> astray = np.where(rng.random(3000) < 0.1, rng.integers(0, 3, 3000), labels)
    >>> round(temperature_mix(Outputs((2 * true).astype(np.float32)), astray).share, 1)
    0.1
    """
    name, scores = "a temperature with a uniform share", checked(outputs, targets)
    enough_rows(len(scores), 20, name)
    best, least = least_of(
        lambda theta: _mixed_loss(theta, scores, targets),
        np.array([np.log(temperature(outputs, targets).value), 0.01]),
        [(np.log(COLDEST), np.log(HOTTEST)), (0.0, 0.999)],
    )
    value, share = float(np.exp(best[0])), float(best[1])
    inside = COLDEST * 1.001 < value < HOTTEST / 1.001 and share < 0.998
    refuse_bounds(inside and least > SEPARATED, name, len(scores))
    return Mixed(value, share)


def _mixed_loss(theta: FloatArray, scores: FloatArray, targets: IntArray | FloatArray) -> tuple[float, FloatArray]:
    """Mean log-loss of the mix by log T and w, and its derivatives, in parts."""
    inverse, share, classes = float(np.exp(-theta[0])), float(theta[1]), scores.shape[1]
    value, slopes = 0.0, np.zeros(2)
    for part in parts(scores):
        z = by_class(scores[part]) * inverse
        z -= z.max(axis=0)
        p = np.exp(z)
        p /= p.sum(axis=0)
        mean, aimed = np.einsum("kr,kr->r", p, z), targets[part]
        weight: FloatArray = np.ones((1, 1))
        if aimed.ndim == 1:
            chosen = aimed, np.arange(len(aimed))
            p, z = p[chosen][None], z[chosen][None]
        else:
            weight = by_class(aimed)
        mixed = np.maximum((1 - share) * p + share / classes, np.finfo(np.float64).tiny)
        value -= float((weight * np.log(mixed)).sum())
        slopes[0] += float((weight * (1 - share) * p * (z - mean) / mixed).sum())
        slopes[1] += float((weight * (p - 1 / classes) / mixed).sum())
    return value / len(scores), slopes / len(scores)
