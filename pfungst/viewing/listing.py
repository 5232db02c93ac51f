"""Listing: one page of the rows of a filter, as data: what the table shows and ``rows.json`` holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pfungst.errors import InputError
from pfungst.viewing.fields import Field
from pfungst.viewing.queries import Queries, Selection

PAGE = 100
"""Rows of a page."""
COLUMNS = 8
"""Metadata columns and conditions that a table shows at most."""


@dataclass(frozen=True)
class Asked:
    """What a page of rows was asked for; ``under`` names a condition whose answers are shown as well."""

    where: str = ""
    order: str = ""
    under: str = ""
    on: str = "test"
    page: int = 1

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Asked":
        """From the query of an address. Raises InputError if the page is no number."""
        page = query.get("page", "1")
        if not (page.isascii() and page.isdigit() and 1 <= len(page) <= 9 and int(page) >= 1):
            raise InputError(f"page {page[:20]!r} is no page; pages are numbered from 1")
        return cls(
            query.get("where", ""), query.get("order", ""), query.get("under", ""), query.get("on", "test"), int(page)
        )


def listing(queries: Queries, asked: Asked) -> dict[str, Any]:
    """One page of rows, the counts of the filter's facets, and what else there is to choose.

    Raises:
        InputError: if the filter cannot be read, or there is no such condition.
    """
    rows = queries.rows
    selection = queries.select(asked.where, asked.order)
    under = _under(queries, asked.under)
    pages = max(1, -(-len(selection) // PAGE))
    if asked.page > pages:
        raise InputError(f"page {asked.page} is beyond the last; there {'are' if pages > 1 else 'is'} {pages}")
    places = selection.places[(asked.page - 1) * PAGE : asked.page * PAGE]
    metadata = _metadata(queries, selection)
    conditions = _conditions(queries, selection, under)
    return {
        "set": asked.on,
        "sets": list(rows.run.sets),
        "where": selection.parsed.words,
        "order": selection.parsed.order_words,
        "under": under or None,
        "page": asked.page,
        "pages": pages,
        "rows_in_all": len(rows),
        "count": len(selection),
        "columns": [field.name.removeprefix("column:") for field in metadata],
        "conditions": conditions,
        "rows": _lines(queries, places, metadata, conditions),
        "facets": [
            {
                "name": one.name,
                "values": [
                    {"value": words, "rows": n, "where": selection.narrowed(more)} for words, n, more in one.values
                ],
            }
            for one in queries.facets(selection)
        ],
    }


def _lines(queries: Queries, places: Any, metadata: list[Field], conditions: list[str]) -> list[dict[str, Any]]:
    rows = queries.rows
    held = {key: rows.values(key, places) for key in ("row", "id", "label", "answer", "confidence")}
    columns = {field.name.removeprefix("column:"): rows.values(field.key, places) for field in metadata}
    said = {name: answers(queries, f"{rows.vocabulary.condition(name)}:", places) for name in conditions}
    others = answers(queries, "b.", places) if rows.other else None
    lines = []
    for at in range(len(places)):
        line: dict[str, Any] = {
            "row": held["row"][at], "id": held["id"][at], "label": _name(queries, held["label"][at]),
            "answer": _name(queries, held["answer"][at]), "confidence": rounded(held["confidence"][at]),
            "metadata": {name: values[at] for name, values in columns.items()},
            "under": {name: values[at] for name, values in said.items()},
        }  # fmt: skip
        lines.append(line if others is None else line | {"b": others[at]})
    return lines


def answers(queries: Queries, prefix: str, places: Any) -> list[dict[str, Any] | None]:
    """Answer and confidence under a condition, or of the second run; None where a row was not asked."""
    said, sure = (queries.rows.values(f"{prefix}{part}", places) for part in ("answer", "confidence"))
    return [
        None if one is None else {"answer": _name(queries, one), "confidence": rounded(confidence)}
        for one, confidence in zip(said, sure, strict=True)
    ]


def place_of(queries: Queries, row: int) -> int:
    """Where a row stands. Raises InputError if it was not asked."""
    place = queries.rows.place(row)
    if place is None:
        raise InputError(f"row {row} is not among the rows of {queries.rows.on} that the audit asked about")
    return place


def facts_of(queries: Queries, place: int) -> dict[str, Any]:
    """Id, label and metadata of one row."""
    rows, at = queries.rows, np.array([place])
    return {
        "row": int(rows.positions[place]),
        "id": rows.values("id", at)[0],
        "label": _name(queries, rows.values("label", at)[0]),
        "metadata": {
            name.removeprefix("column:"): rows.values(field.key, at)[0]
            for name, field in rows.vocabulary.columns.items()
        },
    }  # fmt: skip


def rounded(confidence: float | None) -> float | None:
    """A probability to six digits."""
    return None if confidence is None else round(float(confidence), 6)


def _name(queries: Queries, at: int | None) -> str | None:
    return None if at is None else queries.rows.classes[at]


def _under(queries: Queries, name: str) -> str:
    """The name of a condition as the lists have it, by any of its names."""
    vocabulary = queries.rows.vocabulary
    key = vocabulary.condition(name) if name else ""
    if key is None:
        raise InputError(
            f"there is no condition {name[:80]!r} of {queries.rows.on}; the list on the page names them all"
        )
    return next((each for each, known in vocabulary.conditions.items() if known == key), "")


def _metadata(queries: Queries, selection: Selection) -> list[Field]:
    """The columns that the filter names, then those that are always shown."""
    asked = [field for field in selection.sql.fields if field.key.startswith("column:")]
    return list(dict.fromkeys((*asked, *queries.rows.shown)))[:COLUMNS]


def _conditions(queries: Queries, selection: Selection, under: str) -> list[str]:
    """The conditions that were chosen or that the filter names."""
    keys = {key: name for name, key in queries.rows.vocabulary.conditions.items()}
    named = (field.key.rpartition(":")[0] for field in selection.sql.fields if field.key.startswith("condition:"))
    return list(dict.fromkeys((*([under] if under else []), *(keys[key] for key in named))))[:COLUMNS]
