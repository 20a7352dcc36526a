"""Temporary chats: a store in the memory of this process, which ends with it, and each chat after an hour.

It is SQLite without a file, so every call of the store works on it as on the one that is kept. Its size is
bounded; what is deleted is overwritten. Nothing of it is written to a file or a log.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, create_engine, delete, event, func, select
from sqlalchemy.orm import Session as Transaction
from sqlalchemy.pool import QueuePool

from app.store import queries
from app.store.database import begin_as_asked, prepare_connection
from app.store.owners import hash_of
from app.store.records import Kind, StoredSession
from app.store.store import Store
from app.store.tables import Base, OwnerRow, SessionRow
from dialog.conversation import Conversation
from dialog.errors import BusyError, StoreError

__all__ = ["Stores", "TemporaryStore"]

LIFETIME = timedelta(hours=1)
MAX_BYTES = 64 * 2**20
MAX_SESSIONS = 10
"""Temporary chats of one owner at a time."""
_LOOK_SECONDS = 30.0
_WAIT_SECONDS = 30.0
_PAGE_BYTES = 4096


class TemporaryStore(Store):
    """Chats that are kept in memory until an hour has passed since their last message.

    Args:
        on_end: is told what was said in a chat that has ended, on each of its branches, so that others forget
            it, too.
        lifetime: how long after its last change a chat ends.
        max_bytes: of all chats together.
        clock: returns the time, in UTC.
    """

    def __init__(
        self,
        on_end: Callable[[Sequence[Conversation]], None] = lambda said: None,
        *,
        lifetime: timedelta = LIFETIME,
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], datetime] = queries.now,
    ) -> None:
        engine = _in_memory(max_bytes)
        super().__init__(engine, "the memory for temporary chats")
        Base.metadata.create_all(engine)
        self._on_end, self._lifetime, self._clock = on_end, lifetime, clock
        self._has_closed = threading.Event()
        self._looks: threading.Thread | None = None
        self._starts = threading.Lock()
        self._ids: set[str] = set()  # so that nobody waits here for a chat that is kept

    def create_session(
        self, owner: str, title: str = "", model_name: str = "", kind: Kind = "chat"
    ) -> StoredSession:
        """Makes an empty session of an owner of the store that is kept.

        Raises:
            BusyError: the owner has too many temporary chats.
        """
        self.end_old()
        self._start_looking()
        with self._writes() as transaction:
            if transaction.get(OwnerRow, owner) is None:
                transaction.add(OwnerRow(id=owner, token_hash=hash_of(owner), created_at=queries.now()))
            mine = select(func.count()).select_from(SessionRow).where(SessionRow.owner_id == owner)
            if (transaction.scalar(mine) or 0) >= MAX_SESSIONS:
                raise BusyError(
                    f"you have {MAX_SESSIONS} temporary chats, and no more are kept at a time; "
                    "delete one, or wait until one ends"
                )
        made = super().create_session(owner, title, model_name, kind)
        self._ids.add(made.id)
        return made

    @property
    def is_empty(self) -> bool:
        """Whether there is no temporary chat at all."""
        return not self._ids

    def holds(self, session_id: str) -> bool:
        """Returns whether a session is one of these, and has not ended."""
        if session_id not in self._ids:
            return False
        self.end_old()
        with self._reads() as transaction:
            return transaction.get(SessionRow, session_id) is not None

    def delete_session(self, owner: str, session_id: str) -> None:
        """Ends a chat now."""
        said = tuple(self.conversations(owner, session_id))
        super().delete_session(owner, session_id)
        self._ids.discard(session_id)
        self._on_end(said)

    def end_old(self) -> int:
        """Ends the chats whose time is over, and returns how many; it is done by itself about twice a minute."""
        old = select(SessionRow.id, SessionRow.owner_id).where(
            SessionRow.updated_at <= self._clock() - self._lifetime
        )
        with self._reads() as transaction:
            found = transaction.execute(old).all()
        for session_id, owner in found:
            try:
                self.delete_session(owner, session_id)
            except StoreError:  # somebody else was faster
                continue
        if found:
            with self._writes() as transaction:
                transaction.execute(delete(OwnerRow).where(OwnerRow.id.not_in(select(SessionRow.owner_id))))
        return len(found)

    def close(self) -> None:
        """Ends all of them."""
        self._has_closed.set()
        if self._looks is not None:
            self._looks.join()
        super().close()

    def _start_looking(self) -> None:
        with self._starts:
            if self._looks is None:
                self._looks = threading.Thread(target=self._look, name="end-temporary-chats", daemon=True)
                self._looks.start()

    def _look(self) -> None:
        while not self._has_closed.wait(_LOOK_SECONDS):
            self.end_old()

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Transaction]:
        try:
            with super()._transaction(engine) as transaction:
                yield transaction
        except StoreError as error:
            if getattr(getattr(error.__cause__, "orig", None), "sqlite_errorname", "") == "SQLITE_FULL":
                raise BusyError(
                    "the server has no more memory for temporary chats, nothing was kept; delete one of yours, "
                    "or wait until others have ended"
                ) from None
            raise


@dataclass(frozen=True, slots=True)
class Stores:
    """The store that is kept and the one that is not, behind one question."""

    kept: Store
    temporary: TemporaryStore

    def of(self, session_id: str) -> Store:
        """Returns the store that a session stands in; the one that is kept for any that is unknown."""
        return self.temporary if self.temporary.holds(session_id) else self.kept


def _in_memory(max_bytes: int) -> Engine:
    """Returns an engine over one connection, which holds the database: who needs it waits for its turn."""
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(":memory:", check_same_thread=False),
        hide_parameters=True,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=_WAIT_SECONDS,
    )

    def bound(connection: sqlite3.Connection, _entry: object) -> None:
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        connection.execute(f"PRAGMA max_page_count = {max_bytes // _PAGE_BYTES}")

    event.listen(engine, "connect", prepare_connection)
    event.listen(engine, "connect", bound)
    event.listen(engine, "begin", begin_as_asked)
    return engine
