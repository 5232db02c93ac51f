"""Opening: what a page says first: how much of what was found, what is wrong first, what was not looked at."""

from collections.abc import Mapping
from typing import Any

from pfungst.findings import SEVERITIES, Examples, Finding, Report, Shot
from pfungst.report import words
from pfungst.report.cards import WORDS, anchor, mark
from pfungst.report.forest import strip
from pfungst.report.gallery import Pictures, shots
from pfungst.report.markup import Markup
from pfungst.report.numbers import bounds, value

NAMED = 4


def tally(report: Report) -> list[dict[str, Any]]:
    """How many findings of each severity, undecided, excluded and not examined."""
    found = [finding.severity for finding in report.findings if finding.status == "found"]
    lines = [
        {"mark": name, "many": found.count(name), "word": name if name != "none" else "within tolerance", "to": "found"}
        for name in SEVERITIES
    ]
    for status, word in WORDS.items():
        many = sum(finding.status == status for finding in report.findings)
        lines.append({"mark": status, "many": many, "word": word, "to": status})
    lines.append({"mark": "skipped", "many": len(report.skipped), "word": "not examined", "to": "not-examined"})
    return [line for line in lines if line["many"]]


def first(report: Report, pictures: Pictures) -> dict[str, Any] | None:
    """The gravest finding in one breath, with the pictures of one row if there are any."""
    if not report.findings or report.findings[0].status != "found":
        return None
    finding = report.findings[0]
    return {
        "anchor": anchor(finding, 1),
        "mark": mark(finding),
        "word": finding.severity,
        "title": words.title(finding, 60),
        "name": finding.effect.name,
        "value": value(finding.effect),
        "bounds": bounds(finding.effect),
        "strip": strip(finding.effect, finding.tolerance, worse=True),
        "shots": _turned(finding, pictures),
    }


def _turned(finding: Finding, pictures: Pictures) -> list[Markup]:
    """The first row whose answer turned, as it is and as it was turned."""
    items = [item for evidence in finding.evidence if isinstance(evidence, Examples) for item in evidence.items]
    pairs = [pair for item in items if (pair := _pair(item))] or [item[:1] for item in items]
    shown = next((pair for pair in pairs if all(shot.picture in pictures for shot in pair)), ())
    return shots(shown, pictures)


def _pair(item: tuple[Shot, ...]) -> tuple[Shot, ...]:
    """The picture that was answered rightly, and the last of the same row that was answered otherwise."""
    before = item[0]
    if not before.answer or before.label not in {"", before.answer}:
        return ()
    after = [shot for shot in item[1:] if shot.answer and shot.answer != before.answer and shot.shown]
    return (before, after[-1]) if after else ()


def unseen(report: Report) -> dict[str, list[str]]:
    """Chapters that were not looked at, and those that were looked at in part only."""
    examined = {finding.probe for finding in report.findings}
    named = list(dict.fromkeys(entry.probe for entry in report.skipped))
    return {
        "wholly": [probe for probe in named if probe not in examined],
        "partly": [probe for probe in named if probe in examined],
    }


def chapters(report: Report) -> list[dict[str, Any]]:
    """One line a question: what was found there, what is open, excluded and not examined; the gravest first."""
    methods = report.settings.get("methods")
    asked = methods if isinstance(methods, Mapping) else {}
    topics = [finding.probe for finding in report.findings] + [entry.probe for entry in report.skipped]
    return [_chapter(report, topic, asked.get(topic)) for topic in dict.fromkeys(topics)]


def _chapter(report: Report, topic: str, entry: Any) -> dict[str, Any]:
    about = [(index, finding) for index, finding in enumerate(report.findings, 1) if finding.probe == topic]
    found = [
        {"anchor": anchor(finding, index), "mark": mark(finding), "word": finding.severity,
         "title": words.title(finding, 60)}
        for index, finding in about
        if finding.status == "found"
    ]  # fmt: skip
    counted = {word: sum(finding.status == status for _, finding in about) for status, word in WORDS.items()}
    counted["not examined"] = sum(skipped.probe == topic for skipped in report.skipped)
    return {
        "topic": topic,
        "question": str(entry.get("question", "")) if isinstance(entry, Mapping) else "",
        "found": found[:NAMED],
        "more": len(found) - NAMED,
        "counted": [(many, word) for word, many in counted.items() if many],
        "open": any(finding.status == "inconclusive" for _, finding in about),
        "examined": bool(about),
    }
