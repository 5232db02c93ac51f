"""Fields: what can be filtered and sorted by, found by the names people write."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, TypeAlias

from pfungst.viewing.language import FilterError, Operand

Kind: TypeAlias = Literal["class", "number", "text", "truth"]
PARTS: Mapping[str, Kind] = {"answer": "class", "confidence": "number"}
LISTED = 12


@dataclass(frozen=True)
class Field:
    """A named column of one kind; ``key`` is where the rows keep it, and no part of it comes from outside."""

    name: str
    kind: Kind
    key: str


@dataclass(frozen=True)
class Vocabulary:
    """The names that mean something about these rows.

    ``own`` are label, answer and so on, ``columns`` metadata, ``conditions`` passes (name to key), ``aliases`` other
    names of conditions. ``classes`` name the values of fields of kind ``class``.
    """

    classes: tuple[str, ...]
    own: Mapping[str, Field]
    columns: Mapping[str, Field]
    conditions: Mapping[str, str]
    aliases: Mapping[str, str]

    def named(self, operand: Operand, *, anything: bool) -> Field | None:
        """The field that an operand names, or None if it is a value.

        ``anything``: metadata may be named without ``column(...)``, as on the left of an operator.

        Raises:
            FilterError: if ``condition(...)`` or ``column(...)`` names what is not there.
        """
        if operand.function == "condition":
            return self._condition(operand)
        if operand.function == "column":
            name = _found(operand, (*self.columns, *(name.removeprefix("column:") for name in self.columns)), "column")
            return self.columns.get(name) or self.columns[f"column:{name}"]
        if not operand.quoted and operand.text.lower() in self.own:
            return self.own[operand.text.lower()]
        if not anything:
            return None
        return self.columns.get(operand.text) or self._alike(operand.text)

    def needed(self, operand: Operand) -> Field:
        """The field that an operand must name. Raises FilterError if there is none."""
        field = self.named(operand, anything=True)
        if field is None:
            there = (*self.own, *self.columns)
            raise FilterError(
                operand.at, f"{operand.text[:60]!r} is no name of a column; {_listed(operand.text, there)}"
            )
        return field

    def class_of(self, operand: Operand) -> int:
        """The class that a value names. Raises FilterError if there is none."""
        if operand.text in self.classes:
            return self.classes.index(operand.text)
        alike = [at for at, name in enumerate(self.classes) if name.casefold() == operand.text.casefold()]
        if len(alike) != 1:
            raise FilterError(
                operand.at, f"there is no class {operand.text[:60]!r}; {_listed(operand.text, self.classes)}"
            )
        return alike[0]

    def condition(self, name: str) -> str | None:
        """The key of a condition by any of its names."""
        return self.conditions.get(name) or self.conditions.get(self.aliases.get(name, ""))

    def _condition(self, operand: Operand) -> Field:
        name = operand.text
        key = self.condition(name)
        if key is None:
            name = _found(operand, (*self.conditions, *self.aliases), "condition")
            key = self.condition(name)
        part = operand.part or "answer"
        if part not in PARTS:
            raise FilterError(operand.at, f"a condition has .answer and .confidence, not .{part[:40]}")
        return Field(f"{name} · {part}", PARTS[part], f"{key}:{part}")

    def _alike(self, text: str) -> Field | None:
        found = [field for name, field in self.columns.items() if name.casefold() == text.casefold()]
        return found[0] if len(found) == 1 else None


def _found(operand: Operand, names: Iterable[str], what: str) -> str:
    """The name as it is spelled, whatever its case. Raises FilterError if there is none, or several."""
    there = tuple(dict.fromkeys(names))
    alike = [name for name in there if name.casefold() == operand.text.casefold()]
    if operand.text in there:
        return operand.text
    if len(alike) != 1:
        raise FilterError(operand.at, f"there is no {what} {operand.text[:60]!r}; {_listed(operand.text, there)}")
    return alike[0]


def _listed(asked: str, names: Sequence[str]) -> str:
    """What there is, the likest first where there is much."""
    if not names:
        return "there is none"
    if len(names) > LISTED:
        close = get_close_matches(asked, names, n=3, cutoff=0.5)
        first = [*close, *(name for name in names if name not in close)][:LISTED]
        return f"there are {', '.join(name[:60] for name in first)} and {len(names) - LISTED} more"
    return f"there {'are' if len(names) > 1 else 'is'} {', '.join(name[:60] for name in names)}"
