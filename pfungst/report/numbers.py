"""Numbers as people read them: a value, its interval and its rows, always together."""

import math
import re

from pfungst.report.markup import clean
from pfungst.statistics.estimate import Estimate


def decimals(half: float) -> int:
    """Decimals that an uncertainty allows: two digits of it where they start below 3.55, else one (the PDG's rule).

    >>> decimals(0.011), decimals(0.06)
    (3, 2)
    """
    if half <= 0:
        return 3
    return min(3, max(0, math.ceil(-math.log10(half * 2.8)) + 1))


def number(value: float, places: int = 3) -> str:
    """A number with a true minus, thousands apart, and no negative zero.

    >>> number(-0.0314, 2), number(12345.6, 0)
    ('−0.03', '12,346')
    """
    spelled = f"{value:,.{places}f}"
    if float(spelled.replace(",", "")) == 0:
        spelled = spelled.lstrip("-")
    return spelled.replace("-", "−")


def plain(value: float) -> str:
    """A setting or limit in as few digits as say it.

    >>> plain(0.05), plain(2000.0)
    ('0.05', '2,000')
    """
    if abs(value) >= 1000:
        return number(value, 0)
    return f"{value:.3g}".replace("-", "−")


def rough(value: float) -> str:
    """A line's value in two digits, for a name beside it.

    >>> rough(1 / 3), rough(0.05), rough(1200.0)
    ('0.33', '0.05', '1,200')
    """
    return plain(value) if abs(value) >= 10 else f"{value:.2g}".replace("-", "−")


def line_name(name: str, at: float) -> str:
    """What is written beside a line: its name, and where it lies unless the name says a number already.

    >>> line_name("chance", 1 / 3), line_name("1/K for 10 classes", 0.1)
    ('chance 0.33', '1/K for 10 classes')
    """
    return name if any(letter.isdigit() for letter in name) else f"{name} {rough(at)}".strip()


def value(estimate: Estimate, digits: int | None = None) -> str:
    """The value alone, with as many decimals as its interval allows; ever shown beside ``bounds``."""
    return number(estimate.value, places(estimate) if digits is None else digits)


def bounds(estimate: Estimate, digits: int | None = None) -> str:
    """The interval alone.

    >>> bounds(Estimate(name="accuracy", value=0.977, low=0.964, high=0.986, rows=600))
    '[0.964, 0.986]'
    """
    digits = places(estimate) if digits is None else digits
    return f"[{number(estimate.low, digits)}, {number(estimate.high, digits)}]"


def interval(estimate: Estimate) -> str:
    """Value and interval.

    >>> interval(Estimate(name="accuracy", value=0.31, low=0.27, high=0.35, rows=600))
    '0.31 [0.27, 0.35]'
    """
    return f"{value(estimate)} {bounds(estimate)}"


def rows(estimate: Estimate) -> str:
    """How many rows, or units of clustered rows, stand behind an estimate.

    >>> rows(Estimate(name="accuracy", value=0.5, low=0.4, high=0.6, rows=1200, unit="patient"))
    '1,200 patients'
    """
    return count(estimate.rows, clean(estimate.unit, 24))


def count(many: int, thing: str) -> str:
    """A number of things.

    >>> count(1, "row"), count(2, "class")
    ('1 row', '2 classes')
    """
    ending = "" if many == 1 else "es" if thing.endswith(("s", "x", "ch")) else "s"
    return f"{many:,} {thing}{ending}"


def plainly(condition: str) -> str:
    """What was done to the rows, places called as people call them.

    >>> plainly("region:top-left swapped"), plainly("border swapped")
    ('top-left region swapped', 'border swapped')
    """
    return re.sub(r"\bregion:([a-z-]+)", r"\1 region", condition)


def percent(level: float) -> str:
    """A confidence level.

    >>> percent(0.95)
    '95 %'
    """
    return f"{100 * level:.4g} %"


def p_value(p: float) -> str:
    """A p-value, bounded below where digits mean nothing.

    >>> p_value(0.00002), p_value(0.031)
    ('p < 0.001', 'p = 0.031')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def places(estimate: Estimate) -> int:
    """Decimals that this estimate's interval allows."""
    return decimals((estimate.high - estimate.low) / 2)
