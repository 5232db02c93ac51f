"""Typed: words as they are typed at a shell, so that a command that is copied does what was done."""

import shlex
from collections.abc import Mapping
from typing import Any


def typed(word: str) -> str:
    """A file or another word, quoted where a shell would read something else in it or a command an option.

    >>> typed("rows.npz"), typed("a;b.npz"), typed("-x.npz")
    ('rows.npz', "'a;b.npz'", './-x.npz')
    """
    return shlex.quote(f"./{word}" if word.startswith("-") else word)


def flags(named: Mapping[str, Any]) -> list[str]:
    """Options and their values; those that say nothing are left out.

    >>> flags({"task": "my task.toml", "window": None, "rows": 20})
    ["--task 'my task.toml'", '--rows 20']
    """
    return [f"--{name} {typed(str(value))}" for name, value in named.items() if value not in {None, ""}]
