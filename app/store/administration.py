"""The store's calls for whoever runs it: they look at the sessions of all owners, and remove old ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from app.store import queries
from app.store.access import AccessCalls
from app.store.files import forget
from app.store.owners import OwnerCalls
from app.store.records import StoredMessage, StoredSession, message_record, session_record
from app.store.search import FoundMessage, SearchCalls
from app.store.tables import MessageRow, OwnerRow, SessionRow, UserRow
from dialog.conversation import Conversation, Turn
from dialog.errors import StoreError

__all__ = ["AdministrationCalls", "ListedSession"]

_SESSIONS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class ListedSession:
    """A session in a list that may hold those of many.

    Attributes:
        session: the session.
        owner: its owner's id.
        user: its owner's name, None for a browser without login.
        num_messages: how many messages it holds, on all branches.
    """

    session: StoredSession
    owner: str
    user: str | None
    num_messages: int


class AdministrationCalls(AccessCalls, OwnerCalls, SearchCalls):
    """All owners' sessions; the page and the API offer none of these to anybody."""

    def owner_named(self, name: str) -> str:
        """Returns the owner that a user's name, or an owner's id or the first letters of one, stands for.

        Raises:
            StoreError: it stands for nobody, or for more than one.
        """
        user = self.user_named(name)
        if user is not None:
            return self.owner_of_user(user.id)
        by_id = select(OwnerRow.id).where(OwnerRow.id.startswith(name, autoescape=True)).limit(2)
        with self._reads() as transaction:
            found = transaction.scalars(by_id).all() if name else []
        if len(found) != 1:
            many = "fits more than one owner" if found else "is no user and no owner who has chats"
            raise StoreError(f"{name[:60]!r} {many}; `hred sessions list` shows whose chats there are")
        return found[0]

    def only_owner(self) -> str:
        """Returns the only owner of the store.

        Raises:
            StoreError: there is none, or there are several.
        """
        with self._reads() as transaction:
            found = transaction.scalars(select(OwnerRow.id).limit(2)).all()
        if len(found) != 1:
            several = (
                "several owners; say whose the chats shall be"
                if found
                else "no owner yet; open the page once"
            )
            raise StoreError(f"{self.place} has {several}, or name one with --user")
        return found[0]

    def listed(
        self, owner: str | None = None, limit: int | None = None, before: datetime | None = None
    ) -> tuple[ListedSession, ...]:
        """Returns sessions, the one changed last first.

        Args:
            owner: whose; everybody's when None.
            limit: at most so many; all when None.
            before: only those that were last changed before this time.
        """
        count = (
            select(func.count())
            .where(MessageRow.session_id == SessionRow.id)
            .correlate(SessionRow)
            .scalar_subquery()
        )
        statement = (
            select(SessionRow, UserRow.name, count)
            .join(OwnerRow, OwnerRow.id == SessionRow.owner_id)
            .outerjoin(UserRow, UserRow.id == OwnerRow.user_id)
        )
        if owner is not None:
            statement = statement.where(SessionRow.owner_id == owner)
        if before is not None:
            statement = statement.where(SessionRow.updated_at < before)
        statement = statement.order_by(SessionRow.updated_at.desc(), SessionRow.id.desc())
        with self._reads() as transaction:
            return tuple(
                ListedSession(session_record(row), row.owner_id, name, num_messages)
                for row, name, num_messages in transaction.execute(statement.limit(limit))
            )

    def session_named(self, session_id: str, owner: str | None = None) -> ListedSession:
        """Returns the session that an id, or the first letters of one, stands for.

        Raises:
            StoreError: it stands for none (of this owner), or for more than one.
        """
        begins = SessionRow.id.startswith(session_id, autoescape=True)
        statement = select(SessionRow.id).where(begins).limit(2)
        if owner is not None:
            statement = statement.where(SessionRow.owner_id == owner)
        with self._reads() as transaction:
            found = transaction.scalars(statement).all() if session_id else []
            if len(found) != 1:
                many = (
                    "fits more than one chat; give more of its letters"
                    if found
                    else ("is no chat of the store; `hred sessions list` shows all")
                )
                raise StoreError(f"{session_id[:60]!r} {many}")
            row = transaction.get_one(SessionRow, found[0])
            messages = transaction.scalar(
                select(func.count()).select_from(MessageRow).where(MessageRow.session_id == row.id)
            )
            user = transaction.scalar(
                select(UserRow.name)
                .join(OwnerRow, OwnerRow.user_id == UserRow.id)
                .where(OwnerRow.id == row.owner_id)
            )
            return ListedSession(session_record(row), row.owner_id, user, messages or 0)

    def all_messages(self, owner: str, session_id: str) -> tuple[StoredMessage, ...]:
        """Returns all messages of a session on all its branches, as they came."""
        with self._reads() as transaction:
            queries.session_of(transaction, owner, session_id)
            return tuple(map(message_record, queries.all_of(transaction, session_id)))

    def conversations(self, owner: str, session_id: str) -> Iterator[Conversation]:
        """Yields each branch of a session, from its first message to its last, as a model reads it."""
        messages = self.all_messages(owner, session_id)
        by_id = {message.id: message for message in messages}
        followed = {message.parent_id for message in messages}
        for leaf in messages:
            if leaf.id not in followed:
                turns, place = [], leaf
                while True:
                    turns.append(Turn(place.role, place.text))
                    if place.parent_id is None:
                        break
                    place = by_id[place.parent_id]
                yield Conversation(session_id, tuple(turns[::-1]))

    def search_all(self, text: str, limit: int = 50) -> tuple[FoundMessage, ...]:
        """Returns the messages of all owners that hold a text, the newest first; else as `search`."""
        with self._reads() as transaction:
            owners = transaction.scalars(select(SessionRow.owner_id).distinct()).all()
        found = [message for owner in owners for message in self.search(owner, text, limit)]
        found.sort(key=lambda hit: (hit.created_at, hit.message_id), reverse=True)
        return tuple(found[:limit])

    def purge(self, before: datetime, owner: str | None = None) -> int:
        """Deletes the sessions that were last changed before a time; returns how many.

        Args:
            before: with its zone.
            owner: whose; everybody's when None.
        """
        return self.delete_sessions([one.session.id for one in self.listed(owner, before=before)])

    def delete_sessions(self, session_ids: Sequence[str]) -> int:
        """Deletes sessions of any owners for good, and returns how many were still there."""
        count = 0
        for place in range(0, len(session_ids), _SESSIONS_AT_ONCE):
            some = session_ids[place : place + _SESSIONS_AT_ONCE]
            with self._writes() as transaction:
                # Who writes to one of them just now is waited for (PostgreSQL).
                transaction.execute(select(SessionRow.id).where(SessionRow.id.in_(some)).with_for_update())
                count += queries.delete_sessions(transaction, some)
        forget(self._engine, *session_ids)
        return count
