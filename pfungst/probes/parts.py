"""Parts: which words or columns carried the answers, whether that can be believed, and how few change the answer."""

import re
from collections.abc import Iterator

import numpy as np

from pfungst.arrays import Array
from pfungst.datasets.dataset import Dataset
from pfungst.findings import AnyEvidence, Estimates, Finding, Skipped, Table
from pfungst.maps import Maps
from pfungst.methods.changed_parts import ChangedParts
from pfungst.methods.wordwise import ColumnPermutation, TokenOcclusion
from pfungst.outputs import Outputs
from pfungst.passes import Attribute, Passes, Predict
from pfungst.statistics.intervals import paired_mean

METHODS: dict[str, TokenOcclusion | ColumnPermutation] = {"text": TokenOcclusion(), "table": ColumnPermutation()}
SHOWN, NAMED = 8, 3


def passes(data: Dataset, rows: int) -> Iterator[Attribute | Predict]:
    """The rows as they are, their parts in turn, and their parts in order."""
    method = METHODS[data.modality]
    yield Predict(rows=rows)
    yield Attribute(method, rows=rows)
    yield Attribute(ChangedParts(method), rows=rows)


def parts(data: Dataset, done: Passes, rows: int) -> Iterator[Finding | Skipped]:
    """Whether the parts a method names carry more than others, with what it names."""
    clean, plain, ordered = passes(data, rows)
    if plain not in done or ordered not in done:
        return
    maps, tested = done[plain], done[ordered]
    assert isinstance(maps, Maps), "attributions are maps"
    assert isinstance(tested, Maps), "attributions are maps"
    outputs = done[clean]
    assert isinstance(outputs, Outputs), "predictions are outputs"
    name = METHODS[data.modality].name
    if not np.isfinite(maps.values).any():
        yield Skipped(probe="attribution", subject=name, reason="no row has a word or a column that could be changed")
        return
    units = None if data.units is None else data.units[np.asarray(tested.rows)]
    effect = paired_mean(
        -tested.values[:, 0, 0].astype(np.float64), units, "probability that parts at random carry more"
    )
    status = effect.against(0.0)
    found = status == "found"
    words = "words deleted" if data.modality == "text" else "columns given a like row's value"
    yield Finding(
        probe="attribution",
        kind="unfaithful",
        subject=name,
        status=status,
        severity="low" if found else "none",
        claim=f"With {words} in the order of {name} the answer's probability falls by {-effect:.3f} "
        f"more than in random order ({effect.rows} {effect.unit}s).",
        effect=effect,
        tolerance=0.0,
        evidence=tuple(_evidence(data, maps, tested, outputs)),
        remedy=f"do not read what {name} names for this model; rely on what swaps show" if found else "",
    )


def _evidence(data: Dataset, maps: Maps, tested: Maps, outputs: Outputs) -> Iterator[AnyEvidence]:
    if data.modality == "table":
        yield _columns(data, maps)
    yield from _fewest(tested, "words" if data.modality == "text" else "columns")
    yield _rows(data, maps, outputs)


def _columns(data: Dataset, maps: Maps, most: int = 12) -> Estimates:
    """Mean size of what each column carries."""
    sizes = np.abs(maps.values[:, 0].astype(np.float64))
    order = np.argsort(-sizes.mean(axis=0), kind="stable")[:most]
    items = tuple(paired_mean(sizes[:, at], None, _named(data, int(at))) for at in order)
    return Estimates(title="Log-odds that the columns carry, whichever way", items=items, reference=0.0)


def _fewest(tested: Maps, kind: str) -> Iterator[Estimates]:
    flips = np.isfinite(tested.error)
    items = [paired_mean(flips.astype(float), None, f"rows whose answer changes when some {kind} do")]
    if flips.sum() > 1:
        items.append(paired_mean(tested.error[flips], None, f"{kind} that it takes there"))
    yield Estimates(title="Does changing them change the answer?", items=tuple(items))


def _rows(data: Dataset, maps: Maps, outputs: Outputs) -> Table:
    """What spoke for the answer and what against it, row by row."""
    assert maps.rows is not None, "maps of a pass know their rows"
    inputs = list(data.read(maps.rows[:SHOWN]))
    rows = []
    for index, (row, given) in enumerate(zip(maps.rows[:SHOWN], inputs, strict=True)):
        carried = maps.values[index, 0].astype(np.float64)
        names = _spelled(data, given)
        order = [int(at) for at in np.argsort(-np.nan_to_num(carried), kind="stable") if np.isfinite(carried[at])]
        said = f"{data.classes[int(outputs.predictions[index])]} ({outputs.confidence[index]:.2f})"
        for_ = [at for at in order[:NAMED] if carried[at] > 0]
        against = [at for at in order[::-1][:NAMED] if carried[at] < 0]
        rows.append((data.told(int(row)), said, *(_list(names, carried, some) for some in (for_, against))))
    title = "What carried the answers (log-odds lost when it is changed)"
    return Table(title=title, columns=("row", "answer", "for it", "against it"), rows=tuple(rows))


def _list(names: list[str], carried: Array, chosen: list[int]) -> str:
    return ", ".join(f"{names[at]} {carried[at]:+z.2f}" for at in chosen if at < len(names)) or "-"


def _spelled(data: Dataset, given: Array) -> list[str]:
    """Words of a text, or columns with their values."""
    if data.modality == "text":
        return [f"“{word[:24]}”" for word in re.findall(r"\S+", str(given))]
    return [f"{_named(data, at)}={_short(value)}" for at, value in enumerate(np.asarray(given).tolist())]


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:24]


def _named(data: Dataset, at: int) -> str:
    return data.features[at] if at < len(data.features) else f"column {at}"
