"""Slices: sets of rows that are wrong more often than the rest, proposed on one half of the rows by a frozen rule."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray

FEWEST = 20
"""Rows a slice must have in each half."""

MOST_VALUES = 20
"""Numbers with more different values than this are cut at their quartiles."""


QUARTERS = ("in its lowest quarter", "below its median", "above its median", "in its highest quarter")


@dataclass(frozen=True, eq=False)
class Slice:
    """A name, the columns it looks at, for every row whether it is in it, and the names of the slices it is cut of."""

    name: str
    columns: tuple[str, ...]
    rows: BoolArray
    parts: tuple[str, ...] = ()


def by_columns(
    columns: Mapping[str, Array], measures: Mapping[str, FloatArray], discovery: BoolArray
) -> tuple[Slice, ...]:
    """One slice a value of each column, a quarter of each measure, and each pair of two of them.

    Numbers are cut at the quartiles of the discovery rows. A missing value of a column is a value; a missing measure
    was not taken. Columns with one value, or with one for nearly every row, say nothing.
    """
    single = [one for name, values in columns.items() for one in _values(name, values, discovery)]
    for name, values in measures.items():
        quarters = list(_quarters(name, values, discovery))
        named = QUARTERS if len(quarters) == len(QUARTERS) else ()
        single += [Slice(f"{name} {words}", one.columns, one.rows) for one, words in zip(quarters, named, strict=False)]
    pairs = (
        Slice(f"{a.name} and {b.name}", a.columns + b.columns, a.rows & b.rows, (a.name, b.name))
        for a, b in combinations(single, 2)
        if a.columns != b.columns
    )
    return (*single, *pairs)


def by_clusters(points: FloatArray, groups: IntArray, discovery: BoolArray, names: tuple[str, ...]) -> list[Slice]:
    """Clusters of features (rows, d) within each answer, fitted on the discovery rows; the nearest centre decides."""
    found = []
    for group in np.unique(groups):
        inside = groups == group
        seen = points[inside & discovery]
        if len(seen) >= 4 * FEWEST:
            axes = _axes(seen)
            placed = (points - seen.mean(axis=0)) @ axes
            centres = _centres(placed[inside & discovery], min(5, max(2, len(seen) // (3 * FEWEST))))
            nearest = ((placed[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
            answer = names[int(group)]
            found += [
                Slice(f"discovered slice {at + 1} of answer {answer}", ("features",), inside & (nearest == at))
                for at in range(len(centres))
            ]
    return found


def worst(slices: tuple[Slice, ...], excess: FloatArray, discovery: BoolArray, most: int) -> tuple[Slice, ...]:
    """The slices whose excess (rows,) rises most above the rest's on the discovery rows, in standard errors.

    Of two that hold nearly the same rows the stronger one is kept, of equals the one with the shorter name. A pair must
    beat both of its members by one standard error: else the plainer slice says as much.
    """
    scored: list[tuple[float, Slice]] = []
    singles: dict[str, float] = {}
    for one in slices:
        inside, rest = one.rows & discovery, ~one.rows & discovery
        if min(inside.sum(), rest.sum(), (one.rows & ~discovery).sum(), (~one.rows & ~discovery).sum()) >= FEWEST:
            spread = max(float(excess[discovery].std()), 1e-6)
            lift = float(excess[inside].mean() - excess[rest].mean())
            score = lift / (spread * (1 / inside.sum() + 1 / rest.sum()) ** 0.5)
            singles[one.name] = score
            if all(score > singles.get(part, -np.inf) + 1 for part in one.parts):
                scored.append((score, one))
    chosen: list[Slice] = []
    for _, one in sorted(scored, key=lambda item: (-item[0], len(item[1].name), item[1].name)):
        if len(chosen) == most:
            break
        if all((one.rows & other.rows).sum() < 0.8 * (one.rows | other.rows).sum() for other in chosen):
            chosen.append(one)
    return tuple(chosen)


def _values(name: str, values: Array, discovery: BoolArray) -> Iterator[Slice]:
    numbers = _numbers(values)
    if numbers is not None and len(np.unique(numbers[np.isfinite(numbers)])) > MOST_VALUES:
        yield from _quarters(name, numbers, discovery)
        if not np.isfinite(numbers).all():
            yield Slice(f"{name}=missing", (name,), ~np.isfinite(numbers))
        return
    spelled = np.array([_spelled(value) for value in values])
    unique = np.unique(spelled)
    if 1 < len(unique) <= min(10 * MOST_VALUES, len(values) // 4):
        yield from (Slice(f"{name}={value}", (name,), spelled == value) for value in unique)


def _quarters(name: str, numbers: FloatArray, discovery: BoolArray) -> Iterator[Slice]:
    known = np.isfinite(numbers)
    if (known & discovery).any():
        edges = np.unique(np.quantile(numbers[known & discovery], (0.25, 0.5, 0.75)))
        words = [f"<{edges[0]:.4g}", *(f"={a:.4g}..{b:.4g}" for a, b in pairwise(edges)), f">={edges[-1]:.4g}"]
        bins = np.digitize(numbers, edges)
        yield from (Slice(f"{name}{words[at]}", (name,), known & (bins == at)) for at in range(len(words)))


def _spelled(value: object) -> str:
    missing = value is None or (isinstance(value, float | np.floating) and not np.isfinite(value))
    return "missing" if missing else str(value)


def _numbers(values: Array) -> FloatArray | None:
    try:
        return np.array([np.nan if value is None else value for value in values], np.float64)
    except (TypeError, ValueError):
        return None


def _axes(points: FloatArray, most: int = 16) -> FloatArray:
    _, _, axes = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    return np.asarray(axes[:most].T)


def _centres(points: FloatArray, count: int, steps: int = 25) -> FloatArray:
    """k-means from the points that lie farthest apart."""
    centres = points[[0]]
    while len(centres) < count:
        far = ((points[:, None] - centres[None]) ** 2).sum(axis=2).min(axis=1)
        centres = np.concatenate([centres, points[[int(far.argmax())]]])
    for _ in range(steps):
        nearest = ((points[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
        centres = np.stack(
            [points[nearest == at].mean(axis=0) if (nearest == at).any() else centres[at] for at in range(count)]
        )
    return centres
