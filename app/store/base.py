"""What all parts of the store stand on: an opened database, and its transactions."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from sqlalchemy import Engine
from sqlalchemy.orm import Session as Transaction

from app.settings import Settings
from app.store.database import name_of, open_database, parse_url, writing
from app.store.failures import as_store_errors
from dialog.errors import StoreError

__all__ = ["StoreBase"]


class StoreBase:
    """An opened store; `Store` adds the calls, one class a subject.

    A call opens and closes its own transaction, by `_reads` or `_writes`, and gives out frozen records.
    """

    def __init__(self, engine: Engine, place: str) -> None:
        self._engine = engine
        self._writing_engine = writing(engine)
        self._place = place
        self._closed = False

    @classmethod
    def open(cls, url: str | None = None) -> Self:
        """Opens a store, makes it where there is none, and upgrades one of an older version.

        Args:
            url: a SQLAlchemy URL; the one of the settings when None.

        Raises:
            StoreError: it cannot be opened, is another program's or of a newer version.
        """
        parsed = parse_url(url or Settings.from_environment().database_url)
        return cls(open_database(parsed), name_of(parsed))

    @property
    def place(self) -> str:
        """The store as it may be shown: a file's path, or a URL without its password."""
        return self._place

    def close(self) -> None:
        """Closes the store; closing it again does nothing."""
        self._closed = True
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _reads(self) -> Iterator[Transaction]:
        with self._transaction(self._engine) as transaction:
            yield transaction

    @contextmanager
    def _writes(self) -> Iterator[Transaction]:
        with self._transaction(self._writing_engine) as transaction:
            yield transaction

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Transaction]:
        if self._closed:
            raise StoreError(f"{self._place} was closed; open it again")
        with (
            as_store_errors(self._place),
            Transaction(engine, expire_on_commit=False) as transaction,
            transaction.begin(),
        ):
            yield transaction
