"""The language of a page: that of the browser, unless another one is chosen; a choice is kept in a cookie.

Gradio's own labels and those of `app.web.words` are chosen by the browser after `navigator.language`. So that a
choice wins there, too, the page's HTML gets the language on its way out, before any script of Gradio's runs.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from app.web.words import LANGUAGES

__all__ = ["LANGUAGE_COOKIE", "InLanguage", "choose_language", "language_of"]

LANGUAGE_COOKIE = "hred_language"
"""Set by the page's language menu; it holds no secret, and scripts can read it."""

_Scope = MutableMapping[str, Any]
_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]


def choose_language(chosen: str | None, accepted: str | None) -> str:
    """Returns one of `LANGUAGES`.

    Args:
        chosen: the cookie's value.
        accepted: the header Accept-Language (RFC 9110, section 12.5.4), whose highest weight counts.
    """
    if chosen in LANGUAGES:
        return str(chosen)
    best, best_weight = LANGUAGES[0], 0.0
    for part in (accepted or "").split(","):
        tag, _, parameter = part.strip().partition(";")
        language = tag.strip().lower().split("-")[0]
        try:
            weight = float(parameter.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if language in LANGUAGES and weight > best_weight:
            best, best_weight = language, weight
    return best


def language_of(request: Any) -> str:
    """Returns the language of a Gradio event's `gr.Request`: what the server answers in."""
    return choose_language(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language"))


class InLanguage:
    """ASGI middleware: tells the page at `/` its language.

    Args:
        inner: the application with the page.
        head: HTML that the page's head begins with, after the language.
    """

    def __init__(self, inner: Any, head: str = "") -> None:
        self._inner = inner
        self._head = head

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Answers one request."""
        if scope["type"] != "http" or scope["path"] != "/" or scope["method"] != "GET":
            await self._inner(scope, receive, send)
            return
        given = {name: value.decode("latin-1") for name, value in scope["headers"]}
        language = choose_language(_cookie(given.get(b"cookie", "")), given.get(b"accept-language"))
        # What comes must not be compressed, for something is written into it.
        headers = [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]
        held: list[_Message] = []
        body = bytearray()

        async def send_changed(message: _Message) -> None:
            if message["type"] == "http.response.start":
                held.append(message)
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            page = self._with_language(bytes(body), language)
            start = held[0]
            kept = [
                pair
                for pair in start["headers"]
                if pair[0].lower() not in (b"content-length", b"cache-control")
            ]
            added = [
                (b"content-length", str(len(page)).encode()),
                (b"cache-control", b"no-store"),
                (b"vary", b"cookie, accept-language"),
            ]
            await send({**start, "headers": [*kept, *added]})
            await send({"type": "http.response.body", "body": page})

        await self._inner({**scope, "headers": headers}, receive, send_changed)

    def _with_language(self, page: bytes, language: str) -> bytes:
        script = (
            f"<script>for (const [name, value] of [['language', {json.dumps(language)}], "
            f"['languages', [{json.dumps(language)}]]]) "
            "Object.defineProperty(navigator, name, {get: () => value}); "
            f"document.documentElement.lang = {json.dumps(language)};</script>"
        )
        return page.replace(b"<head>", f"<head>{script}{self._head}".encode(), 1)


def _cookie(header: str) -> str | None:
    cookies = SimpleCookie()
    try:
        cookies.load(header)
    except CookieError:
        return None
    return cookies[LANGUAGE_COOKIE].value if LANGUAGE_COOKIE in cookies else None
