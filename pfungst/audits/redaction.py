"""Redaction: a report that can leave the house names no file and no row."""

import re
from collections.abc import Iterable

import msgspec

from pfungst.engine.plan import BROKE
from pfungst.findings import Report, Skipped


def redacted(report: Report) -> Report:
    """The report with paths replaced by what they are: the model, the data. Of rows a nameless data set told no ids."""
    sources = [str(about["source"]) for about in (report.model, report.data) if about["source"]]
    assumed = [_unnamed(sentence, sources) for sentence in report.settings["assumed"]]
    settings = {**report.settings, "assumed": assumed, "command": "pfungst audit MODEL DATA"}
    return msgspec.structs.replace(
        report,
        model={**report.model, "source": "the model", "notes": []},
        data={**report.data, "source": "the data", "notes": []},
        settings=settings,
        findings=tuple(
            msgspec.structs.replace(finding, reproduce=f"pfungst audit MODEL DATA --only {finding.probe}")
            for finding in report.findings
        ),
        skipped=tuple(_skipped(entry) for entry in report.skipped),
    )


def _skipped(entry: Skipped) -> Skipped:
    """What was not examined, without the words of whatever broke, which may name files."""
    if entry.kind == "unreadable":
        return msgspec.structs.replace(entry, reason="unreadable")
    if entry.reason.startswith(BROKE):
        kind = entry.reason.removeprefix(BROKE).split(":")[0]
        return msgspec.structs.replace(entry, reason=f"{BROKE}{kind}")
    return entry


def _unnamed(sentence: str, sources: Iterable[str]) -> str:
    """A sentence about what was assumed, without where the model or the data lie."""
    for source in sources:
        sentence = re.sub(rf"(?<!\w){re.escape(source)}(?!\w)", "it", sentence)
    return sentence
