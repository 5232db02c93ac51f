"""What can be seen in the data alone: duplicates, empty classes, columns that may play a part."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np

from pfungst.arrays import Array, IntArray
from pfungst.datasets.dataset import Dataset
from pfungst.datasets.folder import Pictures
from pfungst.datasets.image import peculiarities
from pfungst.datasets.labels import SITES
from pfungst.datasets.npz import Rows
from pfungst.errors import UnreadableRow

MOST_HASHED = 5_000
_UNITS = (
    "patient",
    "subject",
    "participant",
    "person",
    "user",
    "track",
    "animal",
    "study",
    "series",
    "case",
    "speaker",
)
_PARTS: Mapping[str, frozenset[str]] = {
    "unit": frozenset({*_UNITS, *(f"{name}_id" for name in _UNITS)}),
    "site": SITES | {"clinic", "device", "manufacturer", "vendor", "station", "lab", "location", "source", "batch"},
    "time": frozenset({"time", "date", "datetime", "timestamp", "taken", "year", "month", "period", "acquired"}),
    "group": frozenset({"sex", "gender", "race", "ethnicity", "age_group", "skin_tone", "skin_type", "nationality"}),
}


def hashes(data: Dataset, rows: IntArray) -> dict[int, str]:
    """Content hash of rows by position; of files as they are stored. Rows that cannot be read are left out."""
    if isinstance(data.read, Pictures):
        contents = [data.read.files.read(data.read.names[row]) for row in rows]
    elif isinstance(data.read, Rows):
        contents = [_bytes(value) for value in data.read(rows)]
    else:
        return {}
    return {
        int(row): hashlib.blake2b(content, digest_size=16).hexdigest()
        for row, content in zip(rows, contents, strict=True)
        if not isinstance(content, UnreadableRow)
    }


def treatments(data: Dataset, rows: IntArray) -> dict[str, int]:
    """What is done to image files beyond decoding them, and to how many of these rows."""
    if not isinstance(data.read, Pictures):
        return {}
    found: Counter[str] = Counter()
    for row in rows:
        content = data.read.files.read(data.read.names[row])
        if not isinstance(content, UnreadableRow):
            found.update(peculiarities(content))
    return dict(found)


def _bytes(value: object) -> bytes:
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value.tobytes()
    return repr(value.tolist() if isinstance(value, np.ndarray) else value).encode("utf-8", "surrogatepass")


def duplicates(hashed: Mapping[int, str]) -> list[tuple[int, ...]]:
    """Positions of rows with the same content, one tuple a content that occurs twice or more."""
    groups: dict[str, list[int]] = defaultdict(list)
    for row, mark in hashed.items():
        groups[mark].append(row)
    return [tuple(sorted(rows)) for rows in groups.values() if len(rows) > 1]


def empty_classes(data: Dataset) -> tuple[str, ...]:
    """Names of classes that no row has."""
    if data.labels is None:
        return ()
    seen = set(np.unique(data.labels).tolist())
    return tuple(name for k, name in enumerate(data.classes) if k not in seen)


def candidates(data: Dataset) -> dict[str, tuple[str, ...]]:
    """Columns that by name and number of values may be a unit, site, time or group and are not declared, by part.

    A unit repeats (fewer values than rows); a site or group has between 2 and 100 values.
    """
    roles = data.roles
    declared = {*roles.site, *roles.group, roles.unit, roles.time}
    found: dict[str, list[str]] = defaultdict(list)
    for name, values in data.columns.items():
        part = next((part for part, names in _PARTS.items() if name.lower().replace("-", "_") in names), None)
        if part is None or name in declared:
            continue
        kinds = len({str(value) for value in values})
        enough = 1 < kinds < len(values) if part in {"unit", "time"} else 1 < kinds <= min(100, len(values) - 1)
        if enough:
            found[part].append(name)
    return {part: tuple(names) for part, names in found.items()}


def snippet(parts: Mapping[str, tuple[str, ...]]) -> str:
    """Lines of a task file that give columns their parts.

    >>> print(snippet({"site": ("ward",), "unit": ("patient",)}))
    [columns]
    site = ["ward"]
    unit = "patient"
    """
    lines = ["[columns]"]
    for part, names in parts.items():
        shown = json.dumps(list(names) if part in {"site", "group"} else names[0], ensure_ascii=False)
        lines.append(f"{part} = {shown}")
    return "\n".join(lines)


def repeated_in(data: Dataset, other: Dataset) -> tuple[IntArray, Array]:
    """Positions of rows whose content occurs in ``other`` too, and their positions there; up to 5,000 rows each."""
    ours = hashes(data, np.sort(data.sample(min(MOST_HASHED, len(data)))))
    theirs = {mark: row for row, mark in hashes(other, np.sort(other.sample(min(MOST_HASHED, len(other))))).items()}
    both = [(row, theirs[mark]) for row, mark in ours.items() if mark in theirs]
    pairs = np.array(both, dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]
