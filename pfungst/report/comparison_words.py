"""A comparison in words: the answer, one sentence, and the last screen in the terminal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from pfungst.comparison import Comparison, Matched, NotComparable, Stand
from pfungst.report.numbers import bounds, count, interval, p_value, value
from pfungst.report.terminal import STYLES, Writer
from pfungst.report.words import headline

LINES = 12


def status(result: Comparison) -> Literal["worse", "new", "nothing"]:
    """Whether something fails the gate, something is new below it, or nothing is new."""
    if result.failing:
        return "worse"
    return "new" if result.findings.new else "nothing"


def answer(result: Comparison) -> str:
    """Two words."""
    if result.findings.new:
        return f"{len(result.findings.new):,} new"
    return f"{len(result.failing):,} graver" if result.failing else "Nothing new"


def sentence(result: Comparison) -> str:
    """What changed, in two sentences."""
    findings, shared = result.findings, result.shared
    judged = [one for one in result.changes if one.name == "accuracy"]
    first = f"Without labels, the accuracy on {count(shared.rows, 'shared row')} is not known"
    if judged:
        difference = interval(judged[0].difference)
        first = f"B's accuracy less A's is {difference} on {count(shared.labelled, 'shared row')}"
    flips = len(result.churn.rows)
    parts = [f"{len(findings.new):,} new, {len(findings.fixed):,} fixed, {len(findings.persisting):,} in both"]
    if findings.not_comparable:
        parts.append(f"{len(findings.not_comparable):,} not comparable")
    grave = f"; at or above {result.fail_at} as not before: {len(result.failing):,}" if result.failing else ""
    return f"{first}; {count(flips, 'answer')} flipped. Findings: {', '.join(parts)}{grave}."


@dataclass(frozen=True)
class Summary:
    """The last screen of a comparison, for a Rich console."""

    result: Comparison
    width: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The parts, in the order of importance."""
        yield from _screen(self.result, Writer(ascii_only=options.ascii_only, width=max(48, min(self.width, 120))))


def _screen(result: Comparison, writer: Writer) -> Iterator[RenderableType]:
    style = {"worse": "bold red", "new": "bold yellow", "nothing": "bold green"}[status(result)]
    yield Text()
    yield Text.assemble("What is new from A to B? ", (answer(result).upper(), style))
    for name, side in (("A", result.a), ("B", result.b)):
        yield writer.words(f"{name}: {side.model} on {side.data}", "dim")
    yield writer.words(sentence(result))
    for note in result.shared.notes:
        yield writer.words(note, "dim")
    yield Group(
        Text(), Text(f"On the {count(result.shared.rows, 'row')} of both", style="bold"), _changes(result, writer)
    )
    findings = result.findings
    for title, some in (("New", findings.new), ("Fixed", findings.fixed), ("In both", findings.persisting)):
        yield Group(Text(), Text(title, style="bold"), _matches(some, writer))
    if findings.not_comparable:
        yield Group(Text(), Text("Not comparable", style="bold"), _lone(findings.not_comparable, writer))
    yield Group(Text(), Text("Answers that flipped", style="bold"), _flips(result, writer))


def _changes(result: Comparison, writer: Writer) -> RenderableType:
    table = Table.grid(padding=(0, 2), pad_edge=False)
    table.add_row("", "A", "B", "B less A", "")
    for one in result.changes:
        numbers = (value(one.a), value(one.b), f"{value(one.difference)} {bounds(one.difference)}")
        tested = "" if one.p_value is None else p_value(one.p_value)
        table.add_row(*(writer.words(text) for text in (one.name, *numbers, tested)))
    return writer.inset(table)


def _matches(some: Sequence[Matched], writer: Writer) -> RenderableType:
    if not some:
        return writer.inset(writer.words("none"))
    table = Table.grid(padding=(0, 2), pad_edge=False)
    for one in some[:LINES]:
        worst = one.b.severity if one.b.status == "found" else one.a.severity
        turned = f"{_stood(one.a)} → {_stood(one.b)}"
        table.add_row(Text(worst, style=STYLES[worst]), writer.words(headline(one)), writer.words(turned))
    left = len(some) - LINES
    return writer.inset(Group(table, writer.words(f"+ {left:,} more on the page")) if left > 0 else table)


def _stood(side: Stand) -> str:
    word = stood(side) + (f" as {side.judged_as}" if side.judged_as else "")
    return word if side.effect is None else f"{word} {interval(side.effect)}"


def stood(side: Stand) -> str:
    """Where a finding stands, in a word or two: its severity where it was found."""
    return side.severity if side.status == "found" else {"inconclusive": "undecided"}.get(side.status, side.status)


def _lone(some: Sequence[NotComparable], writer: Writer) -> RenderableType:
    table = Table.grid(padding=(0, 2), pad_edge=False)
    for one in some[:LINES]:
        said = f"found in {one.found_in} alone: {one.reason}"
        table.add_row(Text(one.severity, style=STYLES[one.severity]), writer.words(headline(one)), writer.words(said))
    left = len(some) - LINES
    return writer.inset(Group(table, writer.words(f"+ {left:,} more on the page")) if left > 0 else table)


def _flips(result: Comparison, writer: Writer) -> RenderableType:
    table = Table.grid(padding=(0, 2), pad_edge=False)
    for name, one in (("any", result.churn.flipped), *((kind.name, kind) for kind in result.churn.kinds)):
        many = sum(name in {"any", flip.kind} for flip in result.churn.rows)
        table.add_row(writer.words(name), writer.words(f"{many:,}"), writer.words(interval(one)))
    return writer.inset(table)
