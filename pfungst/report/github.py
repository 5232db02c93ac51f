"""GitHub: workflow commands that become annotations, escaped so that no class name becomes a command."""

from collections.abc import Iterator

from pfungst.findings import Finding
from pfungst.gating import Gated
from pfungst.report.markup import clean
from pfungst.report.numbers import count
from pfungst.report.places import place
from pfungst.report.thresholds import numbers

EACH = 10
"""GitHub shows ten errors, ten warnings and ten notices of a step, and drops the rest without a word."""


def github(gate: Gated) -> str:
    """One line a finding: an error fails the gate, a warning was found and does not, a notice is about the gate."""
    return (
        "\n".join((*_of("error", list(_errors(gate))), *_of("warning", list(_warnings(gate))), *_notices(gate))) + "\n"
    )


def muted(token: str) -> tuple[str, str]:
    """What to print before and after words from outside, so that the runner takes none of them for a command.

    ``token`` must be one that nobody can guess.
    """
    return f"::stop-commands::{token}", f"::{token}::"


def _errors(gate: Gated) -> Iterator[tuple[str, str, str]]:
    for one in gate.failing:
        before = gate.before(one)
        worse = f" It was {before} in the baseline." if before else ""
        yield place(one, gate.report), f"{one.severity}: {one.name}", f"{one.claim} {numbers(one, gate.at)}{worse}"


def _warnings(gate: Gated) -> Iterator[tuple[str, str, str]]:
    for said in gate.warnings:
        yield "", "acceptance ended", said
    for one in gate.report.findings:
        if one.status == "found" and one not in gate.failing and one.severity != "none":
            title = f"{one.severity}{_why(one, gate)}: {one.name}"
            yield place(one, gate.report), title, f"{one.claim} {numbers(one, gate.at)}"


def _why(one: Finding, gate: Gated) -> str:
    if one.id in gate.accepted:
        return ", accepted"
    return ", known" if one in gate.known else ""


def _notices(gate: Gated) -> Iterator[str]:
    yield _line("notice", "", "pfungst", f"{gate.report.verdict.sentence} At the gate: {gate.verdict}.")
    yield from (_line("notice", "", "pfungst gate", said) for said in gate.notes[: EACH - 1])


def _of(level: str, told: list[tuple[str, str, str]]) -> Iterator[str]:
    """At most as many lines as are shown; where there are more, the last says how many are left out."""
    shown = told if len(told) <= EACH else told[: EACH - 1]
    yield from (_line(level, *one) for one in shown)
    if len(told) > EACH:
        yield _line(level, "", "more", f"{count(len(told) - len(shown), 'more finding')}: see the report")


def _line(level: str, file: str, title: str, said: str) -> str:
    r"""A workflow command.

    >>> _line("error", "a,b:c.onnx", "100 %", "one\ntwo ::error::three")
    '::error file=a%2Cb%3Ac.onnx,title=100 %25::one%0Atwo ::error::three'
    """
    properties = {"file": file, "title": clean(title, 200)}
    spelled = ",".join(f"{name}={_property(value)}" for name, value in properties.items() if value)
    return f"::{level} {spelled}::{_data(clean(said, 2000))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
