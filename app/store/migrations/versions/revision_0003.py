"""Users, logins, keys, feedback, battles, votes, settings; owners with choices; texts that can be searched."""

import sqlalchemy as sa
from alembic import op

from app.store.search_text import pieces_of
from app.store.tables import UtcTime

revision = "0003"
down_revision = "0002"

ID_COLUMNS = {
    "owners": ("id",),
    "sessions": ("id", "owner_id", "active_leaf_id"),
    "messages": ("id", "session_id", "parent_id"),
}

type_of_time = sa.DateTime(timezone=True)
type_of_hash = sa.String(64)


def by_bytes(length: int | None = None) -> sa.String:
    """Returns the type of a text that is ordered by its bytes."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


type_of_id = by_bytes(36)


def upgrade() -> None:
    """Adds the tables and columns of version 3, and makes all messages findable."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE owners RENAME CONSTRAINT owners_token_hash_key TO owners_by_token")
        for table, columns in ID_COLUMNS.items():
            for column in columns:
                op.alter_column(table, column, type_=type_of_id)
    make_people()
    make_owners()
    op.add_column("sessions", sa.Column("kind", sa.String(16), nullable=False, server_default="chat"))
    op.add_column("sessions", sa.Column("source", by_bytes(64)))
    op.add_column("sessions", sa.Column("reviewed_at", type_of_time))
    op.create_index("sessions_by_source", "sessions", ["owner_id", "source"], unique=True)
    make_what_people_say()
    make_search()


def make_owners() -> None:
    """Makes room for owners who are users; SQLite makes the table anew."""
    before = sa.Table(
        "owners",
        sa.MetaData(),
        sa.Column("id", type_of_id, primary_key=True),
        sa.Column("token_hash", type_of_hash, nullable=False),
        sa.Column("created_at", type_of_time, nullable=False),
    )
    with op.batch_alter_table("owners", copy_from=before) as owners:
        owners.alter_column("token_hash", existing_type=type_of_hash, nullable=True)
        owners.add_column(sa.Column("user_id", type_of_id))
        owners.add_column(sa.Column("settings", sa.JSON()))
        if op.get_bind().dialect.name == "sqlite":
            owners.create_unique_constraint("owners_by_token", ["token_hash"])
        owners.create_unique_constraint("owners_by_user", ["user_id"])
        owners.create_foreign_key("user_of_owner", "users", ["user_id"], ["id"])
        owners.create_check_constraint("cookie_or_user", "(token_hash IS NULL) <> (user_id IS NULL)")


