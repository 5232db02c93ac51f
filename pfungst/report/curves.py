"""Curves: stated against true probability, accuracy as a shift grows, distributions laid over one another."""

from itertools import pairwise

from pfungst.findings import Bin, Histogram, ReliabilityCurve, SeverityCurve, Step
from pfungst.report import canvas
from pfungst.report.axes import FEW_ROWS, Scale, bottom, honest, left, upright
from pfungst.report.canvas import LEFT, RIGHT, TOP
from pfungst.report.markup import Markup, clean, html, tag
from pfungst.report.numbers import count, interval, line_name, number, plain, rows
from pfungst.statistics.estimate import Estimate


def reliability(evidence: ReliabilityCurve) -> Markup:
    """Stated probability against actual frequency, with the rows of each bin as bars below.

    Where it was simulated, the band is shaded in which a perfectly calibrated model's accuracy would lie.
    """
    base = 290.0
    x, y = Scale(0, 1, LEFT, RIGHT), Scale(0, 1, base, TOP)
    bins = [item for item in evidence.bins if item.accuracy.rows]
    most = max((item.accuracy.rows for item in bins), default=1)
    over = sum(item.accuracy.high < item.confidence for item in bins)
    under = sum(item.accuracy.low > item.confidence for item in bins)
    description = (
        f"Of {count(len(bins), 'bin')}, {over} are right less often than stated and {under} more often, "
        "by more than chance explains."
    )
    bands = [(item.confidence, item.calibrated) for item in bins if item.calibrated]
    outside = sum(not low <= i.accuracy.value <= high for i in bins if i.calibrated for low, high in (i.calibrated,))
    if bands:
        description += f" {outside} of {len(bands)} lie outside the band of a perfectly calibrated model."
    marks = (
        [_weight(item, x, base, most) for item in bins],
        _band(bands, x, y),
        left(y, LEFT, RIGHT, "how often right"),
        bottom(x, TOP, base, "stated probability"),
        tag("line", x1=x(0), y1=y(0), x2=x(1), y2=y(1), class_="reference"),
        [_bin(item, x, y) for item in bins],
    )
    twin = canvas.table(
        ("stated", "right [interval]", "rows", "right if calibrated"),
        [(number(i.confidence, 3), interval(i.accuracy), rows(i.accuracy), _calibrated(i)) for i in bins],
        evidence.title,
    )
    note = f"Dashed: stated and true agree. Grey bars: where the rows lie. Hollow: fewer than {FEW_ROWS} rows."
    shaded = "Shaded: where the accuracy of a perfectly calibrated model lies, in 95 of 100 cases." if bands else None
    drawing = canvas.picture(base + 42, evidence.title, description, *marks)
    return canvas.figure(evidence.title, drawing, twin, description, note, shaded)


def _band(bands: list[tuple[float, tuple[float, float]]], x: Scale, y: Scale) -> Markup | None:
    """The outline of accuracies under perfect calibration; a single bin is drawn as wide as its dot."""
    if not bands:
        return None
    ends = [(x.at(stated), band) for stated, band in bands]
    if len(ends) == 1:
        (place, band) = ends[0]
        ends = [(place - 6, band), (place + 6, band)]
    upper = [f"{html(place)},{y(high)}" for place, (_, high) in ends]
    lower = [f"{html(place)},{y(low)}" for place, (low, _) in reversed(ends)]
    return tag("polygon", points=" ".join(upper + lower), class_="band")


def _calibrated(item: Bin) -> str:
    return f"{number(item.calibrated[0], 3)} to {number(item.calibrated[1], 3)}" if item.calibrated else "-"


def _weight(item: Bin, x: Scale, base: float, most: int) -> Markup:
    height = max(1.0, 48 * item.accuracy.rows / most)
    return tag("rect", x=x.at(item.confidence) - 5, y=base - height, width=10, height=height, class_="weight")


def _bin(item: Bin, x: Scale, y: Scale) -> Markup:
    words = f"stated {number(item.confidence, 2)}, right {interval(item.accuracy)}, {rows(item.accuracy)}"
    return tag("g", tag("title", words), upright(item.accuracy, x(item.confidence), y))


def severity(evidence: SeverityCurve) -> Markup:
    """Accuracy and mean confidence as a shift grows; the gap between them is what the model does not notice."""
    base = 250.0
    steps = sorted(evidence.steps, key=lambda step: step.severity)
    last = max((step.severity for step in steps), default=1)
    x, y = Scale(0, max(last, 1), LEFT + 14, RIGHT - 14), Scale(0, 1, base, TOP)
    description = _shifted(evidence, steps)
    marks = (
        left(y, LEFT, RIGHT, "share"),
        [tag("text", _place(evidence, step), x=x(step.severity), y=base + 16, class_="tick middle") for step in steps],
        tag(
            "text", f"{clean(evidence.axis, 20)} (0: as it is)", x=(LEFT + RIGHT) / 2, y=base + 34, class_="name middle"
        ),
        _course([(x.at(step.severity) - 3.5, step.accuracy) for step in steps], y, "accuracy", "s1"),
        _course([(x.at(step.severity) + 3.5, step.confidence) for step in steps], y, "mean confidence", "s2"),
        _course([(x.at(step.severity), step.proven) for step in steps if step.proven], y, "proven accuracy", "s3"),
    )
    drawing = canvas.picture(base + 42, evidence.title, description, *marks)
    shown = (("s3", "proven accuracy"),) if any(step.proven for step in steps) else ()
    names = canvas.key(("s1", "accuracy"), ("s2", "mean confidence"), *shown)
    return canvas.figure(evidence.title, drawing, _steps_told(evidence, steps), names, description)


