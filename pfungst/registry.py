"""Registry: a mapping from a method's name to the method, filled by a decorator."""

import logging
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from pfungst.errors import first_line

T = TypeVar("T")
FAMILY = "pfungst."
"""How the entry point groups of all registries begin."""

_log = logging.getLogger("pfungst")


class Registry(Mapping[str, T], Generic[T]):
    """Methods of one kind by name, in the order they were written down.

    A function is named after itself (underscores become hyphens), a class by its ``name`` attribute if it has one.
    Third parties join through the entry point group ``pfungst.<kind>``. ``holds`` says what is one of the kind: what
    is none is refused. A package that brings something broken loses that alone, and one sentence names it.

    >>> scores = Registry("example-scores")
    >>> @scores
    ... def negative_part(x: float) -> float:
    ...     return min(x, 0.0)
    >>> list(scores)
    ['negative-part']
    """

    def __init__(self, kind: str, holds: Callable[[Any], bool] = callable) -> None:
        self.kind = kind
        self._holds = holds
        self._items: dict[str, T] = {}
        self._from: dict[str, str] = {}
        self._asked_others = False

    def __call__(self, item: T) -> T:
        """Register ``item`` (decorator).

        Raises:
            TypeError: if it is not of the kind.
            ValueError: if its name is taken by another.
        """
        if not self._holds(item):
            raise TypeError(f"{type(item).__name__} is nothing that {self.kind} may hold")
        name = self.name_of(item)
        if self._items.get(name, item) is not item:
            raise ValueError(f"{self.kind} already holds a method named {name!r}")
        self._items[name] = item
        return item

    def source_of(self, name: str) -> str:
        """The package and version that brought a method; empty for pfungst's own and for what was registered here."""
        self._all()
        return self._from.get(name, "")

    @staticmethod
    def name_of(item: Any) -> str:
        """The name under which an item is registered."""
        own = getattr(item, "topic", None) or getattr(item, "name", None)
        return own if isinstance(own, str) else str(item.__name__).replace("_", "-")

    def _all(self) -> dict[str, T]:
        if not self._asked_others:
            self._asked_others = True
            for entry in sorted(entry_points(group=FAMILY + self.kind), key=lambda one: (_package(one), one.name)):
                self._join(entry)
        return self._items

    def _join(self, entry: EntryPoint) -> None:
        try:
            item = entry.load()
            self(item)
            self._from[self.name_of(item)] = _package(entry)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - another's package must not cost the audit
            _log.warning(
                "pfungst: %s of the package %s is left out of %s (%s: %s); update or remove the package",
                entry.name, _package(entry), self.kind, type(error).__name__, first_line(error),
            )  # fmt: skip

    def __getitem__(self, name: str) -> T:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def plugins() -> dict[str, str]:
    """Version of each installed package that adds to a registry, by the package's name; nothing is imported."""
    groups = sorted(group for group in entry_points().groups if group.startswith(FAMILY))
    found = {
        entry.dist.name: entry.dist.version for group in groups for entry in entry_points(group=group) if entry.dist
    }
    return dict(sorted(found.items()))


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "of an unknown name"
