"""Tokens: cues of texts that are a word or a few words in a row."""

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import ClassVar

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray
from pfungst.methods.opportunity import discriminant

WORD = re.compile(
    r"(?:https?://|www\.)[\w.-]*\w"  # the host of an address; its path is words again
    r"|\[[^\[\]\s]{1,40}\]|<[^<>\s]{1,40}>"  # a tag
    r"|[#@]\w+"
    r"|\w+(?:['’-]\w+)*"
    "|[^\\w\\s](?:[\ufe0f\u20e3\U0001f3fb-\U0001f3ff]|\u200d[^\\w\\s])*"  # a sign, or an emoji with its modifiers
)
"""A word, an address, a tag, an emoji, or a sign that is no part of one."""

LONGEST = 3
"""Words of the longest token that is counted; one that always stands in company grows with it."""

SURE = 0.95
"""Share of a token's places at which a neighbour must stand to be a part of it."""

WIDTH = 128
"""Hash buckets that stand for the other words of a text."""

APART, COVERED = 0.02, 0.8
"""Tokens are marks that stand instead of each other if so few texts hold two of them, and so many hold one."""

ENDS = 500
"""Words at either end of a text among which tokens are looked for: marks stand in heads and feet."""


@dataclass(frozen=True)
class Token:
    """Whether a text holds a word, or words in a row; upper and lower case are one.

    Where texts hold one of several marks, such as the tags of sites, ``instead`` are the other ones: a donor's takes
    the place of the row's.

    >>> Token("free").swap(np.array(["call now"], object), np.array(["FREE tickets"], object)).tolist()
    ['FREE call now']
    >>> Token("[a]", instead=("[b]",)).swap(np.array(["see [A] now"], object), np.array(["[B]"], object)).tolist()
    ['see [B] now']
    """

    word: str
    instead: tuple[str, ...] = ()
    revision: ClassVar[int] = 2

    @property
    def name(self) -> str:
        """The subject of findings about it."""
        return f"token:{self.word}"

    @property
    def words(self) -> tuple[str, ...]:
        """It and what may stand instead."""
        return (self.word, *self.instead)

    def measure(self, inputs: Array) -> FloatArray:
        """Whether and how often each of its words occurs, (rows, 2 * words): presence and log(1 + count)."""
        counts = [[len(_places(word, str(text))) for word in self.words] for text in inputs]
        held = np.array(counts, np.float64).reshape(-1, len(self.words))
        return np.concatenate([held > 0, np.log1p(held)], axis=1)

    def swap(self, inputs: Array, donors: Array) -> Array:
        """Give the donors' presence: put in as the donor spells it, at the donor's relative place, or take all out."""
        given = inputs.copy()
        for row, (text, donor) in enumerate(zip(inputs, donors, strict=True)):
            given[row] = self._given(str(text), str(donor))
        return given

    def _given(self, text: str, donor: str) -> str:
        theirs = {word: places[0] for word in self.words if (places := _places(word, donor))}
        wanted = [theirs[word] for word in theirs if not _places(word, text)]
        for word in (word for word in self.words if word not in theirs):
            places = _places(word, text)
            if places and wanted:
                start, stop = wanted.pop(0)
                text = _replaced(text, places[0], donor[start:stop])
            text = _cleared(text, word)
        for place in wanted:
            text = _inserted(text, donor, place)
        return text

    def taken_from(self, text: str) -> str:
        """A text without it, and without the gaps it leaves.

        >>> Token("[site-b]").taken_from("[SITE-B] all well")
        'all well'
        """
        for word in self.words:
            text = _cleared(text, word)
        return text

    def inside(self, other: "Token") -> bool:
        """Whether it is a part of another, longer one."""
        return self != other and f" {self.word} " in f" {other.word} "


def _cleared(text: str, word: str) -> str:
    while places := _places(word, text):
        # What is left may stand together anew: "a b" taken out of "a a b b" leaves "a b".
        text = without(text, places)
    return text


def _replaced(text: str, place: tuple[int, int], spelled: str) -> str:
    """A text with other words at a place, which do not run into what stands beside it."""
    before, behind = text[: place[0]], text[place[1] :]
    front = " " if re.search(r"[\w'’-]$", before) else ""
    back = " " if re.match(r"[\w'’-]", behind) else ""
    return f"{before}{front}{spelled}{back}{behind}"


