"""What each answer carries: the page may load and tell nothing elsewhere, and no other page may hold or read it.

Content Security Policy: https://www.w3.org/TR/CSP3/. Gradio's page has scripts and styles written into it, so these
are allowed; nothing is evaluated, and no outside host is named.
"""

from app.access.asgi import App, Message, Receive, Scope, Send

__all__ = ["StrictHeaders"]

_HEADERS = {
    b"content-security-policy": b"default-src 'self'; script-src 'self' 'unsafe-inline'; "
    b"style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    b"connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
    b"frame-ancestors 'none'; form-action 'self'",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"same-origin",  # with `no-referrer` a browser would send our own form from `Origin: null`
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}
_ADDED_TO = b"content-security-policy"
"""A route may be stricter: a browser obeys all policies that it is sent."""


class StrictHeaders:
    """Puts the headers on each answer, and takes away what lets other sites read it (CORS)."""

    def __init__(self, inner: App) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""

        async def send_strictly(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [pair for pair in message.get("headers", []) if _is_kept(pair[0].lower())]
                message = {**message, "headers": [*kept, *_HEADERS.items()]}
            await send(message)

        await self._inner(scope, receive, send_strictly)


def _is_kept(name: bytes) -> bool:
    return (name == _ADDED_TO or name not in _HEADERS) and not name.startswith(b"access-control-")
