"""The store's calls on the branches of a session: what hangs below what, without any text."""

from sqlalchemy import select

from app.store import queries
from app.store.base import StoreBase
from app.store.tables import MessageRow

__all__ = ["BranchCalls"]


class BranchCalls(StoreBase):
    """The tree of a session."""

    def branches(self, owner: str, session_id: str) -> dict[str, str | None]:
        """Returns each message's id with that of the message above it (None for a first one), as they came.

        One query for the whole session. A message stands after the one above it.
        """
        columns = (MessageRow.id, MessageRow.parent_id)
        statement = select(*columns).where(MessageRow.session_id == session_id).order_by(MessageRow.position)
        with self._reads() as transaction:
            queries.session_of(transaction, owner, session_id)
            return {row.id: row.parent_id for row in transaction.execute(statement)}
