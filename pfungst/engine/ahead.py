"""Ahead: what is needed next is made while what came before is used."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def ahead(made: Iterator[T]) -> Generator[T, None, None]:
    """The same items in the same order, each made in a thread while the one before is used.

    Decoding and most of NumPy and OpenCV let another thread run meanwhile, as every runtime of networks does. What
    making an item raises is raised where the item would have come.

    >>> list(ahead(iter("abc")))
    ['a', 'b', 'c']
    """
    end: Any = object()
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, made, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, made, end)
            yield item
