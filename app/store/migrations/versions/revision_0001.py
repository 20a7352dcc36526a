"""The first tables: owners, sessions, messages."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

type_of_id = sa.String(36)


def upgrade() -> None:
    """Makes the tables of version 1."""
    schema = op.create_table(
        "store_schema",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("version", sa.Integer(), nullable=False),
    )
    op.bulk_insert(schema, [{"id": 1, "version": 1}])
    op.create_table(
        "owners",
        sa.Column("id", type_of_id, primary_key=True),
        sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("id", type_of_id, primary_key=True),
        sa.Column("owner_id", type_of_id, sa.ForeignKey("owners.id"), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("active_leaf_id", type_of_id),
    )
    op.create_index("sessions_of_owner", "sessions", ["owner_id", "updated_at", "id"])
    op.create_table(
        "messages",
        sa.Column("id", type_of_id, primary_key=True),
        sa.Column("session_id", type_of_id, sa.ForeignKey("sessions.id"), nullable=False),
        sa.Column("parent_id", type_of_id),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(8), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("model_name", sa.Text()),
        sa.Column("model_hash", sa.String(64)),
        sa.Column("context_hash", sa.String(64)),
        sa.Column("seed", sa.String(24)),
        sa.Column("reply_index", sa.Integer()),
        sa.Column("sampling", sa.JSON()),
        sa.Column("tokens", sa.JSON()),
        sa.Column("ended", sa.String(16)),
        sa.Column("log_probability", sa.Double()),
        sa.Column("filtered_log_probability", sa.Double()),
        sa.Column("latent", sa.JSON()),
        sa.UniqueConstraint("session_id", "id", name="messages_in_session"),
        sa.UniqueConstraint("session_id", "client_id", name="messages_by_client_id"),
        sa.UniqueConstraint("session_id", "position", name="messages_in_order"),
        sa.ForeignKeyConstraint(
            ["session_id", "parent_id"],
            ["messages.session_id", "messages.id"],
            name="parent_in_same_session",
        ),
        sa.CheckConstraint("role IN ('user', 'bot')", name="known_role"),
    )
    op.create_index("messages_of_parent", "messages", ["session_id", "parent_id", "position"])
