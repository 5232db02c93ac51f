"""Count what was said, draw it, and write the page of the docs: python benchmarks/selfaudit/tell.py redraws both."""

import ast
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pfungst.statistics.proportions import wilson

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RESULTS, PAGE, PICTURE = (
    ROOT / "benchmarks" / "results" / "selfaudit.json", ROOT / "docs" / "selfaudit.md", ROOT / "docs" / "selfaudit.svg",
)  # fmt: skip
HEAD = ("| network | finding | severity | effect |", "|---|---|---|---|")
GRAVE = ("critical", "high")
Said = Mapping[str, Any]


def collected(said: Sequence[Said], chapters: Iterable[str]) -> dict[str, Any]:
    """Numbers by chapter and over whole audits, with every false finding and every fault that was missed by name."""
    honest, planted = ([one for one in said if bool(one["fault"]) == has] for has in (False, True))
    whole = [one for one in honest if not one["only"]]
    return {
        "chapters": {name: _chapter(name, honest, planted) for name in chapters},
        "whole": {
            "audits": len(whole),
            "false": sum(bool(_false(one)) for one in whole),
            "grave": sum(any(each["severity"] in GRAVE for each in _false(one)) for one in whole),
            "of pictures": len(honest) - len(whole),
            "seconds": round(sum(one["seconds"] for one in said)),
            "states": len({one["stamp"] for one in said}),
        },
        "networks": _counted(f"{one['family']}, {one['form']}" for one in honest),
        "false": [{"network": one["name"], "finding": each["name"], "severity": each["severity"],
                   "value": each["value"], "low": each["low"]} for one in honest for each in _false(one)],
        "missed": [{"network": one["name"], "fault": one["fault"]} for one in planted if not _hit(one)]
        + [{"network": one["name"], "fault": name} for one in honest for name, hit in _due(one).items() if not hit],
    }  # fmt: skip


def _chapter(name: str, honest: Sequence[Said], planted: Sequence[Said]) -> dict[str, Any]:
    mine = {one["name"]: [each for each in one["findings"] if each["probe"] == name] for one in honest}
    # Of tables and texts the chapter on shortcuts may have nothing to judge, which is an audit without an accusation.
    judged = [
        one
        for one in honest
        if any(each["truth"] == "false" for each in mine[one["name"]])
        or (name == "shortcuts" and one["family"] != "dyes" and not one["only"])
    ]
    wrong = [one for one in judged if any(each["probe"] == name for each in _false(one))]
    tried = [each for one in judged for each in mine[one["name"]] if each["truth"] == "false"]
    faults: dict[str, list[int]] = {}
    for one in planted:
        if one["fault"].startswith(f"{name}."):
            held = faults.setdefault(one["fault"].partition(".")[2], [0, 0])
            held[0], held[1] = held[0] + _hit(one), held[1] + 1
    for one in honest:
        for fault, hit in _due(one).items():
            if fault.startswith(f"{name}."):
                held = faults.setdefault(fault.partition(".")[2].partition(":")[0], [0, 0])
                held[0], held[1] = held[0] + hit, held[1] + 1
    return {
        "audits": len(judged), "false": len(wrong), "findings": len(tried),
        "false findings": sum(each["status"] == "found" for each in tried), "faults": faults,
    }  # fmt: skip


def _false(one: Said) -> list[Said]:
    return [each for each in one["findings"] if each["truth"] == "false" and each["status"] == "found"]


def _hit(one: Said) -> bool:
    return any(each["truth"] == "due" and each["status"] == "found" for each in one["findings"])


def _due(one: Said) -> dict[str, bool]:
    """Effects of an honest network that are twice what is tolerated, and whether each was found; confusions are one."""
    due: dict[str, bool] = {}
    for each in one["findings"]:
        if each["truth"] == "due" and not one["fault"]:
            name = "mistakes.confusion" if each["name"].startswith("mistakes.confusion") else each["name"]
            due[name] = due.get(name, False) or each["status"] == "found"
    return due


