"""Found on PYTHONPATH by every Python that starts: talk to another machine is refused, and noted in PFUNGST_ATTEMPTS.

`make test-offline` runs the tests under it, their subprocesses and workers included; it sees what goes through Python's
sockets. Loopback, sockets of files, and this machine's own name and address stay allowed. Where PFUNGST_ATTEMPTS is not
set nothing is watched: whoever only imports this file, as the collection of doctests does, goes on as before.
"""

import os
import socket
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
"""Names and addresses of this machine, and no address at all."""
NOTED = os.environ.get("PFUNGST_ATTEMPTS")


def _own_address() -> str:
    """The address under which others see this machine; connecting a datagram socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 9))
        except OSError:
            return "localhost"
        return str(asked.getsockname()[0])


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
    with Path(str(NOTED)).open("a", encoding="utf-8") as file:
        file.write(f"{event} {host}\n")
    raise PermissionError(f"{event} to {host}: nothing may leave this machine here")


if NOTED:
    OWN.add(_own_address())
    sys.addaudithook(_watch)
