"""SARIF 2.1.0: what was found, for servers that keep alerts on a repository (OASIS Standard, 27 March 2020)."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pfungst.findings import Finding
from pfungst.gating import Gated
from pfungst.report.markup import clean
from pfungst.report.places import place, uri
from pfungst.report.thresholds import numbers

LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note", "none": "none"}
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(gate: Gated) -> str:
    """The report at a gate as a SARIF log of one run.

    Only what was found is a result: viewers make an alert of every result, whatever its kind. What could not be decided
    or was not examined, what ended in ``accept``, and what a baseline can do without, are notifications of the run.
    """
    found = [one for one in gate.report.findings if one.status == "found"]
    rules = _rules(gate, found)
    order = {rule["id"]: at for at, rule in enumerate(rules)}
    driver = {"name": "pfungst", "rules": rules}
    version = gate.report.environment.get("pfungst")
    driver |= {"version": clean(str(version), 40)} if version else {}
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": "pfungst/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": list(_notifications(gate))}],
        "results": [_result(one, gate, order) for one in found],
        "properties": {
            "verdict": clean(gate.report.verdict.sentence, 2000), "failAt": gate.at, "failing": len(gate.failing),
        },
    }  # fmt: skip
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _rules(gate: Gated, found: list[Finding]) -> list[dict[str, Any]]:
    """One rule for every kind that the probes of this audit may find, and for what was found besides."""
    methods = gate.report.settings.get("methods")
    told: Mapping[str, Any] = methods if isinstance(methods, Mapping) else {}
    kinds = {(one.probe, one.kind): "" for one in found}
    for probe, about in told.items():
        kinds |= {(probe, kind): str(said) for kind, said in _mapping(about, "finds").items()}
    return [_rule(probe, kind, said, told.get(probe)) for (probe, kind), said in sorted(kinds.items())]


def _mapping(about: Any, name: str) -> Mapping[str, Any]:
    inner = about.get(name) if isinstance(about, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _rule(probe: str, kind: str, said: str, about: Any) -> dict[str, Any]:
    words = about if isinstance(about, Mapping) else {}
    short = said or f"{probe}: {kind}"
    asked, method = (str(words.get(name) or "") for name in ("question", "method"))
    whole = "\n\n".join(clean(part, 2000) for part in (short, asked, method) if part)
    return {
        "id": _identifier(probe, kind),
        "name": "".join(word.capitalize() for word in re.findall(r"\w+", f"{probe} {kind}")),
        "shortDescription": {"text": clean(short, 200)},
        "fullDescription": {"text": clean(f"{short} {asked}".strip(), 1000)},
        "help": {"text": whole},
        "defaultConfiguration": {"level": "warning"},
        "properties": {"tags": ["generalization", clean(probe, 40)]},
    }


def _identifier(probe: str, kind: str) -> str:
    return clean(f"{probe}.{kind}", 200)


def _result(one: Finding, gate: Gated, order: Mapping[str, int]) -> dict[str, Any]:
    rule = _identifier(one.probe, one.kind)
    remedy = f"Remedy: {one.remedy}." if one.remedy else ""
    result = {
        "ruleId": rule,
        "ruleIndex": order[rule],
        "kind": "fail",
        "level": LEVELS[one.severity],
        "message": {"text": text(" ".join(part for part in (one.claim, numbers(one, gate.at), remedy) if part))},
        "locations": [_location(one, gate)],
        # GitHub reads the first name alone, and makes one alert of what has neither and stands on one line of one file.
        "partialFingerprints": {"primaryLocationLineHash": f"{one.id}:1", "pfungst/v1": one.id},
        "properties": {
            "severity": one.severity, "subject": clean(one.subject, 300), "fails": one in gate.failing,
            "effect": [one.effect.value, one.effect.low, one.effect.high],
        },
    }  # fmt: skip
    if gate.baseline is not None:
        before = gate.before(one)
        result["baselineState"] = "new" if before is None else "unchanged" if before == one.severity else "updated"
    if gate.accepted:
        result["suppressions"] = [*_suppressions(one, gate)]
    return result


def _suppressions(one: Finding, gate: Gated) -> Iterator[dict[str, Any]]:
    let = gate.accepted.get(one.id)
    if let is not None:
        until = f" (until {let.until})" if let.until else ""
        said = clean(f"{let.reason or 'accepted in the task file'}{until}", 500)
        yield {"kind": "external", "status": "accepted", "justification": said}


def _location(one: Finding, gate: Gated) -> dict[str, Any]:
    # A network has no lines, but viewers that show files want one.
    return {
        "physicalLocation": {"artifactLocation": {"uri": uri(place(one, gate.report))}, "region": {"startLine": 1}},
        "logicalLocations": [{"fullyQualifiedName": clean(one.name, 300), "kind": "property"}],
    }


def _notifications(gate: Gated) -> Iterator[dict[str, Any]]:
    report = gate.report
    yield from (_notification("warning", said) for said in gate.warnings)
    yield from (_notification("note", said) for said in gate.notes)
    for one in report.findings:
        if one.status == "inconclusive":
            yield _notification("note", f"undecided: {one.name}: {one.claim}")
    for entry in report.skipped:
        name = ".".join(part for part in (entry.probe, entry.kind) if part)
        about = f"{name}:{entry.subject}" if entry.subject else name
        yield _notification("note", f"not examined: {about}: {entry.reason}")


def _notification(level: str, said: str) -> dict[str, Any]:
    return {"level": level, "message": {"text": text(said)}}


def text(said: str) -> str:
    """Words as a message, in which a class called ``[a](b)`` is no link and ``{0}`` no placeholder (3.11.5, 3.11.6).

    >>> text("[a](http://b) {0}")
    '[a] (http://b) (0)'
    """
    return re.sub(r"\{(\d+)\}", r"(\1)", clean(said, 4000).replace("](", "] ("))
