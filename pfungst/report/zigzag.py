"""Zigzag: the loss after each move of the world and after each fit that answers it, round by round."""

from itertools import chain

from pfungst.findings import Round, Rounds
from pfungst.report import canvas
from pfungst.report.axes import Scale, honest, left
from pfungst.report.canvas import LEFT, RIGHT, TOP
from pfungst.report.markup import Markup, clean, html, tag
from pfungst.report.numbers import interval, number, rows

MOST = 60
"""Rounds that are drawn; more would run into one another."""

STYLE = (
    "text{font:12px sans-serif;fill:#444}.grid{stroke:#ddd}.line{fill:none;stroke:#888;stroke-width:1.5}"
    ".s1{fill:#1d5fa8;stroke:#1d5fa8}.s2{fill:#b4521a;stroke:#b4521a}.line.s4{fill:none;stroke:#888}"
    ".span{stroke-width:4;opacity:.6}"
)
"""How a drawing looks outside the report, in colours that every viewer knows."""


def zigzag(evidence: Rounds) -> Markup:
    """Losses once the world moved and once fitted anew, joined in the order in which they happen."""
    twin = canvas.table(
        ("round", "world moved [interval]", "fitted anew [interval]", "rows"),
        [(str(one.number), interval(one.moved), interval(one.retrained), rows(one.moved)) for one in evidence.rounds],
        evidence.title,
    )
    names = canvas.key(("s2", "once the world moved"), ("s1", "once fitted anew"))
    more = len(evidence.rounds) - MOST
    note = f"The first {MOST} of {len(evidence.rounds):,} rounds are drawn." if more > 0 else None
    return canvas.figure(evidence.title, drawing(evidence), twin, names, described(evidence), note)


def alone(evidence: Rounds) -> str:
    """The drawing as an SVG file of its own."""
    opened = drawing(evidence).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    head, _, rest = opened.partition("<title>")
    return f"{head}<style>{STYLE}</style><title>{rest}"


def described(evidence: Rounds) -> str:
    """The zigzag in words: where it stood, and where it costs most."""
    if not evidence.rounds:
        return "No round was played."
    quantity = clean(evidence.quantity, 60)
    worst = max(evidence.rounds, key=lambda one: one.moved.value)
    last = evidence.rounds[-1]
    after = [number(one.retrained.value, 3) for one in (worst, last)]
    return (
        f"The {quantity} once the world moved is highest in round {worst.number}, {interval(worst.moved)}, and "
        f"{after[0]} once fitted anew; in the last, round {last.number}, {interval(last.moved)} and {after[1]}."
    )


def drawing(evidence: Rounds) -> Markup:
    """The picture alone."""
    base = 250.0
    shown = evidence.rounds[:MOST]
    y = honest(tuple(chain.from_iterable((one.moved.value, one.retrained.value) for one in shown)), base, TOP)
    width = (RIGHT - LEFT - 20) / max(1, 2 * len(shown))
    places = [LEFT + 10 + width * (at + 0.5) for at in range(2 * len(shown))]
    lows = [one for each in shown for one in (each.moved, each.retrained)]
    path = " ".join(f"{html(x)},{y(one.value)}" for x, one in zip(places, lows, strict=True))
    line = tag("polyline", points=path, class_="line s4") if shown else None
    marks = [_marks(one, at, places, y) for at, one in enumerate(shown)]
    numbers = _numbers(shown, places, base)
    axis = tag("text", "round", x=(LEFT + RIGHT) / 2, y=base + 34, class_="name middle", text_anchor="middle")
    across = left(y, LEFT, RIGHT, clean(evidence.quantity, 40))
    return canvas.picture(base + 42, evidence.title, described(evidence), across, line, marks, numbers, axis)


def _marks(one: Round, at: int, places: list[float], y: Scale) -> Markup:
    """Both losses of a round; intervals are cut where the axis ends."""
    found = []
    for x, item, kind in ((places[2 * at], one.moved, "s2"), (places[2 * at + 1], one.retrained, "s1")):
        low, high = (min(max(bound, y.low), y.high) for bound in (item.low, item.high))
        span = tag("line", x1=x, x2=x, y1=y(low), y2=y(high), class_=f"span {kind}")
        found.append(
            tag(
                "g", tag("title", f"round {one.number}: {interval(item)}"), span, canvas.sign(x, y.at(item.value), kind)
            )
        )
    return html(found)


def _numbers(shown: tuple[Round, ...], places: list[float], base: float) -> Markup:
    every = max(1, -(-len(shown) // 10))
    return html(
        [
            tag(
                "text",
                str(one.number),
                x=(places[2 * at] + places[2 * at + 1]) / 2,
                y=base + 16,
                class_="tick middle",
                text_anchor="middle",
            )
            for at, one in enumerate(shown)
            if at % every == 0
        ]
    )
