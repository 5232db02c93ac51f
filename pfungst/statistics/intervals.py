"""Every interval by name: shares, means, paired and unpaired differences, bootstrap."""

from pfungst.statistics.bootstrap import bca, multinomial_bootstrap
from pfungst.statistics.means import mean, paired_mean
from pfungst.statistics.proportions import (
    apart,
    difference_of_proportions,
    difference_of_shares,
    paired_accuracy_loss,
    proportion,
    proportion_of,
    wilson,
)

__all__ = [
    "apart",
    "bca",
    "difference_of_proportions",
    "difference_of_shares",
    "mean",
    "multinomial_bootstrap",
    "paired_accuracy_loss",
    "paired_mean",
    "proportion",
    "proportion_of",
    "wilson",
]
