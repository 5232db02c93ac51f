"""Quadrants: what a lazy learner could gain from each cue against what this one took."""

from pfungst.findings import Cue, OpportunityReliance
from pfungst.report import canvas
from pfungst.report.axes import Scale, bottom, horizontal, left, upright
from pfungst.report.canvas import LEFT, RIGHT, TOP
from pfungst.report.markup import Markup, clean, html, tag
from pfungst.report.numbers import count, interval, rough, rows

BASE = 340.0
NUMBERED = 12


def quadrants(evidence: OpportunityReliance) -> Markup:
    """The 2x2: one cross a cue, four regions in words, chance and tolerance dashed."""
    cues = sorted(evidence.cues, key=lambda cue: (-cue.reliance.value, cue.name))
    lowest = min([0.0, *(cue.reliance.low for cue in cues)])
    x = Scale(0, 1, LEFT, RIGHT)
    y = Scale(-0.25 if lowest < -0.1 else -0.1, 1, BASE, TOP)
    taken = [cue for cue in cues if _shortcut(cue, evidence)]
    named = f": {', '.join(clean(cue.name, 40) for cue in taken[:5])}" if taken else ""
    description = f"{len(taken)} of {count(len(cues), 'cue')} predict the label and carry the answer{named}."
    marks = (
        _ground(evidence, x, y),
        left(y, LEFT, RIGHT, "reliance (probability lost)"),
        bottom(x, TOP, BASE, "opportunity (accuracy of the cue alone)"),
        _corners(),
        [_cross(index, cues[index - 1], evidence, x, y) for index in range(len(cues), 0, -1)],
    )
    twin = canvas.table(
        ("", "cue", "opportunity [interval]", "reliance [interval]", "rows"),
        [_numbers(index, cue) for index, cue in enumerate(cues, 1)],
        evidence.title,
    )
    note = (
        f"Dashed: chance ({rough(evidence.chance)}) and tolerance ({rough(evidence.tolerance)}). "
        "Crosses are intervals in both directions. Reliance: probability of the true class lost when the cue comes "
        "from another class instead of the row's own."
    )
    names = tag("ol", [tag("li", tag("bdi", clean(cue.name, 60))) for cue in cues[:NUMBERED]], class_="names")
    drawing = canvas.picture(BASE + 42, evidence.title, description, *marks)
    return canvas.figure(evidence.title, drawing, twin, description, names, note)


def _shortcut(cue: Cue, evidence: OpportunityReliance) -> bool:
    return cue.reliance.low > evidence.tolerance and cue.opportunity.low > evidence.chance


def _ground(evidence: OpportunityReliance, x: Scale, y: Scale) -> Markup:
    chance, tolerance = x.at(evidence.chance), y.at(evidence.tolerance)
    shade = tag("rect", x=chance, y=TOP, width=RIGHT - chance, height=tolerance - TOP, class_="danger")
    across = tag("line", x1=LEFT, x2=RIGHT, y1=tolerance, y2=tolerance, class_="reference")
    return html((shade, across, tag("line", x1=chance, x2=chance, y1=TOP, y2=BASE, class_="reference")))


def _corners() -> Markup:
    corners = (
        ("end", RIGHT - 6, TOP + 16, "shortcut"),
        ("end", RIGHT - 6, BASE - 8, "latent risk"),
        ("", LEFT + 6, TOP + 16, "sensitive"),
        ("", LEFT + 6, BASE - 8, "neither"),
    )
    return html([tag("text", word, x=x, y=y, class_=f"corner {side}".strip()) for side, x, y, word in corners])


def _cross(index: int, cue: Cue, evidence: OpportunityReliance, x: Scale, y: Scale) -> Markup:
    kind = "worse" if _shortcut(cue, evidence) else "quiet"
    across, up = x(cue.opportunity.value), y(cue.reliance.value)
    words = f"{clean(cue.name, 80)}: opportunity {interval(cue.opportunity)}, reliance {interval(cue.reliance)}"
    named = index <= NUMBERED
    label = tag("text", str(index), x=x.at(cue.opportunity.value) + 6, y=y.at(cue.reliance.value) - 6, class_="tick")
    crossed = (horizontal(cue.opportunity, x, up, kind), upright(cue.reliance, across, y, kind))
    return tag("g", tag("title", words), crossed, label if named else None)


def _numbers(index: int, cue: Cue) -> tuple[str | Markup, ...]:
    name = tag("bdi", clean(cue.name, 80))
    return str(index), name, interval(cue.opportunity), interval(cue.reliance), rows(cue.reliance)
