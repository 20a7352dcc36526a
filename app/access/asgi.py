"""The few pieces of ASGI that the guards share: types, headers, cookies, a whole answer.

ASGI: https://asgi.readthedocs.io/en/latest/specs/www.html
"""

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

__all__ = [
    "READING",
    "App",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "cookie",
    "header",
    "headers_of",
    "read_body",
    "respond",
    "respond_json",
]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

READING = frozenset({"GET", "HEAD", "OPTIONS"})
"""The methods that change nothing."""


def headers_of(scope: Scope, name: str) -> list[str]:
    """Returns every value of a request's header, in order."""
    wanted = name.encode()
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == wanted]


def header(scope: Scope, name: str) -> str:
    """Returns the first value of a request's header, or ""."""
    return next(iter(headers_of(scope, name)), "")


def cookie(scope: Scope, name: str) -> str:
    """Returns the value of a cookie, or "". What is no `name=value` is passed over."""
    for line in headers_of(scope, "cookie"):
        for part in line.split(";"):
            found, equals, value = part.strip().partition("=")
            if equals and found == name:
                return value.strip('"')
    return ""


async def read_body(receive: Receive, limit: int) -> bytes | None:
    """Returns a request's body, or the beginning of one that is longer than `limit`; None if its sender goes."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit or not message.get("more_body", False):
            return b"".join(parts)


async def respond(
    send: Send,
    status: int,
    body: bytes = b"",
    content_type: str = "text/plain; charset=utf-8",
    headers: Iterable[tuple[str, str]] = (),
) -> None:
    """Sends a whole answer."""
    every = [("content-type", content_type), ("content-length", str(len(body))), *headers]
    raw = [(name.encode(), value.encode("latin-1")) for name, value in every]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def respond_json(send: Send, status: int, value: Any, headers: Iterable[tuple[str, str]] = ()) -> None:
    """Sends a value as JSON."""
    await respond(send, status, json.dumps(value).encode(), "application/json", headers)
