"""Server: the pages of a view on this machine alone, for whoever holds the token in the address."""

import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pfungst.errors import InputError
from pfungst.viewing.pages import CLOSED, Answer, Pages
from pfungst.viewing.view import View

HOST = "127.0.0.1"
LONGEST = 8000
"""Bytes of an address that are read."""
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CLOSED,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True)
class Guard:
    """Stands before every page: this host, this origin, GET alone, and the token; else one sentence and no page."""

    app: Any
    token: str
    port: int

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Refuse, or hand on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        why = self.refusal(scope)
        if why is None:
            await self.app(scope, receive, _with_headers(send))
            return
        status, sentence = why
        told = _with_headers(send)
        headers = [(b"content-type", b"text/plain; charset=utf-8")] + ([(b"allow", b"GET")] if status == 405 else [])
        await told({"type": "http.response.start", "status": status, "headers": headers})
        await told({"type": "http.response.body", "body": f"{sentence}\n".encode()})

    def refusal(self, scope: Message) -> tuple[int, str] | None:
        """Status and sentence, or None where the request may pass."""
        told: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            told.setdefault(name.lower(), []).append(value)
        hosts = {f"{host}:{self.port}".encode() for host in (HOST, "localhost")}
        here = told.get(b"host", [])
        if len(here) != 1 or here[0].lower() not in hosts:
            return 403, f"this is a view at {HOST}:{self.port}, and the request names another host"
        if any(origin.lower() != b"http://" + here[0].lower() for origin in told.get(b"origin", [])):
            return 403, "requests from other pages are refused"
        if any(site not in {b"same-origin", b"none"} for site in told.get(b"sec-fetch-site", [])):
            return 403, "links from other pages are refused; copy the address into the browser's address bar"
        if scope["method"] != "GET":
            return 405, "a view can only be read: GET"
        if len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"") > LONGEST:
            return 414, f"an address has at most {LONGEST} characters"
        first = scope["path"].lstrip("/").split("/", 1)[0]
        if not secrets.compare_digest(first.encode("utf-8", "replace"), self.token.encode()):
            return 403, "the address must hold the token that `pfungst view` printed"
        return None


def _with_headers(send: Send) -> Send:
    """Sends every answer, whoever made it, with the headers that keep it here."""

    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = {name.lower() for name, _ in message["headers"]}
            wanted = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
            message = {**message, "headers": [*message["headers"], *(one for one in wanted if one[0] not in given)]}
        await send(message)

    return told


def application(view: View, token: str, port: int) -> Any:
    """The application that a server runs. Raises InputError if Starlette is not installed."""
    try:
        from starlette.applications import Starlette  # noqa: PLC0415 - an extra
        from starlette.responses import RedirectResponse, Response  # noqa: PLC0415 - an extra
        from starlette.routing import Mount, Route, Router  # noqa: PLC0415 - an extra
    except ImportError:
        raise lacking("starlette") from None
    pages = Pages(view, f"/{token}")

    def sent(answer: Answer) -> Any:
        return Response(answer.body, answer.status, {"Content-Security-Policy": answer.policy}, answer.type)

    def route(path: str, answer: Callable[[Any], Answer]) -> Any:
        def endpoint(request: Any) -> Any:
            try:
                return sent(answer(request))
            except InputError as error:
                return sent(pages.refused(error, data=path.endswith(".json")))

        return Route(path, endpoint, methods=["GET"])

    def unknown(_: Any, __: Exception) -> Any:
        return sent(pages.refused(InputError("there is no such page; / is the report, /rows are the rows"), data=False))

    def home(_: Any) -> Any:
        return RedirectResponse(f"/{token}/")

    below = Router([route(path, answer) for path, answer in _answers(pages).items()], redirect_slashes=False)
    app = Starlette(
        routes=[Route(f"/{token}", home, methods=["GET"]), Mount(f"/{token}", app=below)],
        exception_handlers={404: unknown},
    )
    app.router.redirect_slashes = False
    return Guard(app, token, port)


def _answers(pages: Pages) -> dict[str, Callable[[Any], Answer]]:
    """What answers each path below the token; the first that fits is taken."""
    return {
        "/": lambda _: pages.home(),
        "/{which:str}.json": _stored(pages),
        "/rows": lambda asked: pages.rows(asked.query_params),
        "/{which:str}": _reports(pages),
        "/row/{number:int}.json": lambda it: pages.row(it.path_params["number"], it.query_params, data=True),
        "/row/{number:int}": lambda it: pages.row(it.path_params["number"], it.query_params),
        "/original/{number:int}": lambda it: pages.original(it.path_params["number"], _on(it)),
        "/thumbnail/{number:int}": lambda it: pages.thumbnail(it.path_params["number"], _on(it)),
    }


def _stored(pages: Pages) -> Callable[[Any], Answer]:
    def answer(request: Any) -> Answer:
        which = request.path_params["which"]
        if which == "rows":
            return pages.rows(request.query_params, data=True)
        if which in {"audit", "a", "b"}:
            return pages.audit(which)
        if which == "compare":
            return pages.comparison()
        raise InputError("there is no such page; there are audit.json, rows.json and row/NUMBER.json")

    return answer


def _reports(pages: Pages) -> Callable[[Any], Answer]:
    def answer(request: Any) -> Answer:
        which = request.path_params["which"]
        if which == "a" or (which == "b" and pages.view.other is not None):
            return pages.report(which)
        raise InputError("there is no such page; / is the report, /rows are the rows")

    return answer


def _on(request: Any) -> str:
    return str(request.query_params.get("on", "test"))


def serve(folders: Sequence[Path], port: int = 0, tell: Callable[[str], None] = print) -> None:
    """Serve until interrupted; ``tell`` is given the address once it can be opened.

    Raises:
        InputError: if a run cannot be opened, the port is taken, or a package is not installed.
    """
    try:
        import uvicorn  # noqa: PLC0415 - an extra
    except ImportError:
        raise lacking("uvicorn") from None
    if not 0 <= port <= 65_535:
        raise InputError(f"--port is {port}; give one from 1 to 65535, or 0 for any that is free")
    view, token = View(folders), secrets.token_urlsafe(18)
    with _bound(port) as listening:
        taken = int(listening.getsockname()[1])
        settings = uvicorn.Config(
            application(view, token, taken), log_level="warning", access_log=False, server_header=False, lifespan="off",
            timeout_graceful_shutdown=2,
        )  # fmt: skip
        listening.listen()
        tell(f"http://{HOST}:{taken}/{token}/")
        uvicorn.Server(settings).run(sockets=[listening])


def lacking(package: str) -> InputError:
    """What is said where an extra is missing."""
    return InputError(f"`pfungst view` needs {package}, which is not installed; pip install pfungst[view]")


def _bound(port: int) -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HOST, port))
    except OSError as error:
        found.close()
        raise InputError(f"port {port} of {HOST} cannot be used ({error.strerror}); name another with --port") from None
    return found
