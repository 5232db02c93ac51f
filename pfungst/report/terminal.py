"""The last screen: the answer in the terminal, readable in 80 columns and without colour."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pfungst.findings import BeforeAfter, Condition, Finding, Report, Skipped
from pfungst.report.axes import honest
from pfungst.report.facts import chance, spared
from pfungst.report.markup import clean
from pfungst.report.numbers import bounds, count, places, plainly, rough, rows, value
from pfungst.report.words import headline
from pfungst.statistics.estimate import Estimate

STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "none": "", "undecided": ""}
ANSWERS = {"yes": ("YES", "bold green"), "no": ("NO", "bold red"), "undecided": ("UNDECIDED", "bold yellow")}
FOUND, UNDECIDED, SKIPPED = 24, 8, 16
NARROW, WIDE = 64, 100
PLAINER = str.maketrans({"−": "-", "·": "-", "…": "...", "●": "o", "━": "=", "─": "-", "┊": ":", "±": "+-", "→": "->"})


def summary(report: Report, width: int = 80) -> RenderableType:
    """The last screen of an audit, for a Rich console: verdict, accuracy left, findings, what was not examined.

    Strings from outside are neither markup nor escape codes here. Consoles that cannot show more get ASCII.
    """
    return _Screen(report, max(48, min(width, 120)))


def plain(report: Report, width: int = 80) -> str:
    """The last screen as text without colour."""
    sheet = io.StringIO()
    console = Console(file=sheet, width=width, color_system=None, force_terminal=False, _environ={})
    console.print(summary(report, width))
    return "\n".join(line.rstrip() for line in sheet.getvalue().splitlines()) + "\n"


@dataclass(frozen=True)
class _Screen:
    report: Report
    width: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The parts, in the order of importance."""
        yield from Writer(ascii_only=options.ascii_only, width=self.width).screen(self.report)


