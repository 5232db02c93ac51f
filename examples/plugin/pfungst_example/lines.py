"""Lines: what was found, one line a finding, for a log that is read by people."""

from pathlib import Path

from pfungst.findings import Report
from pfungst.report.files import written


def lines(report: Report, run: Path, to: str | None) -> str:
    """One line for each finding that was found, in RUN/findings.txt or the file that --to names."""
    file = Path(to) if to else run / "findings.txt"
    found = [f"{one.severity}\t{one.name}\t{one.claim}\n" for one in report.findings if one.status == "found"]
    written(file, "".join(found).encode("utf-8", "replace"))
    return f"{len(found)} findings in {file}"
