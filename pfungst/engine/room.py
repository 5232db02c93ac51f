"""Room: how many rows the model is shown at once; fewer, for good, where memory does not hold them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from pfungst.errors import InputError, first_line

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
    """``size`` rows at once; halved whenever asking about them runs out of memory, and never raised again."""

    size: int

    def parts(self, ask: Callable[[slice], T], rows: int, *, padded: bool = False) -> Iterator[T]:
        """What is answered to ``rows`` rows, part by part; a part that memory does not hold is asked again in halves.

        ``padded``: each part is filled up to ``size`` rows before it is shown.

        Raises:
            InputError: if memory does not hold one row.

        >>> def ask(part):
        ...     if part.stop - part.start > 2:
        ...         raise MemoryError
        ...     return part.stop - part.start
        >>> room = Room(8)
        >>> list(room.parts(ask, 5)), room.size
        ([2, 2, 1], 2)
        """
        at = 0
        while at < rows:
            some = slice(at, min(at + self.size, rows))
            answered, why = _tried(ask, some)
            if why is None:
                yield answered  # type: ignore[misc]
                at = some.stop
            elif self.size == 1:
                raise InputError(
                    f"memory does not hold one row in the model ({first_line(why)}); use a machine or device with more "
                    "memory, smaller inputs or a smaller model"
                ) from why
            else:
                self.size = max(1, (self.size if padded else some.stop - at) // 2)


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
