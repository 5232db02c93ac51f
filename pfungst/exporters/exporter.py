"""Exporter: a function from a finished audit to what another tool is told, and what all of them tell."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from pfungst.findings import SEVERITIES, Report
from pfungst.registry import Registry
from pfungst.statistics.estimate import Estimate

Exporter = Callable[[Report, Path, str | None], str]
"""The report, its RUN folder and the word after ``--to`` (None: not given) to one sentence: what stands where."""

exporters: Registry[Exporter] = Registry("exporters")

LONGEST = 200
_FOREIGN = re.compile(r"[^A-Za-z0-9_\-./ ]+")


def metrics(report: Report) -> dict[str, float]:
    """Numbers of an audit by the names under which trackers keep them.

    Accuracy under each condition and effect of each finding, with the bounds of their intervals; how many findings of
    each severity were found, how many are inconclusive, how many absent, and how much was not examined.
    """
    named: dict[str, float] = {}
    for condition in report.headline:
        _put(named, f"pfungst/accuracy/{condition.condition}", condition.accuracy)
    for one in report.findings:
        if one.status == "found":
            _put(named, f"pfungst/effect/{one.name}", one.effect)
    for severity in SEVERITIES:
        named[f"pfungst/found/{severity}"] = sum(
            one.status == "found" and one.severity == severity for one in report.findings
        )
    for status in ("inconclusive", "absent"):
        named[f"pfungst/{status}"] = sum(one.status == status for one in report.findings)
    named["pfungst/not examined"] = len(report.skipped)
    return named


def _put(named: dict[str, float], words: str, estimate: Estimate) -> None:
    """An estimate under a name that every tracker takes; a second of the same name gets a number."""
    plain = _FOREIGN.sub("_", words)[:LONGEST].strip()
    name, again = plain, 2
    while name in named:
        name, again = f"{plain} {again}", again + 1
    named |= {name: estimate.value, f"{name} low": estimate.low, f"{name} high": estimate.high}


def tags(report: Report) -> dict[str, str]:
    """What an audit says and of what, in words."""
    facts = {
        "generalizes": report.verdict.generalizes,
        "verdict": report.verdict.sentence,
        "complete": "yes" if report.complete else "no",
        "created": report.created,
        "version": report.environment.get("pfungst", ""),
        "model": report.model.get("source", ""),
        "model fingerprint": report.model.get("fingerprint", ""),
        "data": report.data.get("source", ""),
        "data fingerprint": report.data.get("fingerprint", ""),
        "seed": report.settings.get("seed", ""),
    }
    return {f"pfungst.{name.replace(' ', '_')}": str(value)[:1000] for name, value in facts.items()}


def files(run: Path) -> Iterator[Path]:
    """The files of a RUN folder that say everything: the audit, and the page if it is there."""
    yield from (path for path in (run / "audit.json", run / "report.html") if path.is_file())
