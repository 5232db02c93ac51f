"""Writers: who works at an address in an object store, as stores have no locks.

Each puts an object of its own and looks for others then, so that of two that come at once at least one sees the other.
What a writer leaves when it ends tells who wrote last.
"""

import json
import secrets
from dataclasses import dataclass, field

from pfungst.errors import InputError
from pfungst.runs.claims import claim, holder, taken
from pfungst.stored import Stored

WRITERS = ".writers"
"""The folder below the address in which writers have their objects."""

STALE = 120 * 10**9
"""Nanoseconds after the last sign of life at which a writer counts as dead, by the store's clock."""

WORKING: set[str] = set()
"""Tokens of the writers that work in this process."""


@dataclass(frozen=True, eq=False)
class Writer:
    """One that works, or wants to, at an address; ``gone`` are those that it took over from."""

    address: str
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    gone: set[str] = field(default_factory=set)

    @property
    def _all(self) -> Stored:
        return Stored(self.address).at(WRITERS)

    def begin(self) -> list[str]:
        """Tokens of those that worked here before, all dead or done.

        Raises:
            InputError: if another works here; then this one leaves no trace.
        """
        self._all.write(self.token, claim().encode())
        try:
            before = self._before()
        except BaseException:
            self._all.remove(self.token)
            raise
        WORKING.add(self.token)
        return before

    def _before(self) -> list[str]:
        writers = self._all
        times = writers.changed
        for name in times.keys() - {self.token}:
            said = writers.read(name) if max(times.values()) - times[name] < STALE else b""
            by = holder(said) if isinstance(said, bytes) else None
            # Where the store refused even the end of a claim, whoever made it may be this process.
            if by is not None and (by != json.loads(claim()) or name in WORKING):
                raise taken(by, self.address)
        return [name for name in times if name != self.token]

    def forget(self, tokens: list[str]) -> None:
        """Delete what others left: from now on this writer is the last."""
        self.gone.update(tokens)
        for token in tokens:
            self._all.remove(token)

    def live(self) -> None:
        """Give a sign of life. Raises InputError if another took the address over, having seen none for long."""
        writers = self._all
        there = writers.changed.keys()
        if self.token not in there:
            raise InputError(f"another audit took {self.address} over, as this one had shown no sign of life for long")
        # A sign of life that was under way at the takeover came after it; deleted again, its writer will miss it.
        for token in self.gone & there:
            writers.remove(token)
        writers.write(self.token, claim().encode())

    def rest(self) -> None:
        """Work no more in this process, whatever the store knows of it."""
        WORKING.discard(self.token)

    def end(self) -> None:
        """Leave the object as one that nobody holds."""
        self._all.write(self.token, b"{}")
