"""Write under each block of the tutorials what it prints: python scripts/tutorials.py.

A tutorial is run from top to bottom in one namespace, in a folder of its own that is empty at the start. Numbers that
differ from those on the page by no more than a test allows are left as they stand, so that one machine does not undo
what another wrote.
"""

import contextlib
import io
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGES = sorted((Path(__file__).parents[1] / "docs").glob("tutorial_*.md"))
STEP = re.compile(r"```python\n(?P<code>.*?)```\n\n```text\n(?P<shown>.*?)```", flags=re.DOTALL)
NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?")
SHARE, COUNT = 0.02, 0.05


def played(text: str) -> Iterator[tuple[re.Match[str], str]]:
    """Each step of a page with what its code prints, run one after the other in the folder that is current."""
    space: dict[str, Any] = {}
    for step in STEP.finditer(text):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(step["code"], "tutorial", "exec"), space)  # noqa: S102 - running it is the point
        yield step, printed.getvalue()


def alike(printed: str, shown: str) -> bool:
    """Whether two outputs have the same words, and numbers that are near; lines may be broken elsewhere.

    >>> alike("0.861 of 1,200 rows", "0.87 of 1,210 rows"), alike("0.861 of 1,200 rows", "0.9 of 1,200 rows")
    (True, False)
    """
    if NUMBER.sub("#", printed).split() != NUMBER.sub("#", shown).split():
        return False
    return all(near(a, b) for a, b in zip(numbers(printed), numbers(shown), strict=True))


def numbers(text: str) -> list[float]:
    """The numbers of a text, with their signs and thousands.

    >>> numbers("it is 1,234 of 0.5 [-0.02, 3]")
    [1234.0, 0.5, -0.02, 3.0]
    """
    return [float(one.replace(",", "")) for one in NUMBER.findall(text)]


def near(a: float, b: float) -> bool:
    """Whether two numbers differ by no more than a test allows: shares by 0.02, larger numbers by a twentieth."""
    return abs(a - b) <= (SHARE if abs(b) <= 1 else COUNT * abs(b))


def current(text: str) -> str:
    """The page with what its blocks print now."""
    pieces, end = [], 0
    for step, printed in played(text):
        shown = step["shown"] if alike(printed, step["shown"]) else printed
        pieces += [text[end : step.start("shown")], shown]
        end = step.end("shown")
    return "".join([*pieces, text[end:]])


if __name__ == "__main__":
    for page in PAGES:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            page.write_text(current(page.read_text()))
