"""Weights & Biases: a table of findings, summary metrics, and the report's files as an artifact."""

from pathlib import Path
from typing import Any

from pfungst.errors import InputError, first_line
from pfungst.exporters.exporter import exporters, files, metrics, tags
from pfungst.findings import Finding, Report
from pfungst.imported import needed
from pfungst.report.numbers import count

PROJECT = "pfungst"
COLUMNS = ("severity", "status", "finding", "claim", "value", "low", "high", "rows", "remedy", "id")


@exporters
def wandb(report: Report, run: Path, to: str | None) -> str:
    """A Weights & Biases run: the active one, or a new one in the project ``--to`` names: PROJECT or ENTITY/PROJECT.

    WANDB_MODE=offline keeps it in a folder on this machine.
    """
    tracker = needed("wandb", "wandb")
    entity, _, project = (to or PROJECT).rpartition("/")
    if tracker.run is not None and to is None:
        return _logged(tracker, tracker.run, report, run)
    try:
        with tracker.init(project=project, entity=entity or None, job_type="audit", reinit="create_new") as started:
            return _logged(tracker, started, report, run)
    except tracker.Error as error:
        raise InputError(
            f"Weights & Biases does not take the audit ({first_line(error)}); log in with `wandb login`, or set "
            "WANDB_MODE=offline"
        ) from error


def _logged(tracker: Any, started: Any, report: Report, run: Path) -> str:
    table = tracker.Table(columns=list(COLUMNS), data=[_row(one) for one in report.findings])
    started.log({"pfungst/findings": table})
    started.summary.update(metrics(report))
    started.config.update(tags(report), allow_val_change=True)
    artifact = tracker.Artifact(f"pfungst-audit-{report.model.get('fingerprint', '')}"[:120], type="audit")
    for path in files(run):
        artifact.add_file(str(path))
    started.log_artifact(artifact)
    return f"{count(len(report.findings), 'finding')} in the Weights & Biases run {started.id}"


def _row(one: Finding) -> list[Any]:
    effect = one.effect
    said = (one.severity, one.status, one.name, one.claim)
    return [*said, effect.value, effect.low, effect.high, effect.rows, one.remedy, one.id]
