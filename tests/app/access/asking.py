"""Requests to an ASGI application in this process, with no client's help: a client would mend what is sent."""

import asyncio
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Spy:
    """An application that answers 200 and keeps what reached it."""

    seen: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def __call__(self, scope, receive, send):
        self.seen.append(scope)
        body, more = b"", scope["method"] == "POST"
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": list(self.headers)})
        await send({"type": "http.response.body", "body": b"reached"})


def ask(
    app: Any,
    method: str = "GET",
    path: str = "/",
    headers: dict[str, str] | list[tuple[str, str]] | None = None,
    body: bytes = b"",
    *,
    client: str = "127.0.0.1",
    scheme: str = "http",
    state: dict[str, Any] | None = None,
    pieces: int = 1,
) -> Answer:
    """Sends one request; the body in so many pieces. `Host` is the loopback's unless it is given."""
    pairs = list(headers.items() if isinstance(headers, dict) else headers or [])
    if not any(name.lower() == "host" for name, _ in pairs):
        pairs.append(("host", "127.0.0.1:7860"))
    place, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": place,
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in pairs],
        "client": (client, 5555),
        "scheme": scheme,
        "state": dict(state or {}),
    }
    size = max(1, -(-len(body) // pieces))
    parts = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
    incoming = [
        {"type": "http.request", "body": part, "more_body": place_ < len(parts) - 1}
        for place_, part in enumerate(parts)
    ]
    sent: list[dict[str, Any]] = []

    async def receive():
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    pairs = [(name.decode(), value.decode()) for name, value in sent[0]["headers"]]
    return Answer(sent[0]["status"], pairs, b"".join(m.get("body", b"") for m in sent[1:]))
