"""`hred users`: who may log in."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from app.store import Store, User

__all__ = ["users"]

users = typer.Typer(
    no_args_is_help=True, help="Who may log in: add, list, remove, change a password, log out."
)

Name = Annotated[str, typer.Argument(help="The user's name.")]


@users.command("add")
def add(
    name: Name,
    admin: Annotated[
        bool, typer.Option("--admin", help="May start trainings, load models and read the server's figures.")
    ] = False,
) -> None:
    """Make a user. The password is asked for; where no terminal is, it is the first line of the input."""
    from app.access.passwords import hash_password
    from app.cli.asking_secrets import ask_new_password

    with _store() as store:
        store.check_new_user(name)
        made = store.create_user(name, hash_password(ask_new_password(name)), is_admin=admin)
    print(f"{made.name} may log in{', as an administrator' if made.is_admin else ''}")


@users.command("list")
def list_users() -> None:
    """Show who may log in."""
    with _store() as store:
        for user in store.users():
            role = "administrator" if user.is_admin else "user"
            print(f"{user.name}\t{role}\tsince {user.created_at:%Y-%m-%d}")


@users.command("remove")
def remove(
    name: Name,
    with_chats: Annotated[
        bool, typer.Option("--with-chats", help="Delete the user's chats, too, for good.")
    ] = False,
) -> None:
    """Remove a user, their logins and their keys; refused while they have chats, unless these go, too."""
    with _store() as store:
        user = _known(store, name)
        if with_chats:
            owner = store.owner_of_user(user.id)
            while found := store.sessions(owner, limit=100):
                for session in found:
                    store.delete_session(owner, session.id)
        store.remove_user(user.id)
    print(f"{user.name} is removed")


@users.command("password")
def password(name: Name) -> None:
    """Change a user's password; every login of theirs ends."""
    from app.access.passwords import hash_password
    from app.cli.asking_secrets import ask_new_password

    with _store() as store:
        user = _known(store, name)
        store.set_password(user.id, hash_password(ask_new_password(user.name)))
    print(f"{user.name} has another password and is logged out everywhere")


@users.command("logout")
def logout(name: Name) -> None:
    """End every login of a user, on whatever browser; keys still count."""
    with _store() as store:
        user = _known(store, name)
        store.end_logins(user.id)
    print(f"{user.name} is logged out everywhere")


def _store() -> "Store":
    from app.store import Store

    return Store.open()


def _known(store: "Store", name: str) -> "User":
    from dialog.errors import UsageError

    user = store.user_named(name)
    if user is None:
        raise UsageError(f"there is no user {name!r}; `hred users list` shows those that there are")
    return user
