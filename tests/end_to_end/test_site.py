"""The documentation site is built strictly, holds every page, and asks no other machine for anything."""

import importlib.util
import os
import re
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


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "CI": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


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
