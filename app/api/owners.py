"""Whose request it is. Logins and keys are checked before a request comes here; this is what is read of it.

The contract, of the ASGI scope that reaches these routes:

- `scope["state"]["owner"]`: str, the id of whose chats are meant (of a user, or of a guest by the cookie); None
  or absent where nobody was told apart, as on a server that demands no login;

Who is an administrator is `app.access.is_admin` alone.
"""

from starlette.requests import Request

from app.access import GUEST_COOKIE
from app.api.problems import Problem
from app.store import Store

__all__ = ["owner_of", "page_owner_of"]

_MAX_TOKEN = 200
_LOCAL = "local"
"""What stands for the cookie of programs that send none: together they are one guest, this machine's own."""


def owner_of(request: Request, store: Store) -> str:
    """Returns the owner of a program's request; asks the store, so call it on a thread.

    Raises:
        StoreError: the database cannot be asked.
    """
    return _known_owner(request, store) or store.owner_for(_LOCAL)


def page_owner_of(request: Request, store: Store) -> str:
    """Returns the owner of a request of the page's; asks the store, so call it on a thread.

    Raises:
        Problem: 401, for a browser that keeps no cookie is nobody.
        StoreError: the database cannot be asked.
    """
    owner = _known_owner(request, store)
    if owner is None:
        raise Problem(401, "the browser sent no cookie, by which chats are told apart; open the page first")
    return owner


def _known_owner(request: Request, store: Store) -> str | None:
    owner = getattr(request.state, "owner", None)
    if isinstance(owner, str):
        return owner
    token = request.cookies.get(GUEST_COOKIE, "")
    return store.owner_for(token) if 0 < len(token) <= _MAX_TOKEN else None
