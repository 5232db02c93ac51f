"""The documentation site is built strictly, holds every page, and asks no other machine for anything."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="no site: mkdocs is not installed")
pytest.importorskip("material", reason="no site: mkdocs-material is not installed")
ROOT = Path(__file__).parents[2]
LOADS = re.compile(
    r"<(?:script|img|iframe|source|video|audio)\b[^>]*?\ssrc=[\"']?([^\"' >]+)"
    r"|<link\b(?=[^>]*rel=[\"']?(?:stylesheet|icon|preload|preconnect|dns-prefetch))[^>]*?href=[\"']?([^\"' >]+)"
)


def built(project, folder):
    """The process of a strict build. Not quiet: what mkdocs does not show it does not count either."""
    words = [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    return subprocess.run(words, cwd=project, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = built(ROOT, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.parametrize("link", ["nowhere.md", "glossary.md#nowhere"])
def test_a_broken_link_ends_the_build(link, tmp_path):
    for name in ("mkdocs.yml", "scripts/site_nav.py", "docs/site.css", "docs/index.md", "docs/glossary.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "docs" / "index.md").write_text(f"# One page\n\n[there](glossary.md) and [not there]({link})\n")
    (tmp_path / "docs" / "glossary.md").write_text("# Another\n")
    done = built(tmp_path, tmp_path / "out")
    assert done.returncode == 1
    warned = [line for line in done.stderr.splitlines() if "WARNING" in line and "NO_MKDOCS" not in line]
    assert len(warned) == 1
    assert "nowhere" in warned[0]


def test_every_page_is_built_and_reached_from_the_first(site):
    first = (site / "index.html").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert (site / f"{page.stem}.html").is_file()
        assert f'href="{page.stem}.html"' in first or page.stem == "index", page.name


def test_nothing_is_loaded_from_elsewhere(site):
    for page in site.glob("*.html"):
        loaded = [src or href for src, href in LOADS.findall(page.read_text())]
        assert loaded
        assert [one for one in loaded if one.startswith(("http:", "https:", "//"))] == [], page.name
    for style in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", style.read_text()), style.name


def test_a_page_that_nobody_named_is_shown_and_one_that_is_not_there_is_left_out():
    spec = importlib.util.spec_from_file_location("site_nav", ROOT / "scripts" / "site_nav.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    nav = [{"Start": [{"One": "a.md"}, {"Gone": "b.md"}]}, {"Empty": [{"Gone": "c.md"}]}]
    assert script.arranged(nav, ["a.md"]) == [{"Start": [{"One": "a.md"}]}]
    assert script.arranged(nav, ["a.md", "z.md"])[-1] == {"More": ["z.md"]}
