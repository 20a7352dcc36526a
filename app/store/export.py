"""A session as one line of JSON: what `hred prepare` reads, and beside it all rows, for the way back.

    {"id": "…", "turns": [{"speaker": "user", "text": "…"}, …],     the shown branch
     "format": "hred-session/1",
     "session": {…}, "rows": {"messages": […], "feedback": […], "battles": […], "votes": […]}}

Rows are as in the tables, less whose they are: an owner's id is written nowhere unless it is asked for.
"""

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Select, Table, select
from sqlalchemy.orm import Session as Transaction

from app.store.rows import JsonObject, to_json
from app.store.tables import BattleRow, FeedbackRow, MessageRow, SessionRow, VoteRow

__all__ = [
    "FORMAT",
    "PARTS",
    "SESSIONS",
    "content_hash",
    "exported",
    "line_of",
    "names_of_ids",
    "owner_columns",
]

FORMAT = "hred-session/1"


def _table(row_class: type[Any]) -> Table:
    table = row_class.__table__
    assert isinstance(table, Table)
    return table


SESSIONS = _table(SessionRow)
_MESSAGES, _FEEDBACK, _BATTLES, _VOTES = map(_table, (MessageRow, FeedbackRow, BattleRow, VoteRow))
PARTS: Mapping[str, Table] = {table.name: table for table in (_MESSAGES, _FEEDBACK, _BATTLES, _VOTES)}
"""The tables that a session has rows in, each after those that it points to; what is derived is not among them."""


@functools.cache
def names_of_ids(table: Table) -> Mapping[str, str]:
    """Returns the columns that hold the id of a message or battle, and which of the two tables it stands in."""
    names = {"id": table.name} if table in (_MESSAGES, _BATTLES) else {}
    for column in table.columns:
        for key in column.foreign_keys:
            if key.column.table in (_MESSAGES, _BATTLES) and key.column.name == "id":
                names[column.name] = key.column.table.name
    return names


@functools.cache
def owner_columns(table: Table) -> tuple[Column[Any], ...]:
    """Returns the columns that say whose a row is."""
    return tuple(
        column
        for column in table.columns
        if any(key.column.table.name == "owners" for key in column.foreign_keys)
    )


def exported(transaction: Transaction, session: SessionRow, *, is_blind: bool = False) -> JsonObject:
    """Returns a session as the object of its line.

    Args:
        is_blind: leaves out battles without a vote and what follows their prompts, which would tell who is who.
    """
    rows = {
        name: [dict(row) for row in transaction.execute(_rows_of(table, session)).mappings()]
        for name, table in PARTS.items()
    }
    active = session.active_leaf_id
    if is_blind:
        active = _leave_out_open_battles(rows, active)
    by_id = {row["id"]: row for row in rows["messages"]}
    turns = []
    place = active
    while place is not None:
        turns.append({"speaker": by_id[place]["role"], "text": by_id[place]["text"]})
        place = by_id[place]["parent_id"]
    columns = {column.name: getattr(session, column.name) for column in SESSIONS.columns}
    columns["active_leaf_id"] = active
    return {
        "id": session.id,
        "turns": turns[::-1],
        "format": FORMAT,
        "session": _less_owner(SESSIONS, to_json(SESSIONS, columns), ("id",)),
        "rows": {
            name: [_less_owner(table, to_json(table, row), ("session_id",)) for row in rows[name]]
            for name, table in PARTS.items()
        },
    }


def line_of(values: JsonObject) -> bytes:
    """Returns an object as a line, its end included."""
    return json.dumps(values, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def content_hash(session: Mapping[str, Any], rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Returns a hash of an exported session that new ids do not change; 64 hexadecimal digits.

    Args:
        session: as `exported` gives it under `session`.
        rows: as under `rows`.
    """
    places: dict[str, dict[str, int]] = {
        name: {str(row["id"]): place for place, row in enumerate(rows[name])}
        for name in ("messages", "battles")
    }
    content: list[Any] = [
        {
            name: places["messages"].get(str(value)) if name == "active_leaf_id" else value
            for name, value in session.items()
            if name != "source"  # where it came from is not what it is
        }
    ]
    for name, table in PARTS.items():
        ids = names_of_ids(table)
        content.append(
            [
                {key: places[ids[key]].get(str(value)) if key in ids else value for key, value in row.items()}
                for row in rows[name]
            ]
        )
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _rows_of(table: Table, session: SessionRow) -> Select[Any]:
    statement = select(table)
    for column in owner_columns(table):
        statement = statement.where(column == session.owner_id)
    if table is _VOTES:
        statement = statement.join(_BATTLES, _BATTLES.c.id == table.c.battle_id)
        return statement.where(_BATTLES.c.session_id == session.id).order_by(
            _BATTLES.c.created_at, _BATTLES.c.id
        )
    statement = statement.where(table.c.session_id == session.id)
    if table is _FEEDBACK:
        statement = statement.join(_MESSAGES, _MESSAGES.c.id == table.c.message_id)
        return statement.order_by(_MESSAGES.c.position)
    order = (table.c.position,) if table is _MESSAGES else (table.c.created_at, table.c.id)
    return statement.order_by(*order)


def _leave_out_open_battles(rows: dict[str, list[JsonObject]], active: str | None) -> str | None:
    """Takes open battles and all that follows their prompts out of `rows`; returns the active leaf."""
    prompts = {battle["prompt_id"] for battle in rows["battles"] if battle["state"] == "open"}
    hidden: set[str] = set()
    for row in rows["messages"]:  # a parent stands before its children
        if row["parent_id"] in prompts or row["parent_id"] in hidden:
            hidden.add(row["id"])
    parents = {row["id"]: row["parent_id"] for row in rows["messages"]}
    while active is not None and active in hidden:
        active = parents[active]
    left = [row for row in rows["messages"] if row["id"] not in hidden]
    rows["messages"] = [{**row, "position": place} for place, row in enumerate(left)]
    rows["feedback"] = [row for row in rows["feedback"] if row["message_id"] not in hidden]
    rows["battles"] = [row for row in rows["battles"] if row["state"] != "open"]
    return active


def _less_owner(table: Table, values: JsonObject, others: Sequence[str]) -> JsonObject:
    left_out = {*others, *(column.name for column in owner_columns(table))}
    return {name: value for name, value in values.items() if name not in left_out}
