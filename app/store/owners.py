"""The store's calls on owners: who somebody is, and what they chose."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError

from app.store import queries
from app.store.base import StoreBase
from app.store.records import checked_json
from app.store.tables import OwnerRow, UserRow
from dialog.errors import StoreError

__all__ = ["OwnerCalls", "OwnerSettings", "hash_of"]


@dataclass(frozen=True, slots=True)
class OwnerSettings:
    """What an owner chose, a guest or a user.

    Attributes:
        language: the page's language, such as "ja"; None for the browser's own.
        store: whether new chats are kept; otherwise they are temporary.
        learn: whether models may learn from the chats that are kept. Nobody agrees to it by default.
        page: what else the page remembers, by name; what JSON can say.
    """

    language: str | None = None
    store: bool = True
    learn: bool = False
    page: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Returns kept settings; what a later version may have added is passed over."""
        return cls(**{one.name: values[one.name] for one in fields(cls) if one.name in values})


def hash_of(secret: str) -> str:
    """Returns the SHA-256 of a random token or key, which is all that the store keeps of it.

    Fit for what a machine has drawn, 128 bits or more; a password needs a slow hash.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class OwnerCalls(StoreBase):
    """Owners: browsers by their cookie, users by their id."""

    def owner_for(self, cookie_token: str) -> str:
        """Returns the id of whoever holds a guest cookie's token, a new one at the first time.

        Only the token's SHA-256 is kept.
        """
        if not cookie_token:
            raise StoreError("the cookie is empty, but it names whose chats these are; reload the page")
        token_hash = hash_of(cookie_token)
        known = select(OwnerRow.id).where(OwnerRow.token_hash == token_hash)
        return self._found_or_made(known, OwnerRow(token_hash=token_hash))

    def owner_of_user(self, user_id: str) -> str:
        """Returns the id under which a user owns chats; the same whatever browser they use.

        Raises:
            StoreError: there is no such user.
        """
        with self._reads() as transaction:
            if transaction.scalar(select(UserRow.id).where(UserRow.id == user_id)) is None:
                raise StoreError("there is no such user in the store; log in again")
        known = select(OwnerRow.id).where(OwnerRow.user_id == user_id)
        return self._found_or_made(known, OwnerRow(user_id=user_id))

    def owner_settings(self, owner: str) -> OwnerSettings:
        """Returns what an owner chose; the defaults for what they have not chosen."""
        with self._reads() as transaction:
            row = queries.owner_of(transaction, owner)
            return OwnerSettings.from_json(row.settings or {})

    def set_owner_settings(self, owner: str, settings: OwnerSettings) -> None:
        """Keeps what an owner chose."""
        values = asdict(settings)
        checked_json(values, "choice")
        with self._writes() as transaction:
            queries.owner_of(transaction, owner).settings = values

    def _found_or_made(self, known: Select[str], row: OwnerRow) -> str:
        with self._reads() as transaction:
            found = transaction.scalar(known)
        if found is not None:
            return found
        with self._writes() as transaction:
            row.id, row.created_at = queries.new_id(), queries.now()
            try:
                with transaction.begin_nested():
                    transaction.add(row)
            except IntegrityError:  # another call for the same one was first
                return transaction.scalars(known).one()
            return row.id
