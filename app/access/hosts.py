"""Requests that other sites make a browser send: by a name that leads here (DNS rebinding), or from their pages.

A `Host` that is neither the loopback's nor configured is 400. What changes something must come from a page of
the very host that it is sent to: a foreign `Origin`, or a browser that says `cross-site`, is 403.
"""

from urllib.parse import urlsplit

from app.access.asgi import READING, App, Receive, Scope, Send, header, headers_of
from app.access.rules import Rules, parse_host
from app.access.texts import Text, tell

__all__ = ["OwnHost"]

_STRANGE_HOST = Text(
    "this server does not answer to the name {name!r}; use http://127.0.0.1, or start it with --allowed-host {name} "
    "(HRED_HOSTS)",
    "このサーバーは {name!r} という名前では応答しません。http://127.0.0.1 を使うか、"
    "--allowed-host {name}(HRED_HOSTS)を付けて起動してください。",
)
_FOREIGN_ORIGIN = Text(
    "the request comes from another site ({origin}), which may change nothing here; open this server's own page",
    "別のサイト({origin})からの要求では、ここの内容を変更できません。このサーバーのページを開いてください。",
)
_PORTS = {"http": "80", "https": "443"}


class OwnHost:
    """Refuses foreign names and foreign pages.

    Args:
        inner: what sees only requests to this server's names, and changes only from its own pages.
        rules: which names it has.
    """

    def __init__(self, inner: App, rules: Rules) -> None:
        self._inner, self._rules = inner, rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        values = headers_of(scope, "host")
        host = parse_host(values[0]) if len(values) == 1 else None
        if host is None or not self._rules.knows_host(host[0]):
            shown = host[0] if host else ",".join(values)
            await tell(scope, send, 400, _STRANGE_HOST, name=shown[:100])
        elif scope["method"] not in READING and _is_foreign(scope, host):
            origin = header(scope, "origin") or header(scope, "sec-fetch-site")
            await tell(scope, send, 403, _FOREIGN_ORIGIN, origin=origin[:100])
        else:
            await self._inner(scope, receive, send)


def _is_foreign(scope: Scope, host: tuple[str, str]) -> bool:
    """Returns whether a browser sends this from a page of another host; what is no browser sends no origin."""
    origins = headers_of(scope, "origin")
    if not origins:
        return header(scope, "sec-fetch-site") not in ("", "same-origin", "none")
    try:
        parts = urlsplit(origins[0].strip().lower())
        name, port = parts.hostname or "", parts.port
    except ValueError:
        return True
    usual = _PORTS.get(parts.scheme, "")
    return len(origins) > 1 or not usual or (name, str(port or usual)) != (host[0], host[1] or usual)
