"""The store's calls on feedback: like, dislike, what a reply should have been, and what is fit to learn from."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from app.store import queries
from app.store.base import StoreBase
from app.store.records import StoredSession, checked_text, session_record
from app.store.tables import FeedbackRow
from dialog.errors import StoreError

__all__ = ["Feedback", "FeedbackCalls"]


@dataclass(frozen=True, slots=True)
class Feedback:
    """What an owner thinks of a message.

    Attributes:
        value: 1 for a like, -1 for a dislike, None for neither.
        correction: what the reply should have been; None when they did not say.
        updated_at: when they last said so, UTC.
    """

    value: int | None
    correction: str | None
    updated_at: datetime


class FeedbackCalls(StoreBase):
    """What owners think of replies."""

    def set_feedback(
        self,
        owner: str,
        session_id: str,
        message_id: str,
        value: int | None = None,
        correction: str | None = None,
    ) -> None:
        """Keeps what an owner thinks of a message, in place of what they thought before.

        Args:
            owner: whose session it is.
            session_id: the session of the message.
            message_id: a bot's message.
            value: 1 for a like, -1 for a dislike, None for neither.
            correction: what the reply should have been, None for nothing; with neither value nor correction
                nothing is kept.

        Raises:
            StoreError: the message is not there, not this owner's or the user's own words; or the value is
                another number.
        """
        if value not in (1, -1, None):
            raise StoreError(
                f"a feedback is 1 (like), -1 (dislike) or nothing, but {value} came; send one of them"
            )
        words = None if correction is None else checked_text(correction, "correction").strip() or None
        with self._writes() as transaction:
            queries.session_of(transaction, owner, session_id, lock=True)
            if queries.known_message(transaction, session_id, message_id).role != "bot":
                raise StoreError(
                    "feedback is for replies, but this message is the user's own; choose a reply"
                )
            row = transaction.get(FeedbackRow, (owner, message_id))
            if value is None and words is None:
                if row is not None:
                    transaction.delete(row)
                return
            if row is None:
                row = FeedbackRow(owner_id=owner, message_id=message_id, session_id=session_id)
                transaction.add(row)
            row.value, row.correction, row.updated_at = value, words, queries.now()

    def feedback(self, owner: str, session_id: str) -> dict[str, Feedback]:
        """Returns the owner's feedback on a session, by message id."""
        with self._reads() as transaction:
            queries.session_of(transaction, owner, session_id)
            rows = transaction.scalars(select(FeedbackRow).where(FeedbackRow.session_id == session_id))
            return {row.message_id: Feedback(row.value, row.correction, row.updated_at) for row in rows}

    def set_reviewed(self, owner: str, session_id: str, reviewed: bool = True) -> StoredSession:
        """Marks a session as read through and fit to learn from, or takes the mark away."""
        with self._writes() as transaction:
            row = queries.session_of(transaction, owner, session_id, lock=True)
            row.reviewed_at = queries.now() if reviewed else None
            return session_record(row)
