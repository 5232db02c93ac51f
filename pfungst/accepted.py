"""Accepted: findings that somebody knows of and lets pass, with the reason and until when."""

from collections.abc import Sequence
from datetime import date, datetime

import msgspec


class Accepted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A finding, named ``probe.kind:subject``, that does not fail the gate up to and with the day ``until``.

    >>> Accepted(finding="shortcuts.cue:border", until=date(2027, 1, 31)).expired(date(2027, 2, 1))
    True
    """

    finding: str
    reason: str = ""
    until: date | None = None

    def expired(self, today: date) -> bool:
        """Whether its last day is over."""
        return self.until is not None and today > self.until


def entry(item: str | Accepted) -> Accepted:
    """An entry of a list of accepted findings; a bare name has neither reason nor last day.

    A colon at the end names no subject and is left out: ``calibration.overconfident:``.
    """
    whole = Accepted(finding=item) if isinstance(item, str) else item
    return msgspec.structs.replace(whole, finding=whole.finding.removesuffix(":"))


def accepted(items: Sequence[str | Accepted], today: date | None = None) -> frozenset[str]:
    """The names that are accepted today.

    >>> sorted(accepted(["shift.fragile:fog", Accepted(finding="shortcuts.cue:border", until=date(2027, 1, 31))],
    ...                 date(2027, 2, 1)))
    ['shift.fragile:fog']
    """
    day = today or this_day()
    return frozenset(one.finding for one in map(entry, items) if not one.expired(day))


def this_day() -> date:
    """The date here, which is the one people mean when they write ``until``."""
    return datetime.now().astimezone().date()
