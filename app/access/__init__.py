"""Who may reach what: plain ASGI around page and API, which know nothing of it but the request's state."""

from app.access.asgi import App, Receive, Scope, Send
from app.access.gate import GradioGate
from app.access.headers import StrictHeaders
from app.access.hosts import OwnHost
from app.access.identity import GUEST_COOKIE, Identity, People, gradio_user, is_admin, owner_of, user_of
from app.access.limits import RateLimit
from app.access.proxies import Forwarding
from app.access.rules import Rules

__all__ = ["GUEST_COOKIE", "GradioGate", "Rules", "gradio_user", "guard", "is_admin", "owner_of", "user_of"]


def guard(inner: App, rules: Rules, people: People) -> App:
    """Returns an application that lets through to `inner` what the rules allow.

    Args:
        inner: page and API.
        rules: who may reach it.
        people: the store.
    """
    known = Identity(RateLimit(inner, rules), people, rules.requires_login)
    guarded = StrictHeaders(Forwarding(OwnHost(known, rules), rules.proxies))

    async def only_http(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await guarded(scope, receive, send)
        elif scope["type"] == "lifespan":
            await inner(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})  # nothing here speaks it

    return only_http
