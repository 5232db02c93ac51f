"""Calibration by slice: a site where confidence lies is named, one that is off like all others is not."""

import numpy as np

from pfungst.datasets.dataset import Dataset, Roles
from pfungst.outputs import from_logits
from pfungst.probe import Labelled
from pfungst.probes.calibration_by_part import by_slice


def rows(seed, count=1500, lying=0.0, everywhere=0.0):
    """Two classes; confidence drawn, right as often as stated, less ``lying`` at site B and ``everywhere`` at all."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.6, 0.95, count)
    site = rng.choice(["A", "B", "C"], count)
    right = rng.random(count) < confidence - everywhere - lying * (site == "B")
    labels = rng.integers(0, 2, count)
    answers = np.where(right, labels, 1 - labels)
    logit = np.log(confidence / (1 - confidence))
    outputs = from_logits(np.stack([logit * (answers == 0), logit * (answers == 1)], axis=1))
    outputs = type(outputs)(outputs.logits, rows=np.arange(count))
    columns = {"site": site, "age": rng.normal(50, 10, count), "camera": rng.choice(["x", "y"], count)}
    names = tuple(map(str, range(count)))
    data = Dataset("test", "", "table", names, lambda _: [], ("no", "yes"), labels=labels, columns=columns,
                   roles=Roles(site=("site",)))  # fmt: skip
    return data, Labelled(outputs, labels, None)


def named(seed, **planted):
    data, some = rows(seed, **planted)
    return [one.subject for one in by_slice(data, some, 0.05) if one.status == "found"]


def test_the_site_that_lies_is_named():
    caught = sum("site=B" in named(seed, lying=0.2) for seed in range(40))
    assert caught >= 36, caught


def test_calibrated_sites_are_not_named():
    assert sum(bool(named(seed)) for seed in range(200)) <= 4


def test_what_is_off_everywhere_is_no_slices():
    assert sum(bool(named(seed, everywhere=0.15)) for seed in range(100)) <= 3


def test_a_slice_tells_of_itself_and_of_the_others():
    data, some = rows(1, lying=0.3)
    found = next(one for one in by_slice(data, some, 0.05) if one.status == "found")
    assert found.kind == "slice"
    assert "on the others" in found.claim
    assert found.effect.value > 0.2