def make_people() -> None:
    """Makes users, logins and failed logins."""
    op.create_table(
        "users",
        sa.Column("id", type_of_id, primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", by_bytes(), nullable=False, unique=True),
        sa.Column("password_hash", sa.Text()),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.Column("created_at", type_of_time, nullable=False),
    )
    op.create_table(
        "logins",
        sa.Column("token_hash", type_of_hash, primary_key=True),
        sa.Column("user_id", type_of_id, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("created_at", type_of_time, nullable=False),
        sa.Column("expires_at", type_of_time, nullable=False),
    )
    op.create_index("logins_of_user", "logins", ["user_id"])
    op.create_table(
        "failed_logins",
        sa.Column("subject_hash", type_of_hash, primary_key=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", type_of_time, nullable=False),
    )
    op.create_table(
        "settings",
        sa.Column("key", by_bytes(100), primary_key=True),
        sa.Column("value", sa.JSON(), nullable=False),
    )


def in_messages(column: str, name: str) -> sa.ForeignKeyConstraint:
    """Returns the foreign key of a column that names a message of the row's session."""
    there = ["messages.session_id", "messages.id"]
    return sa.ForeignKeyConstraint(["session_id", column], there, name=name, ondelete="CASCADE")


def make_what_people_say() -> None:
    """Makes keys, feedback, battles and votes."""
    op.create_table(
        "api_keys",
        sa.Column("id", type_of_id, primary_key=True),
        sa.Column("owner_id", type_of_id, sa.ForeignKey("owners.id", ondelete="CASCADE"), nullable=False),
        sa.Column("key_hash", type_of_hash, nullable=False, unique=True),
        sa.Column("prefix", sa.String(16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", type_of_time, nullable=False),
        sa.Column("last_used_at", type_of_time),
        sa.Column("revoked_at", type_of_time),
    )
    op.create_index("api_keys_of_owner", "api_keys", ["owner_id"])
    op.create_table(
        "feedback",
        sa.Column("owner_id", type_of_id, sa.ForeignKey("owners.id"), primary_key=True),
        sa.Column("message_id", type_of_id, primary_key=True),
        sa.Column("session_id", type_of_id, nullable=False),
        sa.Column("value", sa.SmallInteger()),
        sa.Column("correction", sa.Text()),
        sa.Column("updated_at", type_of_time, nullable=False),
        in_messages("message_id", "message_of_feedback"),
        sa.CheckConstraint("value IN (1, -1)", name="like_or_dislike"),
    )
    op.create_index("feedback_of_session", "feedback", ["session_id", "message_id"])
    op.create_table(
        "battles",
        sa.Column("id", type_of_id, primary_key=True),
        sa.Column("session_id", type_of_id, nullable=False),
        sa.Column("owner_id", type_of_id, sa.ForeignKey("owners.id"), nullable=False),
        sa.Column("prompt_id", type_of_id, nullable=False),
        sa.Column("model_a", sa.Text(), nullable=False),
        sa.Column("model_a_hash", type_of_hash, nullable=False),
        sa.Column("model_b", sa.Text(), nullable=False),
        sa.Column("model_b_hash", type_of_hash, nullable=False),
        sa.Column("reply_a_id", type_of_id),
        sa.Column("reply_b_id", type_of_id),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", type_of_time, nullable=False),
        in_messages("prompt_id", "prompt_of_battle"),
        in_messages("reply_a_id", "reply_a_of_battle"),
        in_messages("reply_b_id", "reply_b_of_battle"),
        sa.CheckConstraint("state IN ('open', 'voted', 'abandoned')", name="known_state"),
    )
    op.create_index("battles_of_owner", "battles", ["owner_id", "created_at"])
    op.create_index("battles_of_session", "battles", ["session_id", "prompt_id"])
    op.create_table(
        "votes",
        sa.Column("battle_id", type_of_id, sa.ForeignKey("battles.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("voter_id", type_of_id, sa.ForeignKey("owners.id"), primary_key=True),
        sa.Column("choice", sa.String(16), nullable=False),
        sa.Column("created_at", type_of_time, nullable=False),
        sa.CheckConstraint("choice IN ('a', 'b', 'tie', 'both_bad')", name="known_choice"),
    )


def make_search() -> None:
    """Makes the texts that are searched, and fills them from all messages."""
    pieces = op.create_table(
        "search_texts",
        sa.Column(
            "session_id", type_of_id, sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("first_position", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("owner_id", type_of_id, sa.ForeignKey("owners.id"), nullable=False),
        sa.Column("newest_at", UtcTime(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
    )
    order = ["owner_id", "newest_at", "session_id", "first_position"]
    op.create_index("search_texts_of_owner", "search_texts", order)
    connection = op.get_bind()
    sessions = sa.table("sessions", sa.column("id"), sa.column("owner_id"))
    times = sa.column("created_at", UtcTime())
    messages = sa.table("messages", sa.column("session_id"), sa.column("position"), times, sa.column("text"))
    for session_id, owner_id in connection.execute(sa.select(sessions)).all():
        columns = (messages.c.position, messages.c.created_at, messages.c.text)
        texts = sa.select(*columns).where(messages.c.session_id == session_id)
        rows = connection.execute(texts.order_by(messages.c.position)).all()
        found = [{"session_id": session_id, "owner_id": owner_id, **piece} for piece in pieces_of(rows)]
        if found:
            connection.execute(pieces.insert(), found)
