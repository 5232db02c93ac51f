"""Pictures: draw the rows that findings point at, as they are or under the condition that was asked; quote texts."""

from collections.abc import Iterator, Mapping, Sequence
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


def drawn(findings: Sequence[Finding], data: Dataset, done: Passes) -> tuple[tuple[Finding, ...], dict[str, bytes]]:
    """Findings whose shots name their picture or quote their text, and the pictures by name."""
    known: dict[str, Any] = {asked.shown: asked.under for asked in done if isinstance(asked, Predict)}
    for attack in (asked for asked in done if isinstance(asked, Attack)):
        known |= {attack.shown: partial(_left, done[attack]), f"{attack.shown}:change": partial(_change, done[attack])}
    maps = {asked.key: done[asked] for asked in done if isinstance(asked, Attribute)}
    pictures: dict[str, bytes] = {}
    texts: dict[str, str] = {}
    for (on, shown), shots in sorted(_grouped(findings).items()):
        for one, item in _seen(data.on(on), known.get(shown, _unknown), shots):
            if isinstance(item, str):
                texts[_name(one)] = _quoted(item)
            else:
                pictures[_name(one)] = webp(_heated(item, one, maps))
    return tuple(_named(finding, pictures, texts) for finding in findings), pictures


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
    """Each shot with what the model saw; rows of tables have nothing to look at."""
    if data.modality not in {"image", "text"}:
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


def _named(finding: Finding, pictures: Mapping[str, bytes], texts: Mapping[str, str]) -> Finding:
    def told(one: Shot) -> Shot:
        name = _name(one)
        return msgspec.structs.replace(one, picture=name if name in pictures else "", text=texts.get(name, ""))

    evidence: tuple[AnyEvidence, ...] = tuple(
        msgspec.structs.replace(piece, items=tuple(tuple(told(one) for one in item) for item in piece.items))
        if isinstance(piece, Examples)
        else piece
        for piece in finding.evidence
    )
    return msgspec.structs.replace(finding, evidence=evidence)
