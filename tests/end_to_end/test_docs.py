"""Every Python block of the documentation runs; every task file in it is a task file."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

import pfungst.probes  # noqa: F401 - fills the registry
from pfungst.cli import parser
from pfungst.probe import probes
from pfungst.task import task_of

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
GENERATED = ("method_tables", "cli_reference", "task_reference")


def blocks(language):
    for page in PAGES:
        if language == "python" and page.stem.startswith("tutorial_"):
            continue  # its blocks build on each other: test_tutorials.py runs the page from top to bottom
        for number, block in enumerate(re.findall(rf"```{language}\n(.*?)```", page.read_text(), flags=re.DOTALL)):
            yield pytest.param(block, id=f"{page.stem}-{number}")


@pytest.mark.parametrize("block", list(blocks("python")))
def test_python_block_runs(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "docs", "exec"), {})


@pytest.mark.parametrize("block", list(blocks("toml")))
def test_task_file_is_read(block):
    task_of(tomllib.loads(block))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize("topic", sorted(probes))
def test_chapter_says_what_it_can_tell_how_often_it_is_wrong_and_whose_it_is(topic):
    page = (ROOT / "docs" / f"{'monitor' if topic == 'drift' else topic}.md").read_text()
    for words in ("**What it can tell.**", "**What it cannot.**", "\n## How often it is wrong\n", "\nSources: "):
        assert words in page.replace("**What it\ncannot.**", "**What it cannot.**"), words


@pytest.mark.parametrize("name", GENERATED)
def test_generated_page_is_current(name):
    script = script_named(name)
    assert script.PAGE.read_text() == script.page(), "run `make docs`"


def script_named(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


@pytest.mark.parametrize("name", ["audit", "compare", "demo", "doctor", "monitor", "remedy", "schema"])
def test_every_flag_of_a_command_stands_in_the_reference(name, capsys):
    with pytest.raises(SystemExit):
        parser().parse_args([name, "--help"])
    flags = set(re.findall(r"(?<!\S)--[a-z-]+", capsys.readouterr().out.split("exit codes")[0])) - {"--help"}
    told = (ROOT / "docs" / "cli.md").read_text().split(f"## pfungst {name}\n")[1].split("\n## ")[0]
    assert flags
    assert [flag for flag in flags if f"`{flag}" not in told] == []
