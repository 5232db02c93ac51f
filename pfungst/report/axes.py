"""Axes: scales, ticks and the marks that every figure shares, so that they all speak alike."""

import math
from dataclasses import dataclass

from pfungst.report.markup import Markup, html, tag
from pfungst.report.numbers import plain
from pfungst.statistics.estimate import Estimate

FEW_ROWS = 20


@dataclass(frozen=True)
class Scale:
    """A straight line from data to the page; ``unit`` is ``%`` for figures that stretch with the page.

    >>> Scale(0.0, 1.0, 40, 340)(0.5)
    '190'
    """

    low: float
    high: float
    start: float
    end: float
    unit: str = ""

    def at(self, value: float) -> float:
        """Where a value lies; what lies outside is drawn at the edge."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def __call__(self, value: float) -> str:
        """The place as an attribute, with one decimal."""
        return html(self.at(value)) + self.unit

    @property
    def ticks(self) -> tuple[float, ...]:
        """Round values inside the scale."""
        return ticks(self.low, self.high)


def ticks(low: float, high: float, about: int = 5) -> tuple[float, ...]:
    """Round values from low to high, steps of 1, 2, 2.5 or 5 times a power of ten.

    >>> ticks(0, 1)
    (0.0, 0.25, 0.5, 0.75, 1.0)
    """
    step = _step(high - low, about)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(index * step, 12) for index in range(first, last + 1))


def _step(span: float, about: int) -> float:
    raw = span / max(1, about - 1)
    power = 10.0 ** math.floor(math.log10(raw))
    return min((multiple * power for multiple in (1, 2, 2.5, 5, 10)), key=lambda step: abs(math.log(step / raw)))


def honest(values: tuple[float, ...], start: float, end: float, unit: str = "") -> Scale:
    """A scale for these values that always holds zero, and is 0 to 1 in full for what looks like a probability.

    Small effects (all below one half) get a shorter scale, from zero or symmetric about it.

    >>> honest((0.31, 0.977), 0, 100).high
    1.0
    """
    lowest, highest = min((0.0, *values)), max((0.0, *values))
    reach = max(highest, -lowest)
    step = _step(reach, 5) if reach > 0 else 1.0
    top = 1.0 if 0.5 <= reach <= 1 or reach == 0 else step * math.ceil(reach / step - 1e-9)
    if lowest >= -0.04 * top:
        return Scale(0.0, top, start, end, unit)
    return Scale(-top, top if highest > 0.04 * top else 0.0, start, end, unit)


def point(estimate: Estimate, x: str, y: str, kind: str = "") -> Markup:
    """The dot of an estimate; hollow where fewer than 20 rows stand behind it."""
    hollow = " hollow" if estimate.rows < FEW_ROWS else ""
    return tag("circle", cx=x, cy=y, r="4.5", class_=f"dot {kind}".strip() + hollow)


def horizontal(estimate: Estimate, x: Scale, y: str, kind: str = "") -> Markup:
    """An estimate lying down: the interval, heavier than the dot, and the dot."""
    line = tag("line", x1=x(estimate.low), x2=x(estimate.high), y1=y, y2=y, class_=f"span {kind}".strip())
    return html((line, point(estimate, x(estimate.value), y, kind)))


def upright(estimate: Estimate, x: str, y: Scale, kind: str = "") -> Markup:
    """An estimate standing up."""
    line = tag("line", x1=x, x2=x, y1=y(estimate.low), y2=y(estimate.high), class_=f"span {kind}".strip())
    return html((line, point(estimate, x, y(estimate.value), kind)))


def bottom(x: Scale, top: float, base: float, name: str) -> Markup:
    """Grid lines, numbers and name of a horizontal axis."""
    lines = [tag("line", x1=x(tick), x2=x(tick), y1=top, y2=base, class_="grid") for tick in x.ticks]
    numbers = [tag("text", plain(tick), x=x(tick), y=base + 16, class_="tick middle") for tick in x.ticks]
    return html((lines, numbers, tag("text", name, x=(x.start + x.end) / 2, y=base + 34, class_="name middle")))


def left(y: Scale, start: float, end: float, name: str) -> Markup:
    """Grid lines, numbers and name of a vertical axis; the name stands on top, where it can be read."""
    lines = [tag("line", x1=start, x2=end, y1=y(tick), y2=y(tick), class_="grid") for tick in y.ticks]
    numbers = [tag("text", plain(tick), x=start - 7, y=y.at(tick) + 4, class_="tick end") for tick in y.ticks]
    return html((lines, numbers, tag("text", name, x=2, y=y.end - 10, class_="name")))
