"""Dataset: rows that are read when needed, and Batch: some of them in memory."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from threading import RLock
from typing import Any, Literal, TypeAlias

import numpy as np

from pfungst.arrays import Array, BoolArray, IntArray, grouped
from pfungst.canonical import canonical
from pfungst.datasets.decoded import Decoded
from pfungst.datasets.donors import Donors
from pfungst.datasets.ids import Numbered, counted, ids_at
from pfungst.errors import InputError, UnreadableRow
from pfungst.frame import Frame
from pfungst.paged import chained, filled, paged, parts, taken
from pfungst.seeded import generator

Modality: TypeAlias = Literal["image", "table", "text", "answers"]
Half: TypeAlias = Literal["", "discovery", "confirmation"]
Reader: TypeAlias = Callable[[IntArray], Sequence[Any] | Array]
"""Positions to inputs, one an item: an array as a person would see it, or the UnreadableRow that says why not.

What lies in memory is given as one array, of which every row can be read."""

COUNTED = 1 << 14
"""Rows without names beyond which their order is drawn by counting: a hash for each would take longer than the rest."""


_READING = RLock()
"""Readers are asked by one thread at a time: an open archive is read at one place."""


@dataclass(frozen=True)
class Roles:
    """Which metadata columns play which part: sites and groups may be several, unit and time are one."""

    site: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    unit: str | None = None
    time: str | None = None


def missing(values: Array) -> BoolArray:
    """Which values of a column are not given: empty text, None or NaN.

    >>> missing(np.array(["A", "", None], object)).tolist()
    [False, True, True]
    """
    given = np.asarray(values).tolist()
    return np.array([value is None or value == "" or (isinstance(value, float) and np.isnan(value)) for value in given])


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows in memory: what perturbations change and the model is shown.

    ``inputs`` is (rows, height, width, channels) uint8 or float32 in [0, 1] for images, (rows, columns) for tables,
    (rows,) strings for texts. ``rows`` are positions in the data set, ``labels`` are classes (-1: none).
    """

    ids: Sequence[str]
    rows: IntArray
    inputs: Array
    labels: IntArray
    seed: int = 0
    donors: Donors | None = None
    masks: Array | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def generators(self, owner: Any) -> Iterator[np.random.Generator]:
        """One random generator a row, seeded from (seed, owner, row id) alone: the same for any batching and order."""
        spelled = f"{self.seed}|{canonical(owner)}"
        secret = hashlib.blake2b(spelled.encode(), digest_size=32).digest()
        for name in self.ids:
            digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16, key=secret).digest()
            yield generator(digest)

    def take(self, index: Array) -> "Batch":
        """The rows at these indices (or under this mask)."""
        chosen = np.arange(len(self))[index]
        return replace(
            self,
            ids=ids_at(self.ids, chosen),
            rows=self.rows[chosen],
            inputs=self.inputs[chosen],
            labels=self.labels[chosen],
            masks=None if self.masks is None else self.masks[chosen],
        )


