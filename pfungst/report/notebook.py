"""Notebook: an audit or a finding on a screen inside a notebook, without script, in names of its own."""

from typing import Any

from pfungst.findings import Finding, Report, displayed
from pfungst.report.facts import source
from pfungst.report.html import ANSWERS, environment
from pfungst.report.markup import clean, prose
from pfungst.report.numbers import bounds, count, percent, rows, value

CONDITIONS, FOUND = 8, 6
"""Lines of each kind that are shown; the full page holds all."""


def notebook(report: Report, page: str = "") -> str:
    """Verdict, accuracy left, the gravest findings, and the path of the full page, where there is one."""
    found = [one for one in report.findings if one.status == "found"]
    shown = [_condition(one) for one in report.headline[:CONDITIONS]]
    left = len(report.headline) - len(shown)
    first = "" if len(found) <= FOUND else f", of which these are the {FOUND} gravest"
    return _drawn(
        report=report,
        model_name=source(report, "model"),
        data_name=source(report, "data"),
        answer=ANSWERS[report.verdict.generalizes],
        sentence=prose(report.verdict.sentence),
        headline=shown,
        headline_left=count(left, "more condition") if left else "",
        found_words=f"{count(len(found), 'finding')}{first}" if found else "Nothing was found beyond its tolerance",
        cards=[_card(one) for one in found[:FOUND]],
        others=_others(report),
        page=clean(page, 300),
    )


@displayed.register
def of_finding(finding: Finding) -> str:
    """One finding: what is claimed, the interval, what to do."""
    return _drawn(report=None, cards=[_card(finding)])


def _drawn(**parts: Any) -> str:
    return environment().get_template("notebook.html.jinja").render(**parts)


def _condition(one: Any) -> dict[str, str]:
    estimate = one.accuracy
    return {
        "condition": clean(one.condition, 90),
        "value": value(estimate),
        "bounds": bounds(estimate),
        "rows": rows(estimate),
    }


def _card(one: Finding) -> dict[str, Any]:
    found = one.status == "found"
    return {
        "mark": one.severity if found else one.status,
        "word": one.severity if found else {"inconclusive": "undecided", "absent": "excluded"}[one.status],
        "claim": prose(one.claim),
        "value": value(one.effect),
        "bounds": bounds(one.effect),
        "measure": clean(one.effect.name, 120),
        "level": percent(one.effect.level),
        "rows": rows(one.effect),
        "remedy": prose(one.remedy),
        "name": clean(one.name, 160),
    }


def _others(report: Report) -> str:
    """What else there is, in one line."""
    many = {
        word: sum(one.status == status for one in report.findings)
        for status, word in (("inconclusive", "undecided"), ("absent", "within tolerance"))
    }
    said = [f"{number:,} {word}" for word, number in many.items() if number]
    said += [f"{len(report.skipped):,} not examined"] if report.skipped else []
    return f"Besides: {', '.join(said)}." if said else ""
