"""Card: what a model card says of an audit, in Markdown: known shortcuts and limits."""

from collections.abc import Iterator

from pfungst.findings import Finding, Report
from pfungst.report.facts import source
from pfungst.report.markdown import words
from pfungst.report.numbers import count, interval, percent, rows

CONDITIONS, FOUND, OTHERS = 12, 20, 12


def card(report: Report) -> str:
    """The section of a model card, from its heading on."""
    return "\n".join(_lines(report)).rstrip() + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield from ("## Known shortcuts and limits", "")
    asked = f"Audited with pfungst {words(str(report.environment.get('pfungst', '')), 20)} on"
    yield from (f"{asked} {words(source(report, 'data'), 120)}, {words(report.created[:10], 20)}.", "")
    yield from (f"**{words(report.verdict.sentence)}**", "")
    if not report.complete:
        yield from ("This audit is not finished.", "")
    if report.headline:
        level = percent(report.headline[0].accuracy.level)
        yield from (f"| condition | accuracy [{level} interval] | rows |", "|---|---|---|")
        for item in report.headline[:CONDITIONS]:
            yield f"| {words(item.condition, 80)} | {interval(item.accuracy)} | {rows(item.accuracy)} |"
        yield from (*_more(len(report.headline) - CONDITIONS, "condition"), "")
    found = [one for one in report.findings if one.status == "found"]
    unsettled = [one for one in report.findings if one.status == "inconclusive"]
    yield from ("### Found", "") if found else ("Nothing was found beyond its tolerance among what was examined.", "")
    yield from _list([_said(one) for one in found], FOUND, "finding")
    if unsettled:
        yield from ("### Could not be decided on these rows", "")
        yield from _list([words(one.claim, 600) for one in unsettled], OTHERS, "finding")
    if report.skipped:
        yield from ("### Not examined", "")
        named = (" ".join(part for part in (one.probe, one.kind, one.subject) if part) for one in report.skipped)
        each = [f"{words(name, 80)}: {words(one.reason, 200)}" for name, one in zip(named, report.skipped, strict=True)]
        yield from _list(each, OTHERS, "part")
    yield "A finding is a statement about these rows; an audit without findings is no certificate."


def _said(one: Finding) -> str:
    todo = f" To do: {words(one.remedy, 600)}" if one.remedy else ""
    return f"**{one.severity}**: {words(one.claim, 600)} ({interval(one.effect)}, {rows(one.effect)}){todo}"


def _list(items: list[str], most: int, thing: str) -> list[str]:
    return [*(f"- {item}" for item in items[:most]), *_more(len(items) - most, thing), ""] if items else []


def _more(many: int, thing: str) -> list[str]:
    return ["", f"and {count(many, f'more {thing}')} in the report"] if many > 0 else []
