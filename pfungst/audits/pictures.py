"""Pictures: draw the rows that findings point at, as they are or under the condition that was asked; quote texts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
import numpy as np

from pfungst.arrays import Array
from pfungst.attacked import Attacked, as_shares
from pfungst.canonical import fingerprint
from pfungst.datasets.dataset import Batch, Dataset
from pfungst.findings import AnyEvidence, Examples, Finding, Shot
from pfungst.maps import Maps
from pfungst.passes import Attack, Attribute, Passes, Predict
from pfungst.report.thumbnails import heated, webp

LONGEST = 240
"""Characters of a text that stand in a report."""

COLUMNS = 6
"""Columns of a row of a table that stand in a report."""


def drawn(findings: Sequence[Finding], data: Dataset, done: Passes) -> tuple[tuple[Finding, ...], dict[str, bytes]]:
    """Findings whose shots name their picture or quote their text, and the pictures by name."""
    known: dict[str, Any] = {asked.shown: asked.under for asked in done if isinstance(asked, Predict)}
    for attack in (asked for asked in done if isinstance(asked, Attack)):
        known |= {attack.shown: partial(_left, done[attack]), f"{attack.shown}:change": partial(_change, done[attack])}
    maps = {asked.key: done[asked] for asked in done if isinstance(asked, Attribute)}
    pictures: dict[str, bytes] = {}
    texts: dict[str, str] = {}
    measures: dict[str, Array] = {}
    for (on, shown), shots in sorted(_grouped(findings).items()):
        for one, item in _seen(data.on(on), known.get(shown, _unknown), shots):
            if isinstance(item, str):
                texts[_name(one)] = _quoted(item)
            elif data.modality == "table":
                measures[_name(one)] = item
            else:
                pictures[_name(one)] = webp(_heated(item, one, maps))
    return tuple(_named(finding, pictures, texts, partial(_cells, data, measures)) for finding in findings), pictures


def _cells(
    data: Dataset, measures: Mapping[str, Array], item: Sequence[Shot]
) -> tuple[tuple[tuple[str, str], ...], ...]:
    """Columns of a table under each condition: those that some condition changes above all, or else the first."""
    rows = [measures.get(_name(one)) for one in item]
    known = [row for row in rows if row is not None]
    if not known:
        return ((),) * len(item)
    changed = np.array([[str(a) != str(b) for a, b in zip(row, known[0], strict=True)] for row in known], float)
    # A condition that changes few columns is about these; one that changes all of them is about none.
    weight = (changed / np.maximum(changed.sum(axis=1, keepdims=True), 1) ** 2).sum(axis=0)
    told = np.argsort(-weight, kind="stable")[:COLUMNS]
    told = np.sort(told[weight[told] >= weight.max() / 2])
    names = data.features or tuple(f"column {at}" for at in range(len(known[0])))
    return tuple(() if row is None else tuple((names[at], _value(row[at])) for at in told) for row in rows)


def _value(value: Any) -> str:
    """A cell as it is read aloud; numbers in four digits."""
    said = f"{value:.4g}" if isinstance(value, float | np.floating) else _quoted(str(value))
    return "missing" if said in {"nan", "None"} else said


def _left(found: Attacked, batch: Batch) -> Array:
    """What an attack left of these rows."""
    assert found.rows is not None, "answers of a pass know their rows"
    where = {int(row): number for number, row in enumerate(found.rows)}
    return found.left[[where[int(row)] for row in batch.rows]]


def _change(found: Attacked, batch: Batch) -> Array:
    """What an attack changed, around grey, as strong as fits."""
    apart = _left(found, batch).astype(np.float32) - 255 * as_shares(batch.inputs)
    largest = np.maximum(np.abs(apart).reshape(len(apart), -1).max(axis=1), 1).reshape(-1, 1, 1, 1)
    return np.asarray(np.clip(128 + 127 * apart / largest, 0, 255), np.uint8)


def _unknown(batch: Batch) -> Array:
    """A condition that was not asked shows nothing."""
    return batch.inputs[:0]


def _seen(data: Dataset, under: Any, shots: list[Shot]) -> Iterator[tuple[Shot, Any]]:
    """Each shot with what the model saw."""
    if data.modality not in {"image", "text", "table"}:
        return
    for half, part in _in_halves(data, shots):
        batch, _ = data.batch(np.unique([one.position for one in part]), half)
        inputs = batch.inputs if under is None else under(batch)
        where = {int(row): number for number, row in enumerate(batch.rows[: len(inputs)])}
        yield from ((one, inputs[where[one.position]]) for one in part if one.position in where)


def _quoted(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _heated(item: Array, one: Shot, maps: Mapping[str, Maps]) -> Array:
    if one.heat not in maps:
        return item
    return heated(item, maps[one.heat].at(np.array([one.position])).values[0])


def _grouped(findings: Sequence[Finding]) -> dict[tuple[str, str], list[Shot]]:
    groups: dict[tuple[str, str], list[Shot]] = {}
    for one in _shots(findings):
        groups.setdefault((one.on, one.shown), []).append(one)
    return groups


def _shots(findings: Sequence[Finding]) -> Iterator[Shot]:
    for finding in findings:
        for evidence in finding.evidence:
            if isinstance(evidence, Examples):
                for item in evidence.items:
                    yield from item


def _in_halves(data: Dataset, shots: Sequence[Shot]) -> Iterator[tuple[Any, list[Shot]]]:
    # Donors come from the row's own half, so the picture must be drawn with that half's donors.
    for half, order in data.halves.items():
        inside = [one for one in shots if one.position in set(order.tolist())]
        if inside:
            yield half, inside


def _name(one: Shot) -> str:
    return f"{fingerprint(one.on, one.row, one.shown, one.heat)}.webp"


def _named(
    finding: Finding,
    pictures: Mapping[str, bytes],
    texts: Mapping[str, str],
    cells: Callable[[Sequence[Shot]], tuple[tuple[tuple[str, str], ...], ...]],
) -> Finding:
    def told(item: tuple[Shot, ...]) -> tuple[Shot, ...]:
        named = ((one, _name(one), said) for one, said in zip(item, cells(item), strict=True))
        return tuple(
            msgspec.structs.replace(one, picture=name if name in pictures else "", text=texts.get(name, ""), cells=said)
            for one, name, said in named
        )

    evidence: tuple[AnyEvidence, ...] = tuple(
        msgspec.structs.replace(piece, items=tuple(told(item) for item in piece.items))
        if isinstance(piece, Examples)
        else piece
        for piece in finding.evidence
    )
    return msgspec.structs.replace(finding, evidence=evidence)
