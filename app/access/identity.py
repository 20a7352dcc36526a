"""Who is asking: put into each request's state, for all that is below.

`scope["state"]` gets `owner` (the id of whose chats are meant, or None), `user` (a name, or None) and `is_admin`.
Starlette and Gradio show them as `request.state`.

Without logins, whoever reaches the server sits at its machine: a cookie tells guests apart, and everybody is an
administrator. With them, a login's cookie opens the pages, a key opens the API, and neither opens the other.
"""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qs

from app.access.asgi import App, Message, Receive, Scope, Send, cookie, header, read_body, respond
from app.access.gate import OPEN_FOLDERS
from app.access.login_page import log_in_page, log_out_page
from app.access.logins import LOGIN_SECONDS, Door, KnownUser, LoginStore, TooSoon
from app.access.texts import Text, is_api, language_of, tell
from dialog.errors import DialogError

__all__ = [
    "GUEST_COOKIE",
    "LOGIN_COOKIE",
    "Caller",
    "Identity",
    "People",
    "gradio_user",
    "is_admin",
    "owner_of",
    "user_of",
]

GUEST_COOKIE = "hred_owner"
"""Tells guests apart where no login is demanded."""
LOGIN_COOKIE = "hred_login"
_GUEST_SECONDS = 63_072_000
"""Two years."""
_MAX_TOKEN = 200
_MAX_FORM_BYTES = 16_384
_SAME_FOR_ALL = ("/theme.css", "/favicon.ico", "/healthz")
"""Files and answers in which nobody's data is."""
_ALWAYS_OPEN = "/healthz"
"""Asked by what watches over the server; says no more than whether it is well."""

_NO_STORE = Text("it cannot be found out who asks: {reason}", "利用者を確認できません: {reason}")
_LOG_IN_FIRST = Text("log in first: open /login", "先にログインしてください: /login を開いてください。")
_NO_KEY = Text(
    "the API needs a key: send 'Authorization: Bearer KEY'; `hred keys add` makes one",
    "API にはキーが必要です。'Authorization: Bearer KEY' を送ってください。",
)
_WRONG = Text("the name or the password is wrong", "名前またはパスワードが違います。")
_TOO_SOON = Text(
    "too many tries have failed; wait {seconds} s and try again",
    "失敗が続いています。{seconds} 秒待ってから、もう一度試してください。",
)
_NO_METHOD = Text("this page takes GET and POST", "このページは GET と POST だけを受け付けます。")
_LONG_FORM = Text("the form is too long", "フォームが長すぎます。")

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sends a request.

    Attributes:
        owner: the id of whose chats are meant; None where nobody is told apart.
        user: the name that is logged in, or whose key it is; None for a guest.
        is_admin: whether they may start trainings, load models and read the server's figures.
    """

    owner: str | None = None
    user: str | None = None
    is_admin: bool = False


class People(LoginStore, Protocol):
    """What is asked of the store; each call may wait for the database."""

    def owner_for(self, cookie_token: str) -> str:
        """Returns the owner that a guest's cookie names, a new one at the first time."""

    def owner_of_user(self, user_id: str) -> str:
        """Returns the owner that a user is."""

    def user_of_login(self, token: str) -> KnownUser | None:
        """Returns who is logged in by a token; None when nobody is, or no longer."""

    def end_login(self, token: str) -> None:
        """Ends one login."""

    def end_logins(self, user_id: str) -> None:
        """Ends every login of a user."""

    def owner_of_key(self, key: str) -> str | None:
        """Returns for whom a key of the API stands; None when it does not count."""

    def user_of_owner(self, owner: str) -> KnownUser | None:
        """Returns the user behind an owner, None for a guest."""


