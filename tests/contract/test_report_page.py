"""The page holds everything the report says, nothing else, within its budgets, and nobody writes into it."""

import re
import runpy
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import msgspec
import numpy as np
import pytest

from pfungst.findings import Examples, Finding, Report, Skipped, Verdict
from pfungst.report import json, words
from pfungst.report.html import render
from pfungst.report.markup import clean
from pfungst.report.numbers import interval
from pfungst.statistics.estimate import Estimate

SAMPLE = runpy.run_path(str(Path(__file__).parents[1] / "end_to_end" / "sample_report.py"))
PICTURE = re.compile(r"data:image/webp;base64,[A-Za-z0-9+/=]+")
FLATTERY = ("no issues", "safe", "passed all", "good job", "certified", "congratulations")


class Text(HTMLParser):
    """What a page says to a reader, and which elements and attributes it uses."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._silent = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self._silent += tag in {"style", "script"}

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in {"style", "script"}

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.words.append(data)

    @property
    def said(self) -> str:
        return " ".join("".join(self.words).split())


@pytest.fixture(scope="module")
def report() -> Report:
    return SAMPLE["sample_report"]()


@pytest.fixture(scope="module")
def thumbnails() -> dict[str, bytes]:
    return SAMPLE["pictures"](90)


@pytest.fixture(scope="module")
def page(report: Report, thumbnails: dict[str, bytes]) -> str:
    return render(report, thumbnails)


def bare(verdict: str = "yes", **parts: object) -> Report:
    empty = {"model": {}, "data": {}, "settings": {}, "environment": {}, "headline": (), "findings": (), "skipped": ()}
    told = Verdict(generalizes=verdict, sentence="It rests on nothing that was examined.")
    return Report(created="2026-01-01", verdict=told, passes=(), **{**empty, **parts})


def flat(text: str) -> str:
    return " ".join(clean(text).replace("`", "").split())


def test_every_finding_condition_and_skipped_entry_is_on_the_page(page: str, report: Report) -> None:
    text = Text(page)
    anchors = [value for name, value in text.attributes if name == "id"]
    for finding in report.findings:
        assert anchors.count(finding.id) == 1
        assert flat(finding.claim) in text.said
        assert interval(finding.effect) in text.said
    for condition in report.headline:
        shown = flat(condition.condition)
        assert shown[:80] in text.said
    assert text.said.count("few rows of") == sum("few rows of" in entry.reason for entry in report.skipped)
    for entry in report.skipped:
        assert flat(entry.reason) in text.said
    assert flat(report.verdict.sentence) in text.said


def test_nothing_but_the_report_claims_anything(page: str, report: Report) -> None:
    assert page.count("<article") == len(report.findings)


def test_same_report_twice_is_the_same_bytes_also_through_audit_json(
    page: str, report: Report, thumbnails: dict[str, bytes]
) -> None:
    assert render(report, thumbnails) == page
    assert render(json.decode(json.encode(report)), thumbnails) == page


def test_budgets_of_the_page(page: str) -> None:
    assert len(PICTURE.sub("", page).encode()) <= 300_000
    assert len(page.encode()) <= 5_000_000
    assert len((files("pfungst.report") / "script.js").read_bytes()) <= 40_000
    assert len((files("pfungst.report") / "style.css").read_bytes()) <= 30_000
    assert len(Text(page).tags) <= 15_000


def test_budgets_hold_for_more_pictures_than_fit(report: Report) -> None:
    examples: Examples = SAMPLE["examples"](0, 12)
    many = tuple(
        msgspec.structs.replace(finding, evidence=(*finding.evidence, examples)) for finding in report.findings
    )
    # Bytes after the end of a WebP are ignored by whoever reads it: heavy pictures at no cost.
    heavy = {name: picture + bytes(12_000) for name, picture in SAMPLE["pictures"](12).items()}
    page = render(msgspec.structs.replace(report, findings=many), heavy)
    assert 3_000_000 < len(page.encode()) <= 5_000_000
    assert len(PICTURE.sub("", page).encode()) <= 300_000
    assert page.count("<img") <= 1500
    assert "left out to keep this page small" in page


def test_a_figure_that_is_too_large_is_left_out_and_a_large_matrix_becomes_a_list() -> None:
    rng = np.random.default_rng(0)
    names = tuple(f"a class with a long name, number {index}" for index in range(30))
    counts = tuple(tuple(line) for line in rng.integers(1, 9, (30, 30)).tolist())
    matrix = msgspec.structs.replace(SAMPLE["confusions"](30), classes=names, counts=counts)
    long = SAMPLE["Table"](title="long", columns=("a", "b"), rows=(("word " * 60, "word " * 60),) * 100)
    finding = Finding(
        id="x", probe="mistakes", kind="confusion", subject="a -> b", status="found", severity="low", claim="Often.",
        effect=Estimate(name="share", value=0.2, low=0.1, high=0.3, rows=50), evidence=(long, matrix),
    )  # fmt: skip
    page = render(bare("no", findings=(finding,)))
    figures = re.findall(r"<figure.*?</figure>", page, re.DOTALL)
    assert figures
    assert max(map(len, figures)) <= 20_000
    assert "1 figure left out to keep this page small" in page


def test_findings_of_one_cause_stand_together_below_the_gravest() -> None:
    effect = Estimate(name="share", value=0.2, low=0.1, high=0.3, rows=50)
    told = [
        ("night", "critical"),
        ("noise", "high"),
        ("night", "medium"),
        ("", "low"),
        ("noise", "low"),
        ("a", "low"),
        ("b", "low"),
    ]
    findings = tuple(
        Finding(id=f"f{at}", probe="shift", kind="fragile", subject=subject, status="found", severity=severity,
                claim="It loses.", effect=effect, remedy=f"do {at // 4}")
        for at, (subject, severity) in enumerate(told)
    )  # fmt: skip
    page = render(bare("no", findings=findings))
    assert re.findall(r'<article class="card \w+( also)?" id="f(\d)"', page) == [
        ("", "0"), (" also", "2"), ("", "1"), (" also", "4"), ("", "3"), ("", "5"), (" also", "6"),
    ]  # fmt: skip


def test_the_opening_says_what_was_not_looked_at(report: Report) -> None:
    said = Text(render(report)).said
    assert "Not looked at: feedback ; only in part: unknowns , sites" not in said
    wholly = dict.fromkeys(one.probe for one in report.skipped)
    examined = {one.probe for one in report.findings}
    assert f"Not looked at: {', '.join(one for one in wholly if one not in examined)}; only in part: sites." in said


def test_rows_that_do_not_fit_are_named_with_the_command_that_shows_them(page: str) -> None:
    assert "+ 4 more rows: <code>pfungst view</code>" in page


KINDS = {
    "mistakes": "confusion slice label-error",
    "attribution": "outside-object unfaithful",
    "shortcuts": "cue latent-cue",
    "shift": "fragile overconfident",
    "sites": "confounded gap prevalence",
    "selection": "centred unrepresentative leak",
    "feedback": "moves-the-world unstable gaming",
    "calibration": "overconfident underconfident classwise humans",
    "unknowns": "confident undetectable",
    "adversarial": "fragile masked-gradients",
    "drift": "shifted prevalence accuracy",
}


@pytest.mark.parametrize("named", [f"{probe}.{kind}" for probe, kinds in KINDS.items() for kind in kinds.split()])
@pytest.mark.parametrize("subject", ["", "border", "<i>x</i>"])
def test_every_kind_of_finding_has_a_statement_a_question_and_a_reason_to_care(named: str, subject: str) -> None:
    probe, kind = named.split(".")
    finding = Finding(
        probe=probe, kind=kind, subject=subject, status="found", severity="low", claim="It is so.",
        effect=Estimate(name="share", value=0.2, low=0.1, high=0.3, rows=50),
    )  # fmt: skip
    statement = words.headline(finding)
    question = words.headline(msgspec.structs.replace(finding, status="absent"))
    assert not statement.startswith(kind)
    assert question.endswith("?")
    assert not statement.endswith("?")
    assert "{}" not in statement + question
    assert words.of(finding).why.endswith(".")
    assert "<i>" not in words.title(finding)


def test_page_of_a_thousand_classes_stays_within_budget() -> None:
    told = SAMPLE["confusions"](1000)
    finding = Finding(
        id="x", probe="mistakes", kind="confusion", subject="a -> b", status="found", severity="low", claim="Often.",
        effect=Estimate(name="share", value=0.2, low=0.1, high=0.3, rows=50), evidence=(told,),
    )  # fmt: skip
    page = render(bare("no", findings=(finding,), model={"classes": list(told.classes)}))
    assert len(page) <= 300_000
    assert "1,000 in all" in page


def test_names_from_outside_stay_words(page: str) -> None:
    text = Text(page)
    assert text.tags.count("script") == 1
    assert text.tags.count("style") == 1
    assert "h1" in text.tags
    assert text.tags.count("h1") == 1
    assert not any(name.startswith("on") for name, _ in text.attributes)
    assert not any(name == "style" for name, _ in text.attributes)
    assert all(value.startswith("#") for name, value in text.attributes if name == "href" and value != "data:,")
    assert all(value.startswith("data:image/webp;") for name, value in text.attributes if name == "src")
    assert "\u202e" not in page
    assert "\x00" not in page
    assert "\x1b" not in page
    assert SAMPLE["HOSTILE"][0] in text.said


@pytest.mark.parametrize("verdict", ["yes", "no", "undecided"])
@pytest.mark.parametrize(
    "name", [*SAMPLE["HOSTILE"], "x" * 10_000, "<b>&" * 2_500, "\u202b\u0627\u0644\u0639 -> \u2066"]
)
def test_hostile_names_everywhere_leave_the_same_elements(verdict: str, name: str) -> None:
    def told(word: str) -> Report:
        finding = Finding(
            id="x", probe=word, kind=word, subject=word, status="found", severity="high", claim=word, remedy=word,
            effect=Estimate(name=word, value=0.2, low=0.1, high=0.3, rows=50, unit=word), reproduce=word,
            evidence=(SAMPLE["Table"](title=word, columns=(word,), rows=((word,),)),),
        )  # fmt: skip
        entry = Skipped(probe=word, kind=word, subject=word, reason=word)
        free = {word: {word: [word, word]}, "source": word, "notes": [word]}
        return bare(
            verdict, findings=(finding,), skipped=(entry,), model=free, data=free, settings=free, environment=free,
            question=word,
        )  # fmt: skip

    page = render(told(name))
    assert Text(page).tags == Text(render(told("name"))).tags
    assert len(page.encode()) <= 300_000


def test_an_empty_audit_says_so_without_a_compliment() -> None:
    said = Text(render(bare())).said
    assert "No condition was measured." in said
    assert "Whatever no probe asks about was not examined." in said
    assert "Nothing was found beyond its tolerance among what was examined." in said


def test_an_unfinished_audit_says_so() -> None:
    assert "This audit is not finished." in Text(render(bare(complete=False))).said


def test_the_page_never_flatters() -> None:
    said = Text(render(bare())).said.lower()
    sources = [path.read_text(encoding="utf-8") for path in files("pfungst.report").iterdir() if path.is_file()]
    for word in FLATTERY:
        assert word not in said
        assert not any(re.search(rf"\b{word}\b(?!=)", source, re.IGNORECASE) for source in sources), word


def test_policy_names_the_hashes_of_the_one_style_and_the_one_script(page: str) -> None:
    import base64
    import hashlib

    for element in ("style", "script"):
        (block,) = re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
        assert f"{element}-src &#39;sha256-{digest}&#39;" in page or f"{element}-src 'sha256-{digest}'" in page
