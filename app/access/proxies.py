"""Forwarded headers: believed from the proxies that are named, taken away from everybody else's requests.

A proxy appends the address that it was called from to `X-Forwarded-For`, so the list is read from its end: the
first address that is no trusted proxy is the caller, and whatever stands before it the caller may have made up.
"""

import ipaddress
from collections.abc import Sequence

from app.access.asgi import App, Receive, Scope, Send, headers_of
from app.access.rules import Network

__all__ = ["Forwarding"]

_DROPPED = (b"x-forwarded-", b"x-gradio-")
_DROPPED_WHOLE = (b"forwarded", b"x-real-ip")
"""Gradio would build the page's addresses from them, whoever sent them."""


class Forwarding:
    """Sets client, scheme and `Host` of a request to what a trusted proxy says, and drops such headers.

    Args:
        inner: what sees none of these headers any more.
        proxies: from where they count.
    """

    def __init__(self, inner: App, proxies: Sequence[Network]) -> None:
        self._inner = inner
        self._proxies = tuple(proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        kept = [pair for pair in scope["headers"] if not _is_dropped(pair[0].lower())]
        seen = {**scope, "headers": kept}
        if self._trusts(_address(scope)):
            self._believe(scope, seen)
        await self._inner(seen, receive, send)

    def _believe(self, scope: Scope, seen: Scope) -> None:
        chain = [part.strip() for part in ",".join(headers_of(scope, "x-forwarded-for")).split(",")]
        for address in reversed([part for part in chain if part]):
            seen["client"] = (address, 0)
            if not self._trusts(address):
                break
        scheme = _last(scope, "x-forwarded-proto").lower()
        if scheme in ("http", "https"):
            seen["scheme"] = scheme
        host = _last(scope, "x-forwarded-host")
        if host:
            others = [pair for pair in seen["headers"] if pair[0].lower() != b"host"]
            seen["headers"] = [*others, (b"host", host.encode("latin-1"))]

    def _trusts(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None)  # an IPv4 caller of a socket that takes both
        return any((mapped or parsed) in network for network in self._proxies)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _last(scope: Scope, name: str) -> str:
    values = headers_of(scope, name)
    return values[-1].rpartition(",")[2].strip() if values else ""


def _is_dropped(name: bytes) -> bool:
    return name.startswith(_DROPPED) or name in _DROPPED_WHOLE
