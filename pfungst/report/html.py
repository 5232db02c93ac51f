"""The page: one self-contained file, rendered from audit.json and thumbnails alone, the same bytes every time."""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from pfungst.findings import SEVERITIES, Examples, Finding, OpportunityReliance, Report, Shot
from pfungst.report.facts import chance, command, facts, source
from pfungst.report.figures import draw
from pfungst.report.forest import forest, strip
from pfungst.report.gallery import Pictures, gallery
from pfungst.report.markup import Markup, clean, html, prose
from pfungst.report.numbers import bounds, count, p_value, percent, plain, rows, value

ANSWERS = {"yes": "Yes", "no": "No", "undecided": "Undecided"}
FIGURES = 140_000
PASSES = 60
_PICTURE = re.compile(r"data:image/webp;base64,[A-Za-z0-9+/=]+")


def render(
    report: Report,
    thumbnails: Mapping[str, bytes] | None = None,
    link: Callable[[Shot], str] | None = None,
    nav: Markup | None = None,
) -> str:
    """The report as one HTML page that needs no script, no network and no other file.

    ``thumbnails`` are WebP pictures by the names that ``Shot.picture`` gives. Where rows have pages of their own,
    ``link`` gives a shot's address and ``nav`` is what stands on top.
    """
    style, script = text_of("style.css"), text_of("script.js")
    budget = _Budget(Pictures(thumbnails or {}, link=link))
    cards = {status: _cards(report, status, budget) for status in ("found", "inconclusive", "absent")}
    page = environment().get_template("template.html.jinja")
    return page.render(
        nav=nav,
        report=report,
        model_name=source(report, "model"),
        data_name=source(report, "data"),
        answer=ANSWERS[report.verdict.generalizes],
        tally=_tally(report),
        headline=_headline(report),
        cards=cards,
        quadrants=[draw(evidence) for evidence in _quadrants(report)],
        assumed=[str(line) for line in _listed(report.settings.get("assumed"))],
        settings=facts({k: v for k, v in report.settings.items() if k not in {"methods", "assumed", "command"}}),
        methods=_methods(report.settings.get("methods")),
        provenance=(("Model", facts(report.model)), ("Data", facts(report.data)), ("Made with", _made(report))),
        passes=report.passes[:PASSES],
        passes_left=len(report.passes) - PASSES,
        spent=_spent(report),
        command=command(report),
        count=count,
        clean=clean,
        prose=prose,
        style=Markup(style),
        script=Markup(script),
        style_hash=hashed(style),
        script_hash=hashed(script),
    )


class _Budget:
    """What the page may still hold: pictures, and bytes of figures besides them, spent in the order of rank."""

    def __init__(self, pictures: Pictures) -> None:
        self.pictures = pictures
        self.figures = FIGURES

    def drawn(self, finding: Finding) -> tuple[list[Markup], int]:
        """The figures of a finding that fit, and how many did not."""
        kept: list[Markup] = []
        left_out = 0
        for evidence in finding.evidence:
            if isinstance(evidence, OpportunityReliance):
                continue
            if self.figures < 0:
                left_out += 1
                continue
            figure = gallery(evidence, self.pictures) if isinstance(evidence, Examples) else draw(evidence)
            self.figures -= len(_PICTURE.sub("", figure))
            kept.append(figure)
        return kept, left_out


def text_of(name: str) -> str:
    """A file beside this one."""
    return (files("pfungst.report") / name).read_text(encoding="utf-8")


def hashed(block: str) -> str:
    """A block as the page's policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()


def environment() -> Environment:
    """What turns a template into a page."""
    # Every expression passes through ``html``: text from outside is cleaned and escaped there and nowhere else.
    return Environment(
        loader=FunctionLoader(text_of), autoescape=True, finalize=html, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip


def _tally(report: Report) -> list[dict[str, Any]]:
    """How many findings of each severity, undecided, excluded and not examined."""
    found = [finding.severity for finding in report.findings if finding.status == "found"]
    lines = [
        {"mark": name, "many": found.count(name), "word": name if name != "none" else "within tolerance", "to": "found"}
        for name in SEVERITIES
    ]
    for status, word in (("inconclusive", "undecided"), ("absent", "excluded")):
        many = sum(finding.status == status for finding in report.findings)
        lines.append({"mark": status, "many": many, "word": word, "to": status})
    lines.append({"mark": "skipped", "many": len(report.skipped), "word": "not examined", "to": "not-examined"})
    return [line for line in lines if line["many"]]


def _headline(report: Report) -> Markup | None:
    if not report.headline:
        return None
    level = chance(report)
    return forest(
        [(condition.condition, condition.accuracy) for condition in report.headline],
        what="condition",
        quantity="accuracy",
        reference=level,
        reference_name="chance" if level is not None else "",
        against_first=True,
    )


def _cards(report: Report, status: str, budget: _Budget) -> list[dict[str, Any]]:
    return [
        _card(finding, index, budget) for index, finding in enumerate(report.findings, 1) if finding.status == status
    ]


def _card(finding: Finding, index: int, budget: _Budget) -> dict[str, Any]:
    figures, left_out = budget.drawn(finding)
    mark = finding.severity if finding.status == "found" else finding.status
    tested = finding.p_adjusted if finding.p_adjusted is not None else finding.p_value
    return {
        "finding": finding,
        "anchor": finding.id or f"finding-{index}",
        "mark": mark,
        "word": {"inconclusive": "undecided", "absent": "excluded"}.get(finding.status, finding.severity),
        "value": value(finding.effect),
        "bounds": bounds(finding.effect),
        "level": percent(finding.effect.level),
        "rows": rows(finding.effect),
        "tolerance": None if finding.tolerance is None else plain(finding.tolerance),
        "p": None if tested is None else p_value(tested) + (" (adjusted)" if finding.p_adjusted is not None else ""),
        "strip": strip(finding.effect, finding.tolerance),
        "figures": figures,
        "left_out": left_out,
        "in_quadrants": any(isinstance(evidence, OpportunityReliance) for evidence in finding.evidence),
    }


def _quadrants(report: Report) -> list[OpportunityReliance]:
    """Each distinct 2x2 once, however many findings show it."""
    distinct: list[OpportunityReliance] = []
    for finding in report.findings:
        for evidence in finding.evidence:
            if isinstance(evidence, OpportunityReliance) and evidence not in distinct:
                distinct.append(evidence)
    return distinct


def _methods(methods: Any) -> list[dict[str, Any]]:
    if not isinstance(methods, Mapping):
        return []
    return [
        {
            "topic": topic,
            "question": str(entry.get("question", "")),
            "method": str(entry.get("method", "")),
            "sources": [str(source) for source in _listed(entry.get("sources"))],
        }
        for topic, entry in sorted(methods.items())
        if isinstance(entry, Mapping)
    ]


def _listed(value: Any) -> Sequence[Any]:
    if value is None or value == "":
        return ()
    return value if isinstance(value, list | tuple) else (value,)


def _spent(report: Report) -> str:
    """All passes in one sentence."""
    asked = sum(item.rows for item in report.passes)
    stored = sum(item.cached for item in report.passes)
    seconds = sum(item.seconds for item in report.passes)
    return (
        f"{count(len(report.passes), 'pass')}, {count(asked, 'row')} shown, {seconds:.0f} s; "
        f"{stored:,} answered from the cache"
    )


def _made(report: Report) -> list[tuple[str, str]]:
    return [("created", report.created), ("schema", report.schema), *facts(report.environment)]
