"""Compiled: a filter as SQL whose every name is made here and whose every value is a parameter."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pfungst.viewing.fields import Field, Vocabulary
from pfungst.viewing.language import All, Comparison, Either, FilterError, Key, Node, Not, Operand

MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}
FLAGS = ("right", "wrong", "flipped")
TRUE, FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})
PLACE = "place"
"""The column of positions; it settles what an order leaves open."""


@dataclass(frozen=True)
class Compiled:
    """SQL of a filter: ``where`` and ``order``, the values of its parameters, and the names of the columns by key."""

    where: str
    order: str
    values: tuple[Any, ...]
    columns: dict[str, str]
    fields: tuple[Field, ...]


def compiled(condition: Node | None, order: tuple[Key, ...], vocabulary: Vocabulary) -> Compiled:
    """SQL of a parsed filter.

    A comparison with something that is missing does not hold, nor does ``!=``; ``not`` of it does.

    Raises:
        FilterError: where a name means nothing, or a comparison is between kinds that cannot be compared.
    """
    writer = _Writer(vocabulary)
    where = "true" if condition is None else writer.node(condition)
    keys = [
        f"{writer.column(writer.known(key.operand))} {'desc' if key.descending else 'asc'} nulls last" for key in order
    ]
    return Compiled(where, ", ".join([*keys, PLACE]), tuple(writer.values), writer.columns, tuple(writer.fields))


@dataclass
class _Writer:
    """Writes one filter; nothing but ``c0``, ``$1`` and fixed words ever goes into the SQL."""

    vocabulary: Vocabulary
    values: list[Any] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    fields: list[Field] = field(default_factory=list)

    def column(self, named: Field) -> str:
        if named.key not in self.columns:
            self.columns[named.key] = f"c{len(self.columns)}"
            self.fields.append(named)
        return self.columns[named.key]

    def value(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"

    def known(self, operand: Operand) -> Field:
        return self.vocabulary.needed(operand)

    def node(self, node: Node) -> str:
        if isinstance(node, Not):
            return f"(not coalesce({self.node(node.inner)}, false))"
        if isinstance(node, All | Either):
            return (
                "(" + (" and " if isinstance(node, All) else " or ").join(self.node(part) for part in node.parts) + ")"
            )
        writers: dict[str, Callable[[Comparison], str]] = {
            "holds": self.holds, "missing": self.missing, "in": self.listed, "like": self.worded,
            "contains": self.worded,
        }  # fmt: skip
        return "(" + writers.get(node.operator, self.compared)(node) + ")"

    def holds(self, node: Comparison) -> str:
        name = node.left.text.lower()
        own = self.vocabulary.own
        if (
            name in FLAGS
            and not node.left.quoted
            and not node.left.function
            and (name != "flipped" or "b.answer" in own)
        ):
            other = "b.answer" if name == "flipped" else "label"
            return f"{self.column(own['answer'])} {'=' if name == 'right' else '<>'} {self.column(own[other])}"
        named = self.known(node.left)
        if named.kind != "truth":
            raise FilterError(
                node.left.at, f"{named.name} is not yes or no by itself; compare it, as in {named.name} = ..."
            )
        return self.column(named)

    def missing(self, node: Comparison) -> str:
        return f"{self.column(self.known(node.left))} is null"

    def listed(self, node: Comparison) -> str:
        named = self.known(node.left)
        values = [self.value(self.typed(named, one)) for one in node.right]
        return f"{self.column(named)} in ({', '.join(values)})"

    def worded(self, node: Comparison) -> str:
        named, words = self.known(node.left), node.right[0]
        if named.kind == "class":
            fits = matcher(words.text) if node.operator == "like" else _containing(words.text)
            found = [at for at, name in enumerate(self.vocabulary.classes) if fits(name)]
            return f"{self.column(named)} in ({', '.join(self.value(at) for at in found)})" if found else "false"
        if named.kind != "text":
            raise FilterError(words.at, f"{named.name} holds numbers; `{node.operator}` is for texts, use =, < or >")
        if node.operator == "like":
            return f"{self.column(named)} ilike {self.value(words.text)}"
        return f"contains(lower({self.column(named)}), lower({self.value(words.text)}))"

    def compared(self, node: Comparison) -> str:
        left, right, operator = node.left, node.right[0], node.operator
        first = self.vocabulary.named(left, anything=True)
        second = self.vocabulary.named(right, anything=False)
        if first is None and (second := second or self.vocabulary.named(right, anything=True)) is not None:
            left, right, first, second, operator = right, left, second, None, MIRRORED[operator]
        if first is None:
            self.known(left)
            raise AssertionError(left)
        if first.kind in {"class", "truth"} and operator not in {"=", "!="}:
            raise FilterError(left.at, f"{first.name} has no order; use = or !=")
        spelled = "<>" if operator == "!=" else operator
        if second is None:
            return f"{self.column(first)} {spelled} {self.value(self.typed(first, right))}"
        if first.kind != second.kind:
            apart = f"{first.name} ({first.kind}) and {second.name} ({second.kind}) cannot be compared"
            raise FilterError(right.at, f"{apart}; a value of that name stands in quotes")
        return f"{self.column(first)} {spelled} {self.column(second)}"

    def typed(self, named: Field, operand: Operand) -> Any:
        """A value as the field's column holds it. Raises FilterError if it cannot be one."""
        if operand.function:
            raise FilterError(operand.at, f"a value goes here, and {operand.function}(...) is a name")
        if named.kind == "class":
            return self.vocabulary.class_of(operand)
        if named.kind == "text":
            return operand.text
        if named.kind == "truth":
            if operand.text.lower() not in TRUE | FALSE:
                raise FilterError(operand.at, f"{named.name} is yes or no, not {operand.text[:60]!r}")
            return operand.text.lower() in TRUE
        if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", operand.text, re.ASCII) is None:
            raise FilterError(operand.at, f"{named.name} holds numbers, and {operand.text[:60]!r} is none")
        return float(operand.text)


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a text fits a pattern in which ``%`` is anything and ``_`` one character, as in SQL.

    >>> matcher("wol_%")("Wolfhound"), matcher("%a%b")("abc")
    (True, False)
    """
    wanted = pattern.lower()
    return lambda text: _fits(wanted, text.lower())


def _fits(pattern: str, text: str) -> bool:
    """Greedy, going back to the last ``%`` alone: never more than (pattern x text) steps."""
    at = place = 0
    star, resumed = -1, 0
    while place < len(text):
        if at < len(pattern) and pattern[at] == "%":
            star, resumed = at, place
            at += 1
        elif at < len(pattern) and pattern[at] in {"_", text[place]}:
            at, place = at + 1, place + 1
        elif star >= 0:
            resumed += 1
            at, place = star + 1, resumed
        else:
            return False
    return not pattern[at:].strip("%")


def _containing(words: str) -> Callable[[str], bool]:
    return lambda text: words.lower() in text.lower()
