"""Budgets of an attacker: what the task file names, what is asked without one, and how they are written."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

from pfungst.datasets.dataset import Dataset
from pfungst.errors import InputError
from pfungst.task import Adversarial

GREY = 32
"""Side up to which grey pictures are taken for drawn characters, whose usual budget is a tenth of the range."""


class Budgets(NamedTuple):
    """Budgets within one norm in ascending order, and each as it is written."""

    norm: str
    sizes: tuple[float, ...]
    words: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """What an attacker may do; ``named`` says that a task file says so. A patch is tried only where it is named.

    ``words`` appended and ``misspelled`` are for texts, ``columns`` in deviations for tables, but for ``immutable``.
    """

    norms: tuple[Budgets, ...] = ()
    degrees: float = 10.0
    translation: float = 0.07
    patch: float = 0.0
    named: bool = False
    words: tuple[float, ...] = (1.0, 3.0)
    misspelled: tuple[float, ...] = (1.0, 3.0)
    columns: tuple[float, ...] = (0.5, 2.0)
    immutable: tuple[str, ...] = ()
    corruption: bool = False

    def over_defaults(self, data: Dataset) -> "Asked":
        """These, or where no norm is named the usual budgets for such pictures."""
        if self.norms:
            return self
        small = data.shape is not None and len(data.shape) == 3 and data.shape[2] == 1 and max(data.shape[:2]) <= GREY
        usual = Budgets("linf", (0.1,), ("0.1",)) if small else Budgets("linf", (2 / 255, 8 / 255), ("2/255", "8/255"))
        return replace(self, norms=(usual,))

    def subject(self, name: str, size: float) -> str:
        """The subject of findings: the threat, and the budget as it was written.

        >>> Asked((Budgets("linf", (0.1,), ("0.1",)),)).subject("linf", 0.1)
        'linf:0.1'
        """
        written = {(one.norm, at): words for one in self.norms for at, words in zip(one.sizes, one.words, strict=True)}
        grey = Fraction(size * 255).limit_denominator(64)
        usual = f"{float(grey):g}/255" if abs(float(grey) - size * 255) < 1e-6 else f"{size:.3g}"
        return f"{name}:{written.get((name, size), usual)}"


def asked_for(task: Adversarial) -> Asked:
    """The budgets of a task file.

    Raises:
        InputError: if a budget is negative, beyond the range, or no number; it is named.
    """
    found = tuple(
        _budgets(norm, values)
        for norm, values in (("linf", task.linf), ("l2", task.l2), ("l1", task.l1), ("l0", task.l0))
        if values
    )
    usual = Asked()
    of_rows = {name: _positive(name, getattr(task, name)) for name in ("words", "misspelled", "columns")}
    named = any(value is not None for value in (task.rotation, task.translation, task.patch))
    named = named or bool(found) or any(of_rows.values()) or task.corruption
    for name, value in (("translation", task.translation), ("patch", task.patch)):
        if value is not None and not 0 <= value <= 1:
            raise InputError(f"[adversarial] {name} is {value}; give a share of the side or area between 0 and 1")
    return Asked(
        found,
        usual.degrees if task.rotation is None else task.rotation,
        usual.translation if task.translation is None else task.translation,
        usual.patch if task.patch is None else task.patch,
        named,
        of_rows["words"] or usual.words,
        of_rows["misspelled"] or usual.misspelled,
        of_rows["columns"] or usual.columns,
        task.immutable,
        task.corruption,
    )


def _positive(name: str, values: tuple[float, ...]) -> tuple[float, ...]:
    for value in values:
        if not 0 < value < float("inf"):
            raise InputError(f"[adversarial] {name} holds {value!r}; a budget is a number above 0")
    return tuple(sorted({float(value) for value in values}))


def _budgets(norm: str, values: tuple[float | str, ...]) -> Budgets:
    sized = {_size(norm, value): _written(value) for value in values}
    sizes = tuple(sorted(sized))
    return Budgets(norm, sizes, tuple(sized[size] for size in sizes))


def _written(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def _size(norm: str, value: float | str) -> float:
    try:
        size = float(Fraction(value.replace(" ", ""))) if isinstance(value, str) else float(value)
    except (ValueError, ZeroDivisionError):
        raise InputError(
            f"[adversarial] {norm} holds {value!r}; write a share of the range as 0.031 or '8/255'"
        ) from None
    if not 0 <= size < float("inf"):
        raise InputError(f"[adversarial] {norm} holds {value!r}; a budget is a number of 0 or more")
    if norm == "linf" and size > 1:
        hint = f"; did you mean '{size:g}/255'?" if size <= 255 else ""
        raise InputError(f"[adversarial] linf holds {value!r}, more than the whole range of 1{hint}")
    return size
