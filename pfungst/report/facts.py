"""Facts: what a report says about model, data and settings, as lines of name and text."""

from collections.abc import Mapping
from typing import Any

from pfungst.findings import Report
from pfungst.report.markup import clean
from pfungst.report.numbers import count
from pfungst.typed import typed

LISTED = 12
LONGEST = 400
ABSENT = "not given"


def facts(mapping: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and text of everything in a mapping, nested names joined by dots, in alphabetical order.

    >>> facts({"must_not_matter": {"border": 0.05}, "seed": 0})
    [('must_not_matter.border', '0.05'), ('seed', '0')]
    """
    lines: list[tuple[str, str]] = []
    for name in sorted(mapping):
        value = mapping[name]
        if isinstance(value, Mapping) and value:
            lines += [(f"{clean(name, 80)}.{inner}", text) for inner, text in facts(value)]
        else:
            lines.append((clean(name, 80), clean(_text(value), LONGEST)))
    return lines


def given(lines: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same lines, those without a text gathered in the last one.

    >>> given([("site", "not given"), ("seed", "0"), ("time", "not given")])
    [('seed', '0'), ('not given', 'site, time')]
    """
    missing = ", ".join(name for name, text in lines if text == ABSENT)
    told = [(name, text) for name, text in lines if text != ABSENT]
    return [*told, (ABSENT, missing)] if missing else told


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value in ("", [], (), {}):
        return ABSENT
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        shown = ", ".join(clean(_text(item), 80) for item in value[:LISTED])
        return shown if len(value) <= LISTED else f"{shown} … {len(value):,} in all"
    return str(value)


def chance(report: Report) -> float | None:
    """Accuracy of guessing blindly among the model's classes, where these are known."""
    classes = report.model.get("classes")
    many = len(classes) if isinstance(classes, list | tuple) else classes
    return 1 / many if isinstance(many, int) and many > 1 else None


def command(report: Report) -> str:
    """The command that repeats the audit: the recorded one, else one made from what the report names."""
    for place in (report.environment, report.settings):
        recorded = place.get("command")
        if isinstance(recorded, str) and recorded:
            return recorded
    model, data = (clean(str(part.get("source") or name), 200) for part, name in _named(report))
    seed = report.settings.get("seed")
    tail = f" --seed {seed}" if isinstance(seed, int) else ""
    return f"pfungst audit {typed(model)} {typed(data)}{tail}"


def source(report: Report, part: str) -> str:
    """What was audited, in as few words as name it: the end of its path."""
    described = report.model if part == "model" else report.data
    whole = str(described.get("source") or described.get("name") or part)
    return clean("/".join(whole.rstrip("/").split("/")[-2:]), 120)


def _named(report: Report) -> tuple[tuple[Mapping[str, Any], str], ...]:
    return (report.model, "MODEL"), (report.data, "DATA")


def spared(report: Report) -> str:
    """What was saved where the first rows of a pass settled what it was asked for; nothing where all were asked."""
    early = [one for one in report.passes if one.spared]
    if not early:
        return ""
    rows, asked = sum(one.spared for one in early), sum(one.rows for one in report.passes)
    return f"{count(len(early), 'pass')} settled early: {rows:,} of {asked + rows:,} rows were not shown"