def without(text: str, places: Sequence[tuple[int, int]]) -> str:
    """A text without some parts of it (first, last), in their order, and without the gaps they leave.

    >>> without("call me now", [(5, 7)])
    'call now'
    """
    for start, stop in reversed(places):
        before, behind = text[:start], text[stop:]
        if behind[:1].isspace() and (not before or before[-1].isspace()):
            behind = behind[1:]
        elif not behind and before[-1:].isspace():
            before = before[:-1]
        elif before[-1:].isalnum() and behind[:1].isalnum():
            before += " "
        text = before + behind
    return text


def proposed_tokens(inputs: Array, labels: IntArray, classes: int, folds: IntArray, most: int = 8) -> tuple[Token, ...]:
    """Words and runs of words that predict the label by themselves, strongest first.

    A token must stand in 2 % of the texts and in 8 of them; its strength is the cross-fitted balanced accuracy. Words
    that always stand beside each other are one token, of tokens that stand in the same texts one is kept, and marks of
    which nearly every text holds just one are one cue.
    """
    texts = [_words(str(text)) for text in inputs]
    documents = [set(_grams(words)) for words in texts]
    counts = Counter(gram for document in documents for gram in document)
    least = max(8, round(0.02 * len(documents)))
    common = [gram for gram, count in counts.items() if least <= count <= 0.98 * len(documents)]
    held = {gram: np.array([gram in document for document in documents]) for gram in common}
    ranked = sorted(common, key=lambda gram: (-_apart(held[gram], labels), -len(gram), gram))[: 6 * most]

    def told(presence: BoolArray) -> float:
        return discriminant(presence[:, None].astype(np.float64), labels, classes, folds).opportunity().low

    strength = {gram: told(held[gram]) for gram in ranked}
    chance = 1 / max(2, len(np.unique(labels)))
    chosen: list[str] = []
    for gram in sorted(ranked, key=lambda gram: (-round(strength[gram], 3), -len(gram), gram)):
        alike = [at for at, other in enumerate(chosen) if _alike(held[gram], held[other])]
        for at in alike:
            # Of two that stand in the same texts the longer one is the mark, the shorter one a word of it.
            if chosen[at] in gram and strength[gram] > strength[chosen[at]] - 0.05:
                chosen[at] = gram
        if strength[gram] > chance and not alike and len(chosen) < 2 * most:
            chosen.append(gram)
    grown = (_whole(gram, [texts[row] for row in np.flatnonzero(held[gram])]) for gram in chosen)
    distinct = _distinct([Token(word) for word in dict.fromkeys(grown)], inputs, told, chance)
    return _joined(distinct, inputs)[:most]


def _distinct(
    tokens: Sequence[Token], inputs: Array, told: Callable[[BoolArray], float], chance: float
) -> tuple[Token, ...]:
    """Those that tell something by themselves.

    A run of words around a stronger token goes, and so does a word that says nothing outside the longer tokens that
    hold it.
    """
    strength = {token: told(token.measure(inputs)[:, 0] > 0) for token in tokens}
    kept: list[Token] = []
    for token in sorted(tokens, key=lambda token: -len(token.word.split())):
        around = [other for other in kept if token.inside(other)]
        left = np.array([_without_all(str(text), around) for text in inputs], object) if around else inputs
        stronger = any(other.inside(token) and strength[other] > strength[token] + 0.05 for other in tokens)
        if not stronger and (not around or told(token.measure(left)[:, 0] > 0) > chance):
            kept.append(token)
    return tuple(token for token in tokens if token in kept)


def _joined(tokens: Sequence[Token], inputs: Array) -> tuple[Token, ...]:
    """Those that stand instead of each other as one, named after the strongest."""
    left, joined = list(tokens), []
    held = {token: token.measure(inputs)[:, 0] > 0 for token in tokens}
    while left:
        group = [left[0]]
        for token in left[1:]:
            both = (((held[token] & held[other]).sum(), held[token].sum(), held[other].sum()) for other in group)
            if all(count <= APART * min(own, theirs) for count, own, theirs in both):
                group.append(token)
        if len(group) > 1 and np.any([held[token] for token in group], axis=0).mean() < COVERED:
            group = group[:1]
        joined.append(Token(group[0].word, tuple(token.word for token in group[1:])))
        left = [token for token in left if token not in group]
    return tuple(joined)


