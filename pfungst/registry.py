"""Registry: a mapping from a method's name to the method, filled by a decorator."""

from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Methods of one kind by name, in the order they were written down.

    A function is named after itself (underscores become hyphens), a class by its ``name`` attribute if it has one.
    Third parties join through the entry point group ``pfungst.<kind>``.

    >>> scores = Registry("example-scores")
    >>> @scores
    ... def negative_part(x: float) -> float:
    ...     return min(x, 0.0)
    >>> list(scores)
    ['negative-part']
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}
        self._asked_others = False

    def __call__(self, item: T) -> T:
        """Register ``item`` (decorator). Raises ValueError if its name is taken by another."""
        name = self.name_of(item)
        if self._items.get(name, item) is not item:
            raise ValueError(f"{self.kind} already holds a method named {name!r}")
        self._items[name] = item
        return item

    @staticmethod
    def name_of(item: Any) -> str:
        """The name under which an item is registered."""
        own = getattr(item, "topic", None) or getattr(item, "name", None)
        return own if isinstance(own, str) else str(item.__name__).replace("_", "-")

    def _all(self) -> dict[str, T]:
        if not self._asked_others:
            self._asked_others = True
            for entry in entry_points(group=f"pfungst.{self.kind}"):
                self(entry.load())
        return self._items

    def __getitem__(self, name: str) -> T:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())
