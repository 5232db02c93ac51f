"""Write docs/benchmarks.md from benchmarks/results.json: python scripts/benchmark_page.py."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS, PAGE = ROOT / "benchmarks" / "results.json", ROOT / "docs" / "benchmarks.md"
TITLES = {
    "maps": "Attribution maps",
    "attacks": "Attacks",
    "corruptions": "Corruptions",
    "calibration": "Calibration and metrics",
    "unknowns": "Scores of unknown-ness",
    "drift": "Two-sample tests",
    "labels": "Wrong labels",
    "overhead": "An audit beside its bare passes",
    "growth": "Growth over rows and classes",
}
PRINTED = ("overhead", "growth")
"""Commands of their own, whose lines are shown as they print them."""

HEAD = """# What it costs

**What it can tell.** What parts of pfungst cost beside other packages that do the same work, in one run on one machine,
and how costs grow. Only ratios are printed: seconds are a machine's. **What it cannot.** What an audit of your model
takes: that is mostly the model's own passes.

`make bench` measures all of it, writes `benchmarks/results.json` and makes this page of it. `python benchmarks/run.py
--quick` takes less and writes elsewhere, `--only NAME` measures a part. A ratio is the time of the other package over
that of pfungst: **above 1 pfungst is quicker**. Both are given one thread and take turns, at least five pairs, three
where a turn takes longer than 20 s; the ratio is the median of the pairs, beside it stand the quartiles. Time is
processor time. Before anything is timed both answers are compared, and where the work is not the same the row says
*other work*. Packages run in environments of their own with pinned versions (`benchmarks/peers/*.txt`); one that cannot
be installed or raises is shown with its sentence.
"""


def page(found: dict[str, Any]) -> str:
    """The page of some results."""
    return (
        "\n".join([HEAD, *about(found), *summary(found), *tables(found), *grown(found), *printed(found)]).rstrip()
        + "\n"
    )


def about(found: dict[str, Any]) -> Iterator[str]:
    """When, where and with which versions."""
    machine, versions = found["machine"], found["versions"]
    how = ", with few rows and pairs (`--quick`)" if found["quick"] else ""
    load = machine["load before"]
    busy = ": it did other work as well" if load > 1 else ""
    yield (
        f"Measured on {found['measured']}{how}, {machine['cores']} cores ({machine['kind']}) under load {load}{busy}. "
        f"{', '.join(f'{name} {said}' for name, said in versions.items())}."
    )
    yield ""


def slower(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of equal work in which pfungst takes longer, beyond the quartiles of the pairs, most first."""
    rows = [
        row for row in found["rows"] if row["equal"] and row["ratio"] is not None and (row["high"] or row["ratio"]) < 1
    ]
    return sorted(rows, key=lambda row: row["ratio"])


def summary(found: dict[str, Any]) -> Iterator[str]:
    """Where pfungst is slower at equal work, by how much and why."""
    equal = [row for row in found["rows"] if row["equal"] and row["ratio"] is not None]
    late = slower(found)
    yield "## Where it is slower"
    yield ""
    yield f"Of {len(equal)} comparisons at equal work pfungst is slower, beyond the quartiles, in {len(late)}:"
    yield ""
    for row in late:
        why = f": {row['why']}" if row["why"] else ""
        yield f"- {row['task']} beside {row['peer']}, {1 / row['ratio']:.2f} times as long{why}."
    yield ""


def tables(found: dict[str, Any]) -> Iterator[str]:
    """A table for each benchmark."""
    for name, title in TITLES.items():
        rows = [row for row in found["rows"] if row["benchmark"] == name]
        if name in PRINTED:
            continue
        yield f"## {title}"
        yield ""
        if not rows:
            yield "Not measured in this run."
            yield ""
            continue
        yield "| task | on | beside | their time / ours | quartiles | answers (ours first) |"
        yield "|---|---|---|---|---|---|"
        for row in rows:
            beside = f"{row['peer']} {row['version']}"
            if row["refusal"]:
                yield f"| {row['task']} | {row['on']} | {beside} | not measured |  | {cell(row['refusal'])} |"
                continue
            spread = "" if row["low"] is None else f"{number(row['low'])} to {number(row['high'])}"
            work = "" if row["equal"] or row["low"] is None else "*other work*; "
            cells = (row["task"], row["on"], beside, number(row["ratio"]), spread, work + cell(row["check"]))
            yield f"| {' | '.join(cells)} |"
        yield ""
        packages = {f"{row['peer']} {row['version']} ({row['licence']})": row["note"] for row in rows}
        yield "; ".join(name + (f": {note}" if note else "") for name, note in packages.items()) + "."
        yield ""


def grown(found: dict[str, Any]) -> Iterator[str]:
    """The curves."""
    if found["curves"]:
        yield "## How costs grow"
        yield ""
    for curve in found["curves"]:
        yield f"{curve['what']}{' (' + curve['note'] + ')' if curve['note'] else ''}:"
        yield ""
        yield f"| {curve['over']} | {' | '.join(curve['points'])} |"
        yield f"|---|{'---|' * len(curve['points'])}"
        yield f"| cost | {' | '.join(f'{one:.2f}' for one in curve['ratio'])} |"
        yield ""


def printed(found: dict[str, Any]) -> Iterator[str]:
    """What commands of their own printed."""
    for name, lines in found["printed"].items():
        yield f"## {TITLES[name]}"
        yield ""
        yield f"`python benchmarks/{name}.py`:"
        yield ""
        yield "```text"
        yield from lines
        yield "```"
        yield ""


def number(ratio: float) -> str:
    """Three figures at most.

    >>> number(0.123), number(4.56), number(123.4)
    ('0.12', '4.56', '123')
    """
    return f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.1f}" if ratio >= 10 else f"{ratio:.2f}"


def cell(words: str) -> str:
    """Words for a cell of a table."""
    return words.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(RESULTS.read_text(encoding="utf-8"))), encoding="utf-8")
