"""What the kernel two-sample test costs beside that of Frouros: python benchmarks/two_sample.py.

Normal rows in three sizes, one worker and thread, as many permutations for both; each pair is timed in turn and the
middle ratio is printed. Both discrepancies are printed too: theirs takes a kernel of width 1, which tells nothing where
rows have many columns, so they agree in kind and not in value. Here: 41, 80 and 186 times.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
from frouros.callbacks import PermutationTestDistanceBased
from frouros.detectors.data_drift import MMD
from threadpoolctl import threadpool_limits

from pfungst.arrays import FloatArray
from pfungst.methods.two_sample import maximum_mean_discrepancy

SIZES = ((100, 8), (300, 32), (600, 64))
DRAWS, REPEATS = 199, 5


def theirs(reference: FloatArray, new: FloatArray) -> tuple[float, float]:
    """Frouros' discrepancy and p-value."""
    test = PermutationTestDistanceBased(num_permutations=DRAWS, num_jobs=1, random_state=0, name="permuted")
    detector = MMD(callbacks=test)
    detector.fit(X=reference)
    found, logs = detector.compare(X=new)
    return float(found.distance), float(logs["permuted"]["p_value"])


def ours(reference: FloatArray, new: FloatArray) -> tuple[float, float]:
    """Our squared discrepancy and p-value."""
    found = maximum_mean_discrepancy(reference, new, draws=DRAWS)
    return found.effect**2, found.p_value


def seconds(test: Callable[[FloatArray, FloatArray], object], reference: FloatArray, new: FloatArray) -> float:
    """Time of one call by the clock: theirs works in a process of its own."""
    began = time.perf_counter()
    test(reference, new)
    return time.perf_counter() - began


def main() -> None:
    """Print a line for each size."""
    rng = np.random.default_rng(0)
    print("rows a sample, columns | ours, s | Frouros / ours | squared discrepancy, p: ours | Frouros")
    with threadpool_limits(1):
        for rows, width in SIZES:
            pair = rng.normal(size=(rows, width)), rng.normal(size=(rows, width)) + 0.2
            spent = [(seconds(ours, *pair), seconds(theirs, *pair)) for _ in range(REPEATS)]
            ratio = statistics.median(slow / quick for quick, slow in spent)
            said = " | ".join(f"{value:.4f}, {p:.3f}" for value, p in (ours(*pair), theirs(*pair)))
            print(f"{rows}, {width} | {statistics.median(quick for quick, _ in spent):.4f} | {ratio:.0f} | {said}")


if __name__ == "__main__":
    main()
