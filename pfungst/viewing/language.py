"""The filter language: words in, a tree out; ``label = wolf and answer = husky order by confidence``.

Either: all ``or``, then ``and``, then ``not``, then comparisons, as everywhere. What a name means is not known here.
"""

import re
from dataclasses import dataclass, field
from typing import NoReturn, TypeAlias

from pfungst.errors import InputError

LONGEST = 2000
DEEPEST = 40
OPERATORS = ("=", "!=", "<", "<=", ">", ">=")
KEYWORDS = frozenset({"and", "or", "not", "in", "like", "contains", "is", "missing", "order", "by", "asc", "desc"})
FUNCTIONS = frozenset({"condition", "column"})
_TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>"(?:[^"]|"")*"|'(?:[^']|'')*')|(?P<symbol><=|>=|!=|<>|==|[=<>(),])|(?P<word>[^\s"'()=<>!,]+))"""
)


class FilterError(InputError):
    """A filter that cannot be read; ``at`` is the place in it, counted from 1."""

    def __init__(self, at: int, sentence: str) -> None:
        super().__init__(f"position {at}: {sentence}")
        self.at = at


@dataclass(frozen=True)
class Operand:
    """A name or a value: which of them, what it stands beside decides. ``at`` is not part of what it says.

    ``function`` is ``condition`` or ``column`` where it was written so, ``part`` what stands behind the dot.
    """

    text: str
    quoted: bool = False
    function: str = ""
    part: str = ""
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Comparison:
    """``left operator right``; ``in`` has several values, ``missing`` and ``holds`` (a bare name) have none."""

    operator: str
    left: Operand
    right: tuple[Operand, ...] = ()


@dataclass(frozen=True)
class Not:
    """What holds where the other does not."""

    inner: "Node"


