"""Testing: an audit with a gate, for a team's own tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pfungst.accepted import Accepted
from pfungst.audit_result import Audit, read_baseline
from pfungst.auditing import audit
from pfungst.errors import InputError
from pfungst.findings import SEVERITIES
from pfungst.gating import Gated, gated
from pfungst.report.markup import clean
from pfungst.report.thresholds import numbers
from pfungst.statistics.estimate import Severity
from pfungst.task import Task, load_task, task_of


@dataclass(frozen=True)
class AtGate:
    """An audit at its gate; ``message`` says what fails and why, and is empty where nothing does."""

    audit: Audit
    gate: Gated

    @property
    def message(self) -> str:
        """Each claim that fails, with how far it lies from the gate, and where the page is."""
        if not self.gate.failing:
            return ""
        claims = [f"{one.severity} {one.name}: {one.claim} {numbers(one, self.gate.at)}" for one in self.gate.failing]
        page = [f"The page: {self.audit.folder / 'report.html'}"] if self.audit.folder else []
        said = f"{self.audit.verdict.sentence} At the gate: {self.gate.verdict}."
        return "\n".join(clean(" ".join(line.split()), 1200) for line in [said, *claims, *page])


def audited(
    model: Any,
    data: Any = None,
    *,
    out: Path,
    task: Task | Mapping[str, Any] | str | Path | None = None,
    fail_at: str | None = None,
    baseline: Audit | str | Path | None = None,
    accept: Sequence[str | Accepted] = (),
    **options: Any,
) -> AtGate:
    """Audit into a folder and hold the result against a gate: what is given here over the task's ``[gate]``.

    Raises:
        InputError: if it cannot be done as asked, or the baseline cannot be read.
    """
    read = task if isinstance(task, Task) else task_of(dict(task)) if isinstance(task, Mapping) else load_task(task)
    at: Severity = fail_at or read.gate.fail_at  # type: ignore[assignment]
    if at not in SEVERITIES:
        raise InputError(f"there is no severity {at!r} to fail at; there are {', '.join(SEVERITIES[:-1])}")
    named = read.gate.baseline if baseline is None else baseline
    before = None if named is None else named.report if isinstance(named, Audit) else read_baseline(named)
    done = audit(model, data, task=read, out=out, explicit_out=True, **options)
    return AtGate(done, gated(done.report, at, (*read.gate.accept, *accept), before))
