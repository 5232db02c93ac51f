"""Audit: a report with its pictures, as Python hands it back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from pfungst.accepted import Accepted
from pfungst.errors import InputError
from pfungst.findings import Condition, Finding, PassRecord, Report, Skipped, Verdict
from pfungst.report.files import read_audit, written
from pfungst.report.html import render
from pfungst.report.json import decode, encode
from pfungst.report.notebook import notebook
from pfungst.report.terminal import plain
from pfungst.report.thumbnails import read_zip, write_zip
from pfungst.runs.owned import settled
from pfungst.runs.places import reading, working
from pfungst.statistics.estimate import Severity
from pfungst.tables import findings_table, pandas_frame, polars_frame


@dataclass(frozen=True)
class Audit:
    """What an audit found. ``report`` is ``audit.json``; ``pictures`` are the rows that findings show.

    ``folder`` is the RUN folder that holds it, if one does.
    """

    report: Report
    pictures: Mapping[str, bytes]
    folder: Path | None = field(default=None, compare=False)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Ranked: found first, gravest first."""
        return self.report.findings

    @property
    def verdict(self) -> Verdict:
        """Does it generalize, in one sentence."""
        return self.report.verdict

    @property
    def headline(self) -> tuple[Condition, ...]:
        """What remains of the accuracy under each condition."""
        return self.report.headline

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What was not examined, and why."""
        return self.report.skipped

    @property
    def passes(self) -> tuple[PassRecord, ...]:
        """Which runs of the model stand behind it."""
        return self.report.passes

    def fails(
        self,
        at: Severity = "high",
        accept: Sequence[str | Accepted] = (),
        baseline: "Audit | Report | str | Path | None" = None,
    ) -> tuple[Finding, ...]:
        """The found findings at or above a severity; truthy if the gate fails.

        ``accept`` names findings as ``probe.kind:subject`` that do not count, until they expire. ``baseline`` is an
        earlier audit, its RUN folder or its ``audit.json``: what it found, no less grave, does not count either.

        Raises:
            InputError: if the baseline cannot be read, or is no finished audit.
        """
        if isinstance(baseline, str | Path):
            baseline = read_baseline(baseline)
        return self.report.fails(at, accept, baseline.report if isinstance(baseline, Audit) else baseline)

    def save(self, path: str | Path) -> Path:
        """Write ``audit.json``, ``report.html`` and ``thumbnails.zip`` into a folder, each whole or not at all.

        The folder may lie in an object store; what is given back is the one of this machine.

        Raises:
            InputError: if the folder holds something and no audit.
        """
        with working(path) as place:
            folder: Path = place.folder
            settled(folder)
            folder.mkdir(parents=True, exist_ok=True)
            write_zip(folder / "thumbnails.zip", self.pictures)
            written(folder / "report.html", self.to_html().encode("utf-8", "replace"))
            written(folder / "audit.json", encode(self.report))
        return folder

    def to_html(self) -> str:
        """The report as one self-contained page."""
        return render(self.report, self.pictures)

    def to_arrow(self) -> pa.Table:
        """The findings as an Arrow table, one row each, ranked."""
        return findings_table(self.report)

    def to_pandas(self) -> Any:
        """The findings as a pandas frame, one row each. Raises InputError if pandas is not installed."""
        return pandas_frame(self.to_arrow())

    def to_polars(self) -> Any:
        """The findings as a polars frame, one row each. Raises InputError if polars is not installed."""
        return polars_frame(self.to_arrow())

    def __str__(self) -> str:
        return plain(self.report)

    def _repr_html_(self) -> str:
        page = self.folder / "report.html" if self.folder else None
        return notebook(self.report, str(page) if page and page.is_file() else "")


def saved(folder: str | Path) -> Audit:
    """Read an audit back from a RUN folder, here or in an object store; nothing is recomputed.

    Raises:
        InputError: if there is no readable audit.
    """
    with reading(folder, "audit.json", "report.html", "thumbnails.zip") as run:
        return Audit(decode(read_audit(run), str(run / "audit.json")), read_zip(run / "thumbnails.zip"), run)


def read_baseline(path: str | Path) -> Report:
    """The audit in a RUN folder, or in an ``audit.json`` wherever it lies, that a later one is held against.

    Raises:
        InputError: if it cannot be read, or is not finished.
    """
    with reading(path, "audit.json") as run:
        file = run / "audit.json" if run.is_dir() else run
        try:
            report = decode(file.read_bytes(), str(file))
        except OSError as error:
            raise InputError(
                f"the baseline {path} cannot be read ({error.strerror}); give a RUN folder or an audit.json"
            ) from None
    if not report.complete:
        raise InputError(f"the baseline {path} is no finished audit; give its command again, then use it")
    return report
