"""How often tests of a log call feedback that is there, and that is not: python benchmarks/feedback.py.

200 logs of 4000 units with five features in a world that keeps .8 of itself; who scores above .8 is acted on, a tenth
withheld at random; acting moves the next round's score by .3, drift everybody's by .5. Beside our tests stand two that
people use and that cannot tell drift, or the mere return to the mean, from feedback; the package does not offer them.
Below, how often scores are said to crowd at a threshold: where nobody moves, where people up to .3 below move across it
(three in ten or one in ten of them), and where half of the scores are merely rounded.
"""

import math

import numpy as np
from scipy.stats import ks_2samp

from pfungst.arrays import BoolArray, FloatArray
from pfungst.errors import InputError
from pfungst.methods.discontinuity import bunching, discontinuity
from pfungst.methods.feedback_tests import arm_contrast

LOGS, UNITS, FEATURES, THRESHOLD, HELD = 200, 4000, 5, 0.8, 0.1
TRUTHS = ((0.0, 0.0), (0.0, 0.5), (0.3, 0.0), (0.3, 0.5))
CROWDS = ((0.0, 0.0), (0.3, 0.0), (0.1, 0.0), (0.0, 0.05), (0.0, 0.1), (0.0, 0.2))
TESTS = ("threshold", "threshold, h = .35", "hold-out", "KS of scores", "flagged against not")


def log(seed: int, effect: float, drift: float) -> tuple[FloatArray, FloatArray, BoolArray, BoolArray]:
    """Score less threshold, the next round's score, who would be acted on, who was."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=FEATURES)
    weights /= np.linalg.norm(weights)
    x = rng.normal(size=(UNITS, FEATURES))
    flagged = x @ weights >= THRESHOLD
    acted = flagged & (rng.uniform(size=UNITS) >= HELD)
    moved = (drift + effect * acted)[:, None] * weights
    later = 0.8 * x + 0.6 * rng.normal(size=x.shape) + moved
    return x @ weights - THRESHOLD, later @ weights, flagged, acted


def jump(r: FloatArray, later: FloatArray, bandwidth: float | None) -> float:
    """p-value at the threshold; 1 where the test refuses."""
    try:
        return discontinuity(r, later, bandwidth=bandwidth).effect.p_value
    except InputError:
        return 1.0


def p_values(seed: int, effect: float, drift: float) -> list[float]:
    """Of every test on one log."""
    r, later, flagged, acted = log(seed, effect, drift)
    kept = ~(flagged & ~acted)
    change = later - THRESHOLD - r
    naive = change[flagged].mean() - change[~flagged].mean()
    error = math.sqrt(change[flagged].var() / flagged.sum() + change[~flagged].var() / (~flagged).sum())
    return [
        jump(r[kept], later[kept], None),
        jump(r[kept], later[kept], 0.35),
        arm_contrast(later[flagged], acted[flagged]).p_value,
        float(ks_2samp(r, later - THRESHOLD).pvalue),
        math.erfc(abs(naive) / error / math.sqrt(2)),
    ]


def crowds(seed: int, share: float, grid: float = 0.0) -> bool:
    """Whether crowding is claimed of normal scores: a share of those near moved across, or half were rounded."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=UNITS)
    near = (score < THRESHOLD) & (score > THRESHOLD - 0.3) & (rng.uniform(size=UNITS) < share)
    score = np.where(near, THRESHOLD + rng.uniform(0, 0.05, size=UNITS), score)
    if grid:
        score = np.where(rng.uniform(size=UNITS) < 0.5, np.round(score / grid) * grid, score)
    try:
        return bunching(score - THRESHOLD, THRESHOLD).p_value < 0.05
    except InputError:
        return False


def main() -> None:
    """Print the share of logs in which each test rejects at .05."""
    print("effect | drift | " + " | ".join(TESTS))
    for effect, drift in TRUTHS:
        found = np.array([p_values(seed, effect, drift) for seed in range(LOGS)]) < 0.05
        print(f"{effect} | {drift} | " + " | ".join(f"{share:.3f}" for share in found.mean(axis=0)))
    print("moved across | rounded to | said to crowd")
    for share, grid in CROWDS:
        said = np.mean([crowds(seed, share, grid) for seed in range(LOGS)])
        print(f"{share} | {grid} | {said:.3f}")


if __name__ == "__main__":
    main()
