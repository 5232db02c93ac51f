"""Figures: one drawing function an evidence type. Evidence was computed elsewhere; here it is only drawn."""

from functools import singledispatch

from pfungst.findings import (
    Confusions,
    Estimates,
    Evidence,
    Examples,
    Histogram,
    OpportunityReliance,
    RegionMap,
    ReliabilityCurve,
    Rounds,
    SeverityCurve,
    Table,
)
from pfungst.report import canvas
from pfungst.report.curves import histogram, reliability, severity
from pfungst.report.forest import forest
from pfungst.report.gallery import Pictures, gallery
from pfungst.report.grids import confusions, region
from pfungst.report.markup import Markup, clean, tag
from pfungst.report.numbers import count
from pfungst.report.quadrants import quadrants
from pfungst.report.zigzag import zigzag

TABLE_ROWS = 100


@singledispatch
def draw(evidence: Evidence) -> Markup:
    """A figure for a piece of evidence: a drawing or a table, with its words and its numbers.

    Raises:
        TypeError: for a type of evidence that nobody can draw.

    >>> "<td>B</td>" in draw(Table(title="sites", columns=("site",), rows=(("B",),)))
    True
    """
    raise TypeError(f"no figure is known for {type(evidence).__name__}; register one with figures.draw")


@draw.register
def rows_of_text(evidence: Table) -> Markup:
    """Rows and columns as they are; the first hundred of a long table."""
    cells = [[clean(cell, 400) for cell in row] for row in evidence.rows[:TABLE_ROWS]]
    more = len(evidence.rows) - TABLE_ROWS
    note = tag("p", f"+ {count(more, 'more row')} in audit.json", class_="note") if more > 0 else None
    shown = canvas.table(evidence.columns, cells, evidence.title)
    return tag("figure", canvas.caption(evidence.title), shown, note, class_="figure wide")


@draw.register
def estimates(evidence: Estimates) -> Markup:
    """Estimates under one another, with the line they are held against."""
    plot = forest(
        [(item.name, item) for item in evidence.items],
        what="",
        quantity="value",
        reference=evidence.reference,
        reference_name=evidence.reference_name,
    )
    return tag("figure", canvas.caption(evidence.title), plot, class_="figure wide")


@draw.register
def examples(evidence: Examples) -> Markup:
    """Rows in words alone; pages that hold the thumbnails draw them with ``gallery``."""
    return gallery(evidence, Pictures({}))


draw.register(ReliabilityCurve, reliability)
draw.register(SeverityCurve, severity)
draw.register(Rounds, zigzag)
draw.register(Histogram, histogram)
draw.register(OpportunityReliance, quadrants)
draw.register(RegionMap, region)
draw.register(Confusions, confusions)
