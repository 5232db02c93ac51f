"""Room: how many rows the model is shown at once; fewer, for good, where memory does not hold them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from pfungst.errors import Unanswered, first_line

T = TypeVar("T")

_WORDS = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "failed to allocate memory",
    "bad_alloc",
    "bad allocation",
    "alloc_failed",
)
"""How PyTorch, CUDA and onnxruntime say it; their kinds of errors are those of packages that may not be there."""


@dataclass
class Room:
    """At most ``size`` rows at once, where that is known; halved when memory does not hold them, and never raised."""

    size: int | None = None

    def within(self, most: int) -> int:
        """Rows at once, at most so many."""
        return most if self.size is None else min(self.size, most)

    def parts(self, ask: Callable[[slice], T], rows: int, most: int, *, padded: bool = False) -> Iterator[T]:
        """What is answered to ``rows`` rows, part by part; a part that memory does not hold is asked again in halves.

        ``padded``: each part is filled up to as many rows as are shown at once, ``most`` where memory holds them.

        Raises:
            Unanswered: if memory does not hold one row. As smaller parts did not help, the size is what it was.

        >>> def ask(part):
        ...     if part.stop - part.start > 2:
        ...         raise MemoryError
        ...     return part.stop - part.start
        >>> room = Room()
        >>> list(room.parts(ask, 5, 8)), room.size
        ([2, 2, 1], 2)
        """
        at, before = 0, self.size
        while at < rows:
            shown = self.within(most)
            some = slice(at, min(at + shown, rows))
            answered, why = _tried(ask, some)
            if why is None:
                yield answered  # type: ignore[misc]
                at = some.stop
            elif shown == 1:
                self.size = before
                raise Unanswered(
                    f"memory does not hold one row in the model ({first_line(why)}); use a machine or device with more "
                    "memory, smaller inputs or a smaller model"
                ) from why
            else:
                self.size = max(1, (shown if padded else some.stop - at) // 2)


def _tried(ask: Callable[[slice], T], some: slice) -> tuple[T | None, Exception | None]:
    """The answer, or what ran out of memory; what was held for the answer is let go when this returns."""
    try:
        return ask(some), None
    except Exception as error:
        if not out_of_memory(error):
            raise
        return None, error.with_traceback(None)


def out_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that it was raised from, says that memory ran out.

    >>> out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")), out_of_memory(ValueError("nine"))
    (True, False)
    """
    while error is not None:
        if isinstance(error, MemoryError) or any(word in str(error).lower() for word in _WORDS):
            return True
        error = error.__cause__
    return False
