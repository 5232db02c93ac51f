"""Adjusted p-values against R's p.adjust and by hand."""

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from pfungst.errors import InputError
from pfungst.statistics.multiplicity import benjamini_hochberg, benjamini_yekutieli, holm


def test_holm_by_hand() -> None:
    # Sorted .005 .01 .03 .04 times 4 3 2 1, never falling: .02 .03 .06 .06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_false_discovery_rates_match_scipy() -> None:
    p = np.random.default_rng(0).uniform(size=40) ** 3
    assert benjamini_hochberg(p) == pytest.approx(false_discovery_control(p, method="bh"))
    assert benjamini_yekutieli(p) == pytest.approx(false_discovery_control(p, method="by"))


def test_benjamini_hochberg_1995_rejects_four_of_fifteen() -> None:
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528]
    p += [0.7590, 1.0]
    assert int(np.sum(benjamini_hochberg(p) <= 0.05)) == 4
    assert int(np.sum(holm(p) <= 0.05)) == 3


def test_nothing_tested_is_nothing_adjusted() -> None:
    assert len(holm([])) == len(benjamini_hochberg([])) == len(benjamini_yekutieli([])) == 0


@pytest.mark.parametrize("p", [[1.1], [-0.1], [0.5, float("nan")]])
def test_what_is_no_probability_is_refused(p: list[float]) -> None:
    for adjust in (holm, benjamini_hochberg, benjamini_yekutieli):
        with pytest.raises(InputError, match="must lie in"):
            adjust(p)
