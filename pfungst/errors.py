"""The one error a user sees: what was asked, what there is, what to do, in one sentence."""


class InputError(ValueError):
    """It cannot be done as asked; the message is the sentence printed before exit code 2."""


class Unanswered(InputError):  # noqa: N818 - named for what it says
    """A model gave no answer to these inputs; to others it may give one."""


class NoLabels(InputError):  # noqa: N818 - named for what it says
    """The column or array of labels that the task names is not there."""


def first_line(error: BaseException) -> str:
    r"""The first line of another's error message, cut to fit a sentence.

    >>> first_line(ValueError("no such thing\nat line 3"))
    'no such thing'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__


class UnreadableRow(ValueError):  # noqa: N818 - a value kept beside the good rows, raised only where nobody can go on
    """One row could not be read; the audit goes on without it and names it."""