def _without_all(text: str, tokens: Sequence[Token]) -> str:
    for token in tokens:
        text = token.taken_from(text)
    return text


def _words(text: str) -> list[str]:
    words = [word for word in WORD.findall(text.lower()) if _is_word(word)]
    return words if len(words) <= 2 * ENDS else [*words[:ENDS], *words[-ENDS:]]


def _is_word(word: str) -> bool:
    return len(word) > 1 or word.isalnum() or unicodedata.category(word) == "So"


def _grams(words: Sequence[str]) -> list[str]:
    return [" ".join(words[at : at + size]) for size in range(1, LONGEST + 1) for at in range(len(words) - size + 1)]


def _apart(held: BoolArray, labels: IntArray) -> float:
    """How far the share of texts with a token differs between classes, in standard errors."""
    share = float(held.mean())
    shares = np.array([held[labels == k].mean() for k in np.unique(labels)])
    return float(np.ptp(shares) / max((share * (1 - share)) ** 0.5, 1e-9))


def _alike(one: BoolArray, other: BoolArray) -> bool:
    """Whether two tokens stand in the same texts, but for a twentieth of those that the rarer case has."""
    rarer = min(min(held.sum(), (~held).sum()) for held in (one, other))
    return bool((one != other).sum() <= 0.05 * rarer)


def _whole(gram: str, texts: Sequence[Sequence[str]], longest: int = 24) -> str:
    """A token with the words that nearly always stand before and behind it."""
    words = gram.split()
    for _ in range(longest - len(words)):
        before: Counter[str] = Counter()
        behind: Counter[str] = Counter()
        for text in texts:
            for at in _runs(words, text):
                before[text[at - 1] if at else ""] += 1
                behind[text[at + len(words)] if at + len(words) < len(text) else ""] += 1
        total = sum(before.values())
        (first, ahead), (last, after) = _commonest(before), _commonest(behind)
        if first and ahead >= max(after if last else 0, SURE * total):
            words = [first, *words]
        elif last and after >= SURE * total:
            words = [*words, last]
        else:
            break
    return " ".join(words)


def _commonest(counts: Counter[str]) -> tuple[str, int]:
    return counts.most_common(1)[0] if counts else ("", 0)


def _runs(words: Sequence[str], text: Sequence[str]) -> Iterator[int]:
    first, size = words[0], len(words)
    return (at for at, word in enumerate(text) if word == first and list(text[at : at + size]) == list(words))


def rest(inputs: Array, cues: Sequence[Token], width: int = WIDTH) -> FloatArray:
    """Hashed counts of the words of each text that belong to none of the cues, (rows, width), log(1 + count)."""
    coded = np.zeros((len(inputs), width))
    for row, text in enumerate(inputs):
        for word in WORD.findall(_without_all(str(text), cues).lower()):
            coded[row, zlib.crc32(word.encode("utf-8", "surrogatepass")) % width] += 1
    return np.log1p(coded)


@lru_cache(maxsize=256)
def _pattern(word: str) -> re.Pattern[str]:
    parts = WORD.findall(word.lower())
    inner = "".join(re.escape(part) + _gap(part, following) for part, following in pairwise(parts))
    first, last = (parts[0][0], parts[-1][-1]) if parts else ("", "")
    front = r"(?<!\w)(?<!\w['’-])" if re.match(r"\w", first) else ""
    back = r"(?!\w|['’-]\w)" if re.match(r"\w", last) else ""
    return re.compile(f"{front}{inner}{re.escape(parts[-1]) if parts else ''}{back}", re.IGNORECASE)


def _gap(part: str, following: str) -> str:
    """What may stand between two words: no word, and something where they would else be one."""
    return r"[^\w]+?" if re.match(r"\w\w", part[-1] + following[0]) else r"[^\w]*?"


def _places(word: str, text: str) -> list[tuple[int, int]]:
    return [found.span() for found in _pattern(word).finditer(text)] if word.strip() else []


def _inserted(text: str, donor: str, place: tuple[int, int]) -> str:
    spelled = donor[place[0] : place[1]]
    words, before = text.split(" "), len(donor[: place[0]].split())
    at = round(before / max(1, len(donor.split())) * len(words)) if text.strip() else 0
    return " ".join([*words[:at], spelled, *words[at:]]).strip(" ")
