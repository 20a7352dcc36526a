"""The server of page and API: FastAPI around Gradio, a cookie that says whose chats are whose, strict headers."""

import contextlib
import os
import secrets
import socket
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import SimpleCookie
from typing import Any

from app.bots import Bots
from app.settings import Settings
from app.web.chats import COOKIE
from dialog.errors import UsageError

__all__ = ["make_server_app", "run_server"]

_HEADERS = {
    "content-security-policy": "default-src 'self'; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; worker-src 'self' blob:; frame-ancestors 'none'; form-action 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
_CLOSED = ("/gradio_api/upload", "/gradio_api/proxy", "/gradio_api/file=")
"""Routes that Gradio opens to everybody and that this page has no use for."""

_UNREAD_MILLISECONDS = 60_000
"""A reader that takes nothing for so long loses its connection."""

_Scope = MutableMapping[str, Any]
_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]


class _Guard:
    """ASGI middleware: closes unused routes, adds headers, gives each new browser a random cookie."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        if scope["path"].startswith(_CLOSED):
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body", "body": b"this route is closed\n"})
            return
        headers = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
        if scope["path"] == "/" and COOKIE not in _cookies(scope):
            value = f"{COOKIE}={secrets.token_urlsafe(32)}; HttpOnly; SameSite=Lax; Path=/; Max-Age=63072000"
            headers.append((b"set-cookie", value.encode()))

        async def send_with_headers(message: _Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *headers]}
            await send(message)

        await self._inner(scope, receive, send_with_headers)


def _cookies(scope: _Scope) -> SimpleCookie:
    cookies = SimpleCookie()
    for name, value in scope["headers"]:
        if name == b"cookie":
            with contextlib.suppress(Exception):  # a malformed cookie counts as none
                cookies.load(value.decode("latin-1"))
    return cookies


def make_server_app(bots: Bots, database_url: str) -> Any:
    """Returns the ASGI application: the API at `/api`, the page at `/`, its store at `database_url`.

    Raises:
        StoreError: the store cannot be opened.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before Gradio is imported: nothing leaves this machine
    from app.store import Store, Stores, TemporaryStore

    store = Store.open(database_url)
    stores = Stores(store, TemporaryStore(bots.forget))

    from fastapi import FastAPI

    from app.api import make_router
    from app.api.sessions import make_sessions_router
    from app.web.page import mount_page

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(make_router(bots))
    app.include_router(make_sessions_router(stores))
    return _Guard(mount_page(app, bots, store))


def run_server(bots: Bots, settings: Settings, host: str, port: int) -> None:
    """Serves page and API until it is interrupted.

    Raises:
        UsageError: the port is taken or the address is not this machine's.
        StoreError: the store cannot be opened.
    """
    listening = _listen(host, port)
    threading.Thread(target=bots.load_all, name="load-models", daemon=True).start()
    app = make_server_app(bots, settings.database_url)

    import uvicorn

    place = "named by HRED_DATABASE_URL" if os.environ.get("HRED_DATABASE_URL") else str(settings.data_folder)
    address = f"http://{'[' + host + ']' if ':' in host else host}:{listening.getsockname()[1]}"
    print(
        f"{address}   ({', '.join(bots.names)}; chats are kept in the store {place}; Ctrl-C ends)", flush=True
    )
    # An open page holds a connection; at the end nobody waits for it.
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2)
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        bots.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; the connections inherit it
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MILLISECONDS)
    try:
        listening.bind((host, port))
        listening.listen(1024)
    except OSError as error:
        listening.close()
        raise UsageError(
            f"{host}:{port} cannot be listened on ({error.strerror}); try another port: "
            f"hred serve --port {port + 1 if port < 65535 else 7860}"
        ) from error
    return listening
