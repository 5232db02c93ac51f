"""MLflow: metrics, tags and the report's files, logged into a run."""

from pathlib import Path
from typing import Any

from pfungst.errors import InputError, first_line
from pfungst.exporters.exporter import exporters, files, metrics, tags
from pfungst.findings import Report
from pfungst.imported import needed
from pfungst.report.numbers import count

FOLDER = "pfungst"
"""Folder of the run's artifacts that holds the report."""


@exporters
def mlflow(report: Report, run: Path, to: str | None) -> str:
    """An MLflow run: the active one, the one whose id ``--to`` (or MLFLOW_RUN_ID) names, or a new one.

    The store and the experiment are MLflow's own settings (MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME).
    """
    tracker = needed("mlflow", "mlflow")
    active = tracker.active_run()
    if active is not None and to in {None, active.info.run_id}:
        return _logged(tracker, report, run)
    try:
        with tracker.start_run(run_id=to, run_name=None if to else FOLDER, nested=active is not None):
            return _logged(tracker, report, run)
    except tracker.exceptions.MlflowException as error:
        raise InputError(
            f"MLflow does not take the audit ({first_line(error)}); name a run by its id, or none"
        ) from error


def _logged(tracker: Any, report: Report, run: Path) -> str:
    numbers = metrics(report)
    tracker.log_metrics(numbers)
    tracker.set_tags(tags(report))
    for path in files(run):
        tracker.log_artifact(str(path), artifact_path=FOLDER)
    return (
        f"{count(len(numbers), 'metric')} and the report's files in the MLflow run {tracker.active_run().info.run_id}"
    )