def _counted(names: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return dict(sorted(found.items()))


def share(hits: int, of: int) -> str:
    """A share with its interval, or a dash."""
    if not of:
        return "-"
    low, high = wilson(hits / of, of)
    return f"{hits}/{of}, {hits / of:.3f} [{low:.3f}, {high:.3f}]"


def power(chapter: Said) -> tuple[int, int]:
    """Faults that were found, and faults."""
    return sum(found for found, _ in chapter["faults"].values()), sum(of for _, of in chapter["faults"].values())


def table(record: Said) -> Iterator[str]:
    """The chapters, then whole audits."""
    yield "| chapter | honest audits accused | false findings | faults found | of these |"
    yield "|---|---|---|---|---|"
    for name, one in record["chapters"].items():
        parts = ", ".join(f"{fault} {found}/{of}" for fault, (found, of) in one["faults"].items())
        accused, false = share(one["false"], one["audits"]), f"{one['false findings']}/{one['findings']}"
        yield f"| {name} | {accused} | {false} | {share(*power(one))} | {parts or '-'} |"
    whole = record["whole"]
    yield ""
    yield "| whole audits of honest networks | share |"
    yield "|---|---|"
    yield f"| with any false finding of severity high or above | {share(whole['grave'], whole['audits'])} |"
    yield f"| with any false finding at all | {share(whole['false'], whole['audits'])} |"


def page(record: Said) -> str:
    """The page of the docs."""
    told = ast.get_docstring(ast.parse((HERE / "truth.py").read_text(encoding="utf-8"))) or ""
    why = told.partition("\n")[2].strip()
    networks = "; ".join(f"{many} {name}" for name, many in record["networks"].items())
    false = [f"| {one['network']} | {one['finding']} | {one['severity']} | {one['value']} (from {one['low']}) |"
             for one in record["false"]]  # fmt: skip
    missed = _counted(f"{one['fault']} in {one['network'].rsplit('-', 1)[0]}" for one in record["missed"])
    head = (HERE / "page.md").read_text(encoding="utf-8")
    return head.format(
        table="\n".join(table(record)), why=why, networks=networks, audits=record["whole"]["audits"],
        pictures=record["whole"]["of pictures"],
        minutes=round(record["whole"]["seconds"] / 60),
        states=record["whole"]["states"],
        false="\n".join([*HEAD, *false]) if false else "None.",
        missed="\n".join(f"- {many} x {name}" for name, many in missed.items()) if missed else "None.",
    )  # fmt: skip


WIDTH, LEFT, RIGHT, TOP, STEP = 720, 120, 30, 46, 26


def drawn(record: Said) -> str:
    """Both rates of each chapter with their intervals, an SVG."""
    height = TOP + STEP * len(record["chapters"]) + 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-size="13">',
        "<style>text { font-family: sans-serif }</style>",
        "<title>False accusations and faults found, by chapter</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="{LEFT}" y="18" fill="#b1440e">honest audits accused (goal: at most 0.05)</text>',
        f'<text x="{WIDTH - RIGHT}" y="18" text-anchor="end" fill="#0b6aa2">faults found (goal: at least 0.9)</text>',
    ]
    bottom = height - 30
    for at in (0.0, 0.05, 0.25, 0.5, 0.75, 0.9, 1.0):
        goal = "#888" if at in (0.05, 0.9) else "#ddd"
        parts.append(f'<path d="M{_x(at):.1f} {TOP - 14}V{bottom}" stroke="{goal}"/>')
        parts.append(f'<text x="{_x(at):.1f}" y="{bottom + 18}" text-anchor="middle">{at:g}</text>')
    for number, (name, one) in enumerate(record["chapters"].items()):
        y = TOP + STEP * number
        parts.append(f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{name}</text>')
        rates = ((one["false"], one["audits"], "#b1440e", -4), (*power(one), "#0b6aa2", 4))
        parts += [_bar(hits, of, colour, y + by) for hits, of, colour, by in rates if of]
    return "\n".join([*parts, "</svg>", ""])


def _x(share_: float) -> float:
    return LEFT + share_ * (WIDTH - LEFT - RIGHT)


def _bar(hits: int, of: int, colour: str, y: int) -> str:
    low, high = wilson(hits / of, of)
    return (
        f'<path d="M{_x(low):.1f} {y}H{_x(high):.1f}" stroke="{colour}" stroke-width="2"/>'
        f'<circle cx="{_x(hits / of):.1f}" cy="{y}" r="4" fill="{colour}"><title>{hits} of {of}</title></circle>'
    )


def written(record: Said, results: Path = RESULTS) -> None:
    """Keep the numbers, draw the page and the picture."""
    results.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    redrawn(record)


def redrawn(record: Said) -> None:
    """Write the page and the picture."""
    PAGE.write_text(page(record), encoding="utf-8")
    PICTURE.write_text(drawn(record), encoding="utf-8")


if __name__ == "__main__":
    redrawn(json.loads(RESULTS.read_text(encoding="utf-8")))
