"""Recalibrators: every way to make stated probabilities meet frequencies, by name."""

from pfungst.arrays import FloatArray, IntArray
from pfungst.errors import InputError
from pfungst.methods import recalibration
from pfungst.methods.affine_recalibration import dirichlet, matrix, vector
from pfungst.methods.classwise_recalibration import beta, histogram_binning, isotonic, platt
from pfungst.methods.mixed_temperature import temperature_mix
from pfungst.methods.recalibration import Fit, Temperature
from pfungst.outputs import Outputs
from pfungst.registry import Registry

recalibrators: Registry[Fit] = Registry("recalibrators")

QUADRATIC = frozenset({"matrix", "dirichlet"})
"""Those that weigh every class's score for every class: their time grows with the square of the classes."""

ANSWER_KEEPING = frozenset({"temperature", "temperature-mix"})
"""Those that change no answer."""


def temperature(outputs: Outputs, targets: IntArray | FloatArray) -> Temperature:
    """Temperature scaling: all scores divided by one number, s -> s / T; no answer changes.

    Least log-loss by Newton's method in 1 / T (Guo et al. 2017, arXiv:1706.04599).

    Raises:
        InputError: if there are no rows, no full outputs, impossible targets, or only a bound stops the temperature.

    >>> import numpy as np
    >>> scores = Outputs(np.log(np.array([[0.9, 0.1]] * 4, np.float32)))
    >>> round(temperature(scores, np.array([0, 0, 0, 1])).value, 3)
    2.0
    """
    found = recalibration.temperature(outputs, targets)
    if found.bound:
        raise InputError(
            f"on these {len(outputs)} rows the log-loss falls down to a temperature of {found.value:g}, the bound: "
            "they are separable (or labels wrong), so none can be recommended; give more rows"
        )
    return found


for one in (temperature, temperature_mix, vector, matrix, dirichlet, platt, beta, isotonic, histogram_binning):
    recalibrators(one)
