"""The tutorials run from top to bottom and print what stands under each block."""

import runpy
from pathlib import Path

import pytest

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "tutorials.py"))


@pytest.mark.parametrize("page", SCRIPT["PAGES"], ids=lambda page: page.stem)
def test_tutorial_prints_what_it_shows(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = page.read_text()
    steps = list(SCRIPT["played"](text))
    assert len(steps) == text.count("```python"), "every block shows what it prints"
    for step, printed in steps:
        assert SCRIPT["alike"](printed, step["shown"]), f"run `make docs`; it prints:\n{printed}"


@pytest.mark.parametrize(
    ("printed", "shown", "same"),
    [
        ("0.861 of 1,200 rows", "0.87 of\n1,210 rows", True),
        ("0.861 of 1,200 rows", "0.9 of 1,200 rows", False),
        ("found 0.1", "absent 0.1", False),
        ("1 of 2", "1 of", False),
    ],
)
def test_outputs_are_alike_where_words_are_equal_and_numbers_near(printed, shown, same):
    assert SCRIPT["alike"](printed, shown) == same
