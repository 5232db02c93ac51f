"""View: one run, or two side by side, and everything that the pages say about them; no HTML, no server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import Any

import msgspec
import pyarrow.compute as pc

from pfungst.comparing import compare
from pfungst.comparison import Comparison
from pfungst.errors import InputError
from pfungst.findings import Examples, Finding, Shot
from pfungst.viewing.answers import Said, said_of
from pfungst.viewing.listing import Asked, facts_of, listing, place_of, rounded
from pfungst.viewing.originals import Original, Originals
from pfungst.viewing.queries import Queries
from pfungst.viewing.rows import Rows
from pfungst.viewing.run import Run, opened


@dataclass(frozen=True, eq=False)
class Shown:
    """A finding that shows a row, and the pictures of it in which the row stands."""

    finding: Finding
    shots: tuple[tuple[Shot, ...], ...]


class View:
    """What is viewed. Pages ask it; it reads when asked, and asks no model.

    Raises:
        InputError: if a folder holds no finished audit, or two of them share no rows.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        if not 1 <= len(folders) <= 2:
            raise InputError(f"{len(folders)} runs were given; give one, or two to see them side by side")
        self.run = opened(folders[0])
        self.other: Run | None = opened(folders[1]) if len(folders) == 2 else None
        self._folders = tuple(folders)
        self.originals = Originals(self.run)
        self._queries: dict[str, Queries] = {}
        self._lock = RLock()
        if self.other is not None and not self.queries("test").rows.agrees():
            _ = self.comparison
        self.queries("test")

    @cached_property
    def comparison(self) -> Comparison | None:
        """What `pfungst compare` says of two runs, None of one; over many rows it takes a while.

        Raises:
            InputError: if they share no rows.
        """
        return compare(*self._folders) if self.other is not None else None

    def queries(self, on: str) -> Queries:
        """What answers filters over a set. Raises InputError if there is no such set."""
        with self._lock:
            if on not in self._queries:
                other = self.other if on == "test" else None
                self._queries[on] = Queries(Rows(self.run, on, other))
            return self._queries[on]

    def rows(self, query: Mapping[str, str]) -> dict[str, Any]:
        """One page of rows; what ``rows.json`` holds. Raises InputError if it cannot be given."""
        asked = Asked.of(query)
        page = listing(self.queries(asked.on), asked)
        for line in page["rows"]:
            told = self.originals.texts
            line["text"] = self.originals.excerpt(self._id(line["row"], asked.on), asked.on) if told else None
        return page

    def row(self, number: int, query: Mapping[str, str]) -> dict[str, Any]:
        """One row; what ``row/NUMBER.json`` holds. Raises InputError if it was not asked about."""
        asked = Asked.of(query)
        queries = self.queries(asked.on)
        place = place_of(queries, number)
        selection = queries.select(asked.where, asked.order)
        at, before, after = selection.around(place)
        near = [None if one is None else int(queries.rows.positions[one]) for one in (before, after)]
        facts = facts_of(queries, place)
        answers = _answers(said_of(queries.rows, place), queries.rows.classes)
        seen = {one["condition"]: one for one in answers}
        return {
            **facts,
            "set": asked.on,
            "where": selection.parsed.words,
            "order": selection.parsed.order_words,
            "number": None if at is None else at + 1,
            "count": len(selection),
            "previous": near[0],
            "next": near[1],
            "answers": answers,
            "b": self._others(queries, place, seen),
            "findings": [
                {
                    "id": one.finding.id, "claim": one.finding.claim, "status": one.finding.status,
                    "severity": one.finding.severity,
                }
                for one in self.shown(asked.on, number)
            ],
        }  # fmt: skip

    def original(self, number: int, on: str = "test") -> Original:
        """The input of a row, read from DATA."""
        return self.originals.read(self._id(number, on), on)

    def thumbnail(self, number: int, on: str = "test") -> bytes | None:
        """A small picture of a row: from the report if it has one of it as it is, else from DATA."""
        kept = self._kept(number, on)
        if kept:
            return self.run.audit.pictures[kept]
        return self.originals.thumbnail(self._id(number, on), on)

    def pictured(self, number: int, on: str = "test") -> bool:
        """Whether there is a picture of a row, as far as is known without reading it."""
        return bool(self._kept(number, on)) or self.originals.pictured(on)

    def _id(self, number: int, on: str) -> str:
        queries = self.queries(on)
        return str(queries.rows.own_ids[place_of(queries, number)].as_py())

    def _kept(self, number: int, on: str) -> str:
        """The name of the report's picture of a row as it is, or nothing."""
        for shot in (shot for one in self.shown(on, number) for shots in one.shots for shot in shots):
            plain = (shot.on, shot.position, shot.shown, shot.heat) == (on, number, "", "")
            if plain and shot.picture in self.run.audit.pictures:
                return shot.picture
        return ""

    def shown(self, on: str, row: int) -> list[Shown]:
        """The findings that show a row, gravest first."""
        return self._shown.get((on, row), [])

    @cached_property
    def _shown(self) -> dict[tuple[str, int], list[Shown]]:
        found: dict[tuple[str, int], list[Shown]] = {}
        for finding in self.run.report.findings:
            items = [item for piece in finding.evidence if isinstance(piece, Examples) for item in piece.items]
            for key in dict.fromkeys((shot.on, shot.position) for item in items for shot in item):
                mine = tuple(item for item in items if any((shot.on, shot.position) == key for shot in item))
                found.setdefault(key, []).append(Shown(finding, mine))
        return found

    def _others(self, queries: Queries, place: int, seen: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        """The second run's answers to the same row; those under the conditions of the first are in its order."""
        if self.other is None or queries.rows.on != "test":
            return None
        theirs = self._others_rows
        found = pc.index(theirs.own_ids, queries.rows.own_ids[place]).as_py()
        if found < 0:
            return []
        answers = _answers(said_of(theirs, found), theirs.classes)
        return sorted(
            answers, key=lambda one: list(seen).index(one["condition"]) if one["condition"] in seen else len(seen)
        )

    @cached_property
    def _others_rows(self) -> Rows:
        assert self.other is not None, "a second run was given"
        return Rows(self.other, "test")

    def comparison_json(self) -> bytes:
        """``compare.json`` of two runs."""
        return msgspec.json.encode(self.comparison, order="deterministic")


def _answers(said: Sequence[Said], classes: Sequence[str]) -> list[dict[str, Any]]:
    """Answers by name; after the row as it is come the conditions that change the answer."""
    plain = said[0].answer if said else None
    first, rest = said[:1], sorted(said[1:], key=lambda one: one.answer == plain)
    return [
        {
            "condition": one.condition, "answer": classes[one.answer], "confidence": rounded(one.confidence),
            "of_label": rounded(one.of_label), "changed": one.answer != plain,
            "most": [{"class": classes[at], "probability": rounded(share)} for at, share in one.most],
        }
        for one in (*first, *rest)
    ]  # fmt: skip
