"""Forest plots: estimates under one another on one axis, in the table that holds their numbers."""

from collections.abc import Iterable
from dataclasses import dataclass

from pfungst.report.axes import Scale, honest, horizontal
from pfungst.report.markup import Markup, clean, html, tag
from pfungst.report.numbers import bounds, line_name, percent, places, plain, rows, value
from pfungst.statistics.estimate import Estimate

HEIGHT, MIDDLE, LONGEST, SMALL, STRIP = 26, "50%", 90, 0.3, 32
MOST_TICKS = 5
"""Beyond them every other tick has a number, as a narrow page has no room for all; zero has one."""


def forest(
    items: Iterable[tuple[str, Estimate]],
    *,
    what: str,
    quantity: str,
    reference: float | None = None,
    reference_name: str = "",
    against_first: bool = False,
) -> Markup:
    """A table with one estimate a row: name, dot and interval on a shared axis, numbers, rows.

    ``what`` heads the names, ``quantity`` the numbers. ``reference`` is a dashed line. ``against_first`` draws what
    each row lost against the first one. The picture stretches with the page and needs no table beside it.
    """
    named = tuple(items)
    extent = [bound for _, item in named for bound in (item.low, item.value, item.high)]
    x = honest((*extent, *(() if reference is None else (reference,))), 0, 100, "%")
    first = named[0][1] if against_first and named else None
    head = tag(
        "thead",
        tag(
            "tr",
            tag("th", what or tag("span", "name", class_="unseen"), scope="col", role="columnheader"),
            tag("th", _heading(x, reference, reference_name), class_="plot", scope="col", role="columnheader"),
            tag("th", f"{quantity} {_level(named)}", class_="value", scope="col", role="columnheader"),
            tag("th", tag("span", "rows", class_="unseen"), class_="rows", scope="col", role="columnheader"),
            role="row",
        ),
        role="rowgroup",
    )
    axis = _Axis(x, reference, max((places(item) for _, item in named), default=3))
    body = [_row(name, item, axis, first if index else None) for index, (name, item) in enumerate(named)]
    # Narrow pages lay the cells out anew; the roles keep the table a table for those who listen to it.
    return tag("table", head, tag("tbody", body, role="rowgroup"), _foot(x), class_="forest", role="table")


@dataclass(frozen=True)
class _Axis:
    x: Scale
    reference: float | None
    digits: int


def _row(name: str, item: Estimate, axis: _Axis, first: Estimate | None) -> Markup:
    x, reference, digits = axis.x, axis.reference, axis.digits
    worse = first is not None and item.high < first.low
    marks: list[Markup] = [_vertical(x(tick), "grid") for tick in x.ticks]
    if reference is not None:
        marks.append(_vertical(x(reference), "reference"))
    if first is not None:
        marks.append(_vertical(x(first.value), "before"))
        marks.append(tag("line", x1=x(item.value), x2=x(first.value), y1=MIDDLE, y2=MIDDLE, class_="lost"))
    marks.append(horizontal(item, x, MIDDLE, "worse" if worse else ""))
    return tag(
        "tr",
        tag("th", _named(name), scope="row", role="rowheader"),
        tag("td", _strip(marks, HEIGHT), class_="plot", role="cell"),
        tag("td", tag("b", value(item, digits)), " ", tag("span", bounds(item, digits)), class_="value", role="cell"),
        tag("td", rows(item), class_="rows", role="cell"),
        role="row",
    )


def _heading(x: Scale, reference: float | None, name: str) -> Markup:
    if reference is None or not name:
        return tag("span", "interval", class_="unseen")
    # Words at the edge of the picture lean inwards.
    side = "end" if x.at(reference) > 75 else "" if x.at(reference) < 25 else "middle"
    words = tag("text", clean(line_name(name, reference), 40), x=x(reference), y=12, class_=f"tick {side}".strip())
    return html((tag("span", "interval", class_="unseen"), _strip([words], 16)))


def _foot(x: Scale) -> Markup:
    numbers = [
        tag("text", plain(tick), x=x(tick), y=12, class_=f"tick {_side(index, len(x.ticks))}".strip())
        for index, tick in enumerate(x.ticks)
        if len(x.ticks) <= MOST_TICKS or index % 2 == x.ticks.index(0.0) % 2
    ]
    cells = (tag("td"), tag("td", _strip(numbers, 16), class_="plot"), tag("td"), tag("td"))
    return tag("tfoot", tag("tr", cells), aria_hidden="true")


def _side(index: int, many: int) -> str:
    return "" if index == 0 else "end" if index == many - 1 else "middle"


def _strip(marks: Iterable[Markup], height: int) -> Markup:
    return tag("svg", marks, width="100%", height=height, aria_hidden="true", focusable="false")


def _vertical(x: str, kind: str) -> Markup:
    return tag("line", x1=x, x2=x, y1=0, y2="100%", class_=kind)


def _level(named: tuple[tuple[str, Estimate], ...]) -> str:
    levels = {item.level for _, item in named}
    return f"[{percent(levels.pop())}]" if len(levels) == 1 else "[interval]"


def strip(effect: Estimate, tolerance: float | None, *, worse: bool = False, reach: float = 0.0) -> Markup:
    """An effect on one line with its tolerance, for the eye alone; shares stand on a scale to 0.3 or to 1.

    Effects that stand below each other are given one ``reach``, so that they share a scale.
    """
    extent = (effect.low, effect.high, effect.value, tolerance or 0.0)
    reach = max(reach, *map(abs, extent))
    whole = SMALL if reach <= SMALL else 1.0 if reach <= 1 else reach
    x = honest((*extent, whole, -whole if min(extent) < -0.04 * whole else 0.0), 0, 100, "%")
    marks: list[Markup] = []
    if tolerance is not None:
        least = -tolerance if x.low < 0 else 0.0
        width = Scale(0, 1, 0, 100, "%")((x.at(tolerance) - x.at(least)) / 100)
        side = "tick end" if x.at(tolerance) > 60 else "tick"
        words = f"tolerated {plain(tolerance)}"
        marks.append(tag("rect", x=x(least), y=0, width=width, height=STRIP - 14, class_="tolerated"))
        marks.append(tag("text", words, x=x(tolerance if side == "tick end" else least), y=STRIP - 2, class_=side))
    marks.append(tag("line", x1="0", x2="100%", y1=STRIP - 14, y2=STRIP - 14, class_="axis"))
    marks.append(tag("line", x1=x(0.0), x2=x(0.0), y1=0, y2=STRIP - 14, class_="axis"))
    marks.append(horizontal(effect, x, "9", "worse" if worse else ""))
    marks.append(tag("text", plain(x.high), x="100%", y=STRIP - 2, class_="tick end"))
    if x.low < 0:
        marks.append(tag("text", plain(x.low), x="0", y=STRIP - 2, class_="tick"))
    elif tolerance is None:
        marks.append(tag("text", "0", x="0", y=STRIP - 2, class_="tick"))
    return _strip(marks, STRIP)


def _named(name: str) -> Markup:
    whole = clean(name)
    return tag("bdi", clean(name, LONGEST), title=whole if len(name) > LONGEST else None)
