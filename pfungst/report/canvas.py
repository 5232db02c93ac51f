"""Canvas: what every figure is wrapped in: a picture that says its finding in words, and the numbers as a table."""

from collections.abc import Iterable, Sequence

from pfungst.report.markup import Child, Markup, clean, tag

WIDTH = 380
LEFT, RIGHT, TOP = 40.0, WIDTH - 12.0, 30.0


def picture(height: float, title: str, description: str, *marks: Child) -> Markup:
    """A drawing 380 wide that shrinks with the page; its description states in words what it shows."""
    words = (tag("title", clean(title, 300)), tag("desc", clean(description, 600)))
    box = f"0 0 {WIDTH} {height:g}"
    return tag("svg", words, marks, viewBox=box, width=str(WIDTH), height=f"{height:g}", role="img")


def caption(title: str) -> Markup:
    """What a figure is called."""
    return tag("figcaption", clean(title, 300))


def figure(title: str, drawing: Child, twin: Markup, *notes: Child) -> Markup:
    """A figure: what it is called, the drawing, what its marks mean, and its twin in numbers."""
    legend = [tag("div", note, class_="note") for note in notes if note]
    numbers = tag("details", tag("summary", "Numbers"), twin, class_="twin")
    return tag("figure", caption(title), drawing, tag("div", legend, numbers, class_="words"), class_="figure narrow")


def table(columns: Sequence[str], rows: Iterable[Sequence[Child]], name: str) -> Markup:
    """A table in a scroller of its own, so that the page never scrolls sideways."""
    head = tag("thead", tag("tr", [_heading(column) for column in columns]))
    body = tag("tbody", [tag("tr", [tag("td", cell) for cell in row]) for row in rows])
    inside = tag("table", head, body)
    return tag("div", inside, class_="scroll", tabindex="0", role="group", aria_label=f"table: {clean(name, 120)}")


def _heading(column: str) -> Markup:
    """The head of a column; an empty one is no heading."""
    return tag("th", clean(column, 120), scope="col") if column else tag("td")


def key(*entries: tuple[str, str]) -> Markup:
    """A legend: pairs of a series' class and its name."""
    return tag("span", [_entry(kind, name) for kind, name in entries], class_="key")


def _entry(kind: str, name: str) -> Markup:
    line = tag("line", x1=1, x2=25, y1=7, y2=7, class_=f"line {kind}")
    mark = tag("svg", line, sign(13, 7, kind), width="26", height="14", aria_hidden="true")
    return tag("span", mark, " ", tag("bdi", clean(name, 60)), class_="entry")


def sign(x: float, y: float, kind: str) -> Markup:
    """The mark of a series: round, square, pointed; shapes differ as well as colours."""
    if kind == "s2":
        return tag("rect", x=x - 4, y=y - 4, width=8, height=8, class_="dot s2")
    if kind == "s3":
        return tag("path", d=f"M{x:.1f} {y - 5.5:.1f}l5.5 9.5h-11z", class_="dot s3")
    return tag("circle", cx=x, cy=y, r=4.5, class_=f"dot {kind}")
