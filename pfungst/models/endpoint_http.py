"""Requests to a model server: bounded in time and size, repeated where that helps, never sent elsewhere."""

import http.client
import json
import ssl
import time
import weakref
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pfungst.errors import InputError, first_line
from pfungst.task import Endpoint

_REPEATED = frozenset({408, 429, 500, 502, 503, 504})
_LONGEST_WAIT = 30.0


class Reply(NamedTuple):
    """Status, headers in lower case, and body of an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Server:
    """A server that is asked over connections that are kept open; several threads may ask at once.

    Raises:
        InputError: if the address is none, or holds a password.
    """

    def __init__(self, address: str, asked: Endpoint) -> None:
        parts = urlsplit(address)
        if parts.username is not None or parts.password is not None:
            raise InputError("the address holds a user or password; put them into a file named by [endpoint] headers")
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in {"http", "https"} or not parts.hostname or port == -1:
            raise InputError(f"{address} is no address of a server; write http(s)://host[:port]/v2/models/NAME")
        self.name, self.asked = f"{parts.scheme}://{parts.netloc}", asked
        self.host, self.port, self.secure = parts.hostname, port, parts.scheme == "https"
        self.headers = _headers(asked.headers)
        self._idle: deque[http.client.HTTPConnection] = deque()
        weakref.finalize(self, _closed, self._idle)

    @property
    def exposed(self) -> bool:
        """Whether headers go over a network in the clear."""
        return bool(self.headers) and not self.secure and self.host not in {"127.0.0.1", "localhost", "::1"}

    def ask(self, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        """The answer to a GET, or with a body to a POST; failures that may pass are repeated.

        Raises:
            InputError: if it cannot be had; the sentence says what the server said.
        """
        said = ""
        for attempt in range(self.asked.retries + 1):
            pause = 0.0 if attempt == 0 else min(self.asked.wait * 2 ** (attempt - 1), _LONGEST_WAIT)
            time.sleep(pause)
            try:
                reply = self._once(path, body, {**self.headers, **(headers or {})})
            except TimeoutError:
                said = f"it gave no whole answer within {self.asked.timeout:g} s"
            except (OSError, http.client.HTTPException) as error:
                said = f"{type(error).__name__}: {first_line(error)}"
            else:
                if reply.status == 200:
                    return reply
                if reply.status not in _REPEATED:
                    raise InputError(f"{self.name}{path} {_refusal(reply)}")
                said = _refusal(reply)
        raise InputError(
            f"{self.name}{path} was asked {self.asked.retries + 1} times and did not answer: {said}; see the "
            "server, or [endpoint] timeout, retries and rows in the task file"
        )

    def _once(self, path: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        until = time.monotonic() + self.asked.timeout
        connection = self._idle.pop() if self._idle else self._connection()
        try:
            connection.request("GET" if body is None else "POST", path, body, dict(headers))
            response = connection.getresponse()
            named = {k.lower(): v for k, v in response.getheaders()}
            reply = Reply(response.status, named, _body(response, until, self.asked.answer_bytes))
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        return reply

    def _connection(self) -> http.client.HTTPConnection:
        if self.secure:
            return http.client.HTTPSConnection(
                self.host, self.port, timeout=self.asked.timeout, context=ssl.create_default_context()
            )
        return http.client.HTTPConnection(self.host, self.port, timeout=self.asked.timeout)


def _closed(connections: deque[http.client.HTTPConnection]) -> None:
    for connection in connections:
        connection.close()


def _body(response: http.client.HTTPResponse, until: float, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := response.read1(1 << 16):
        size += len(part)
        if size > most:
            raise InputError(
                f"the server's answer is longer than {most:,} bytes; ask fewer rows at once, or raise "
                "`answer_bytes` under [endpoint] in the task file"
            )
        if time.monotonic() > until:
            raise TimeoutError
        parts.append(part)
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    response.close()  # read to its end: the connection is free for the next request
    return b"".join(parts)


def _refusal(reply: Reply) -> str:
    if 300 <= reply.status < 400:
        where = reply.headers.get("location", "nowhere")[:200]
        return f"sends on to {where}, where nothing is sent; give the address that answers"
    try:
        told: Any = json.loads(reply.body)
        words = str(told.get("error", told)) if isinstance(told, dict) else str(told)
    except (ValueError, RecursionError):
        words = reply.body[:200].decode("utf-8", "replace")
    return f"answers {reply.status} ({' '.join(words.split())[:200] or 'without a word'})"


def _headers(file: str | None) -> dict[str, str]:
    if file is None:
        return {}
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the file of headers {file} cannot be read: {first_line(error)}") from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        name, colon, value = line.partition(":")
        if not line.strip():
            continue
        if not colon or not name.strip().replace("-", "").isalnum() or not value.strip().isprintable():
            raise InputError(f"line {number} of {file} is no header; write lines such as Authorization: Bearer ...")
        found[name.strip()] = value.strip()
    return found
