"""The tutorials run from top to bottom and print what stands under each block."""

import contextlib
import io
import re
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parents[2] / "docs").glob("tutorial_*.md"))
STEP = re.compile(r"```python\n(.*?)```\n\n```text\n(.*?)```", flags=re.DOTALL)
NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_tutorial_prints_what_it_shows(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = page.read_text()
    steps = STEP.findall(text)
    assert len(steps) == text.count("```python"), "every block shows what it prints"
    space = {}
    for code, shown in steps:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, page.name, "exec"), space)
        # Lines are broken to be read, and where they break depends on the digits.
        assert NUMBER.sub("#", printed.getvalue()).split() == NUMBER.sub("#", shown).split()
        assert numbers(printed.getvalue()) == pytest.approx(numbers(shown), abs=0.02, rel=0.05)


def numbers(text):
    return [float(one.replace(",", "")) for one in NUMBER.findall(text)]


def test_numbers_are_read_with_their_signs_and_thousands():
    assert numbers("it is 1,234 of 0.5 [-0.02, 3]") == [1234, 0.5, -0.02, 3]
