"""Thresholds: how far a finding lies from the severity at which a gate fails, so that a near miss is seen."""

from pfungst.findings import Finding
from pfungst.report.numbers import interval, plain, rows
from pfungst.statistics.estimate import Severity, nearer, severity, threshold

SCALE_OF = {
    "adversarial.fragile": "loss",
    "calibration.classwise": "calibration",
    "calibration.humans": "calibration",
    "calibration.overconfident": "calibration",
    "calibration.slice": "calibration",
    "calibration.underconfident": "calibration",
    "drift.accuracy": "loss",
    "mistakes.confusion": "loss",
    "mistakes.slice": "loss",
    "selection.centred": "loss",
    "shift.fragile": "loss",
    "shift.overconfident": "calibration",
    "shortcuts.cue": "loss",
    "sites.confounded": "loss",
    "sites.gap": "loss",
    "unknowns.confident": "strangers",
}
"""The scale by which each kind is weighed; what is not named here has a rule of its own."""


def margin(finding: Finding, at: Severity) -> str:
    """How far the nearer end of the interval lies from where the gate begins; empty where no scale was used.

    A finding whose severity is not what the scale gives (an attack that nobody named is at most medium) was weighed by
    a rule of its own, and has no distance.

    >>> from pfungst.statistics.estimate import Estimate
    >>> reliance = Estimate(name="reliance", value=0.16, low=0.13, high=0.19, rows=400)
    >>> margin(Finding(probe="shortcuts", kind="cue", subject="border", status="found", severity="medium", claim="",
    ...                effect=reliance, tolerance=0.05), "high")
    '0.020 short of high (0.15)'
    """
    scale = SCALE_OF.get(f"{finding.probe}.{finding.kind}")
    tolerance = 0.05 if finding.tolerance is None else finding.tolerance
    if scale is None or finding.status != "found" or severity(finding.effect, scale, tolerance) != finding.severity:
        return ""
    begins = threshold(scale, at, tolerance)
    beyond = nearer(finding.effect) - begins
    return f"{abs(beyond):.3f} {'beyond' if beyond >= 0 else 'short of'} {at} ({begins:.3g})"


def numbers(finding: Finding, at: Severity) -> str:
    """The effect in brackets: interval, rows, what was tolerated, and how far it lies from the gate."""
    tolerated = "" if finding.tolerance is None else f"tolerated {plain(finding.tolerance)}"
    parts = (f"{finding.effect.name} {interval(finding.effect)}", rows(finding.effect), tolerated, margin(finding, at))
    return f"({', '.join(part for part in parts if part)})"
