"""Grids: where in the picture the answer rests, and where the answers went."""

from collections.abc import Sequence

from pfungst.findings import Confusions, RegionMap
from pfungst.report import canvas
from pfungst.report.canvas import RIGHT, TOP, WIDTH
from pfungst.report.forest import forest
from pfungst.report.markup import Markup, clean, html, tag
from pfungst.report.numbers import count, number, plain

LEVELS = 8
FINEST = 16
WRITTEN, NAMED, LISTED = 10, 20, 8
SIDE = 280.0

Grid = Sequence[Sequence[float]]


def region(evidence: RegionMap) -> Markup:
    """The effect of each place in the picture, darker where more rests on it; the box is where the cue was found."""
    grid, merged = coarse(evidence.effects)
    values = [value for line in grid for value in line]
    most = max((abs(value) for value in values), default=0.0) or 1.0
    start = (WIDTH - SIDE) / 2
    row, column = _strongest(grid)
    description = (
        f"The strongest effect is {number(grid[row][column], 3)}, in row {row + 1} of {len(grid)} from the top and "
        f"column {column + 1} of {len(grid[0])} from the left."
        if values
        else "No place was measured."
    )
    shares = [[value / most for value in line] for line in grid]
    marks = (_levels(shares, start, TOP), _frame(start, TOP), _box(evidence, start, TOP), _scale(most, start))
    drawing = canvas.picture(TOP + SIDE + 48, evidence.title, description, *marks)
    twin = canvas.table(
        ("", *(str(index) for index in range(1, len(grid[0]) + 1 if grid else 1))),
        [(str(index), *(number(value, 3) for value in line)) for index, line in enumerate(grid, 1)],
        evidence.title,
    )
    finer = f"Averaged from {len(evidence.effects)} rows of cells." if merged else None
    hatched = (
        "Ringed cells are below zero: the answer gains there."
        if any(_level(share) and share < 0 for line in shares for share in line)
        else None
    )
    return canvas.figure(evidence.title, drawing, twin, description, hatched, finer)


