"""Which of the model's classes each class of the data is."""

import unicodedata
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from pfungst.arrays import IntArray
from pfungst.errors import InputError
from pfungst.paged import parts
from pfungst.statistics.proportions import wilson

_Found = dict[int, int]


def used_classes(labels: IntArray) -> IntArray:
    """The classes that have rows, of labels (-1: none).

    >>> used_classes(np.array([2, -1, 0])).tolist()
    [0, 2]
    """
    held = np.zeros(int(labels.max(initial=-1)) + 1, bool)
    for part in parts(labels):
        held[labels[part][labels[part] >= 0]] = True
    return np.flatnonzero(held)


def mapping(names: Sequence[str], labels: IntArray, classes: Sequence[str], *, named: bool, source: str) -> IntArray:
    """Position among the model's ``classes`` of each of the data's ``names``; -1 for names that no label uses.

    By exact name, by name without case, spaces and underscores (accents encoded either way), by a synonym (``tench,
    Tinca tinca``), then numbers 0..K-1 by position. A model without names takes the data's, in their order, if there
    are as many.

    Raises:
        InputError: if a used name is none of the model's, or two are the same class.

    >>> mapping(["dog", "Cat"], np.array([0, 1]), ["cat", "dog"], named=True, source="val").tolist()
    [1, 0]
    """
    wanted = used_classes(labels).tolist()
    found = _by_name(names, wanted, classes)
    found = _by_number(names, wanted, len(classes)) if found is None else found
    if found is None and not named and len(names) == len(classes):
        found = {k: k for k in wanted}
    if found is None:
        outside = _outside(names, labels, len(classes), source) if len(wanted) <= len(classes) else ""
        raise InputError(outside or _refusal(names, wanted, classes, named=named, source=source))
    if len(set(found.values())) < len(found):
        raise InputError(_collision(names, found, classes, source))
    placed = np.full(len(names), -1, dtype=np.int64)
    for k, place in found.items():
        placed[k] = place
    return placed


def _outside(names: Sequence[str], labels: IntArray, count: int, source: str) -> str:
    """The sentence about numbers beyond the model's classes, where all labels are numbers; else empty."""
    numbers = {int(k): names[k] for k in np.unique(labels[labels >= 0])}
    if not all(_is_number(name) for name in numbers.values()):
        return ""
    beyond = [k for k, name in numbers.items() if int(name) >= count]
    rows = np.flatnonzero(np.isin(labels, beyond))
    shown = ", ".join(f"row {row} has {numbers[int(labels[row])]}" for row in rows[:3])
    return (
        f"{len(rows)} labels of {source} lie outside 0..{count - 1}, the model's classes: {shown}; number the classes "
        "from 0, or name them"
    )


def _is_number(name: str) -> bool:
    return len(name) < 19 and name.isascii() and name.isdigit()


def _by_name(names: Sequence[str], wanted: list[int], classes: Sequence[str]) -> _Found | None:
    exact = _unique([(name, i) for i, name in enumerate(classes)])
    loosely = _unique([(loose(name), i) for i, name in enumerate(classes)])
    synonyms = _unique([(loose(part), i) for i, name in enumerate(classes) for part in name.split(",")])
    numbers = _unique([(str(int(name)), i) for i, name in enumerate(classes) if _is_number(name)])
    found: _Found = {}
    for k in wanted:
        name = names[k]
        spelled, first = loose(name), loose(name.split(",")[0])
        hits = (exact.get(name), loosely.get(spelled), synonyms.get(spelled), synonyms.get(first))
        # 01 is the class 1, wherever that stands, before it is a place.
        number = numbers.get(str(int(name))) if _is_number(name) else None
        place = next((hit for hit in (*hits, number) if hit is not None), None)
        if place is None:
            return None
        found[k] = place
    return found


def _unique(pairs: list[tuple[str, int]]) -> dict[str, int]:
    table: dict[str, int] = {}
    twice: set[str] = set()
    for key, place in pairs:
        if table.setdefault(key, place) != place:
            twice.add(key)
    return {key: place for key, place in table.items() if key and key not in twice}


def loose(name: str) -> str:
    """A name without case, spaces, underscores and hyphens; accents are the same however they are encoded.

    >>> loose("Great_White Shark")
    'greatwhiteshark'
    """
    return "".join(c for c in unicodedata.normalize("NFC", name.casefold()) if c not in " _-\t\n")


def _by_number(names: Sequence[str], wanted: list[int], count: int) -> _Found | None:
    digits = {k: int(names[k]) for k in wanted if _is_number(names[k])}
    if len(digits) < len(wanted) or any(place >= count for place in digits.values()):
        return None
    return digits


