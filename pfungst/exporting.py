"""Exporting: a finished audit told to another tool, by the tool's name."""

from pathlib import Path

from pfungst.audit_result import saved
from pfungst.errors import InputError
from pfungst.exporters.exporter import exporters
from pfungst.runs.places import working


def export(run: str | Path, name: str, to: str | None = None) -> str:
    """Tell another tool what an audit found; says in a sentence what stands where.

    ``name`` is ``mlflow``, ``wandb``, ``model-card`` or an exporter of another package, ``to`` where in that tool.

    Raises:
        InputError: if there is no such exporter or no audit, the tool is not installed, or it refuses.
    """
    if name not in exporters:
        raise InputError(f"there is no exporter {name!r}; there are {', '.join(exporters)}")
    report = saved(run).report
    with working(run) as place:
        try:
            return str(place.told(exporters[name](report, place.folder, to)))
        except OSError as error:
            raise InputError(
                f"exporting {run} to {name} failed ({error.strerror or error}); see to it, then again"
            ) from error
