"""Markdown: the audit in at most 60 lines, for a comment on a change."""

import re

from pfungst.findings import Finding, Report
from pfungst.report.facts import command
from pfungst.report.markup import clean
from pfungst.report.numbers import count, interval, plain, rows
from pfungst.statistics.estimate import Severity

ANSWERS = {"yes": "Yes", "no": "No", "undecided": "Undecided"}
CONDITIONS, FOUND, UNDECIDED, SKIPPED = 8, 12, 4, 8
_MEANING = re.compile(r"([\\`*_\[\]|~]|^[#+>=-])")


def markdown(report: Report, fail_at: Severity = "high", accept: tuple[str, ...] = ()) -> str:
    """Verdict, accuracy left, findings, what was not examined; names from outside stay plain words."""
    failing = report.fails(fail_at, accept)
    lines = [f"## Does it generalize? {ANSWERS[report.verdict.generalizes]}", "", words(report.verdict.sentence), ""]
    gate = (
        f"**{count(len(failing), 'finding')} at or above {fail_at}.**" if failing else f"Nothing at or above {fail_at}."
    )
    lines += [gate, ""]
    if report.headline:
        lines += ["| what remains of the accuracy | accuracy | rows |", "|---|---|---|"]
        lines += [
            f"| {words(item.condition, 80)} | {interval(item.accuracy)} | {rows(item.accuracy)} |"
            for item in report.headline[:CONDITIONS]
        ]
        lines += [*_more(len(report.headline) - CONDITIONS, "condition"), ""]
    found = [finding for finding in report.findings if finding.status == "found"]
    if found:
        lines += ["| severity | finding | effect | tolerated |", "|---|---|---|---|"]
        lines += [_found(finding) for finding in found[:FOUND]] + [*_more(len(found) - FOUND, "finding"), ""]
    unsettled = [finding for finding in report.findings if finding.status == "inconclusive"]
    if unsettled:
        lines += ["Could not be decided:", ""]
        lines += [f"- {words(finding.claim, 240)}" for finding in unsettled[:UNDECIDED]]
        lines += [*_more(len(unsettled) - UNDECIDED, "finding"), ""]
    lines += _skipped(report)
    return "\n".join((*lines, f"`{clean(command(report), 300).replace('`', '')}`")) + "\n"


def _found(finding: Finding) -> str:
    tolerated = "" if finding.tolerance is None else plain(finding.tolerance)
    effect = f"{interval(finding.effect)}, {rows(finding.effect)}"
    return f"| {finding.severity} | {words(finding.claim, 240)} | {effect} | {tolerated} |"


def _skipped(report: Report) -> list[str]:
    if not report.skipped:
        return ["Every probe that was asked for could be judged.", ""]
    lines = ["Not examined:", ""]
    for entry in report.skipped[:SKIPPED]:
        name = " ".join(part for part in (entry.probe, entry.kind, entry.subject) if part)
        lines.append(f"- {words(name, 80)}: {words(entry.reason, 200)}")
    return [*lines, *_more(len(report.skipped) - SKIPPED, "entry"), ""]


def _more(many: int, thing: str) -> list[str]:
    return ["", f"and {count(many, f'more {thing}').replace('entrys', 'entries')} in the report"] if many > 0 else []


def words(text: str, limit: int = 600) -> str:
    r"""Text from outside on one line, without any meaning in Markdown or HTML, and without calling anybody by name.

    >>> words("<b>*@all*|")
    '&lt;b>\\*&#64;all\\*\\|'
    """
    flat = " ".join(clean(text, limit).split())
    escaped = _MEANING.sub(r"\\\1", flat.replace("&", "&amp;").replace("<", "&lt;"))
    return escaped.replace("@", "&#64;").replace("://", ":&#47;/").replace("www.", "www&#46;")
