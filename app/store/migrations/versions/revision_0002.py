"""The scores by which replies were ranked."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds `messages.scores`."""
    op.add_column("messages", sa.Column("scores", sa.JSON()))