class Identity:
    """Finds out who asks, refuses who may not, and answers at `/login` and `/logout`.

    Args:
        inner: what sees the state.
        people: the store.
        requires_login: whether pages need a login and calls of the API a key.
    """

    def __init__(self, inner: App, people: People, requires_login: bool) -> None:
        self._inner, self._people, self._requires_login = inner, people, requires_login
        self._door = Door(people)
        # Not asyncio's own threads: there, others wait for models to be loaded.
        self._asking = ThreadPoolExecutor(4, "who-asks")
        self._checking = ThreadPoolExecutor(2, "passwords")  # 64 MiB each

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        try:
            if self._requires_login and scope["path"] in ("/login", "/logout"):
                await self._at_the_door(scope, receive, send)
                return
            caller = await (self._known(scope) if self._requires_login else self._guest(scope))
        except DialogError as error:
            await tell(scope, send, 503, _NO_STORE, reason=str(error))
            return
        if caller is None:
            await _refuse(scope, send)
            return
        state = {"owner": caller.owner, "user": caller.user, "is_admin": caller.is_admin}
        asked = {**scope, "state": {**scope.get("state", {}), **state}}
        is_new = not self._requires_login and scope["path"] == "/" and not cookie(scope, GUEST_COOKIE)
        if is_new and scope["method"] == "GET":
            send = _with_cookie(
                send, _cookie_line(scope, GUEST_COOKIE, secrets.token_urlsafe(32), _GUEST_SECONDS)
            )
        await self._inner(asked, receive, send)

    async def _guest(self, scope: Scope) -> Caller:
        """Returns who asks a server without logins; a key is not asked for, but counts."""
        path = scope["path"]
        owner = None
        if _takes_keys(path):
            key = _key(scope)
            owner = await self._ask(self._people.owner_of_key, key) if key else None
        elif path not in _SAME_FOR_ALL and not path.startswith(OPEN_FOLDERS):
            token = cookie(scope, GUEST_COOKIE)
            owner = await self._ask(self._people.owner_for, token) if 0 < len(token) <= _MAX_TOKEN else None
        return Caller(owner, is_admin=True)

    async def _known(self, scope: Scope) -> Caller | None:
        """Returns who asks a server with logins; None for nobody that it knows."""
        path = scope["path"]
        if path == _ALWAYS_OPEN:
            return Caller()
        if _takes_keys(path):
            key = _key(scope)
            return await self._ask(self._of_key, key) if key else None
        token = cookie(scope, LOGIN_COOKIE)
        return await self._ask(self._of_login, token) if 0 < len(token) <= _MAX_TOKEN else None

    def _of_key(self, key: str) -> Caller | None:
        owner = self._people.owner_of_key(key)
        user = None if owner is None else self._people.user_of_owner(owner)
        return None if user is None else Caller(owner, user.name, user.is_admin)

    def _of_login(self, token: str) -> Caller | None:
        user = self._people.user_of_login(token)
        return None if user is None else Caller(self._people.owner_of_user(user.id), user.name, user.is_admin)

    async def _ask(self, call: Callable[[str], Result], argument: str) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._asking, call, argument)

    async def _at_the_door(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, leaves = scope["method"], scope["path"] == "/logout"
        token = cookie(scope, LOGIN_COOKIE)
        user = await self._ask(self._people.user_of_login, token) if 0 < len(token) <= _MAX_TOKEN else None
        if method == "POST":
            body = await read_body(receive, _MAX_FORM_BYTES)
            if body is None:
                return
            if len(body) > _MAX_FORM_BYTES:
                await tell(scope, send, 413, _LONG_FORM)
                return
            form = {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
            await (self._leave(scope, send, user, token, form) if leaves else self._enter(scope, send, form))
        elif method not in ("GET", "HEAD"):
            await tell(scope, send, 405, _NO_METHOD, (("allow", "GET, HEAD, POST"),))
        elif leaves and user is not None:
            await _show(send, 200, log_out_page(language_of(scope), user.name))
        elif leaves or user is not None:
            await _go(send, "/" if user is not None else "/login")
        else:
            await _show(send, 200, log_in_page(language_of(scope)))

    async def _enter(self, scope: Scope, send: Send, form: dict[str, str]) -> None:
        name, password = form.get("name", "")[:200], form.get("password", "")
        language, client = language_of(scope), scope.get("client")
        try:
            token = await asyncio.get_running_loop().run_in_executor(
                self._checking, self._door.log_in, name, password, client[0] if client else ""
            )
        except TooSoon as error:
            refusal = _TOO_SOON.in_language(language, seconds=error.seconds)
            retry = ("retry-after", str(error.seconds))
            await _show(send, 429, log_in_page(language, refusal, name), retry)
            return
        if token is None:
            await _show(send, 401, log_in_page(language, _WRONG.in_language(language), name))
        else:
            await _go(send, "/", _cookie_line(scope, LOGIN_COOKIE, token, LOGIN_SECONDS))

    async def _leave(
        self, scope: Scope, send: Send, user: KnownUser | None, token: str, form: dict[str, str]
    ) -> None:
        if user is not None and form.get("everywhere"):
            await self._ask(self._people.end_logins, user.id)
        elif user is not None:
            await self._ask(self._people.end_login, token)
        await _go(send, "/login", _cookie_line(scope, LOGIN_COOKIE, "", 0))


async def _refuse(scope: Scope, send: Send) -> None:
    if _takes_keys(scope["path"]):
        await tell(scope, send, 401, _NO_KEY, (("www-authenticate", "Bearer"),))
    elif scope["method"] == "GET" and "text/html" in header(scope, "accept"):
        await _go(send, "/login")
    else:
        await tell(scope, send, 401, _LOG_IN_FIRST)


def _takes_keys(path: str) -> bool:
    """Returns whether programs ask it, with a key."""
    return is_api(path) or path == "/metrics"


def _key(scope: Scope) -> str:
    scheme, _, key = header(scope, "authorization").partition(" ")
    return key.strip()[:_MAX_TOKEN] if scheme.lower() == "bearer" else ""


async def _show(send: Send, status: int, page: bytes, *headers: tuple[str, str]) -> None:
    await respond(send, status, page, "text/html; charset=utf-8", (("cache-control", "no-store"), *headers))


async def _go(send: Send, place: str, cookie_line: str = "") -> None:
    cookies = [("set-cookie", cookie_line)] if cookie_line else []
    await respond(send, 303, headers=[("location", place), ("cache-control", "no-store"), *cookies])


def _cookie_line(scope: Scope, name: str, value: str, seconds: int) -> str:
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    return f"{name}={value}; HttpOnly; SameSite=Lax; Path=/; Max-Age={seconds}{secure}"


def _with_cookie(send: Send, line: str) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"set-cookie", line.encode())]}
        await send(message)

    return sent


def owner_of(request: Any) -> str | None:
    """Returns the owner of a request of Starlette's or Gradio's; None for one that passed no guard."""
    return getattr(getattr(request, "state", None), "owner", None)


def user_of(request: Any) -> str | None:
    """Returns the user's name of such a request; None for a guest."""
    return getattr(getattr(request, "state", None), "user", None)


def gradio_user(request: Any) -> str | None:
    """Returns the name that Gradio is told (its `auth_dependency`); None, which it refuses, without a guard."""
    passed = getattr(getattr(request, "state", None), "is_admin", None) is not None
    return (user_of(request) or "guest") if passed else None


def is_admin(request: Any) -> bool:
    """Returns whether such a request is an administrator's; False for one that passed no guard."""
    return bool(getattr(getattr(request, "state", None), "is_admin", False))
