"""Served pages: the table of rows and the page of one row, from the data that their JSON twins hold."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from pfungst.findings import Examples, Finding, Shot
from pfungst.report.facts import facts
from pfungst.report.gallery import Pictures, gallery
from pfungst.report.html import environment, hashed, text_of
from pfungst.report.markup import Markup, clean, prose, tag
from pfungst.report.numbers import count, number

Link: TypeAlias = Callable[..., str]
"""An address from a path and the query's parts; empty parts are left out."""
Menu: TypeAlias = Sequence[tuple[str, str, bool]]


@dataclass(frozen=True)
class Surroundings:
    """What every page shows: where links lead, the names of the runs, and what a filter may name."""

    link: Link
    menu: Menu
    names: tuple[str, ...]
    vocabulary: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    without: str = ""


@cache
def blocks() -> tuple[str, str]:
    """The style and the script of these pages."""
    return text_of("style.css") + text_of("served.css"), text_of("served.js")


def policy(style: str, script: str) -> str:
    """The policy of a served page with these blocks: nothing from elsewhere, nobody else's frame."""
    return (
        "default-src 'none'; img-src 'self' data:; "
        f"style-src '{hashed(style)}'; script-src '{hashed(script)}'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


def menu(around: Surroundings) -> Markup:
    """The links between pages, as they stand on top of a report."""
    links = [tag("a", words, href=href) for words, href, here in around.menu if not here]
    return tag("p", [part for one in links for part in (one, " · ")][:-1], class_="masthead")


def rows_page(
    page: Mapping[str, Any], around: Surroundings, typed: str, pictured: Callable[[int], bool], refused: str = ""
) -> str:
    """The table of the rows of a filter; ``pictured`` tells which have a picture, ``refused`` why there is no table."""
    asked = {"where": page["where"], "order": page["order"], "under": page["under"], "on": _on(page)}
    link, paired = around.link, "b.answer" in around.vocabulary
    return _rendered(
        "rows.html.jinja", around,
        page=page,
        typed=typed,
        refused=refused,
        paired=paired,
        heading="Rows" if refused else _heading(page),
        sets=[(name, link("rows", on="" if name == "test" else name), name == page["set"]) for name in page["sets"]],
        everything=link("rows", under=page["under"], on=_on(page)),
        facets=[_facet(one, asked, link) for one in page["facets"]],
        heads=_heads(page, asked, link, paired=paired),
        lines=[_line(line, page, asked, link, pictured) for line in page["rows"]],
        pager=_pages(page, asked, link),
        json=link("rows.json", **asked, page=page["page"]),
    )  # fmt: skip


def row_page(
    row: Mapping[str, Any], around: Surroundings, original: Mapping[str, Any], shown: Iterable[Any],
    pictures: Mapping[str, bytes],
) -> str:  # fmt: skip
    """The page of one row. ``original`` is its input, ``shown`` the findings with the shots in which it stands."""
    asked = {"where": row["where"], "order": row["order"], "on": _on(row)}
    link = around.link
    first = [("A says" if row["b"] is not None else "answered", row["answers"][:1]), ("B says", (row["b"] or [])[:1])]
    columns = ("answer", "confidence", "its label")
    return _rendered(
        "row.html.jinja", around,
        row=row,
        typed=f"{row['where']} order by {row['order']}" if row["order"] else row["where"],
        original=original,
        first=[
            {"who": who, "answer": one["answer"], "confidence": number(one["confidence"]),
             "right": None if row["label"] is None else one["answer"] == row["label"]}
            for who, some in first for one in some
        ],
        most=_most(row),
        most_heads=("A", "B") if row["b"] else ("probability",),
        metadata=facts(row["metadata"]),
        said=_conditions(row, link),
        answer_heads=columns if row["b"] is None else tuple(f"{who}: {name}" for who in "AB" for name in columns),
        findings=[_finding(one.finding, one.shots, link, pictures) for one in shown],
        pager=_neighbours(row, asked, link),
        json=link(f"row/{row['row']}.json", **asked),
        json_name=f"row/{row['row']}.json",
    )  # fmt: skip


def _rendered(template: str, around: Surroundings, **more: Any) -> str:
    style, script = blocks()
    html: str = _template(template).render(
        links=around.menu, names=around.names, action=around.link("rows"), vocabulary=around.vocabulary,
        classes=around.classes, conditions=around.conditions, without=around.without, style=Markup(style),
        script=Markup(script), clean=clean, prose=prose, count=count, **more,
    )  # fmt: skip
    return html


@cache
def _template(name: str) -> Any:
    """A template, read and compiled once: pages are made while somebody waits."""
    return environment().get_template(name)


def _heading(page: Mapping[str, Any]) -> str:
    every = count(page["rows_in_all"], "row")
    return f"{page['count']:,} of {every}" if page["where"] else every


def _on(page: Mapping[str, Any]) -> str:
    return "" if page["set"] == "test" else str(page["set"])


def _facet(one: Mapping[str, Any], asked: Mapping[str, Any], link: Link) -> dict[str, Any]:
    values = [{**each, "href": link("rows", **{**asked, "where": each["where"]})} for each in one["values"]]
    return {"name": one["name"], "values": values}


def _heads(page: Mapping[str, Any], asked: Mapping[str, Any], link: Link, *, paired: bool) -> list[dict[str, Any]]:
    """Heads of the table's columns; each sorts by its column, the other way round where it is sorted by it already."""
    named = [
        ("row", "id"),
        ("label", "label"),
        ("A said" if paired else "answer", "answer"),
        ("confidence", "confidence"),
    ]
    named += [("B said", "b.answer"), ("confidence", "b.confidence")] if paired else []
    for name in page["conditions"]:
        called = f"condition({_literal(name)})"
        named += [(name, f"{called}.answer"), ("confidence", f"{called}.confidence")]
    named += [(name, f"column({_literal(name)})") for name in page["columns"]]
    heads = []
    for name, key in named:
        place = {key: "ascending", f"{key} asc": "ascending", f"{key} desc": "descending"}.get(page["order"], "")
        turned = f"{key} desc" if place == "ascending" else key
        heads.append({"name": name, "sorted": place, "href": link("rows", **(dict(asked) | {"order": turned}))})
    return [*heads[:1], *([{"name": "text", "sorted": "", "href": ""}] if _texts(page) else []), *heads[1:]]


def _texts(page: Mapping[str, Any]) -> bool:
    return any(line["text"] is not None for line in page["rows"])


def _line(
    line: Mapping[str, Any], page: Mapping[str, Any], asked: Mapping[str, Any], link: Link,
    pictured: Callable[[int], bool],
) -> dict[str, Any]:  # fmt: skip
    label = line["label"]
    cells = [_cell(line["text"], "text", none="not there")] if _texts(page) else []
    cells += [_cell(label, none="none"), *_answer(line, label)]
    cells += _answer(line["b"], label) if "b" in line else []
    for name in page["conditions"]:
        cells += _answer(line["under"][name], label)
    cells += [_cell(_text(line["metadata"][name]), none="missing") for name in page["columns"]]
    place = {key: value for key, value in asked.items() if key != "under"}
    picture = link(f"thumbnail/{line['row']}", on=_on(page)) if pictured(line["row"]) else ""
    return {"id": line["id"], "href": link(f"row/{line['row']}", **place), "picture": picture, "cells": cells}


def _answer(said: Mapping[str, Any] | None, label: str | None) -> list[dict[str, Any]]:
    if said is None:
        return [_cell(None, none="not asked"), _cell(None, none="")]
    amiss = "amiss" if label is not None and said["answer"] != label else ""
    return [_cell(said["answer"], amiss), _cell(number(said["confidence"]), "number")]


def _cell(text: str | None, kind: str = "", none: str = "") -> dict[str, Any]:
    return {"text": text, "kind": kind, "none": none}


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _pages(page: Mapping[str, Any], asked: Mapping[str, Any], link: Link) -> list[tuple[str, str, str]]:
    at, last = page["page"], page["pages"]

    def to(number_: int) -> str:
        return link("rows", **asked, page=number_ if number_ > 1 else "")

    return [
        ("first", to(1) if at > 1 else "", ""),
        ("← previous", to(at - 1) if at > 1 else "", "prev"),
        (f"page {at:,} of {last:,}", "", ""),
        ("next →", to(at + 1) if at < last else "", "next"),
        ("last", to(last) if at < last else "", ""),
    ]


def _neighbours(row: Mapping[str, Any], asked: Mapping[str, Any], link: Link) -> list[tuple[str, str, str]]:
    places = {name: "" if row[name] is None else link(f"row/{row[name]}", **asked) for name in ("previous", "next")}
    return [
        ("↑ all rows of this filter" if row["where"] else "↑ all rows", link("rows", **asked), "up"),
        ("← previous", places["previous"], "prev"),
        ("next →", places["next"], "next"),
    ]


def _most(row: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """The likeliest classes of each run, as rows of a small table."""
    sides = [
        {one["class"]: one["probability"] for one in some[0]["most"]} for some in (row["answers"], row["b"]) if some
    ]
    names = dict.fromkeys(name for side in sides for name in list(side)[:5])
    return [(name, [number(side[name]) if name in side else "–" for side in sides]) for name in names]


def _conditions(row: Mapping[str, Any], link: Link) -> list[dict[str, Any]]:
    sides = [{one["condition"]: one for one in some} for some in (row["answers"], row["b"]) if some is not None]
    names = dict.fromkeys(name for side in sides for name in side)
    plain = next(iter(names), "")
    return [
        {
            "name": name,
            "href": link("rows", under="" if name == plain else name, on=_on(row)),
            "cells": [cell for side in sides for cell in _said(side.get(name))],
        }
        for name in names
    ]


def _said(one: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    if one is None:
        return [_cell(None), _cell("", "number"), _cell("", "number")]
    label = "" if one["of_label"] is None else number(one["of_label"])
    return [
        _cell(one["answer"], "changed" if one["changed"] else ""), _cell(number(one["confidence"]), "number"),
        _cell(label, "number"),
    ]  # fmt: skip


def _finding(
    finding: Finding, shots: tuple[tuple[Shot, ...], ...], link: Link, pictures: Mapping[str, bytes]
) -> dict[str, Any]:
    mark = finding.severity if finding.status == "found" else finding.status
    drawn = Examples(title="As the report shows it", items=shots)
    return {
        "claim": finding.claim, "href": link("") + f"#{finding.id}", "mark": mark, "probe": finding.probe,
        "kind": finding.kind, "word": {"inconclusive": "undecided", "absent": "excluded"}.get(finding.status, mark),
        "figures": [gallery(drawn, Pictures(pictures))],
    }  # fmt: skip


def _literal(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
