"""Threats to texts and tables: words appended, words misspelled, columns moved at a cost."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.attacked import Proposed
from pfungst.datasets.dataset import Batch
from pfungst.methods.row_search import RowSearch, best_of
from pfungst.methods.text_shifts import ALIKE, Vocabulary
from pfungst.methods.threats import COLUMNS, MISSPELLED, WORDS, threats

LONGEST = 60
"""Words of a text that are tried; those after are left alone."""

PARTS = 4
"""Steps in which the budget of a table is spent."""


NO_WORDS = Vocabulary(())


@threats
@dataclass(frozen=True)
class GoodWords:
    """Up to so many words appended, of those typical of the other classes (Lowd and Meek 2005).

    Each word is tried alone on each text; those that lower the margin most are appended one after the other.
    """

    name: ClassVar[str] = "good-words"
    vocabulary: Vocabulary = NO_WORDS
    budgets: tuple[float, ...] = (1.0, 3.0, 5.0)

    def __call__(self, model: Any, batch: Batch) -> Proposed:
        """Words in order of what they do alone, until the answer is wrong."""
        search = RowSearch.of(model, batch)
        standing = search.standing
        words = {int(row): self.vocabulary.of(int(search.labels[row])) for row in standing}
        rows = np.repeat(standing, [len(words[int(row)]) for row in standing])
        tried = [word for row in standing for word in words[int(row)]]
        alone = search.ask(rows, _texts(f"{batch.inputs[row]} {word}" for row, word in zip(rows, tried, strict=True)))
        order = {int(row): [tried[at] for at in _descending(rows, alone, row)] for row in standing}
        for count in range(1, int(max(self.budgets)) + 1):
            rows = np.array([row for row in search.standing if len(order[int(row)]) >= count], np.int64)
            if not len(rows):
                break
            size = min(one for one in self.budgets if one >= count)
            longer = _texts(" ".join([str(batch.inputs[row]), *order[int(row)][:count]]) for row in rows)
            search.keep(rows, longer, search.ask(rows, longer) > 0, size, WORDS)
        return search.proposed()

    def kept_to(self, originals: Array, inputs: Array, budget: FloatArray) -> Array:
        """No more words than the budget, and nothing but words at the end."""
        kept = inputs.copy()
        for at, (text, longer) in enumerate(zip(originals, inputs, strict=True)):
            if np.isfinite(budget[at]):
                more = longer.removeprefix(str(text)).split() if longer.startswith(str(text)) else []
                kept[at] = " ".join([str(text), *more[: int(budget[at])]])
        return kept

    def distance(self, originals: Array, inputs: Array) -> FloatArray:
        """How many words were appended."""
        pairs = zip(originals, inputs, strict=True)
        return np.array([len(str(longer).removeprefix(str(text)).split()) for text, longer in pairs], np.float64)


@threats
@dataclass(frozen=True)
class Misspelling:
    """Up to so many words misspelled so that a reader still reads them (after Gao et al. 2018, arXiv:1801.04354).

    Words are ranked by what leaving each out does; in each, look-alike letters, two letters swapped, one left out and
    one doubled are tried, and what lowers the margin most stays.
    """

    name: ClassVar[str] = "misspelling"
    budgets: tuple[float, ...] = (1.0, 3.0, 5.0)

    def __call__(self, model: Any, batch: Batch) -> Proposed:
        """Word by word, until the answer is wrong."""
        search = RowSearch.of(model, batch)
        written = {int(row): _split(str(batch.inputs[row])) for row in search.standing}
        order = self._ranked(search, written)
        for count in range(1, int(max(self.budgets)) + 1):
            rows = np.array([row for row in search.standing if len(order[int(row)]) >= count], np.int64)
            if not len(rows):
                break
            size = min(one for one in self.budgets if one >= count)
            tried = [
                (row, other) for row in rows for other in _misspelled(written[int(row)], order[int(row)][count - 1])
            ]
            texts, owners = _texts("".join(parts) for _, parts in tried), np.array([row for row, _ in tried], np.int64)
            values = search.ask(owners, texts)
            best = best_of(owners, values)
            search.keep(owners[best], texts[best], values[best] > 0, size, MISSPELLED)
            for at in best:
                written[int(owners[at])] = tried[at][1]
        return search.proposed()

    def _ranked(self, search: RowSearch, written: dict[int, list[str]]) -> dict[int, list[int]]:
        """Places of words that can be misspelled, those first without which the margin falls most."""
        places = [(row, at) for row, parts in written.items() for at in _words(parts)]
        rows = np.array([row for row, _ in places], np.int64)
        without = _texts("".join(written[row][:at] + written[row][at + 1 :]) for row, at in places)
        values = search.ask(rows, without)
        return {row: [places[at][1] for at in _descending(rows, values, row)] for row in written}

    def kept_to(self, originals: Array, inputs: Array, budget: FloatArray) -> Array:
        """Words beyond the budget are put back."""
        kept = inputs.copy()
        for at, (text, other) in enumerate(zip(originals, inputs, strict=True)):
            if np.isfinite(budget[at]):
                before, after = _split(str(text)), _split(str(other))
                same = len(before) == len(after)
                changed = [place for place, pair in enumerate(zip(before, after, strict=same)) if pair[0] != pair[1]]
                for place in changed[int(budget[at]) :] if same else ():
                    after[place] = before[place]
                kept[at] = "".join(after if same else before)
        return kept

    def distance(self, originals: Array, inputs: Array) -> FloatArray:
        """How many words differ."""
        pairs = [(_split(str(a)), _split(str(b))) for a, b in zip(originals, inputs, strict=True)]
        return np.array([sum(x != y for x, y in zip(a, b, strict=False)) for a, b in pairs], np.float64)


@threats
@dataclass(frozen=True)
class ColumnMoves:
    """Measures of a row moved, at a cost of one for each deviation; immutable columns stay (L1, greedy).

    A quarter of the budget at a time goes to the column and way that lower the margin most; first all of it to one.
    Values stay between the smallest and the largest that were seen.
    """

    name: ClassVar[str] = "columns"
    measures: tuple[int, ...] = ()
    deviation: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    budgets: tuple[float, ...] = (0.25, 1.0)

    def __call__(self, model: Any, batch: Batch) -> Proposed:
        """All of the budget on one column, then by parts."""
        search = RowSearch.of(model, batch)
        for size in self.budgets:
            if not len(search.standing) or not self.measures:
                break
            self._step(search, (search.standing, batch.inputs[search.standing]), size, size)
            now = search.standing, batch.inputs[search.standing]
            for _ in range(PARTS):
                if len(now[0]):
                    now = self._step(search, now, size / PARTS, size)
        return search.proposed()

    def _step(self, search: RowSearch, now: tuple[IntArray, Array], step: float, size: float) -> tuple[IntArray, Array]:
        """Move the best column of each row by a step; the rows that stand, and where they are."""
        rows, here = now
        moves = [(at, way) for at in self.measures for way in (-1.0, 1.0)]
        owners = np.repeat(np.arange(len(rows)), len(moves))
        tried = here[owners]
        for number, (at, way) in enumerate(moves):
            place = self.measures.index(at)
            some = slice(number, None, len(moves))
            moved = tried[some, at].astype(np.float64) + way * step * self.deviation[place]
            tried[some, at] = np.clip(moved, self.low[place], self.high[place])
        values = search.ask(rows[owners], tried)
        best = best_of(owners, values)
        fallen = values[best] > 0
        search.keep(rows, tried[best], fallen, size, COLUMNS)
        return rows[~fallen], tried[best][~fallen]

    def _costs(self, originals: Array, inputs: Array) -> FloatArray:
        at, spread = list(self.measures), np.array(self.deviation)
        moved = inputs[:, at].astype(np.float64) - originals[:, at].astype(np.float64)
        return np.asarray(np.nan_to_num(moved) / spread)

    def kept_to(self, originals: Array, inputs: Array, budget: FloatArray) -> Array:
        """Other columns put back, and moves drawn towards the row until they cost no more than the budget."""
        kept = originals.copy()
        costs = self._costs(originals, inputs)
        total = np.abs(costs).sum(axis=1)
        share = np.where(total > budget, budget / np.maximum(total, 1e-12), 1.0)
        for place, at in enumerate(self.measures):
            moved = np.flatnonzero(costs[:, place])
            kept[moved, at] = originals[moved, at].astype(np.float64) + (
                share[moved] * costs[moved, place] * self.deviation[place]
            )
        return kept

    def distance(self, originals: Array, inputs: Array) -> FloatArray:
        """The sum of the moves, in deviations."""
        return np.asarray(np.abs(self._costs(originals, inputs)).sum(axis=1))


def _texts(written: Iterator[str]) -> Array:
    listed = list(written)
    texts = np.empty(len(listed), object)
    texts[:] = listed
    return texts


def _descending(rows: IntArray, values: FloatArray, row: int) -> IntArray:
    """Places of one row's candidates, the largest value first."""
    own = np.flatnonzero(rows == row)
    return np.asarray(own[np.argsort(-values[own], kind="stable")])


def _split(text: str) -> list[str]:
    """Words and what stands between them, in turn."""
    parts, word = [""], False
    for letter in text:
        if letter.isalnum() != word:
            parts.append("")
            word = not word
        parts[-1] += letter
    return parts


def _words(parts: list[str]) -> list[int]:
    return [at for at, part in enumerate(parts[: 2 * LONGEST]) if at % 2 and len(part) > 2]


def _misspelled(parts: list[str], at: int) -> Iterator[list[str]]:
    """The text's parts with one word misspelled in each of a few ways."""
    word = parts[at]
    middle = len(word) // 2
    ways = (
        word.translate(ALIKE),
        word[: middle - 1] + word[middle] + word[middle - 1] + word[middle + 1 :],
        word[:middle] + word[middle + 1 :],
        word[:middle] + word[middle] + word[middle:],
    )
    for other in ways:
        yield [*parts[:at], other, *parts[at + 1 :]]
