"""What is built is what people get."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_wheel_holds_everything_the_package_reads(tmp_path):
    pytest.importorskip("build")
    words = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    report = {"template.html.jinja", "style.css", "script.js", "audit.schema.json"}
    report |= {"comparison.html.jinja", "notebook.html.jinja", "shared.html.jinja"}
    report |= {"served.html.jinja", "rows.html.jinja", "row.html.jinja", "served.css", "served.js"}
    demo = {f"{twin}/{name}" for twin in ("clever", "honest") for name in ("model.onnx", "config.json")}
    assert {"pfungst/py.typed"} | {f"pfungst/report/{n}" for n in report} | {f"pfungst/demo/{n}" for n in demo} <= names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "scripts/"))]


def test_base_dependencies_are_few_and_uncapped():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert len(project["dependencies"]) <= 12
    for line in project["dependencies"]:
        assert re.fullmatch(r"[a-z0-9-]+>=[0-9.]+", line), line


def test_locked_versions_hold_no_address():
    for line in (ROOT / "requirements" / "dev.txt").read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9.+]+", line), line
