"""Sessions from lines that `app.store.export` wrote: all of a file's, or none.

A line is checked before anything is written: types, ids, the order of the tree, and that each reply can be
read again. What is left to the database (a key that stands twice, a word that is not allowed) takes back the
whole file, too.
"""

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session as Transaction

from app.store import queries
from app.store.export import (
    FORMAT,
    PARTS,
    SESSIONS,
    content_hash,
    exported,
    names_of_ids,
    owner_columns,
)
from app.store.records import message_record
from app.store.rows import JsonObject, from_json, to_json
from app.store.search_text import pieces_of
from app.store.tables import SearchRow, SessionRow
from dialog.errors import StoreError

__all__ = ["Imported", "check_lines", "insert_lines"]

MAX_LINE = 64 * 2**20  # bytes

Lines = Iterable[bytes]


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import.

    Attributes:
        added: the ids of the sessions that were made, in the order of the file.
        known: how many were there already.
    """

    added: tuple[str, ...]
    known: int


@dataclass(frozen=True, slots=True)
class _Session:
    """A line that was checked; `rows` are decoded, under the names of `PARTS`."""

    id: str
    owner: str | None
    columns: JsonObject
    rows: Mapping[str, list[JsonObject]]
    content_hash: str


def check_lines(lines: Lines) -> int:
    """Reads all lines and returns how many sessions they hold.

    Raises:
        StoreError: one that no export wrote, with its number.
    """
    return sum(1 for _ in _sessions(lines))


def insert_lines(
    transaction: Transaction,
    lines: Lines,
    owner_of: Callable[[str | None], str],
    *,
    is_restoring: bool = False,
    with_battles: bool = True,
) -> Imported:
    """Inserts sessions in a transaction that the caller commits.

    Args:
        owner_of: from the owner that a line names (None where it names none), whose session it becomes.
        is_restoring: whether ids stay; else each row gets a new one.
        with_battles: whether battles and votes come along; they count in the ranking.

    Raises:
        StoreError: a bad line, or an id to be restored that stands for something else.
    """
    added, known = [], 0
    for number, session in _sessions(lines):
        owner = owner_of(session.owner)
        try:
            if _is_known(transaction, owner, session, is_restoring):
                known += 1
                continue
            if not with_battles:
                session = _less_battles(session)
            added.append(_insert(transaction, owner, session, is_restoring))
        except StoreError as error:
            raise _bad(number, str(error)) from None
        except (IntegrityError, DataError) as error:
            raise _bad(number, "its rows do not fit together or hold an id that is taken") from error
    return Imported(tuple(added), known)


def _is_known(transaction: Transaction, owner: str, session: _Session, is_restoring: bool) -> bool:
    same_source = select(SessionRow.id).where(
        SessionRow.owner_id == owner, SessionRow.source == session.content_hash
    )
    if not is_restoring and transaction.scalar(same_source) is not None:
        return True
    row = transaction.get(SessionRow, session.id)
    if row is None:
        return False
    if row.owner_id == owner:
        there = exported(transaction, row)
        if content_hash(there["session"], there["rows"]) == session.content_hash:
            return True
    if is_restoring:
        raise StoreError(
            f"the chat {session.id} stands in the store already with another content or owner; "
            "delete it there first, or import without restoring its id"
        )
    return False


def _insert(transaction: Transaction, owner: str, session: _Session, is_restoring: bool) -> str:
    new: dict[str, dict[str | None, str | None]] = {}
    for name in ("messages", "battles"):
        new[name] = {None: None}
        for row in session.rows[name]:
            new[name][row["id"]] = row["id"] if is_restoring else queries.new_id()
    columns = {**session.columns, "id": session.id if is_restoring else queries.new_id(), "owner_id": owner}
    columns["active_leaf_id"] = new["messages"][columns["active_leaf_id"]]
    if not is_restoring:
        columns["source"] = session.content_hash
    transaction.execute(insert(SESSIONS).values(**columns))
    for name, table in PARTS.items():
        ids = names_of_ids(table)  # by column
        owners = {column.name: owner for column in owner_columns(table)}
        own = {"session_id": columns["id"]} if "session_id" in table.columns else {}
        rows = [
            {key: new[ids[key]][value] if key in ids else value for key, value in row.items()} | owners | own
            for row in session.rows[name]
        ]
        if rows:
            transaction.execute(insert(table), rows)
    texts = [(row["position"], row["created_at"], row["text"]) for row in session.rows["messages"]]
    about = {"session_id": columns["id"], "owner_id": owner}
    for piece in pieces_of(texts):
        transaction.execute(insert(SearchRow).values(**about, **piece))
    return str(columns["id"])


def _less_battles(session: _Session) -> _Session:
    rows = {**session.rows, "battles": [], "votes": []}
    kind = "chat" if session.columns["kind"] == "battle" else session.columns["kind"]
    return dataclasses.replace(session, rows=rows, columns={**session.columns, "kind": kind})


def _sessions(lines: Lines) -> Iterator[tuple[int, _Session]]:
    """Yields each session with the number of its line, from 1; blank lines are none."""
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            session = _read(line)
        except StoreError as error:
            raise _bad(number, str(error)) from None
        if session.id in seen:
            raise _bad(number, f"it holds the chat of line {seen[session.id]} once more")
        seen[session.id] = number
        yield number, session


def _bad(number: int, why: str) -> StoreError:
    return StoreError(f"line {number} cannot be imported: {why} (nothing was imported)")


def _read(line: bytes) -> _Session:
    if len(line) > MAX_LINE:
        raise StoreError(f"it has {len(line):,} bytes, but at most {MAX_LINE:,} are read")
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        raise StoreError("it is no JSON; take a file that `hred sessions export` or the page wrote") from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise StoreError(
            f'it is no chat of an export ("format": "{FORMAT}"); take a file that `hred sessions export` '
            "or the page wrote"
        )
    session_id, owner, parts = values.get("id"), values.get("owner"), values.get("rows")
    if not _is_id(session_id) or not (owner is None or _is_id(owner)) or not isinstance(parts, dict):
        raise StoreError("it lacks the id or the rows of its chat")
    if set(parts) - set(PARTS):
        raise StoreError("it holds rows that this version of hred does not know; update hred")
    # Whose the rows are is set when they are inserted; until then they are told to be the session's own.
    columns = _decoded(SESSIONS, values.get("session"), {"id": session_id}, "session")
    rows = {}
    for name, table in PARTS.items():
        listed = parts.get(name, [])
        if not isinstance(listed, list):
            raise StoreError(f"its {name} are no list")
        given = {"session_id": session_id} if "session_id" in table.columns else {}
        rows[name] = [_decoded(table, row, given, f"{name}[{place}]") for place, row in enumerate(listed)]
    _check_tree(columns, rows)
    encoded = {name: [_encoded(PARTS[name], row, ("session_id",)) for row in rows[name]] for name in PARTS}
    return _Session(
        str(session_id), owner, columns, rows, content_hash(_encoded(SESSIONS, columns, ("id",)), encoded)
    )


def _decoded(table: Any, values: object, given: JsonObject, where: str) -> JsonObject:
    owners = {column.name: "" for column in owner_columns(table)}
    if not isinstance(values, dict):
        raise StoreError(f"{where} is no JSON object")
    taken = sorted((owners.keys() | given.keys()) & values.keys())
    if taken:
        raise StoreError(f"{where}.{taken[0]} is given, but it is not a file that says whose a row is")
    return from_json(table, {**values, **owners, **given}, where)


def _encoded(table: Any, row: JsonObject, others: tuple[str, ...]) -> JsonObject:
    left_out = {*others, *(column.name for column in owner_columns(table))}
    return {name: value for name, value in to_json(table, row).items() if name not in left_out}


def _check_tree(columns: JsonObject, rows: Mapping[str, list[JsonObject]]) -> None:
    """Checks what the database does not: ids, the order of parents and children, replies that can be read."""
    ids: dict[str, set[str]] = {"messages": set(), "battles": set()}
    for place, row in enumerate(rows["messages"]):
        if row["position"] != place:
            raise StoreError(f"messages[{place}] stands at the position {row['position']}")
        if row["parent_id"] is not None and row["parent_id"] not in ids["messages"]:
            raise StoreError(f"messages[{place}] follows a message that does not stand before it")
        if not _is_id(row["id"]) or row["id"] in ids["messages"]:
            raise StoreError(f"messages[{place}] has an id that is none, or another's")
        ids["messages"].add(row["id"])
        if row["role"] == "bot":
            _check_reply(row, place)
    for place, row in enumerate(rows["battles"]):
        if not _is_id(row["id"]) or row["id"] in ids["battles"]:
            raise StoreError(f"battles[{place}] has an id that is none, or another's")
        ids["battles"].add(row["id"])
    for name, table in PARTS.items():
        if name != "messages":
            for place, row in enumerate(rows[name]):
                for key, target in names_of_ids(table).items():
                    if row[key] is not None and row[key] not in ids[target]:
                        raise StoreError(f"{name}[{place}].{key} names nothing of {target}")
    if columns["active_leaf_id"] is not None and columns["active_leaf_id"] not in ids["messages"]:
        raise StoreError("its active leaf is not among its messages")


def _check_reply(row: JsonObject, place: int) -> None:
    try:
        values = (row[column.name] for column in queries.MESSAGE)
        message_record([json.dumps(value) if isinstance(value, list | dict) else value for value in values])
    except StoreError:
        raise StoreError(f"messages[{place}] holds a reply that this version of hred cannot read") from None


def _is_id(value: object) -> bool:
    return isinstance(value, str) and queries.is_id(value)
