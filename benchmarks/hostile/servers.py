"""Bad servers behind a model's address."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from hostile.case import Case
from hostile.ingredients import ESCAPE, audit, deep, rows

PATIENCE = "[endpoint]\ntimeout = 0.5\nretries = 1\nwait = 0.01\n"
TOLD = {
    "name": "net", "platform": "x", "inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, 4]}],
    "outputs": [{"name": "scores", "datatype": "FP32", "shape": [-1, 2]}],
}  # fmt: skip


def _scores(count: int, data: list[float] | None = None, shape: list[int] | None = None) -> dict[str, Any]:
    given = [0.1, 0.9] * count if data is None else data
    return {"outputs": [{"name": "scores", "datatype": "FP32", "shape": shape or [count, 2], "data": given}]}


class Speaker(BaseHTTPRequestHandler):
    """Answers by the fault that the path names: ``/FAULT/v2/...``."""

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""

    def do_GET(self) -> None:
        """What the model takes and gives."""
        fault = self.path.split("/")[1]
        told: Any = TOLD if "/models/" in self.path else {"name": "server", "version": "1", "extensions": []}
        about = METADATA.get(fault)
        self._give(fault if fault in FAULTS else "", told if about is None else about)

    def do_POST(self) -> None:
        """Scores for the rows of a request."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        count = body["inputs"][0]["shape"][0]
        fault = self.path.split("/")[1]
        self._give("", ANSWERS[fault](count) if fault in ANSWERS else _scores(count))

    def _give(self, fault: str, told: Any) -> None:
        try:
            if fault:
                FAULTS[fault](self)
            else:
                self.send(200, (told if isinstance(told, str) else json.dumps(told)).encode())
        except OSError:
            self.close_connection = True  # whoever asked has gone

    def send(self, code: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Send an answer."""
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _drip(to: Speaker) -> None:
    to.send_response(200)
    to.send_header("Content-Length", "1000000")
    to.end_headers()
    for _ in range(40):
        to.wfile.write(b" ")
        to.wfile.flush()
        time.sleep(0.05)


FAULTS: dict[str, Callable[[Speaker], object]] = {
    "redirect": lambda to: to.send(302, b"", {"Location": "http://169.254.169.254/latest/meta-data"}),
    "redirect-file": lambda to: to.send(301, b"", {"Location": "file:///etc/passwd"}),
    "stall": lambda _: time.sleep(2),
    "drip": _drip,
    "refuse": lambda to: to.send(403, b"no"),
    "break": lambda to: to.send(500, b"broken"),
    "escape": lambda to: to.send(400, json.dumps({"error": ESCAPE}).encode()),
    "page": lambda to: to.send(200, b"<html><script>alert(1)</script></html>"),
    "empty": lambda to: to.send(200, b""),
    "cut": lambda to: to.send(200, b"{}", {"Content-Length": "9999"}),
    "garbage": lambda to: to.wfile.write(b"\x00\x01\x02 garbage\r\n\r\n"),
}
METADATA: dict[str, Any] = {
    "deep": deep(), "list": [1], "no-inputs": {"name": "net"}, "wrong-kind": {**TOLD, "inputs": 7},
    "strange-shape": {**TOLD, "inputs": [{"name": "i", "datatype": "FP32", "shape": ["many"]}]},
    "vast": {**TOLD, "inputs": [{"name": "i", "datatype": "FP32", "shape": [-1, 10**12]}]},
    "words": {**TOLD, "outputs": [{"name": "scores", "datatype": "BYTES", "shape": [-1, 2]}]},
}  # fmt: skip
ANSWERS: dict[str, Callable[[int], Any]] = {
    "fewer-rows": lambda count: _scores(max(1, count) - 1 or 3),
    "other-classes": lambda count: _scores(count, [0.5] * 3 * count, [count, 3]),
    "lying-shape": lambda count: _scores(count, [0.5], [count, 2]),
    "huge-shape": lambda count: _scores(count, [0.5], [10**9, 10**9]),
    "texts": lambda count: _scores(count, ["high"] * 2 * count),  # type: ignore[list-item]
    "nulls": lambda count: _scores(count, [None] * 2 * count),  # type: ignore[list-item]
    "nothing": lambda _: {},
    "deep-answer": lambda _: deep(),
    "nan": lambda count: json.dumps(_scores(count, [float("nan")] * 2 * count)),
    "infinite": lambda count: json.dumps(_scores(count, [1e300] * 2 * count)),
}


@cache
def server() -> str:
    """The address of a server of this process."""
    running = ThreadingHTTPServer(("127.0.0.1", 0), Speaker)
    running.daemon_threads = True
    threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
    return f"http://127.0.0.1:{running.server_address[1]}"


def _asked(address: Callable[[], str]) -> Callable[[], list[str]]:
    def build() -> list[str]:
        Path("task.toml").write_text(PATIENCE, "utf-8")
        return audit(address(), rows(), "--task", "task.toml")

    return build


def cases() -> Iterator[Case]:
    """All of them."""
    for fault in (*FAULTS, *METADATA, *ANSWERS):
        yield Case("servers", fault, _asked(lambda fault=fault: f"{server()}/{fault}/v2/models/net"))  # type: ignore[misc]
    for name, address, says in (
        ("nobody there", "http://127.0.0.1:9/v2/models/net", "did not answer"),
        ("a password in the address", "http://me:secret@127.0.0.1:9/v2/models/net", "password"),
        ("a port beyond all ports", "http://127.0.0.1:99999/v2/models/net", ""),
        ("no host", "http:///v2/models/net", ""),
        ("another path", "http://127.0.0.1:9/models/net", "v2/models"),
        ("a line in the address", "http://127.0.0.1:9/v2/models/a\r\nb", ""),
        ("a query", "http://127.0.0.1:9/v2/models/net?x=1", "v2/models"),
    ):
        yield Case("servers", name, _asked(lambda address=address: address), (says,))  # type: ignore[misc]
