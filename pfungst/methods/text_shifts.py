"""Shifts of texts: hands that slip, other capitals, letters that look alike, and words that are put in to please."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pfungst.datasets.dataset import Dataset
from pfungst.methods.shift_kind import USUAL, Kind, each

ROWS, SEEN, KEPT = 4000, 5, 10
"""Texts from which typical words are taken, how many must hold one, and how many are kept for each class."""

WORD = re.compile(r"\w+")
KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
BESIDE = {key: row[max(0, at - 1)] + row[min(len(row) - 1, at + 1)] for row in KEYS for at, key in enumerate(row)}
SWAPPED = 3
ALIKE = str.maketrans("aceiopsxyABCEHIKMOPSTX", "асеіорѕхуАВСЕНІКМОРЅТХ")
"""Latin letters and the Cyrillic ones that look like them."""


@dataclass(frozen=True)
class Vocabulary:
    """Words that are typical of each class, most typical first."""

    words: tuple[tuple[str, ...], ...]

    def of(self, label: int) -> tuple[str, ...]:
        """Words typical of the other classes, in turn, without those of the class itself."""
        others = [words for at, words in enumerate(self.words) if at != label]
        own = set(self.words[label]) if label >= 0 else set()
        longest = max(map(len, others), default=0)
        turns = [words[at] for at in range(longest) for words in others if at < len(words)]
        return tuple(word for word in dict.fromkeys(turns) if word not in own)


@lru_cache(maxsize=16)
def vocabulary_of(data: Dataset) -> Vocabulary:
    """The ten words of each class whose presence has the highest smoothed log-odds against the other classes.

    Counted on the discovery half, so that the rows that are judged did not choose the words alone; in any letters, and
    written in those that they mostly come in, as a model may tell them apart.
    """
    batch, _ = data.batch(data.sample(ROWS, "discovery"))
    counts = [Counter[str]() for _ in data.classes]
    written: defaultdict[str, Counter[str]] = defaultdict(Counter)
    sizes = np.bincount(batch.labels[batch.labels >= 0], minlength=len(data.classes))
    for text, label in zip(batch.inputs, batch.labels, strict=True):
        if label >= 0:
            words = WORD.findall(str(text))
            counts[label].update({word.lower() for word in words})
            for word in words:
                written[word.lower()][word] += 1
    total = sum(counts, Counter[str]())
    often = sorted(word for word, seen in total.items() if seen >= SEEN)
    kept: list[tuple[str, ...]] = []
    for count, size in zip(counts, sizes, strict=True):
        odds = {
            word: (count[word] + 0.5) / (size + 1) / ((total[word] - count[word] + 0.5) / (sizes.sum() - size + 1))
            for word in often
        }
        best = sorted((-value, word) for word, value in odds.items() if value > 1)
        kept.append(tuple(written[word].most_common(1)[0][0] for _, word in best[:KEPT]))
    return Vocabulary(tuple(kept))


def typos(text: str, rng: np.random.Generator, share: float) -> str:
    """A share of the words has one slip: a key beside the right one, a letter twice, none, or two swapped."""

    def slip(found: re.Match[str]) -> str:
        word = found[0]
        happens, kind, where, side = rng.random(), int(rng.integers(4)), rng.random(), int(rng.integers(2))
        if happens >= share or len(word) < 2:
            return word
        at = int(where * (len(word) - 1))
        before, letter, after = word[:at], word[at], word[at + 1 :]
        written = BESIDE.get(letter.lower(), 2 * letter)[side], 2 * letter, "", after[0] + letter
        return before + written[kind] + (after[1:] if kind == SWAPPED else after)

    return WORD.sub(slip, str(text))


def casing(text: str, rng: np.random.Generator, share: float) -> str:
    """A share of the words is in capitals; where they were in capitals already, in small letters."""

    def turn(found: re.Match[str]) -> str:
        word = found[0]
        if rng.random() >= share:
            return word
        return word.lower() if word.isupper() else word.upper()

    return WORD.sub(turn, str(text))


def homoglyphs(text: str, rng: np.random.Generator, share: float) -> str:
    """A share of the letters is replaced by those of another alphabet that look alike."""
    text = str(text)
    drawn = rng.random(len(text)) < share
    return "".join(
        letter.translate(ALIKE) if chosen else letter for letter, chosen in zip(text, drawn.tolist(), strict=True)
    )


def good_words(text: str, rng: np.random.Generator, words: tuple[str, ...], count: float) -> str:
    """Words typical of the other classes are appended (Lowd and Meek 2005: the good words of spam)."""
    del rng
    return " ".join([str(text), *words[: int(count)]])


TEXT_SHIFTS = (
    Kind(
        "typos", typos, (0.0,), each(0.02, 0.05, 0.1, 0.2, 0.4), USUAL,
        "typos in {0:.0%} of the words", "{0:.0%} of the words", "text",
    ),
    Kind(
        "casing", casing, (0.0,), each(0.1, 0.25, 0.5, 0.75, 1.0), USUAL,
        "capitals in {0:.0%} of the words", "{0:.0%} of the words", "text",
    ),
    Kind(
        "homoglyphs", homoglyphs, (0.0,), each(0.01, 0.03, 0.08, 0.2, 0.4), USUAL,
        "{0:.0%} of the letters from another alphabet", "{0:.0%} of the letters", "text",
    ),
    Kind(
        "good-words", good_words, (0.0,), each(1, 2, 3, 5, 10), "field",
        "{0:.0f} words of other classes appended", "{0:.0f} words", "text", informed=True,
    ),
)  # fmt: skip
