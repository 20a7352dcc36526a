"""`hred sessions`: looks at stored chats, takes them out and in, deletes them, moves the store."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.sessions_output import as_json, plain, print_json, print_list, time_of, told_reviews, write_lines

if TYPE_CHECKING:
    from app.store import Store

__all__ = ["sessions"]

sessions = typer.Typer(
    help="Stored chats: list, show, search, export, import, delete, purge, move.", no_args_is_help=True
)
"""Whoever may read the database is its administrator: without --user these act on the chats of all owners."""

User = Annotated[
    str | None,
    typer.Option(
        "--user",
        help="Only the chats of this user; a browser without login is named by its id, as `list` shows it.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Chats = Annotated[list[str], typer.Argument(help="Ids of chats, or their first letters.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, an object a line.")]
Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]


@sessions.command("list")
def list_(user: User = None, limit: Limit = 50, json: AsJson = False) -> None:
    """List chats, the one changed last first."""
    with _store() as store:
        found = store.listed(_owner(store, user), limit)
    if json:
        for one in found:
            print_json(as_json(one))
    else:
        print_list(found)


@sessions.command()
def show(
    chat: Annotated[str, typer.Argument(help="The id of a chat, or its first letters.")],
    user: User = None,
    all_branches: Annotated[
        bool, typer.Option("--all", help="All messages on all branches, not the shown branch alone.")
    ] = False,
) -> None:
    """Print a chat."""
    with _store() as store:
        one = store.session_named(chat, _owner(store, user))
        shown = store.messages(one.owner, one.session.id)
        everything = store.all_messages(one.owner, one.session.id)
    places = {message.id: message.position for message in everything}
    print(plain(f"{one.session.title}   ({one.session.id}, {one.num_messages} messages)"))
    for message in everything if all_branches else shown:
        beside = [other for other in everything if other.parent_id == message.parent_id]
        mark = f" [{beside.index(message) + 1} of {len(beside)}]" if len(beside) > 1 else ""
        after = "" if message.parent_id is None else f" after {places[message.parent_id]}"
        place = f"{message.position}{after}  " if all_branches else ""
        print(plain(f"{place}{message.model_name or message.role}{mark}: {message.text}"))


@sessions.command()
def search(
    words: Annotated[
        str, typer.Argument(help="What to look for, also inside words; all of it in one message.")
    ],
    user: User = None,
    limit: Limit = 50,
    json: AsJson = False,
) -> None:
    """Find messages by what was said, the newest first."""
    with _store() as store:
        owner = _owner(store, user)
        found = store.search_all(words, limit) if owner is None else store.search(owner, words, limit)
    for hit in found:
        if json:
            print_json(
                {
                    "session": hit.session_id,
                    "message": hit.message_id,
                    "role": hit.role,
                    "created_at": hit.created_at.isoformat(),
                    "text": hit.text,
                }
            )
        else:
            print(
                f"{hit.session_id[:8]}  {hit.created_at:%Y-%m-%d %H:%M}  "
                + plain(f"{hit.role}: {hit.text}", one_line=True)
            )


@sessions.command()
def export(
    chats: Annotated[
        list[str] | None, typer.Argument(help="Ids of chats, or their first letters; all when none is given.")
    ] = None,
    user: User = None,
    out: Annotated[Path | None, typer.Option(help="The file to write; standard output by default.")] = None,
    reviewed: Annotated[
        bool,
        typer.Option(
            "--reviewed",
            help="To learn from: replies that were liked, corrected, or won a battle, and sessions marked as read "
            "through, of those alone who agreed that models learn from their chats.",
        ),
    ] = False,
) -> None:
    """Write chats as JSON Lines, which `hred prepare` and `hred sessions import` read.

    A line holds the shown branch as a conversation, and beside it everything that is stored of the chat.
    """
    from dialog.errors import UsageError

    if reviewed and chats:
        raise UsageError("--reviewed takes what was found good in all chats; leave the ids out")
    with _store() as store:
        owner = _owner(store, user)
        if reviewed:
            _export_reviewed(store, owner, out)
            return
        ids = None if not chats else [store.session_named(chat, owner).session.id for chat in chats]
        lines = store.export_lines(owner, ids, names_owners=True)
        if out is None:
            for line in lines:
                sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        else:
            print(f"{_chats(write_lines(out, lines))} written to {out}")


@sessions.command("import")
def import_(
    files: Annotated[list[str], typer.Argument(help="Files that were exported; - is standard input.")],
    user: User = None,
    restore: Annotated[
        bool,
        typer.Option(
            "--restore",
            help="Keep all ids, and give each chat back to the owner that its line names (or to --user).",
        ),
    ] = False,
) -> None:
    """Take exported chats in: all of a file, or nothing of it. What was imported before is passed over."""
    with _store() as store:
        owner = _owner(store, user)
        if owner is None and not restore:
            owner = store.only_owner()
        for file in files:
            done = store.import_lines(_opener(file), owner, is_restoring=restore)
            known = f"{_chats(done.known)} {'was' if done.known == 1 else 'were'} there already"
            print(f"{file}: {_chats(len(done.added))} added, {known}")


@sessions.command()
def delete(chats: Chats, user: User = None, yes: Yes = False) -> None:
    """Delete chats for good: messages, feedback, battles, votes, and what the search keeps of them."""
    with _store() as store:
        owner = _owner(store, user)
        found = {one.session.id: one for one in (store.session_named(chat, owner) for chat in chats)}
        print_list(found.values())
        _ask(f"Delete {_chats(len(found))} for good?", yes)
        store.delete_sessions(list(found))
    print(f"{_chats(len(found))} deleted")


@sessions.command()
def purge(
    older_than: Annotated[
        str,
        typer.Option(
            "--older-than",
            help="Since when nothing was said: 12h, 90d, 4w, or a day such as 2026-01-31 (UTC).",
        ),
    ],
    user: User = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list them.")] = False,
    yes: Yes = False,
) -> None:
    """Delete the chats in which nothing was said for some time, for good."""
    before = time_of(older_than)
    with _store() as store:
        owner = _owner(store, user)
        old = store.listed(owner, before=before)
        print_list(old)
        if dry_run or not old:
            print(f"{_chats(len(old))} last changed before {before:%Y-%m-%d %H:%M} UTC")
            return
        _ask(f"Delete {_chats(len(old))} for good?", yes)
        count = store.purge(before, owner)
    print(f"{_chats(count)} deleted")


@sessions.command()
def move(
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="URL",
            envvar="HRED_MOVE_TO_URL",
            help="The database to fill, sqlite:////folder/file.db or postgresql://user@host/database. A password "
            "is best left out and set as PGPASSWORD, or the URL as HRED_MOVE_TO_URL: others see a command line.",
        ),
    ],
) -> None:
    """Copy the whole store to another database, which must be empty; this one stays as it is.

    Counts and contents of each table are compared before anything is kept there. Stop the server first: what is
    said meanwhile is not moved. Afterwards set HRED_DATABASE_URL to the new one.
    """
    from app.settings import Settings
    from app.store.move import move_store

    counts = move_store(
        Settings.from_environment().database_url, to, lambda table, rows: print(f"{table}: {rows:,} rows")
    )
    print(f"{sum(counts.values()):,} rows moved and compared; set HRED_DATABASE_URL to the new database")


def _export_reviewed(store: "Store", owner: str | None, out: Path | None) -> None:
    from app.store import line_of
    from dialog.errors import StoreError

    found = list(store.reviewed(owner))
    if not found:
        raise StoreError(
            "there is nothing to learn from: nobody who agreed to it liked or corrected a reply, or voted in a "
            "battle; the switch stands on the page"
        )
    lines = [line_of(conversation) for conversation in found]
    if out is None:
        sys.stdout.buffer.writelines(lines)
        sys.stdout.buffer.flush()
    else:
        write_lines(out, lines)
        print(f"{out}: {told_reviews(found, lines)}")


@contextmanager
def _store() -> "Iterator[Store]":
    from app.store import Store

    with Store.open() as store:
        yield store


def _owner(store: "Store", user: str | None) -> str | None:
    return None if user is None else store.owner_named(user)


def _ask(question: str, yes: bool) -> None:
    from dialog.errors import UsageError

    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nobody is there to be asked; add --yes if they shall go for good")
    typer.confirm(question, abort=True)


def _chats(count: int) -> str:
    return f"{count:,} chat{'' if count == 1 else 's'}"


def _opener(file: str) -> Callable[[], Iterable[bytes]]:
    """Returns what opens a file from its beginning, as often as it is called."""
    from dialog.errors import UsageError

    if file == "-":
        lines = sys.stdin.buffer.readlines()
        return lambda: lines
    if not Path(file).is_file():
        raise UsageError(f"{file} is no file; name one that `hred sessions export` or the page wrote")

    def read() -> Iterator[bytes]:
        with Path(file).open("rb") as lines:
            yield from lines

    return read
