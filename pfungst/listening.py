"""Listening: what happens is told to whoever waits, as the name of an event and its facts."""

from collections.abc import Callable, Mapping
from typing import Any

Listener = Callable[[str, Mapping[str, Any]], None]
"""Told of each event: its name and its facts."""


def silence(event: str, facts: Mapping[str, Any]) -> None:
    """Hear nothing."""
