"""The project speaks of itself alone: no machine's paths, no package hosts, no loose ends."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Spelled in pieces, so that this file does not hold what it looks for.
PATTERNS = [
    "/" + "work/", "/" + "root/", "/" + "home/", "pypi" + r"\.org", "python" + "hosted", "registry" + r"\.npmjs",
    "deb" + r"\.debian", r"\bTO" + r"DO\b", r"\bFIX" + r"ME\b", r"\bXX" + r"X\b", "assert " + r"True\b",
]  # fmt: skip


def tracked():
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_word_does_not_stand_in_the_project(pattern):
    found = []
    for path in tracked():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [f"{path}:{number}" for number, line in enumerate(lines, 1) if re.search(pattern, line)]
    assert not found


def test_no_large_file_is_committed():
    assert [str(path) for path in tracked() if path.stat().st_size > 1_000_000] == []


@pytest.mark.parametrize(
    "name", re.findall(r"^\w*VENV\w* := (\S+)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
)
def test_environment_that_make_writes_is_ignored(name):
    assert f"{name}/" in (ROOT / ".gitignore").read_text().splitlines()
