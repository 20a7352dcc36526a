"""The gate before Gradio: of its routes only those that the page uses answer.

Gradio opens some ninety routes to everybody (uploads, its own proxy and file cache, a direct API, a history that can
be sent elsewhere). The page needs eight. What is said to them is kept apart by owner here, for Gradio knows none: a
page's `session_hash`, under which its events are read, belongs to the first owner that names it.
"""

import json
import threading
from collections import OrderedDict
from typing import Any
from urllib.parse import parse_qs

from app.access.asgi import App, Message, Receive, Scope, Send, read_body
from app.access.events import OpenEvents
from app.access.texts import Text, tell

__all__ = ["MAX_EVENT_BYTES", "OPEN_FOLDERS", "OPEN_ROUTES", "GradioGate", "is_open"]

OPEN_ROUTES = frozenset(
    {
        ("GET", "/"),
        ("HEAD", "/"),
        ("GET", "/theme.css"),
        ("GET", "/favicon.ico"),
        ("GET", "/gradio_api/app_id"),  # asked by a page that has lost its server, until one answers
        ("GET", "/gradio_api/queue/data"),
        ("POST", "/gradio_api/queue/join"),
        ("POST", "/gradio_api/run/predict"),  # events with `queue=False`
    }
)
"""Method and path of all that answers beside the files."""
OPEN_FOLDERS = ("/assets/", "/static/")
"""Gradio's own scripts, styles and fonts, to read."""

MAX_EVENT_BYTES = 2**20
_MAX_PAGES = 20_000
"""Open pages whose owner is remembered; the one not heard of for longest is forgotten first."""

_CLOSED = Text("this route is closed", "この経路は閉じられています。")
_TOO_LONG = Text(
    "the page sent more than {limit:,} bytes at once; send less, or use the page's import for a file",
    "一度に送られたデータが {limit:,} バイトを超えています。短くするか、ファイルは「読み込み」を使ってください。",
)
_NOT_JSON = Text(
    "the page's event cannot be read; reload the page",
    "ページからの要求を読み取れません。再読み込みしてください。",
)
_NO_COOKIE = Text(
    "the browser sent no cookie, by which chats are told apart; allow it and reload",
    "チャットを区別する Cookie が送られていません。Cookie を許可して再読み込みしてください。",
)
_TOO_MANY = Text(
    "too many of your page's events are still waiting or running; wait until some have ended, or close a tab",
    "処理中または待機中の操作が多すぎます。終わるのを待つか、タブを閉じてください。",
)
_NOT_YOURS = Text(
    "there is no such page of yours; reload the page",
    "あなたのページとして見つかりません。再読み込みしてください。",
)


class GradioGate:
    """Lets through to Gradio what the page uses.

    Args:
        inner: Gradio's application, as it is mounted.
        events: those that wait and run.
    """

    def __init__(self, inner: App, events: OpenEvents | None = None) -> None:
        self._inner = inner
        self._events = events or OpenEvents()
        self._owner_of: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._inner(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        says_something = method == "POST" or path == "/gradio_api/queue/data"
        if not is_open(method, path):
            await tell(scope, send, 404, _CLOSED)
        elif says_something and scope.get("state", {}).get("owner") is None:
            await tell(scope, send, 403, _NO_COOKIE)
        elif method == "POST":
            await self._event(scope, receive, send)
        elif path == "/gradio_api/queue/data" and not self._is_own(scope, _asked_page(scope)):
            await tell(scope, send, 404, _NOT_YOURS)
        elif path == "/gradio_api/queue/data":
            await self._stream(scope, receive, send)
        else:
            await self._inner(scope, receive, send)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        owner = scope["state"]["owner"]
        try:
            await self._inner(scope, receive, self._events.streaming(owner, send))
        finally:
            self._events.end_page(owner, _asked_page(scope))

    async def _event(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(receive, MAX_EVENT_BYTES)
        if body is None:
            return  # the sender has gone
        if len(body) > MAX_EVENT_BYTES:
            await tell(scope, send, 413, _TOO_LONG, limit=MAX_EVENT_BYTES)
            return
        event = _parse(body)
        if event is None:
            await tell(scope, send, 400, _NOT_JSON)
            return
        page = event.get("session_hash")
        if not isinstance(page, str) or not self._is_own(scope, page):
            await tell(scope, send, 404, _NOT_YOURS)
            return
        owner, is_queued = scope["state"]["owner"], scope["path"] == "/gradio_api/queue/join"
        if is_queued and not self._events.has_room(owner):
            await tell(scope, send, 429, _TOO_MANY, (("retry-after", "1"),))
            return
        counted = self._events.joining(owner, page, send) if is_queued else send
        await self._inner(scope, _replay(body, receive), counted)

    def _is_own(self, scope: Scope, page: str) -> bool:
        """Returns whether an open page is of the request's owner; whoever names it first owns it."""
        owner = scope["state"]["owner"]
        if not 0 < len(page) <= 100:
            return False
        with self._lock:
            found = self._owner_of.setdefault(page, owner)
            self._owner_of.move_to_end(page)
            if len(self._owner_of) > _MAX_PAGES:
                self._owner_of.popitem(last=False)
        return bool(found == owner)


def is_open(method: str, path: str) -> bool:
    """Returns whether a route of Gradio's answers."""
    if (method, path) in OPEN_ROUTES:
        return True
    is_file = path.startswith(OPEN_FOLDERS) and ".." not in path.split("/")
    return is_file and method in ("GET", "HEAD")


def _asked_page(scope: Scope) -> str:
    found = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("session_hash", [])
    return found[0] if len(found) == 1 else ""


def _parse(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _replay(body: bytes, receive: Receive) -> Receive:
    """Returns a `receive` that gives the body once, then what comes next (that the sender goes)."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed
