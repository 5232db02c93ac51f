"""Pictures: draw the rows that findings point at, as they are or under the condition that was asked."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from pfungst.canonical import fingerprint
from pfungst.datasets.dataset import Batch, Dataset
from pfungst.findings import AnyEvidence, Examples, Finding, Shot
from pfungst.passes import Perturbation, Predict
from pfungst.report.thumbnails import webp


def drawn(
    findings: Sequence[Finding], data: Dataset, passes: Sequence[Predict]
) -> tuple[tuple[Finding, ...], dict[str, bytes]]:
    """Findings whose shots name their picture, and the pictures by name. Rows that are no pictures stay words."""
    known: Mapping[str, Perturbation | None] = {one.shown: one.under for one in passes}
    pictures: dict[str, bytes] = {}
    for (on, shown), shots in sorted(_grouped(findings).items()):
        whole = data.on(on)
        if whole.modality == "image" and shown in known:
            for part in _in_halves(whole, shots):
                pictures |= _drawn(whole, known[shown], part)
    return tuple(_named(finding, pictures) for finding in findings), pictures


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


def _drawn(data: Dataset, under: Perturbation | None, part: tuple[Any, list[Shot]]) -> dict[str, bytes]:
    half, shots = part
    batch: Batch
    batch, _ = data.batch(np.unique([one.position for one in shots]), half)
    inputs = batch.inputs if under is None else under(batch)
    where = {int(row): number for number, row in enumerate(batch.rows)}
    return {_name(one): webp(inputs[where[one.position]]) for one in shots if one.position in where}


def _name(one: Shot) -> str:
    return f"{fingerprint(one.on, one.row, one.shown)}.webp"


def _named(finding: Finding, pictures: Mapping[str, bytes]) -> Finding:
    evidence: tuple[AnyEvidence, ...] = tuple(
        msgspec.structs.replace(
            piece,
            items=tuple(
                tuple(
                    msgspec.structs.replace(one, picture=_name(one) if _name(one) in pictures else "") for one in item
                )
                for item in piece.items
            ),
        )
        if isinstance(piece, Examples)
        else piece
        for piece in finding.evidence
    )
    return msgspec.structs.replace(finding, evidence=evidence)
