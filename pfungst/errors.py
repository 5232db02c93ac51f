"""The one error a user sees: what was asked, what there is, what to do, in one sentence."""


class InputError(ValueError):
    """It cannot be done as asked; the message is the sentence printed before exit code 2."""


class UnreadableRow(ValueError):  # noqa: N818 - a value kept beside the good rows, raised only where nobody can go on
    """One row could not be read; the audit goes on without it and names it."""
