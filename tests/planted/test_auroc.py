"""Coverage of the AUROC's interval and of the share of strangers let through, on two shifted Gaussians."""

import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from pfungst.statistics.auroc import accepted_at_95_id, auroc

RUNS = 300


@pytest.mark.parametrize("rows", [50, 200])
@pytest.mark.parametrize("area", [0.5, 0.7, 0.9, 0.98, 0.995])
def test_auroc_covers(rows: int, area: float) -> None:
    rng = np.random.default_rng(5)
    shift = float(ndtri(area)) * math.sqrt(2)
    held = [auroc(rng.normal(size=rows), rng.normal(shift, 1, rows)) for _ in range(RUNS)]
    assert np.mean([e.low <= area <= e.high for e in held]) >= 0.9


@pytest.mark.parametrize("rows", [50, 400])
@pytest.mark.parametrize("shift", [1.0, 2.0, 3.0])
def test_share_let_through_covers_with_its_uncertain_threshold(rows: int, shift: float) -> None:
    rng = np.random.default_rng(6)
    truth = float(ndtr(ndtri(0.95) - shift))
    held = [accepted_at_95_id(rng.normal(size=rows), rng.normal(shift, 1, rows)) for _ in range(RUNS)]
    assert np.mean([e.low <= truth <= e.high for e in held]) >= 0.92


def test_known_rows_passed_off_as_strangers_hold_one_half() -> None:
    rng = np.random.default_rng(7)
    held = [auroc(rng.normal(size=150), rng.normal(size=150)) for _ in range(RUNS)]
    assert np.mean([e.low <= 0.5 <= e.high for e in held]) >= 0.92