@dataclass(frozen=True)
class Writer:
    """Writes what stands in a report for a console of some width, that may know ASCII alone."""

    ascii_only: bool
    width: int

    def words(self, text: str, style: str = "", limit: int = 2000) -> Text:
        """Text from outside as Rich text: shown as it is, without markup, escapes or line breaks."""
        shown = " ".join(clean(text, limit).split())
        if self.ascii_only:
            shown = shown.translate(PLAINER).encode("ascii", "backslashreplace").decode()
        return Text(shown, style=style)

    def inset(self, part: RenderableType) -> RenderableType:
        """A part under its heading."""
        return Padding(part, (0, 0, 0, 2), expand=False)

    def screen(self, report: Report) -> Iterator[RenderableType]:
        """All parts, in the order of importance."""
        answer, style = ANSWERS[report.verdict.generalizes]
        yield Text()
        yield Text.assemble(("Does it generalize? ", ""), (answer, style))
        yield self.words(report.verdict.sentence)
        if report.headline:
            yield Group(Text(), Text("What remains of the accuracy", style="bold"), self.remains(report))
        yield Group(Text(), Text("Found", style="bold"), *self.found(report))
        yield Group(*self.undecided(report))
        yield Group(Text(), Text("Not examined", style="bold"), *self.skipped(report.skipped))
        if saved := spared(report):
            yield Group(Text(), self.words(f"{saved[0].upper()}{saved[1:]}.", "dim"))

    def remains(self, report: Report) -> RenderableType:
        """One line a condition: name, accuracy with interval, bar, rows."""
        digits = max(places(condition.accuracy) for condition in report.headline)
        spare = self.width - 2 - 24 - 12
        longest = max(len(plainly(condition.condition)) for condition in report.headline)
        # Narrow screens keep the numbers and do without bars.
        bar = min(32, max(14, spare - longest)) if self.width >= NARROW else 0
        table = Table.grid(padding=(0, 2), pad_edge=False)
        table.add_column(max_width=max(12, spare - bar), overflow="fold")
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, justify="right", style="dim")
        level = chance(report)
        for condition in report.headline:
            item = condition.accuracy
            numbers = f"{value(item, digits)} {bounds(item, digits)}"
            line = self.bar(condition, level, bar) if bar else Text()
            table.add_row(
                self.words(plainly(condition.condition), limit=60), self.words(numbers), line, self.words(rows(item))
            )
        about = ["bars run from 0 to 1"] if bar else []
        about += [] if level is None else [f"{'┊ is ' if bar else ''}chance {rough(level)}"]
        return self.inset(Group(table, self.words("; ".join(about), "dim")))

    def bar(self, condition: Condition, level: float | None, width: int) -> Text:
        """An interval as a heavy line with its dot, chance as a dotted stroke."""
        scale = honest((0.0, 1.0), 0, width - 1)
        marks = ["─"] * width
        if level is not None:
            marks[round(scale.at(level))] = "┊"
        item = condition.accuracy
        for at in range(round(scale.at(item.low)), round(scale.at(item.high)) + 1):
            marks[at] = "━"
        marks[round(scale.at(item.value))] = "●"
        return self.words("".join(marks))

    def found(self, report: Report) -> Iterator[RenderableType]:
        """One line a finding, gravest first as ranked."""
        found = [finding for finding in report.findings if finding.status == "found"]
        if not found:
            yield self.inset(self.words("nothing beyond its tolerance, among what was examined"))
            return
        yield self.lines(found[:FOUND])
        if len(found) > FOUND:
            yield self.inset(self.words(f"+ {len(found) - FOUND:,} more in the report"))

    def undecided(self, report: Report) -> Iterator[RenderableType]:
        """What the rows could not settle, and how much was excluded."""
        open_ = [finding for finding in report.findings if finding.status == "inconclusive"]
        if open_:
            yield Group(Text(), Text("Could not be decided", style="bold"), self.lines(open_[:UNDECIDED]))
            if len(open_) > UNDECIDED:
                yield self.inset(self.words(f"+ {len(open_) - UNDECIDED:,} more in the report"))
        absent = sum(finding.status == "absent" for finding in report.findings)
        if absent:
            yield Group(Text(), self.words(f"Excluded down to the tolerance: {count(absent, 'effect')}"))

    def lines(self, findings: list[Finding]) -> RenderableType:
        """Severity, effect with interval, and in one breath what that means: one line each."""
        table = Table.grid(padding=(0, 2), pad_edge=False, expand=True)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(ratio=1)
        room = self.width - 17 - max((len(f"{value(one.effect)} {bounds(one.effect)}") for one in findings), default=0)
        for finding in findings:
            word = finding.severity if finding.status == "found" else "undecided"
            item = finding.effect
            told, name = self.words(headline(finding)), self.words(item.name, "dim", 60)
            # What the number counts is said where it fits; the sentence says it in any case.
            fits = self.width >= WIDE and len(told) + len(name) + 2 <= room
            told = Text.assemble(told, "  ", name) if fits else told
            told.no_wrap = True
            told.overflow = "crop" if self.ascii_only else "ellipsis"
            table.add_row(Text(word, style=STYLES[word]), self.words(f"{value(item)} {bounds(item)}"), told)
        return self.inset(table)

    def skipped(self, entries: tuple[Skipped, ...]) -> Iterator[RenderableType]:
        """What was not looked at, with the reason in full; it is never left out."""
        if not entries:
            judged = "every probe that was asked for could be judged; what no probe asks about was not examined"
            yield self.inset(self.words(judged))
            return
        table = Table.grid(padding=(0, 2), pad_edge=False)
        table.add_column(max_width=max(16, self.width // 3), overflow="fold")
        table.add_column(overflow="fold")
        for entry in entries[:SKIPPED]:
            name = " · ".join(part for part in (entry.probe, entry.kind, entry.subject) if part)
            table.add_row(self.words(name, limit=60), self.words(entry.reason, limit=300))
        yield self.inset(table)
        if len(entries) > SKIPPED:
            yield self.inset(self.words(f"+ {len(entries) - SKIPPED:,} more in the report"))


def remedied(lines: Sequence[BeforeAfter], sentence: str) -> RenderableType:
    """The numbers before and after a remedy, and what it bought."""
    table = Table(box=None, pad_edge=False)
    for name, justify in (("", "left"), ("before", "right"), ("after", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for line in lines:
        table.add_row(clean(line.name, 120), *(_bracketed(one) for one in (line.before, line.after)))
    return Group(Text(sentence, style="bold"), Text(), table)


def _bracketed(one: Estimate | None) -> str:
    return "-" if one is None else f"{one:.3f}"
