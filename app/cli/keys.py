"""`hred keys`: what opens the API."""

import secrets
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from app.store import ApiKey, Store

__all__ = ["keys"]

keys = typer.Typer(no_args_is_help=True, help="Keys of the API: add, list, revoke.")

_SHOWN = 12
"""Letters of a key by which people know it; the others are 256 random bits all the same."""


@keys.command("add")
def add(
    user: Annotated[str, typer.Argument(help="Whose key it is: it may what they may, and sees their chats.")],
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Make a key. It is printed once, alone on the standard output, and kept only as a hash."""
    import sys

    from dialog.errors import UsageError

    with _store() as store:
        known = store.user_named(user)
        if known is None:
            raise UsageError(f"there is no user {user!r}; make one: hred users add {user}")
        # The letters that are shown are drawn for themselves, so that the list tells nothing of the rest.
        shown = f"hred-{secrets.token_hex(4)}"[:_SHOWN]
        key = f"{shown}-{secrets.token_urlsafe(32)}"
        store.add_key(store.owner_of_user(known.id), key, shown, name)
    print(f"The key of {known.name}; it is not shown again:", file=sys.stderr)
    print(key)


@keys.command("list")
def list_keys() -> None:
    """Show the keys, without what is secret of them."""
    with _store() as store:
        for key in store.api_keys():
            user = store.user_of_owner(key.owner)
            print("\t".join([key.prefix, user.name if user else "", _state(key), key.name]))


@keys.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(help="The key's first letters, as the list shows them.")],
) -> None:
    """Make a key count no more."""
    from dialog.errors import UsageError

    with _store() as store:
        found = [one for one in store.api_keys() if key in (one.prefix, one.id)]
        if len(found) != 1:
            raise UsageError(
                f"{len(found)} keys begin with {key[:_SHOWN]!r}, but one is revoked at a time; "
                "`hred keys list` shows those that there are"
            )
        store.revoke_key(found[0].id)
    print(f"{found[0].prefix} counts no more")


def _state(key: "ApiKey") -> str:
    if key.revoked_at is not None:
        return f"revoked {key.revoked_at:%Y-%m-%d}"
    return f"used {key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"


def _store() -> "Store":
    from app.store import Store

    return Store.open()
