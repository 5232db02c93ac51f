"""Estimate: a number with its interval, the only kind of number a finding may hold."""

import math
import re
from typing import Literal

import msgspec

Status = Literal["found", "absent", "inconclusive"]
Severity = Literal["critical", "high", "medium", "low", "none"]


_SPEC = re.compile(r"((?:.?[<>=^])?[-+ ]?)z?(.*)", re.DOTALL)
"""The format of a float: fill, alignment and sign, and what comes after the ``z`` that takes the minus off zero."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A value, its interval at ``level`` and how many rows (units, where rows are clustered) stand behind it.

    Raises:
        ValueError: if the numbers are not finite or the interval is upside down.

    >>> Estimate(name="accuracy", value=0.9, low=0.85, high=0.94, rows=200).against(0.05)
    'found'
    """

    name: str
    value: float
    low: float
    high: float
    level: float = 0.95
    rows: int
    unit: str = "row"

    def __post_init__(self) -> None:
        if not all(math.isfinite(number) for number in (self.value, self.low, self.high)):
            raise ValueError(f"estimate {self.name!r} is not finite: {self.value}, [{self.low}, {self.high}]")
        if self.low > self.high:
            raise ValueError(f"estimate {self.name!r} has an interval upside down: [{self.low}, {self.high}]")

    def __format__(self, spec: str) -> str:
        """The value and its interval, each written by the format of a float; no zero has a minus.

        >>> f"{Estimate(name='loss', value=-0.0001, low=-0.02, high=0.03, rows=100):.2f}"
        '0.00 [-0.02, 0.03]'
        """
        if not spec:
            return str(self)
        before, rest = _SPEC.fullmatch(spec).groups()  # type: ignore[union-attr]
        value, low, high = (f"{number:{before}z{rest}}" for number in (self.value, self.low, self.high))
        return f"{value} [{low}, {high}]"

    def __neg__(self) -> "Estimate":
        """The same seen from the other side: 0.2 [0.1, 0.4] is -0.2 [-0.4, -0.1]."""
        return msgspec.structs.replace(self, value=-self.value, low=-self.high, high=-self.low)

    def against(self, tolerance: float) -> Status:
        """``found`` if the interval lies beyond the tolerance, ``absent`` if inside it, else ``inconclusive``."""
        if self.low > tolerance:
            return "found"
        return "absent" if self.high <= tolerance else "inconclusive"

    def rows_needed(self, tolerance: float) -> int:
        """Rows that would settle an inconclusive verdict, if value and spread stay as they are.

        The half width shrinks with the square root of the rows, so n' = n (half / distance)^2, with a margin of a
        tenth. A value exactly at the tolerance is settled by no number of rows; the answer is capped at 10^7.
        """
        distance = abs(self.value - tolerance)
        half = max(self.high - self.value, self.value - self.low)
        if distance <= 0:
            return 10_000_000
        # Ten thousand times is beyond the cap already; the square of a larger ratio may be no number.
        ratio = min(half / distance, 1e4)
        return min(10_000_000, max(self.rows + 1, math.ceil(1.1 * self.rows * ratio**2)))

    def settled_by(self, tolerance: float, kind: str = "rows") -> str:
        """In words how many rows would settle it.

        >>> Estimate(name="loss", value=0.05, low=0.0, high=0.1, rows=100).settled_by(0.05)
        'it lies at the tolerance, so that no number of rows would settle it soon'
        """
        needed = self.rows_needed(tolerance)
        if needed >= 10_000_000:
            return f"it lies at the tolerance, so that no number of {kind} would settle it soon"
        return f"about {needed:,} {kind} would settle it"


SCALES: dict[str, tuple[float, float, float]] = {
    "loss": (0.30, 0.15, 0.05),
    "calibration": (0.20, 0.10, 0.05),
    "strangers": (0.60, 0.30, 0.10),
}
_LOW: dict[str, float] = {"calibration": 0.01, "strangers": 0.02}


def severity(effect: Estimate, scale: str, tolerance: float = 0.05) -> Severity:
    """Severity of a found effect, read off the interval's bound nearer to harmless.

    ``scale`` is ``loss`` (reliance, accuracy lost, gaps), ``calibration`` (absolute gap) or ``strangers`` (share
    stated above 0.9). A two-sided effect counts by the bound nearer to zero.

    >>> severity(Estimate(name="reliance", value=0.4, low=0.31, high=0.5, rows=300), "loss")
    'critical'
    """
    near = nearer(effect)
    for name, bound in zip(("critical", "high", "medium"), SCALES[scale], strict=True):
        if near >= bound:
            return name  # type: ignore[return-value]
    return "low" if near > threshold(scale, "low", tolerance) else "none"


def nearer(effect: Estimate) -> float:
    """The bound of the interval that lies nearer to harmless; 0 where the interval holds 0.

    >>> nearer(Estimate(name="gap", value=-0.2, low=-0.3, high=-0.1, rows=300))
    0.1
    """
    return max(effect.low, -effect.high, 0.0)


def threshold(scale: str, level: Severity, tolerance: float = 0.05) -> float:
    """Where a severity begins on a scale.

    >>> threshold("loss", "high"), threshold("calibration", "low")
    (0.15, 0.01)
    """
    if level == "low":
        return min(tolerance, _LOW.get(scale, tolerance))
    return SCALES[scale][("critical", "high", "medium").index(level)]
