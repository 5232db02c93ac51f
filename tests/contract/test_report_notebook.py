"""In a notebook: a small page without script, with names of its own, in which nobody's words are markup."""

import re
import runpy
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from pfungst.audit_result import Audit, saved
from pfungst.findings import Report, displayed
from pfungst.report.notebook import FOUND, notebook

SAMPLE = runpy.run_path(str(Path(__file__).parents[1] / "end_to_end" / "sample_report.py"))
HOSTILE = SAMPLE["HOSTILE"]
TAGS = {"style", "div", "p", "span", "b", "bdi", "code", "table", "thead", "tbody", "tr", "th", "td"}


class Seen(HTMLParser):
    """Tags, attributes and words of a fragment; what is opened must be closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.words, self.open = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.open.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


@pytest.fixture(scope="module")
def report() -> Report:
    return SAMPLE["sample_report"]()


def hostile(report: Report, words: str) -> Report:
    findings = tuple(
        msgspec.structs.replace(one, claim=words, remedy=words, subject=words, kind=words) for one in report.findings
    )
    return msgspec.structs.replace(
        report,
        verdict=msgspec.structs.replace(report.verdict, sentence=words),
        headline=tuple(msgspec.structs.replace(one, condition=words) for one in report.headline),
        model={**report.model, "source": words},
        findings=findings,
    )


def test_it_holds_verdict_accuracy_top_findings_and_the_path(report: Report) -> None:
    seen = Seen(notebook(report, "run/report.html"))
    assert report.verdict.sentence in seen.text
    assert "as tested 0.977 [0.965, 0.989] 600 rows" in " ".join(" ".join(seen.words).split())
    assert all(one.claim in seen.text for one in report.findings[:FOUND])
    assert report.findings[FOUND].claim not in seen.text
    assert seen.text.endswith("The full page: run/report.html")
    assert not seen.open


@pytest.mark.parametrize("words", [*HOSTILE, "x" * 300_000, "</code></bdi></div><script>alert(1)</script>"])
def test_no_words_become_markup_and_no_page_is_large(report: Report, words: str) -> None:
    bad = hostile(report, words)
    for html in (notebook(bad, words), displayed(bad.findings[0])):
        seen = Seen(html)
        assert set(seen.tags) <= TAGS
        assert {name for name, _ in seen.attributes} <= {"class", "scope"}
        assert not seen.open
        assert len(html.encode()) < 200_000
        assert not re.search("[\x00-\x08\x1b\u202e]", html)


def test_every_style_rule_is_about_names_of_its_own(report: Report) -> None:
    html = notebook(report)
    (style,) = re.findall(r"<style>(.*?)</style>", html, flags=re.DOTALL)
    selectors = [part for rule in re.findall(r"([^{}]+)\{", style) for part in rule.split(",")]
    assert len(selectors) > 8
    assert all(part.strip().startswith(".pfungst-shown") for part in selectors)
    assert "url(" not in style
    assert "@" not in style
    names = {name for key, value in Seen(html).attributes if key == "class" for name in value.split()}
    assert all(name.startswith("pfungst-") for name in names)


def test_an_audit_says_where_its_page_is_and_how_to_get_one(report: Report, tmp_path: Path) -> None:
    kept = Audit(report, {})
    assert 'audit.save("run") writes the full page' in Seen(kept._repr_html_()).text
    again = saved(kept.save(tmp_path / "a & b"))
    assert f"The full page: {tmp_path / 'a & b' / 'report.html'}" in Seen(again._repr_html_()).text
    assert again == kept


def test_an_undecided_finding_says_so(report: Report) -> None:
    one = next(one for one in report.findings if one.status == "inconclusive")
    assert "undecided" in Seen(one._repr_html_()).text
    assert displayed(object()) is None
