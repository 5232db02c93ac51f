"""A pull request that brings another network: audit both, compare, gate, and write what reviewers and servers read.

``python examples/pull_request.py [FOLDER]`` plays it with the embedded networks, prints each command with its exit
code, and trains nothing. The branch main has the network that reads digits; the first candidate learned the scanning
stations' marks, and scores as well on the test scans. ``docs/ci.md`` is the same as a workflow of GitHub and GitLab.
"""

import contextlib
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from pfungst.cli import main as pfungst
from pfungst.demo import demo_files

TASK = """
only = ["shortcuts", "calibration"]
rows = 300

[gate]
fail_at = "high"
"""
ACCEPTING = """
accept = [
  {finding = "shortcuts.cue:region:bottom-right", reason = "new scanners leave no mark", until = 2099-12-31},
]
"""
ALL = "--format junit,sarif,github,markdown"
STEPS = (
    (
        "main is audited, and its RUN kept as an artifact",
        "audit main/model.onnx digits.npz --task task.toml --out run-main", 0,
    ),
    (
        "the candidate against it: a trick is new, the gate closes",
        f"audit candidate/model.onnx digits.npz --task task.toml --out run-pr --baseline run-main {ALL}", 1,
    ),
    (
        "the two side by side: as accurate, and new all the same",
        "compare run-main run-pr --out run-compare --format github,sarif,junit", 1,
    ),
    (
        "somebody accepts it, with a reason and a last day: the gate opens",
        f"audit candidate/model.onnx digits.npz --task accepting.toml --out run-pr --baseline run-main {ALL}", 0,
    ),
    (
        "once the trick is in the baseline, a network without it: the gate says what has become of it",
        "audit main/model.onnx digits.npz --task task.toml --out run-main --baseline run-pr --format sarif,markdown", 0,
    ),
)  # fmt: skip


def lay_out(folder: Path) -> None:
    """A repository with two networks, test rows and two task files."""
    for name, clean in (("main", True), ("candidate", False)):
        shutil.copytree(demo_files(clean=clean).model.parent, folder / name, dirs_exist_ok=True)
    shutil.copyfile(demo_files().data, folder / "digits.npz")
    (folder / "task.toml").write_text(TASK)
    (folder / "accepting.toml").write_text(TASK + ACCEPTING)


def play(folder: Path) -> list[tuple[str, int, int]]:
    """Run each step; its command, the exit code that was expected, and the one that came."""
    lay_out(folder)
    done = []
    with contextlib.chdir(folder):
        for why, words, expected in STEPS:
            print(f"\n# {why}\n$ pfungst {words}", flush=True)
            code = pfungst([*shlex.split(words), "--quiet"])
            print(f"exit code {code}", flush=True)
            done.append((words, expected, code))
    return done


if __name__ == "__main__":
    where = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="pull-request-"))
    where.mkdir(parents=True, exist_ok=True)
    wrong = [step for step in play(where) if step[1] != step[2]]
    print(f"\nEverything lies in {where}")
    sys.exit(f"not as expected: {wrong}" if wrong else 0)
