"""Found on PYTHONPATH by every Python that starts: talk to another machine is refused, and noted in PFUNGST_ATTEMPTS.

`make test-offline` runs the tests under it, their subprocesses and workers included; it sees what goes through Python's
sockets. Loopback, sockets of files, and this machine's own name stay allowed.
"""

import os
import sys
from pathlib import Path

TALK = {
    "socket.connect": 1,
    "socket.sendto": 1,
    "socket.sendmsg": 1,
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
}
OWN = {"", "localhost", "::1", "0.0.0.0", "::", os.uname().nodename}
NOTED = os.environ.get("PFUNGST_ATTEMPTS")


def _watch(event: str, facts: tuple[object, ...]) -> None:
    if event not in TALK:
        return
    address = facts[TALK[event]]
    host = address[0] if isinstance(address, tuple) else address
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    # A path (or nothing at all: the socket is connected already, and that was judged) names no machine.
    here = not isinstance(host, str) or host in OWN or host.startswith(("127.", "/", "\0"))
    if here:
        return
    if NOTED:
        with Path(NOTED).open("a", encoding="utf-8") as file:
            file.write(f"{event} {host}\n")
    raise PermissionError(f"{event} to {host}: nothing may leave this machine here")


sys.addaudithook(_watch)
