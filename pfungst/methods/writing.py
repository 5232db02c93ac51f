"""Writing: cues of whole texts: how long they are, how they are capitalised and punctuated."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.methods.cues import Cue
from pfungst.registry import Registry

text_cues: Registry[Cue] = Registry("text-cues", lambda item: isinstance(item, Cue))
"""Properties of every text that must not decide."""

MARKS = ".,!?:;-"
_MARK = re.compile(r"[.,!?:;-]{2,}|(?<!\w)[.,!?:;-]|[.,!?;-](?!\w)|:(?![\w/])")
"""A run of marks; a single one between letters or digits (3.50, well-known, http://) is a part of the word."""


@dataclass(frozen=True)
class Length:
    """How long a text is, in words and in characters; given by cutting, or by repeating the text's own words.

    >>> Length().swap(np.array(["a b", "a b c"], object), np.array(["x y z", "x"], object)).tolist()
    ['a b a', 'a']
    """

    name: str = "length"
    revision: ClassVar[int] = 2

    def measure(self, inputs: Array) -> FloatArray:
        """log(1 + words) and log(1 + characters), (rows, 2)."""
        return np.array([[np.log1p(len(str(text).split())), np.log1p(len(str(text)))] for text in inputs]).reshape(
            -1, 2
        )

    def swap(self, inputs: Array, donors: Array) -> Array:
        """Give the donors' number of words; an empty text stays empty."""
        given = inputs.copy()
        for row, (text, donor) in enumerate(zip(inputs, donors, strict=True)):
            ends = [found.end() for found in re.finditer(r"\S+", str(text))]
            wanted = len(str(donor).split())
            if ends and len(ends) != wanted:
                whole, left = divmod(wanted, len(ends))
                part = [str(text)[: ends[left - 1]]] if left else []
                given[row] = " ".join([*[str(text)[: ends[-1]]] * whole, *part])
        return given


@dataclass(frozen=True)
class Casing:
    """How a text is capitalised: all capitals, none, each word's first letter, or as sentences are.

    >>> Casing().swap(np.array(["free call"], object), np.array(["WIN NOW"], object)).tolist()
    ['FREE CALL']
    """

    name: str = "casing"
    revision: ClassVar[int] = 2

    def measure(self, inputs: Array) -> FloatArray:
        """Shares of letters and of words in capitals, and of words with a capital first letter, (rows, 3)."""
        return np.array([_capitals(str(text)) for text in inputs]).reshape(-1, 3)

    def swap(self, inputs: Array, donors: Array) -> Array:
        """Give the donors' style.

        Upper where most letters are capitals, lower where none is, title where most words begin with one, else
        sentence.
        """
        given = inputs.copy()
        for row, (text, donor) in enumerate(zip(inputs, donors, strict=True)):
            if _style(str(text)) != _style(str(donor)):
                given[row] = _STYLES[_style(str(donor))](str(text))
        return given


@dataclass(frozen=True)
class Punctuation:
    """Which marks a text holds, and where; the donors' marks take the place of its own.

    >>> Punctuation().swap(np.array(["free, call now"], object), np.array(["win today !!!"], object)).tolist()
    ['free call now!!!']
    """

    name: str = "punctuation"
    revision: ClassVar[int] = 2

    def measure(self, inputs: Array) -> FloatArray:
        """Marks of each kind a word, (rows, kinds)."""
        counted = ((Counter("".join(_MARK.findall(str(text)))), 1 + len(str(text).split())) for text in inputs)
        return np.array([[count[mark] / words for mark in MARKS] for count, words in counted]).reshape(-1, len(MARKS))

    def swap(self, inputs: Array, donors: Array) -> Array:
        """Take the row's marks out and put the donors' at the same relative places, each behind a word."""
        given = inputs.copy()
        for row, (text, donor) in enumerate(zip(inputs, donors, strict=True)):
            own, theirs = _MARK.findall(str(text)), _MARK.findall(str(donor))
            words = _MARK.sub(" ", str(text)).split()
            if own != theirs and words:
                for mark, share in _marks(str(donor)):
                    words[min(len(words) - 1, round(share * (len(words) - 1)))] += mark
                given[row] = " ".join(words)
        return given


for _cue in (Length(), Casing(), Punctuation()):
    text_cues(_cue)


def _capitals(text: str) -> list[float]:
    letters, words = (
        [letter for letter in text if letter.isalpha()],
        [word for word in text.split() if word[0].isalpha()],
    )
    return [
        sum(letter.isupper() for letter in letters) / max(1, len(letters)),
        sum(word.isupper() and len(word) > 1 for word in words) / max(1, len(words)),
        sum(word[0].isupper() for word in words) / max(1, len(words)),
    ]


def _style(text: str) -> str:
    letters, _, first = _capitals(text)
    if letters > 0.6:
        return "upper"
    if letters == 0:
        return "lower"
    return "title" if first > 0.6 else "sentence"


def _sentence(text: str) -> str:
    return re.sub(r"(^|[.!?]\s+)(\w)", lambda found: found.group(1) + found.group(2).upper(), text.lower())


def _title(text: str) -> str:
    # Not str.title, which makes Don'T of don't.
    return re.sub(r"\S+", lambda found: found.group()[0].upper() + found.group()[1:].lower(), text)


_STYLES = {"upper": str.upper, "lower": str.lower, "title": _title, "sentence": _sentence}


def _marks(text: str) -> list[tuple[str, float]]:
    """Each run of marks with the share of the words before it."""
    total = max(1, len(_MARK.sub(" ", text).split()))
    found = ((each.group(), len(_MARK.sub(" ", text[: each.start()]).split()) - 1) for each in _MARK.finditer(text))
    return [(mark, max(0, before) / max(1, total - 1)) for mark, before in found]
