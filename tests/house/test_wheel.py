"""What is built is what people get."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

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


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name)
def test_locked_versions_have_hashes_and_no_address(path):
    text = path.read_text().replace(" \\\n", " ")
    for line in text.splitlines()[1:]:
        assert re.fullmatch(
            r"[a-z0-9-]+==[a-z0-9.]+( ; [a-z0-9_.<>=!'() ]+?)?(\s+--hash=sha256:[0-9a-f]{64})+", line, re.IGNORECASE
        ), line
    assert "://" not in text


@pytest.mark.parametrize(
    ("name", "extras"), [("base", ()), ("dev", ("dev", "sklearn-io")), ("extras", ("all", "timm", "docs"))]
)
def test_locked_versions_are_what_the_project_asks_for(name, extras):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = dict(re.findall(r"^([^\s#]+)==([^\s;]+)", (ROOT / "requirements" / f"{name}.txt").read_text(), re.MULTILINE))
    for line in [
        *project["dependencies"],
        *(one for extra in extras for one in project["optional-dependencies"][extra]),
    ]:
        asked = Requirement(line)
        if asked.name not in {"torch", "pfungst"}:  # the first is installed by version alone, the second by its extras
            assert asked.specifier.contains(pins[asked.name]), line