def _steps_told(evidence: SeverityCurve, steps: list[Step]) -> Markup:
    """The numbers of a curve as a table; what is proven has a column where anything is."""
    proven = any(step.proven for step in steps)
    names = ["what was done", "accuracy [interval]", "mean confidence [interval]"]
    names += ["proven accuracy [interval]"] if proven else []
    told = [
        (
            str(s.severity), clean(s.parameter, 80), interval(s.accuracy), interval(s.confidence),
            *((interval(s.proven) if s.proven else "-",) if proven else ()), rows(s.accuracy),
        )
        for s in steps
    ]  # fmt: skip
    return canvas.table((clean(evidence.axis, 20), *names, "rows"), told, evidence.title)


def _course(items: list[tuple[float, Estimate]], y: Scale, name: str, kind: str) -> Markup:
    path = " ".join(f"{html(place)},{y(item.value)}" for place, item in items)
    points = [
        tag(
            "g",
            tag("title", f"{name} {interval(item)}, {rows(item)}"),
            tag("line", x1=place, x2=place, y1=y(item.low), y2=y(item.high), class_=f"span {kind}"),
            canvas.sign(place, y.at(item.value), kind),
        )
        for place, item in items
    ]
    return html((tag("polyline", points=path, class_=f"line {kind}"), points))


def _place(evidence: SeverityCurve, step: Step) -> str:
    if evidence.axis == "severity":
        return str(step.severity)
    return "0" if step.severity == 0 else clean(step.parameter, 8)


def _shifted(evidence: SeverityCurve, steps: list[Step]) -> str:
    shift, axis = clean(evidence.shift, 80), clean(evidence.axis, 20)
    if not steps:
        return f"{shift}: nothing was measured."
    first, end = steps[0], steps[-1]
    at = end.severity if axis == "severity" else clean(end.parameter, 40)
    return (
        f"{shift}, {axis} {at}: accuracy {interval(end.accuracy)}, from {interval(first.accuracy)}; "
        f"mean confidence {interval(end.confidence)}."
    )


def histogram(evidence: Histogram) -> Markup:
    """Distributions as steps, each a share of its own rows; series differ by dash, mark and colour."""
    base = 220.0
    edges, series = evidence.edges, evidence.series[:4]
    high = max((share for item in series for share in item.shares), default=1.0)
    x = Scale(edges[0], max(edges[-1], edges[0] + 1e-12), LEFT, RIGHT)
    y = honest((high,), base, TOP)
    line: tuple[Markup, ...] = ()
    if evidence.line is not None:
        place = x(evidence.line)
        side = "end" if x.at(evidence.line) > (LEFT + RIGHT) / 2 else ""
        words = line_name(evidence.line_name, evidence.line)
        aside = x.at(evidence.line) + (-5 if side else 5)
        line = (
            tag("line", x1=place, x2=place, y1=TOP, y2=base, class_="reference"),
            tag("text", clean(words, 40), x=aside, y=TOP + 12, class_=f"tick {side}".strip()),
        )
    steps = [_steps(item.shares, edges, x, y, f"s{index}") for index, item in enumerate(series, 1)]
    description = (
        "; ".join(f"{clean(item.name, 60)}: {count(item.rows, 'row')}" for item in series) or "No row was counted."
    )
    axes = (left(y, LEFT, RIGHT, "share of rows"), bottom(x, TOP, base, clean(evidence.axis, 60)))
    drawing = canvas.picture(base + 42, evidence.title, description, axes, steps, line)
    twin = canvas.table(
        ("from", "to", *(clean(item.name, 60) for item in series)),
        [
            (plain(start), plain(end), *(number(item.shares[index], 3) for item in series))
            for index, (start, end) in enumerate(pairwise(edges))
        ],
        evidence.title,
    )
    names = canvas.key(*((f"s{index}", f"{item.name} ({item.rows:,})") for index, item in enumerate(series, 1)))
    return canvas.figure(evidence.title, drawing, twin, names)


def _steps(shares: tuple[float, ...], edges: tuple[float, ...], x: Scale, y: Scale, kind: str) -> Markup:
    path = f"M{x(edges[0])} {y(0)}" + "".join(
        f"V{y(share)}H{x(end)}" for share, end in zip(shares, edges[1:], strict=False)
    )
    top = max(range(len(shares)), key=shares.__getitem__)
    middle = (x.at(edges[top]) + x.at(edges[top + 1])) / 2
    return html((tag("path", d=f"{path}V{y(0)}", class_=f"line {kind}"), canvas.sign(middle, y.at(shares[top]), kind)))
