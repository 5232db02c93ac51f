"""Claims: who works in a RUN, written down where others who want to will find it."""

import json
import os
import socket
from typing import Any

from pfungst.errors import InputError


def claim() -> str:
    """This process, as one that works."""
    return json.dumps({"host": socket.gethostname(), "pid": os.getpid()})


def holder(words: str | bytes) -> dict[str, Any] | None:
    """The process that made a claim; None if it is gone, or the words are no claim.

    Of a process on another machine nothing is known but its claim.

    >>> holder(claim())["pid"] == os.getpid()
    True
    """
    try:
        found: dict[str, Any] = json.loads(words)
        if not (isinstance(found["pid"], int) and 0 < found["pid"] < 1 << 31):
            return None
        if found["host"] == socket.gethostname():
            os.kill(found["pid"], 0)
    except PermissionError:  # it lives, and is another user's
        return found
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found


def taken(by: dict[str, Any], place: object) -> InputError:
    """The sentence for whoever comes second."""
    return InputError(
        f"another audit (process {by['pid']} on {by['host']}) is at work in {place}; "
        "wait for it, stop it, or name another folder with --out"
    )
