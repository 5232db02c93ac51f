"""Redaction: a report that can leave the house names no file and no row."""

import msgspec

from pfungst.engine.plan import BROKE
from pfungst.findings import Examples, Finding, Report, Shot, Skipped


def redacted(report: Report) -> Report:
    """The report with paths and row ids replaced by what they are: the model, the data, row 17."""
    settings = {**report.settings, "command": "pfungst audit MODEL DATA"}
    return msgspec.structs.replace(
        report,
        model={**report.model, "source": "the model", "notes": []},
        data={**report.data, "source": "the data", "notes": []},
        settings=settings,
        findings=tuple(_finding(finding) for finding in report.findings),
        skipped=tuple(_skipped(entry) for entry in report.skipped),
    )


def _skipped(entry: Skipped) -> Skipped:
    """What was not examined, without the row it was about or the words of whatever broke, which may name files."""
    if entry.kind == "unreadable":
        return msgspec.structs.replace(entry, subject="a row", reason="unreadable")
    if entry.reason.startswith(BROKE):
        kind = entry.reason.removeprefix(BROKE).split(":")[0]
        return msgspec.structs.replace(entry, reason=f"{BROKE}{kind}")
    return entry


def _finding(finding: Finding) -> Finding:
    evidence = tuple(
        msgspec.structs.replace(piece, items=tuple(tuple(_shot(one) for one in item) for item in piece.items))
        if isinstance(piece, Examples)
        else piece
        for piece in finding.evidence
    )
    command = f"pfungst audit MODEL DATA --only {finding.probe}"
    return msgspec.structs.replace(finding, evidence=evidence, reproduce=command)


def _shot(one: Shot) -> Shot:
    return msgspec.structs.replace(one, row=f"row {one.position}")