def coarse(grid: Grid) -> tuple[list[list[float]], bool]:
    """A grid of at most 16 by 16 cells, by averaging blocks; and whether that was needed.

    >>> coarse(((1.0, 2.0), (3.0, 4.0)))
    ([[1.0, 2.0], [3.0, 4.0]], False)
    """
    down = -(-len(grid) // FINEST)
    across = -(-len(grid[0]) // FINEST) if grid else 1
    if down <= 1 and across <= 1:
        return [list(line) for line in grid], False
    blocks = []
    for top in range(0, len(grid), down):
        lines = grid[top : top + down]
        blocks.append(
            [_mean([v for line in lines for v in line[at : at + across]]) for at in range(0, len(grid[0]), across)]
        )
    return blocks, True


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _strongest(grid: Grid) -> tuple[int, int]:
    places = [(row, column) for row, line in enumerate(grid) for column in range(len(line))]
    return max(places, key=lambda place: abs(grid[place[0]][place[1]]), default=(0, 0))


def _levels(shares: Grid, start: float, top: float) -> Markup:
    """Cells by eight depths of one colour, one path a depth: a fraction of the bytes of one element a cell."""
    across = SIDE / max(1, max((len(line) for line in shares), default=1))
    down = SIDE / max(1, len(shares))
    paths: dict[str, list[str]] = {}
    for row, line in enumerate(shares):
        for column, share in enumerate(line):
            level = _level(share)
            if level:
                kind = f"q{level} below" if share < 0 else f"q{level}"
                cell = f"M{start + column * across:.1f} {top + row * down:.1f}h{across:.1f}v{down:.1f}h-{across:.1f}z"
                paths.setdefault(kind, []).append(cell)
    return html([tag("path", d="".join(parts), class_=kind) for kind, parts in sorted(paths.items())])


def _level(share: float) -> int:
    """Which of the eight depths; 0 is not drawn."""
    return round(min(1.0, abs(share)) * LEVELS)


def _frame(start: float, top: float) -> Markup:
    return tag("rect", x=start, y=top, width=SIDE, height=SIDE, class_="frame")


def _box(evidence: RegionMap, start: float, top: float) -> Markup | None:
    if evidence.box is None:
        return None
    above, leftmost, below, rightmost = evidence.box
    return tag(
        "rect",
        x=start + leftmost * SIDE,
        y=top + above * SIDE,
        width=(rightmost - leftmost) * SIDE,
        height=(below - above) * SIDE,
        class_="box",
    )


def _scale(most: float, start: float) -> Markup:
    y, step = TOP + SIDE + 12, SIDE / LEVELS
    cells = [
        tag("rect", x=start + (level - 1) * step, y=y, width=step, height=8, class_=f"q{level}")
        for level in range(1, LEVELS + 1)
    ]
    ends = (
        tag("text", "0", x=start, y=y + 24, class_="tick"),
        tag("text", plain(most), x=start + SIDE, y=y + 24, class_="tick end"),
        tag("text", "effect", x=start + SIDE / 2, y=y + 24, class_="name middle"),
    )
    return html((cells, ends))


def confusions(evidence: Confusions) -> Markup:
    """Where the answers went: the matrix up to 30 classes, the commonest confusions in any case."""
    listed_rows = evidence.top[: LISTED if evidence.counts else 20]
    top = [(f"{clean(item.label, 60)} → {clean(item.answer, 60)}", item.share) for item in listed_rows]
    listed = forest(top, what="label → answer", quantity="share of the label") if top else Markup()
    if not evidence.counts:
        return tag("figure", canvas.caption(evidence.title), listed, class_="figure wide")
    wrong = sum(sum(line) - line[index] for index, line in enumerate(evidence.counts))
    description = f"{count(wrong, 'row')} of {sum(map(sum, evidence.counts)):,} answered with another class."
    drawing = canvas.picture(TOP + SIDE + _foot(evidence.classes), evidence.title, description, _matrix(evidence))
    twin = _counts(evidence) if len(evidence.classes) <= WRITTEN else _commonest(evidence)
    note = "Each row is a label, darker is a larger share of its rows; the diagonal is right."
    if len(evidence.classes) > NAMED:
        note += f" The {len(evidence.classes)} classes stand in the model's order."
    return html((canvas.figure(evidence.title, drawing, twin, description, note), _listed(listed)))


def _listed(listed: Markup) -> Markup | None:
    return tag("figure", canvas.caption("Commonest confusions"), listed, class_="figure wide") if listed else None


def _matrix(evidence: Confusions) -> Markup:
    counts, start = evidence.counts, RIGHT - SIDE
    shares = [[many / max(1, sum(line)) for many in line] for line in counts]
    step = SIDE / max(1, len(counts))
    words = (
        tag("text", "label", x=2, y=TOP - 10, class_="name"),
        tag("text", "answer", x=start + SIDE / 2, y=TOP + SIDE + _foot(evidence.classes) - 6, class_="name middle"),
    )
    turned = _turned(evidence.classes)
    named = [_names(name, start, (index + 0.5) * step, turned=turned) for index, name in enumerate(evidence.classes)]
    written = [
        _cell(many, shares[row][column], start + (column + 0.5) * step, TOP + (row + 0.5) * step)
        for row, line in enumerate(counts)
        for column, many in enumerate(line)
    ]
    shown = (named if len(counts) <= NAMED else None, written if len(counts) <= WRITTEN else None)
    return html((_levels(shares, start, TOP), _frame(start, TOP), shown, words))


def _turned(classes: Sequence[str]) -> bool:
    """Whether names are too long to stand below their columns."""
    longest = max((len(clean(name, 10)) for name in classes), default=0)
    return longest * 7.5 > SIDE / max(1, len(classes))


def _names(name: str, start: float, middle: float, *, turned: bool) -> Markup:
    x, y = start + middle, TOP + SIDE + 16
    short, whole = clean(name, 10), tag("title", clean(name, 300))
    side = tag("text", whole, short, x=start - 6, y=TOP + middle + 4, class_="tick end")
    turn = f"rotate(-35 {x + 3:.1f} {y - 2:.1f})"
    if turned:
        return html((side, tag("text", whole, short, x=x + 3, y=y - 2, class_="tick end", transform=turn)))
    return html((side, tag("text", whole, short, x=x, y=y, class_="tick middle")))


def _foot(classes: Sequence[str]) -> float:
    if len(classes) > NAMED:
        return 26.0
    return 76.0 if _turned(classes) else 42.0


def _cell(many: int, share: float, x: float, y: float) -> Markup | None:
    deep = " deep" if round(share * LEVELS) > 6 else ""
    return tag("text", f"{many}", x=x, y=y + 4, class_=f"cell{deep}") if many else None


def _counts(evidence: Confusions) -> Markup:
    names = [clean(name, 60) for name in evidence.classes]
    lines = [(tag("bdi", name), *map(str, line)) for name, line in zip(names, evidence.counts, strict=False)]
    return canvas.table(("label \\ answer", *names), lines, evidence.title)


def _commonest(evidence: Confusions) -> Markup:
    cells = [
        (many, row, column)
        for row, line in enumerate(evidence.counts)
        for column, many in enumerate(line)
        if many and row != column
    ]
    names = [clean(name, 60) for name in evidence.classes]
    lines = [(names[row], names[column], f"{many:,}") for many, row, column in sorted(cells, reverse=True)[:20]]
    return canvas.table(("label", "answer", "rows"), lines, evidence.title)