@dataclass(frozen=True, eq=False)
class Dataset:
    """Named rows, read lazily by position.

    ``labels`` are positions in ``classes`` (-1: none), or None for unlabelled data. ``label_counts`` is
    (rows, classes), labellers' votes. ``columns`` is metadata. ``companions`` are other sets of the same audit:
    ``train``, ``ood:NAME``, ``shifted:NAME``. ``notes`` are sentences about what was inferred while loading. ``named``
    is False where ``classes`` are only numbers. ``shape`` is that of one framed input; ``limit`` keeps an audit to a
    seeded sample.
    ``features`` names the columns of a table's inputs. ``members`` names the other models of an ensemble.
    ``nameless``: nobody is to be told an id of a row.
    """

    name: str
    source: str
    modality: Modality
    ids: Sequence[str]
    read: Reader
    classes: tuple[str, ...] = ()
    named: bool = True
    labels: IntArray | None = None
    label_counts: Array | None = None
    columns: Mapping[str, Array] = field(default_factory=dict)
    roles: Roles = Roles()
    masks: Reader | None = None
    frame: Frame | None = None
    seed: int = 0
    fingerprint: str = ""
    companions: Mapping[str, "Dataset"] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    shape: tuple[int, ...] | None = None
    features: tuple[str, ...] = ()
    limit: int | None = None
    traces: Reader | None = None
    members: tuple[str, ...] = ()
    nameless: bool = False

    def __len__(self) -> int:
        return len(self.ids)

    def told(self, row: int) -> str:
        """What a row is called wherever people read of it: its id, or its place where ids are not to be told."""
        return f"row {row}" if self.nameless else self.ids[row]

    def on(self, name: str) -> "Dataset":
        """This set or one of its companions.

        Raises:
            InputError: if there is no such set.
        """
        if name == self.name:
            return self
        if name not in self.companions:
            raise InputError(f"there is no data set {name!r}; there are {[self.name, *self.companions]}")
        return self.companions[name]

    @cached_property
    def units(self) -> Array | None:
        """The unit (patient, track ...) of each row, or None where rows are independent.

        A row whose unit is not given stands for itself.
        """
        if not self.roles.unit:
            return None
        values = np.asarray(self.columns[self.roles.unit])
        blank = missing(values)
        if not blank.any():
            return values
        if blank.all():
            return None
        # Named after their source too: rows of other sets may have the same ids.
        own = (f"{name} of {self.source}" for name in self.ids)
        return np.array([one if gone else value for one, gone, value in zip(own, blank, values, strict=True)], object)

    def _draw(self) -> IntArray:
        """One 63-bit number a row from (seed, unit or id): the order of the rows and their half."""
        secret = hashlib.blake2b(f"{self.seed}|order".encode(), digest_size=32).digest()
        if self.units is None and isinstance(self.ids, Numbered) and len(self) > COUNTED:
            return counted(self.ids, secret)
        names = self.ids if self.units is None else [str(unit) for unit in self.units]
        hashed = (
            hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8, key=secret).digest() for name in names
        )
        return np.frombuffer(b"".join(hashed), dtype="<u8").astype(np.uint64) >> np.uint64(1)

    @cached_property
    def halves(self) -> dict[Half, IntArray]:
        """Positions of both halves in audit order. Rows of one unit share a half.

        Every prefix is a random sample, stratified by class: it holds each class at its share of the half.
        """
        drawn = self._draw()
        odd = filled(len(self), bool, lambda part: drawn[part] & np.uint64(1))
        mixed = drawn if self.units is None else self._within_units()
        return {
            "discovery": self._stratified(np.flatnonzero(~odd), mixed),
            "confirmation": self._stratified(np.flatnonzero(odd), mixed),
        }

    def _stratified(self, rows: IntArray, mixed: IntArray) -> IntArray:
        """Rows in their drawn order, each class spread evenly: one at a random place in each of its equal intervals."""
        order = taken(rows, np.argsort(taken(mixed, rows), kind="stable"))
        if self.labels is None or not len(order):
            return order
        labels, least = taken(self.labels, order), self.labels.min()
        of_class = grouped(labels)
        counts = np.bincount(labels - least)
        before = np.cumsum(counts) - counts
        places = paged(len(order), np.float64)
        for part in parts(of_class):
            at = of_class[part]
            own, jitter = labels[at] - least, (mixed[order[at]] & np.uint64(0xFFFFFFFF)) / 2.0**32
            places[at] = (np.arange(part.start, part.stop) - before[own] + jitter) / counts[own]
        del of_class
        return taken(order, np.argsort(places, kind="stable"))

    def _within_units(self) -> IntArray:
        return replace(self, roles=Roles())._draw()  # noqa: SLF001 - its own kind

    def extent(self, rows: int | None = None, half: Half = "") -> dict[Half, int]:
        """How many rows of each half a sample takes: all, the first ``rows`` of one half, or evenly of both."""
        have = {name: len(order) for name, order in self.halves.items()}
        limit = len(self) if self.limit is None else min(self.limit, len(self))
        first = min(have["discovery"], max(limit - have["confirmation"], (limit + 1) // 2))
        have = {"discovery": first, "confirmation": limit - first}
        if half:
            return {half: have[half] if rows is None else min(rows, have[half])}
        if rows is None or rows >= limit:
            return have
        first = min(have["discovery"], max(rows - have["confirmation"], (rows + 1) // 2))
        return {"discovery": first, "confirmation": rows - first}

    def sample(self, rows: int | None = None, half: Half = "") -> IntArray:
        """Positions of a seeded sample, in audit order; a smaller sample is part of a larger one.

        >>> from pfungst.datasets.dataset import Dataset
        >>> some = Dataset("test", "", "table", tuple("abcdefgh"), lambda rows: [])
        >>> len(some.sample(4)), sorted(some.sample().tolist()) == list(range(8))
        (4, True)
        """
        return chained([self.halves[name][:count] for name, count in self.extent(rows, half).items()])

    def batch(self, rows: IntArray, half: Half = "") -> tuple[Batch, dict[int, str]]:
        """Read rows; also the positions that could not be read, with the reason."""
        items, bad = self._readable(rows)
        good = rows if not bad else np.array([row for row in rows if int(row) not in bad], dtype=np.int64)
        masks = self._masked(good)
        labels = np.full(len(good), -1) if self.labels is None else self.labels[good]
        batch = Batch(
            ids=ids_at(self.ids, good),
            rows=good,
            inputs=self._stacked(items),
            labels=labels,
            seed=self.seed,
            donors=self.donors(half) if self.labels is not None else None,
            masks=masks,
        )
        return batch, bad

    def _readable(self, rows: IntArray) -> tuple[Sequence[Any] | Array, dict[int, str]]:
        """What could be read, in order, and the positions that could not, with the reason."""
        got = self._items(rows)
        if isinstance(got, np.ndarray):
            return got, {}
        bad = {int(row): str(item) for row, item in zip(rows, got, strict=True) if isinstance(item, UnreadableRow)}
        return [item for item in got if not isinstance(item, UnreadableRow)], bad

    def _items(self, rows: IntArray) -> Sequence[Any] | Array:
        with _READING:
            return self._decoded.items(rows, self._framed) if self.modality == "image" else self.read(rows)

    def _framed(self, rows: IntArray) -> Sequence[Any] | Array:
        got = self.read(rows)
        if self.frame is None:
            return got
        return [item if isinstance(item, UnreadableRow) else self.frame(item) for item in got]

    def _stacked(self, items: Sequence[Any] | Array) -> Array:
        if not len(items):
            return np.zeros((0, *(self.shape or ())), np.uint8)
        if isinstance(items, np.ndarray):
            return items
        if self.modality == "text":
            return np.array(items, dtype=object)
        shapes = {np.shape(item) for item in items}
        if len(shapes) > 1:
            raise InputError(
                f"{self.source} holds inputs of different shapes {sorted(shapes)[:3]} and the model names no size; "
                "put `[preprocess] size = 224` (the size it was trained on) into the task file"
            )
        return np.stack(list(items))

    def _masked(self, rows: IntArray) -> Array | None:
        if self.masks is None or not len(rows):
            return None
        with _READING:
            return np.stack(list(self.masks(rows)))

    def donors(self, half: Half = "") -> Donors:
        """The rows from which cues are taken: a seeded sample of the same half, read on first use."""
        if half not in self._donors:
            self._donors[half] = Donors(self._donor_rows, half, len(self.classes))
        return self._donors[half]

    def limited(self, rows: int) -> "Dataset":
        """The same set, of which only so many rows are asked; what does not depend on that is shared.

        >>> from pfungst.datasets.dataset import Dataset
        >>> len(Dataset("test", "", "table", tuple("abcdefgh"), lambda rows: []).limited(3).sample())
        3
        """
        few = replace(self, limit=rows)
        vars(few).update(halves=self.halves, _donors=self._donors, _decoded=self._decoded)
        return few

    @cached_property
    def _decoded(self) -> Decoded:
        return Decoded()

    @cached_property
    def _donors(self) -> dict[Half, Donors]:
        return {}

    def _donor_rows(self, half: Half, budget: int = 1 << 26, most: int = 4096) -> Batch:
        assert self.labels is not None, "donors need labels"
        # Of all rows, however few are asked: the same donors for a preliminary answer and for what refines it.
        order = self.halves[half] if half else np.concatenate(list(self.halves.values()))
        order = order[self.labels[order] >= 0]
        size = max(1, int(np.prod(self.shape or (1,))))
        order = order[: int(np.clip(budget // size, 64, most))]
        got = self._items(order)
        keep = [i for i, item in enumerate(got) if not isinstance(item, UnreadableRow)]
        rows = order[keep]
        inputs = self._stacked([got[i] for i in keep])
        return Batch(ids_at(self.ids, rows), rows, inputs, self.labels[rows], self.seed, masks=self._masked(rows))
