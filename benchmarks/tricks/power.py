"""Draw how often each tool names a trick by how strongly cue and label agree: python benchmarks/tricks/power.py.

From benchmarks/results/tricks.json into docs/power.svg: all networks with a trick, learned or not.
"""

import json
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
COLOURS = ("#0b6aa2", "#b1440e", "#5b7a1d", "#7a4a9c", "#6b6b6b")
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 340, 60, 50, 20, 170


def shares(record: dict[str, Any], tool: dict[str, Any]) -> dict[float, tuple[int, int]]:
    """For each agreement how many of how many networks the tool named the trick of."""
    truths = {truth["name"]: truth for truth in record["networks"]}
    found: dict[float, tuple[int, int]] = {}
    for name, said in tool["said"].items():
        truth = truths[name]
        if truth["role"] in {"tricked", "power"}:
            hits, whole = found.get(truth["agrees"], (0, 0))
            found[truth["agrees"]] = hits + bool(said["right"]), whole + 1
    return dict(sorted(found.items()))


def drawn(record: dict[str, Any]) -> str:
    """The picture, an SVG."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-size="13">',
        "<style>text { font-family: sans-serif }</style>",
        "<title>Tricks rightly named by how strongly cue and label agree</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for at in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(f'<path d="M{LEFT} {_y(at):.0f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{_y(at) + 4:.0f}" text-anchor="end">{at:g}</text>')
    parts += [
        f'<text x="{_x(at):.0f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{at:g}</text>'
        for at in (0.55, 0.65, 0.7, 0.8, 0.9, 0.97)
    ]
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 10}" text-anchor="middle">'
        "share of rows in which cue and label agree</text>"
    )
    for number, tool in enumerate(record["tools"]):
        colour, points = COLOURS[number], shares(record, tool)
        line = " ".join(f"{_x(at):.1f},{_y(hits / whole):.1f}" for at, (hits, whole) in points.items())
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for at, (hits, whole) in points.items():
            words = f"{tool['name']}: {hits} of {whole} at {at:g}"
            parts.append(
                f'<circle cx="{_x(at):.1f}" cy="{_y(hits / whole):.1f}" r="4" fill="{colour}">'
                f"<title>{escape(words)}</title></circle>"
            )
        parts.append(
            f'<text x="{WIDTH - RIGHT + 14}" y="{TOP + 14 + 20 * number}" fill="{colour}">{escape(tool["name"])}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def _x(agrees: float) -> float:
    return LEFT + (agrees - 0.53) / (0.99 - 0.53) * (WIDTH - LEFT - RIGHT)


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)


def main() -> None:
    """Write the picture."""
    record = json.loads((ROOT / "benchmarks" / "results" / "tricks.json").read_text(encoding="utf-8"))
    (ROOT / "docs" / "power.svg").write_text(drawn(record), encoding="utf-8")
    for tool in record["tools"]:
        print(tool["name"], *(f"{at:g}: {hits}/{whole}" for at, (hits, whole) in shares(record, tool).items()))


if __name__ == "__main__":
    main()
