"""The example in CONTRIBUTING adds a method that every chapter then asks."""

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"
USE = """
from pfungst.methods.unknownness import unknownness_scores as scores
assert list(scores)[-1] == "spread"
value = scores["spread"](Outputs(np.log(np.array([[0.7, 0.2, 0.1]], np.float32)), normalised=True))
assert abs(float(value[0]) + np.log(7.0)) < 1e-6
"""


def test_method_in_12_lines_runs():
    block = re.search(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)[1]
    code = block.strip()
    assert len([line for line in code.splitlines() if line.strip()]) <= 12
    done = subprocess.run([sys.executable, "-c", code + USE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_page_is_short():
    assert len(PAGE.read_text().splitlines()) <= 60