@dataclass(frozen=True)
class All:
    """``and``."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Either:
    """``or``."""

    parts: tuple["Node", ...]


Node: TypeAlias = Comparison | Not | All | Either


@dataclass(frozen=True)
class Key:
    """One key of an order."""

    operand: Operand
    descending: bool = False


@dataclass(frozen=True)
class Parsed:
    """A filter: its condition (None: all rows), its order, and the words of each."""

    condition: Node | None = None
    order: tuple[Key, ...] = ()
    words: str = ""
    order_words: str = ""


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int

    @property
    def keyword(self) -> str:
        return self.text.lower() if self.kind == "word" and self.text.lower() in KEYWORDS else ""


def parse(words: str) -> Parsed:
    """Read a filter and its order.

    Raises:
        FilterError: where it cannot be read; says the position, what stands there and what could.

    >>> parse("label = wolf order by confidence desc").order
    (Key(operand=Operand(text='confidence', quoted=False, function='', part='', at=23), descending=True),)
    """
    if len(words) > LONGEST:
        raise FilterError(LONGEST, f"a filter has at most {LONGEST} characters, and this one has {len(words)}")
    reader = _Reader(words)
    at_order = reader.peek().keyword == "order"
    condition = None if at_order or reader.peek().kind == "end" else reader.either(0)
    border = reader.peek().at - 1 if reader.peek().keyword == "order" else len(words)
    order = reader.order() if reader.peek().keyword == "order" else ()
    if reader.peek().kind != "end":
        reader.refuse("`and`, `or`, `order by` or the end; values of several words stand in quotes")
    ordered = re.sub(r"^order\s+by\s+", "", words[border:].strip(), flags=re.IGNORECASE)
    return Parsed(condition, order, words[:border].strip(), ordered)


def parse_order(words: str) -> tuple[Key, ...]:
    """Read an order alone: ``confidence desc, id``."""
    if not words.strip():
        return ()
    reader = _Reader(words)
    keys = reader.keys()
    if reader.peek().kind != "end":
        reader.refuse("a comma, asc, desc or the end")
    return keys


def quoted(value: str) -> str:
    """A value as it can stand in a filter.

    >>> print(quoted("wolf"), quoted("St Mary"), quoted('a "b" c'))
    wolf "St Mary" "a ""b"" c"
    """
    plain = re.fullmatch(r"[\w.:/-]+", value) and value.lower() not in KEYWORDS and value[0] not in "./"
    return value if plain else '"' + value.replace('"', '""') + '"'


class _Reader:
    """Reads tokens one by one, by recursive descent."""

    def __init__(self, words: str) -> None:
        self.tokens = _tokens(words)
        self.place = 0

    def peek(self) -> _Token:
        return self.tokens[self.place]

    def take(self) -> _Token:
        token = self.peek()
        self.place += token.kind != "end"
        return token

    def takes(self, *texts: str) -> bool:
        token = self.peek()
        found = (token.keyword or (token.text if token.kind == "symbol" else "")) in texts
        self.place += found
        return found

    def refuse(self, wanted: str) -> NoReturn:
        token = self.peek()
        there = "the filter ends" if token.kind == "end" else f"there stands {token.text[:60]!r}"
        raise FilterError(token.at, f"{there}; here goes {wanted}")

    def either(self, depth: int) -> Node:
        parts = [self.both(depth)]
        while self.takes("or"):
            parts.append(self.both(depth))
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def both(self, depth: int) -> Node:
        parts = [self.single(depth)]
        while self.takes("and"):
            parts.append(self.single(depth))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def single(self, depth: int) -> Node:
        if depth > DEEPEST:
            raise FilterError(self.peek().at, f"parentheses and `not` may stand {DEEPEST} deep")
        if self.takes("not"):
            return Not(self.single(depth + 1))
        if self.takes("("):
            inner = self.either(depth + 1)
            if not self.takes(")"):
                self.refuse("`)`, `and` or `or`")
            return inner
        return self.comparison()

    def comparison(self) -> Node:
        left = self.operand("a name such as label, answer or confidence")
        token = self.peek()
        if token.kind == "symbol" and token.text in {*OPERATORS, "==", "<>"}:
            self.take()
            operator = {"==": "=", "<>": "!="}.get(token.text, token.text)
            return Comparison(operator, left, (self.operand("a value or a name"),))
        if self.takes("is"):
            negated = self.takes("not")
            if not self.takes("missing"):
                self.refuse("`missing`")
            return _turned(Comparison("missing", left), negated=negated)
        negated = self.takes("not")
        if self.takes("in"):
            return _turned(Comparison("in", left, self.listed()), negated=negated)
        for word in ("like", "contains"):
            if self.takes(word):
                return _turned(Comparison(word, left, (self.operand("a text"),)), negated=negated)
        if negated:
            self.refuse("`in`, `like` or `contains`")
        if token.kind != "end" and not token.keyword and token.text != ")":
            self.refuse("=, !=, <, <=, >, >=, in, like, contains or is missing")
        return Comparison("holds", left)

    def listed(self) -> tuple[Operand, ...]:
        if not self.takes("("):
            self.refuse("`(` and values separated by commas")
        values = [self.operand("a value")]
        while self.takes(","):
            values.append(self.operand("a value"))
        if not self.takes(")"):
            self.refuse("`,` or `)`")
        return tuple(values)

    def operand(self, wanted: str) -> Operand:
        token = self.peek()
        if token.kind not in {"word", "quoted"} or token.keyword:
            self.refuse(wanted)
        self.take()
        following = self.peek()
        called = token.kind == "word" and token.text.lower() in FUNCTIONS and following.text == "("
        if not called or following.kind != "symbol":
            return Operand(token.text, token.kind == "quoted", at=token.at)
        self.take()
        name = self.take()
        if name.kind not in {"word", "quoted"}:
            self.place -= name.kind != "end"
            self.refuse("a name, in quotes if it has several words")
        if not self.takes(")"):
            self.refuse("`)`; names of several words stand in quotes")
        function = token.text.lower()
        part = self.take().text[1:] if function == "condition" and self.peek().text.startswith(".") else ""
        return Operand(name.text, quoted=True, function=function, part=part.lower(), at=token.at)

    def order(self) -> tuple[Key, ...]:
        self.take()
        if not self.takes("by"):
            self.refuse("`by`")
        return self.keys()

    def keys(self) -> tuple[Key, ...]:
        keys = [self.key()]
        while self.takes(","):
            keys.append(self.key())
        return tuple(keys)

    def key(self) -> Key:
        operand = self.operand("a name to sort by")
        descending = self.takes("desc")
        if not descending:
            self.takes("asc")
        return Key(operand, descending)


def _turned(node: Comparison, *, negated: bool) -> Node:
    return Not(node) if negated else node


def _tokens(words: str) -> list[_Token]:
    tokens: list[_Token] = []
    place = 0
    while words[place:].strip():
        found = _TOKEN.match(words, place)
        if found is None:
            at = place + len(words[place:]) - len(words[place:].lstrip()) + 1
            opened = words[at - 1] in "\"'"
            raise FilterError(at, "this quote is not closed" if opened else f"{words[at - 1]!r} means nothing here")
        kind = str(found.lastgroup)
        text = found[kind]
        if kind == "quoted":
            text = text[1:-1].replace(text[0] * 2, text[0])
        tokens.append(_Token(kind, text, found.start(kind) + 1))
        place = found.end()
    return [*tokens, _Token("end", "", len(words) + 1)]
