"""The tables of the session store.

    store_schema  one row: the version of these tables
    owners        one row a browser: the SHA-256 of its cookie's token, no names
    sessions      stored chats, each of one owner
    messages      a tree a session: each message knows its parent, none is ever changed

A message's parent stands in the same session: the database sees to it with a composite foreign key.
`sessions.active_leaf_id` is no foreign key (the two tables would name each other); it is set only in the
transaction that has just seen its message, and messages go only with their whole session.

Numbers that SQL types would bend are kept as text: a seed is any 64-bit number, signed or not.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    CheckConstraint,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = ["MIGRATIONS", "SCHEMA_VERSION", "Base", "MessageRow", "OwnerRow", "SchemaRow", "SessionRow"]

SCHEMA_VERSION = 2
MIGRATIONS = {1: "ALTER TABLE messages ADD COLUMN scores JSON"}
"""By the version that it starts from, the statement that leads to the next; the same words for each database."""

type_of_id = String(36)


class UtcTime(TypeDecorator[datetime]):
    """A time in UTC that keeps its zone, also where the database (SQLite) has none."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Returns the time in UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Returns the time with its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """What every table belongs to."""


class SchemaRow(Base):
    """The version of the tables; migrations raise it."""

    __tablename__ = "store_schema"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]


class OwnerRow(Base):
    """Somebody who holds a cookie."""

    __tablename__ = "owners"

    id: Mapped[str] = mapped_column(type_of_id, primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class SessionRow(Base):
    """A stored chat."""

    __tablename__ = "sessions"
    __table_args__ = (Index("sessions_of_owner", "owner_id", "updated_at", "id"),)

    id: Mapped[str] = mapped_column(type_of_id, primary_key=True)
    owner_id: Mapped[str] = mapped_column(ForeignKey("owners.id"))
    title: Mapped[str] = mapped_column(Text)
    model_name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    updated_at: Mapped[datetime] = mapped_column(UtcTime)
    active_leaf_id: Mapped[str | None] = mapped_column(type_of_id)


class MessageRow(Base):
    """A message; what follows `client_id` is set for a bot's message alone.

    `position` counts the messages of a session as they came: a parent's is always below its child's,
    and the order of candidates does not hang on a clock.
    """

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("session_id", "id", name="messages_in_session"),
        UniqueConstraint("session_id", "client_id", name="messages_by_client_id"),
        UniqueConstraint("session_id", "position", name="messages_in_order"),
        ForeignKeyConstraint(
            ["session_id", "parent_id"],
            ["messages.session_id", "messages.id"],
            name="parent_in_same_session",
        ),
        CheckConstraint("role IN ('user', 'bot')", name="known_role"),
        Index("messages_of_parent", "session_id", "parent_id", "position"),
    )

    id: Mapped[str] = mapped_column(type_of_id, primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id"))
    parent_id: Mapped[str | None] = mapped_column(type_of_id)
    position: Mapped[int]
    role: Mapped[str] = mapped_column(String(8))
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    client_id: Mapped[str] = mapped_column(Text)

    model_name: Mapped[str | None] = mapped_column(Text)
    model_hash: Mapped[str | None] = mapped_column(String(64))
    context_hash: Mapped[str | None] = mapped_column(String(64))
    seed: Mapped[str | None] = mapped_column(String(24))
    reply_index: Mapped[int | None]
    sampling: Mapped[dict[str, object] | None] = mapped_column(JSON(none_as_null=True))
    tokens: Mapped[list[int] | None] = mapped_column(JSON(none_as_null=True))
    ended: Mapped[str | None] = mapped_column(String(16))
    log_probability: Mapped[float | None] = mapped_column(Double)
    filtered_log_probability: Mapped[float | None] = mapped_column(Double)
    latent: Mapped[list[float | str] | None] = mapped_column(JSON(none_as_null=True))
    scores: Mapped[dict[str, float | str] | None] = mapped_column(JSON(none_as_null=True))
