"""The workflows of the documentation: their commands are commands, and what they carry on is what was written."""

import re
import shlex
from pathlib import Path

import pytest

from pfungst.cli import parser
from pfungst.outlets import FORMATS

PAGE = Path(__file__).parents[2] / "docs" / "ci.md"
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in re.findall(r"^[^#\n]*?\bpfungst ([^\n|]+)", block, flags=re.MULTILINE)]


def test_there_is_a_workflow_for_github_and_one_for_gitlab():
    assert ["runs-on" in block for block in BLOCKS] == [True, False]


@pytest.mark.parametrize("words", COMMANDS)
def test_command_of_a_workflow_is_one(words):
    asked = parser().parse_args(shlex.split(words))
    assert asked.command in {"audit", "compare"}
    assert set(asked.format.split(",")) <= set(FORMATS)


def test_what_a_workflow_uploads_was_written_before():
    for block in BLOCKS:
        written = {
            f"{out}/{FORMATS[name][0]}"
            for out, formats in re.findall(r"--out (\S+).*?--format (\S+)", block)
            for name in formats.split(",")
        }
        carried = set(re.findall(r"\b(?:run|compare)/[\w.]+", block))
        assert carried <= written
        assert carried
