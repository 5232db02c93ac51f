"""The page: one self-contained file, rendered from audit.json and thumbnails alone, the same bytes every time."""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from pfungst.findings import Report, Shot
from pfungst.report import opening
from pfungst.report.cards import Budget, cards, quadrants
from pfungst.report.facts import chance, command, facts, given, source, spared
from pfungst.report.figures import draw
from pfungst.report.forest import forest
from pfungst.report.gallery import Pictures
from pfungst.report.markup import Markup, clean, html, prose
from pfungst.report.numbers import count, plainly

ANSWERS = {"yes": "Yes", "no": "No", "undecided": "Undecided"}
PASSES = 60
LARGEST = 294_000
"""Bytes of a page without its pictures, a little below what it promises."""
_ELSEWHERE = frozenset({"methods", "assumed", "command"})


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
    bare = _page(report, Pictures({}), 0, nav)
    return _page(report, Pictures(thumbnails or {}, link=link), LARGEST - len(bare.encode()), nav)


def _page(report: Report, pictures: Pictures, room: int, nav: Markup | None) -> str:
    """The page with so many bytes of figures."""
    style, script = text_of("style.css"), text_of("script.js")
    first, budget = opening.first(report, pictures), Budget(pictures, room)
    page = environment().get_template("template.html.jinja")
    return page.render(
        nav=nav,
        report=report,
        model_name=source(report, "model"),
        data_name=source(report, "data"),
        answer=ANSWERS[report.verdict.generalizes],
        tally=opening.tally(report),
        first=first,
        unseen=opening.unseen(report),
        headline=_headline(report),
        chapters=opening.chapters(report),
        excluded=sum(finding.status == "absent" for finding in report.findings),
        cards={status: cards(report, status, budget) for status in ("found", "inconclusive", "absent")},
        quadrants=[draw(evidence) for evidence in quadrants(report)],
        assumed=[str(line) for line in _listed(report.settings.get("assumed"))],
        settings=given(facts({k: v for k, v in report.settings.items() if k not in _ELSEWHERE})),
        methods=_methods(report.settings.get("methods")),
        provenance=(
            ("Model", given(facts(report.model))),
            ("Data", given(facts(report.data))),
            ("Made with", _made(report)),
        ),
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


def _headline(report: Report) -> Markup | None:
    if not report.headline:
        return None
    level = chance(report)
    return forest(
        [(plainly(condition.condition), condition.accuracy) for condition in report.headline],
        what="condition",
        quantity="accuracy",
        reference=level,
        reference_name="chance" if level is not None else "",
        against_first=True,
    )


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
        f"{stored:,} answered from the cache" + (f"; {spared(report)}" if spared(report) else "")
    )


def _made(report: Report) -> list[tuple[str, str]]:
    return [("created", report.created), ("schema", report.schema), *facts(report.environment)]
