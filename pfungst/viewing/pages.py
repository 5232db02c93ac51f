"""Pages: what each address of a view answers, as bytes with their type; no server yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from pfungst.errors import InputError
from pfungst.report.comparison import page as comparison_page
from pfungst.report.html import render, text_of
from pfungst.report.json import encode
from pfungst.report.markup import Markup
from pfungst.report.served import Surroundings, blocks, menu, policy, row_page, rows_page
from pfungst.viewing.language import FilterError
from pfungst.viewing.originals import Original, png
from pfungst.viewing.queries import TooSlow
from pfungst.viewing.run import Run
from pfungst.viewing.view import View

CLOSED = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The policy of everything that is no page."""


@dataclass(frozen=True)
class Answer:
    """What is sent: bytes, their type, the status, and the policy under which a browser shows them."""

    body: bytes
    type: str = "text/html; charset=utf-8"
    status: int = 200
    policy: str = CLOSED


@dataclass(frozen=True)
class Pages:
    """The pages of a view below ``base``, the path with the token."""

    view: View
    base: str
    report_policy: str = field(default_factory=lambda: policy(text_of("style.css"), text_of("script.js")))

    def link(self, path: str, **query: Any) -> str:
        """The address of a page; parts of the query that are empty are left out."""
        kept = {name: value for name, value in query.items() if value not in {None, ""}}
        return f"{self.base}/{quote(path)}" + (f"?{urlencode(kept)}" if kept else "")

    def home(self) -> Answer:
        """The report; of two runs, what changed between them."""
        if self.view.comparison is None:
            return self.report("a")
        return self._page(comparison_page(self.view.comparison, menu(self._around("test", ""))), self.report_policy)

    def report(self, which: str) -> Answer:
        """The report of the first run or the second, its pictures leading to their rows."""
        run = self.view.other if which == "b" and self.view.other else self.view.run
        link = (lambda shot: self.link(f"row/{shot.position}", on="" if shot.on == "test" else shot.on)) if (
            run is self.view.run
        ) else None  # fmt: skip
        nav = menu(self._around("test", which if self.view.other else ""))
        return self._page(render(run.report, run.audit.pictures, link, nav), self.report_policy)

    def audit(self, which: str) -> Answer:
        """``audit.json`` of the first run or the second."""
        run = self.view.other if which == "b" and self.view.other else self.view.run
        return Answer(encode(run.report), "application/json")

    def comparison(self) -> Answer:
        """``compare.json``."""
        if self.view.comparison is None:
            raise InputError("one run is viewed; there is nothing to compare it with")
        return Answer(self.view.comparison_json(), "application/json")

    def rows(self, query: Mapping[str, str], *, data: bool = False) -> Answer:
        """A page of rows; ``data``: as JSON."""
        on = query.get("on", "test")
        try:
            page = self.view.rows(query)
        except InputError as error:
            if data or on not in self.view.run.sets:
                raise
            return self._refused(query, on, error)
        if data:
            return _json(page)
        typed = f"{page['where']} order by {page['order']}" if page["order"] else page["where"]
        html = rows_page(page, self._around(on, "rows"), typed.strip(), lambda row: self.view.pictured(row, on))
        return self._page(html)

    def row(self, number: int, query: Mapping[str, str], *, data: bool = False) -> Answer:
        """One row; ``data``: as JSON."""
        row = self.view.row(number, query)
        if data:
            return _json(row)
        on = str(row["set"])
        original = self.view.original(number, on)
        pictures = self.view.run.audit.pictures
        html = row_page(
            row, self._around(on, "row"), self._original(original, number, on), self.view.shown(on, number), pictures
        )  # fmt: skip
        return self._page(html)

    def original(self, number: int, on: str) -> Answer:
        """The input of a row at full size."""
        found = self.view.original(number, on)
        if found.picture is None:
            raise InputError(found.why or "this row is no picture")
        return Answer(png(found.picture), "image/png")

    def thumbnail(self, number: int, on: str) -> Answer:
        """A small picture of a row."""
        found = self.view.thumbnail(number, on)
        return Answer(found, "image/webp") if found else Answer(_EMPTY, "image/svg+xml")

    def refused(self, error: InputError, *, data: bool) -> Answer:
        """What is sent where a request cannot be answered: one sentence."""
        status = 503 if isinstance(error, TooSlow) else 400 if isinstance(error, FilterError) else 404
        if data:
            at = {"position": error.at} if isinstance(error, FilterError) else {}
            return Answer(msgspec.json.encode({"error": str(error), **at}), "application/json", status)
        return Answer(f"{error}\n".encode("utf-8", "replace"), "text/plain; charset=utf-8", status)

    def _refused(self, query: Mapping[str, str], on: str, error: InputError) -> Answer:
        page = {
            "set": on, "sets": list(self.view.run.sets), "where": "", "order": "", "under": None, "page": 1, "pages": 1,
            "rows_in_all": len(self.view.queries(on).rows), "count": 0, "columns": [], "conditions": [], "rows": [],
            "facets": [],
        }  # fmt: skip
        typed = query.get("where", "")
        html = rows_page(page, self._around(on, "rows"), typed, lambda _: False, str(error))
        return self._page(html, status=503 if isinstance(error, TooSlow) else 400)

    def _page(self, html: str, own_policy: str = "", status: int = 200) -> Answer:
        return Answer(html.encode("utf-8", "replace"), status=status, policy=own_policy or policy(*blocks()))

    def _original(self, found: Original, number: int, on: str) -> dict[str, Any]:
        set_ = "" if on == "test" else on
        has_small = found.why and self.view.pictured(number, on)
        return {
            "src": self.link(f"original/{number}", on=set_) if found.picture is not None else "",
            "small": found.picture is not None and max(found.picture.shape[:2]) <= 160,
            "text": found.text,
            "columns": found.columns,
            "thumbnail": self.link(f"thumbnail/{number}", on=set_) if has_small else "",
            "why": found.why,
        }

    def _around(self, on: str, here: str) -> Surroundings:
        view = self.view
        rows = view.queries(on).rows
        pages = [("Report", "", not here), ("Every row", "rows", here == "rows")]
        if view.other is not None:
            flipped = self.link("rows", where="answer != b.answer")
            reports = [
                ("What changed", "", not here),
                ("Report of A", "a", here == "a"),
                ("Report of B", "b", here == "b"),
            ]
            pages = [*reports, ("Every row", "rows", here == "rows")]
        links = [(words, self.link(path), current) for words, path, current in pages]
        if view.other is not None:
            links.append(("Answers that differ", flipped, False))
        old = "This run is of an older version and kept no metadata of its rows: audit again to filter by them."
        return Surroundings(
            link=self.link, menu=tuple(links), names=tuple(_name(run) for run in (view.run, view.other) if run),
            vocabulary=(*rows.vocabulary.own, *rows.vocabulary.columns), classes=rows.classes,
            conditions=tuple(rows.vocabulary.conditions),
            without=old if rows.on == "test" and rows.facts is None else "",
        )  # fmt: skip


_EMPTY = Markup('<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>').encode()


def _name(run: Run) -> str:
    return f"{run.folder.resolve().name}: {str(run.report.model.get('source', 'a model')).rsplit('/', 1)[-1]}"


def _json(page: Mapping[str, Any]) -> Answer:
    return Answer(msgspec.json.encode(page) + b"\n", "application/json")
