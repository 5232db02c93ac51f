"""The one error a user sees: what was asked, what there is, what to do, in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """It cannot be done as asked; the message is the sentence printed before exit code 2."""


class Unanswered(InputError):  # noqa: N818 - named for what it says
    """A model gave no answer to these inputs; to others it may give one."""


class Incomplete(Unanswered):
    """A model gave no answer to rows in which values are missing."""


class NoLabels(InputError):  # noqa: N818 - named for what it says
    """The column or array of labels that the task names is not there."""


class TooFewRows(InputError):  # noqa: N818 - named for what it says
    """There are too few rows to say anything; with more of them it could be said."""


class TooFew(str):
    """A reason that more rows would remove: what is skipped for it is undecided, not beside the question.

    >>> TooFew("60 labelled rows; 100 are the least that say anything")[:16]
    '60 labelled rows'
    """

    __slots__ = ()


def reason_of(error: InputError) -> str:
    """The words of a refusal as a reason; one for lack of rows stays such.

    >>> isinstance(reason_of(TooFewRows("two rows")), TooFew), isinstance(reason_of(InputError("no score")), TooFew)
    (True, False)
    """
    return TooFew(error) if isinstance(error, TooFewRows) else str(error)


def first_line(error: BaseException) -> str:
    r"""The first line of another's error message, cut to fit a sentence.

    >>> first_line(ValueError("no such thing\nat line 3"))
    'no such thing'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__


@contextmanager
def damage(refusal: str, then: str = "") -> Iterator[None]:
    """Turn whatever another's parser raises over bytes from outside into an InputError.

    ``refusal`` says what cannot be done and ``then`` what to do; between them stands what the parser said. The kinds
    that parsers raise over hostile bytes have no common ancestor and cannot be listed.

    >>> with damage("a.npz cannot be read", "save it"):
    ...     [][3]
    Traceback (most recent call last):
    pfungst.errors.InputError: a.npz cannot be read: its reader failed (IndexError: list index out of range); save it
    """
    try:
        yield
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(f"{refusal}: memory ran out{f' ({error})' if str(error) else ''}") from error
    except Exception as error:
        raise InputError(f"{refusal}: {_why(error)}{then and '; '}{then}") from error


def _why(error: Exception) -> str:
    """What a parser said; where that was not raised to be read, and is about the parser, its kind as well."""
    said, kind = first_line(error), type(error).__name__
    bare = isinstance(error, (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError))
    return f"its reader failed ({said if said == kind else f'{kind}: {said}'})" if bare or said == kind else said


class UnreadableRow(ValueError):  # noqa: N818 - a value kept beside the good rows, raised only where nobody can go on
    """One row could not be read; the audit goes on without it and names it."""
