"""Markdown: the audit in at most 60 lines, for a comment on a change."""

import re
from collections.abc import Iterator, Sequence

from pfungst.findings import Finding
from pfungst.gating import Gated
from pfungst.report.facts import command
from pfungst.report.markup import clean
from pfungst.report.numbers import count, interval, rows
from pfungst.report.thresholds import margin

ANSWERS = {"yes": "Yes", "no": "No", "undecided": "Undecided"}
CONDITIONS, FOUND, UNDECIDED, SKIPPED, NOTES = 8, 9, 4, 5, 4
_MEANING = re.compile(r"([\\`*_\[\]|~]|^[#+>=-])")


def markdown(gate: Gated) -> str:
    """Verdict, the gate, accuracy left, findings, what was not examined; names from outside stay plain words."""
    report = gate.report
    lines = [f"## Does it generalize? {ANSWERS[report.verdict.generalizes]}", "", words(report.verdict.sentence), ""]
    return "\n".join((*lines, *_body(gate), f"`{clean(command(report), 300).replace('`', '')}`")) + "\n"


def compared(gate: Gated, sentence: str) -> str:
    """The same of the later of two audits, under what a comparison says in a sentence."""
    lines = [f"## What is new? {count(len(gate.failing), 'finding')} at or above {gate.at}", "", words(sentence), ""]
    return "\n".join((*lines, *_body(gate), f"`{clean(command(gate.report), 300).replace('`', '')}`")) + "\n"


def _body(gate: Gated) -> Iterator[str]:
    report = gate.report
    said = gate.verdict[0].upper() + gate.verdict[1:]
    yield from (f"**{said}.**" if gate.failing else f"{said}.", "")
    notes = [*(f"**{words(one, 200)}**" for one in gate.warnings), *(words(one, 200) for one in gate.notes)]
    yield from _list(notes, NOTES, "note")
    if report.headline:
        yield from ("| what remains of the accuracy | accuracy | rows |", "|---|---|---|")
        for item in report.headline[:CONDITIONS]:
            yield f"| {words(item.condition, 80)} | {interval(item.accuracy)} | {rows(item.accuracy)} |"
        yield from (*_more(len(report.headline) - CONDITIONS, "condition"), "")
    found = [finding for finding in report.findings if finding.status == "found"]
    order = sorted(found, key=lambda one: one not in gate.failing)
    if found:
        yield from ("| severity | finding | effect | gate |", "|---|---|---|---|")
        yield from (_found(finding, gate) for finding in order[:FOUND])
        yield from (*_more(len(found) - FOUND, "finding"), "")
    unsettled = [words(finding.claim, 240) for finding in report.findings if finding.status == "inconclusive"]
    if unsettled:
        yield from ("Could not be decided:", "", *_list(unsettled, UNDECIDED, "finding"))
    if not report.skipped:
        yield from ("Every probe that was asked for could be judged.", "")
        return
    names = (" ".join(part for part in (one.probe, one.kind, one.subject) if part) for one in report.skipped)
    each = [f"{words(n, 80)}: {words(one.reason, 200)}" for n, one in zip(names, report.skipped, strict=True)]
    yield from ("Not examined:", "", *_list(each, SKIPPED, "entry"))


def _found(finding: Finding, gate: Gated) -> str:
    stands = "fails" if finding in gate.failing else "known" if finding in gate.known else ""
    stands = "accepted" if finding.id in gate.accepted else stands
    before = gate.before(finding)
    worse = f"was {before}" if before not in {None, finding.severity} else ""
    state = ", ".join(part for part in (stands, worse, margin(finding, gate.at)) if part)
    effect = f"{interval(finding.effect)}, {rows(finding.effect)}"
    return f"| {finding.severity} | {words(finding.claim, 240)} | {effect} | {state} |"


def _list(items: Sequence[str], most: int, thing: str) -> list[str]:
    if not items:
        return []
    return [*(f"- {item}" for item in items[:most]), *_more(len(items) - most, thing), ""]


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
