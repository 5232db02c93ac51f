"""Hypotheses: slices that err more make a cue suspect, and an even error rate does not."""

import numpy as np

from pfungst.datasets.dataset import Dataset
from pfungst.methods.hypotheses import Seen, in_a_slice
from pfungst.methods.photometric import Brightness


def pictures(rows=600, seed=0):
    rng = np.random.default_rng(seed)
    light = rng.uniform(60, 200, rows)
    inputs = (light[:, None, None, None] + rng.normal(0, 8, (rows, 8, 8, 1))).clip(0, 255).astype(np.uint8)
    labels = np.arange(rows) % 2
    names = tuple(f"{at:04}" for at in range(rows))
    return Dataset("test", "", "image", names, lambda at: list(inputs[at]), ("a", "b"), labels=labels), light, rng


def seen(data, wrong):
    rows = data.halves["discovery"]
    return Seen(rows, wrong[rows], None, ())


def test_dark_rows_that_err_make_brightness_suspect():
    data, light, rng = pictures()
    wrong = rng.random(len(light)) < 0.08 + 0.35 * (light < np.quantile(light, 0.2))
    assert in_a_slice(data, Brightness(), seen(data, wrong))


def test_even_errors_make_nothing_suspect():
    suspected = 0
    for seed in range(30):
        data, light, rng = pictures(seed=seed)
        suspected += in_a_slice(data, Brightness(), seen(data, rng.random(len(light)) < 0.15))
    assert suspected <= 2


def test_few_errors_say_nothing():
    data, light, _ = pictures()
    assert not in_a_slice(data, Brightness(), seen(data, light < np.sort(light)[10]))