def _refusal(names: Sequence[str], wanted: list[int], classes: Sequence[str], *, named: bool, source: str) -> str:
    known = {loose(part) for name in classes for part in (name, *name.split(","))}
    strange = [names[k] for k in wanted if loose(names[k]) not in known]
    listed = ", ".join(repr(name[:80]) for name in strange[:5]) + (" and more" if len(strange) > 5 else "")
    if len(wanted) > len(classes):
        return (
            f"{source} has {len(wanted)} classes and the model answers {len(classes)}, so they cannot be the same; "
            "give the data that belong to this model"
        )
    if not named:
        return (
            f"{source} names {len(names)} classes ({listed}) and the model answers {len(classes)} without names; "
            "write the model's names, in order, into config.json or labels.txt beside it or `classes` of the task file"
        )
    if not strange:
        several = next(names[k] for k in wanted if _by_name(names, [k], classes) is None)
        return (
            f"{source} has the label {several[:80]!r}, which fits more than one of the model's classes; spell it as "
            "the model does"
        )
    shown = ", ".join(repr(name[:40]) for name in classes[:5]) + (", ..." if len(classes) > 5 else "")
    return (
        f"{source} has labels that are none of the model's classes: {listed}; the model answers {shown}: rename the "
        "labels, or name the model's classes in config.json or the task file"
    )


def _collision(names: Sequence[str], found: _Found, classes: Sequence[str], source: str) -> str:
    by_place: dict[int, list[str]] = {}
    for k, place in found.items():
        by_place.setdefault(place, []).append(names[k])
    place, both = next((place, held) for place, held in by_place.items() if len(held) > 1)
    return (
        f"{source} has the labels {both[0][:80]!r} and {both[1][:80]!r}, which are both the model's class "
        f"{classes[place][:80]!r}; give them one name"
    )


def permutation(labels: IntArray, predictions: IntArray, classes: Sequence[str]) -> str | None:
    """A sentence that names the relabelling, if the classes seem to be in another order; else None.

    Compares the accuracy as declared with that under the best one-to-one relabelling (Kuhn 1955, the assignment that
    maximises the trace of the confusion matrix): suspicious if it gains 0.20 and more than doubles. The relabelling is
    fitted on one half of the rows and counted on the other, and must win beyond both Wilson intervals: with many
    classes and few rows some relabelling always fits the rows it was fitted on.

    >>> y = np.arange(300) % 3
    >>> permutation(y, (y + 1) % 3, ["a", "b", "c"])
    "the classes seem to be in another order: accuracy is 0.00 as declared and would be 1.00 if answer 'b' ..."
    """
    y, said = labels[labels >= 0], predictions[labels >= 0]
    if not len(y):
        return None
    order = np.random.default_rng(0).permutation(len(y))
    halves = (order[::2], order[1::2])
    hits = sum(
        int((_renamed(said[other], _relabelling(y[one], said[one])) == y[other]).sum())
        for one, other in (halves, halves[::-1])
    )
    declared, best = float((y == said).mean()), hits / len(y)
    apart = wilson(best, len(y))[0] > wilson(declared, len(y))[1]
    if not apart or best < max(0.5, declared + 0.20) or best <= 2 * declared:
        return None
    moved = [(a, t) for a, t in _relabelling(y, said).items() if t != a]
    moved.sort(key=lambda pair: -int(((said == pair[0]) & (y == pair[1])).sum()))
    shown = ", ".join(f"answer {classes[a]!r} meant {classes[t]!r}" for a, t in moved[:5])
    return (
        f"the classes seem to be in another order: accuracy is {declared:.2f} as declared and would be {best:.2f} if "
        f"{shown} ({len(moved)} classes differ); correct the order in config.json, labels.txt or the task file"
    )


def _relabelling(labels: IntArray, predictions: IntArray) -> dict[int, int]:
    """The class each answer means under the one-to-one relabelling that is right most often."""
    truths, rows = np.unique(labels, return_inverse=True)
    answers, columns = np.unique(predictions, return_inverse=True)
    counts = np.zeros((len(truths), len(answers)), np.int64)
    np.add.at(counts, (rows, columns), 1)
    pairs = zip(*linear_sum_assignment(counts, maximize=True), strict=True)
    return {int(answers[a]): int(truths[t]) for t, a in pairs if counts[t, a]}


def _renamed(predictions: IntArray, meant: dict[int, int]) -> IntArray:
    return np.array([meant.get(int(answer), -1) for answer in predictions], dtype=np.int64)
