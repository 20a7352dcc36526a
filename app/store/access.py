"""The store's calls on who may come in: users, their logins, keys of the API, and failed tries."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as Transaction

from app.store import queries
from app.store.base import StoreBase
from app.store.owners import hash_of
from app.store.records import checked_text
from app.store.search_text import search_form
from app.store.tables import ApiKeyRow, FailedLoginRow, LoginRow, OwnerRow, SessionRow, UserRow, VoteRow
from dialog.errors import StoreError, UsageError

__all__ = ["AccessCalls", "ApiKey", "User"]

LONGEST_NAME = 100  # characters of a user's name; PostgreSQL cannot keep thousands of them in order
USE_IS_NOTED_EVERY = 60.0  # seconds; a key's last use is no more exact than that


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who can log in.

    Attributes:
        id: a random UUID; `Store.owner_of_user` gives the owner of their chats.
        name: as they write it.
        password_hash: argon2's own string; None for no password.
        is_admin: whether they may start trainings, load models and see the metrics.
        created_at: when they were made, UTC.
    """

    id: str
    name: str
    password_hash: str | None = field(repr=False)
    is_admin: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of the API, without the key.

    Attributes:
        id: a random UUID, by which it is revoked.
        owner: for whom it stands.
        prefix: its first letters, by which people know it.
        name: what its maker called it.
        created_at: when it was made, UTC.
        last_used_at: when it last opened the API, UTC, to a minute; None for never.
        revoked_at: since when it counts no more, UTC; None when it counts.
    """

    id: str
    owner: str
    prefix: str
    name: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class AccessCalls(StoreBase):
    """Users, logins, keys."""

    def create_user(self, name: str, password_hash: str | None, *, is_admin: bool = False) -> User:
        """Makes a user.

        Args:
            name: shown as it is; two names that differ in capitals or width alone are one.
            password_hash: what argon2 wrote; None for a user who cannot log in with a password.
            is_admin: whether they may start trainings, load models and see the metrics.

        Raises:
            StoreError: the name is empty, too long or taken.
        """
        key = _key_of(name)
        with self._writes() as transaction:
            if transaction.scalar(select(UserRow.id).where(UserRow.name_key == key)) is not None:
                raise StoreError(f"there is a user {name!r} already; take another name")
            row = UserRow(
                id=queries.new_id(),
                name=name.strip(),
                name_key=key,
                password_hash=password_hash,
                is_admin=is_admin,
                created_at=queries.now(),
            )
            transaction.add(row)
            transaction.flush()
            return _user_record(row)

    def check_new_user(self, name: str) -> None:
        """Checks that a user of this name can be made, before a password is asked for.

        Raises:
            UsageError: the name is empty, too long or taken.
        """
        try:
            _key_of(name)
        except StoreError as error:
            raise UsageError(str(error)) from None
        if self.user_named(name) is not None:
            raise UsageError(f"there is a user {name!r} already; take another name")

    def user_named(self, name: str) -> User | None:
        """Returns the user of this name, None when there is none."""
        key = search_form(checked_text(name, "name"))
        with self._reads() as transaction:
            row = transaction.scalar(select(UserRow).where(UserRow.name_key == key))
            return None if row is None else _user_record(row)

    def users(self) -> tuple[User, ...]:
        """Returns all users in the order of their names."""
        with self._reads() as transaction:
            return tuple(map(_user_record, transaction.scalars(select(UserRow).order_by(UserRow.name_key))))

    def set_password(self, user_id: str, password_hash: str) -> None:
        """Gives a user another password, and ends every login that was made with the one before."""
        with self._writes() as transaction:
            changed = transaction.get(UserRow, user_id)
            if changed is None:
                raise StoreError("there is no such user; `hred users list` shows those that there are")
            changed.password_hash = password_hash
            transaction.execute(delete(LoginRow).where(LoginRow.user_id == user_id))

    def remove_user(self, user_id: str) -> None:
        """Removes a user with their logins and keys; chats go before, by `delete_session`.

        Raises:
            StoreError: there is no such user, or chats of theirs are left.
        """
        with self._writes() as transaction:
            row = transaction.get(UserRow, user_id)
            if row is None:
                raise StoreError("there is no such user; `hred users list` shows those that there are")
            owner = transaction.scalar(select(OwnerRow).where(OwnerRow.user_id == user_id))
            if owner is not None:
                left = select(func.count()).select_from(SessionRow).where(SessionRow.owner_id == owner.id)
                count = transaction.scalar(left)
                if count:
                    raise StoreError(f"{row.name} still has {count} chats; delete them first")
                transaction.execute(delete(ApiKeyRow).where(ApiKeyRow.owner_id == owner.id))
                transaction.execute(delete(VoteRow).where(VoteRow.voter_id == owner.id))
                transaction.delete(owner)
                transaction.flush()
            transaction.execute(delete(LoginRow).where(LoginRow.user_id == user_id))
            transaction.delete(row)

    def login_failures(self, subjects: Sequence[str]) -> dict[str, tuple[int, datetime]]:
        """Returns how often logging in has failed for each of some subjects, and when last.

        Args:
            subjects: whatever tries are counted by, as `name ann`; only a hash is kept.
        """
        by_hash = {hash_of(subject): subject for subject in subjects}
        statement = select(FailedLoginRow).where(FailedLoginRow.subject_hash.in_(by_hash))
        with self._reads() as transaction:
            rows = transaction.scalars(statement)
            return {by_hash[row.subject_hash]: (row.failures, row.last_at) for row in rows}

    def count_login_failure(self, subjects: Sequence[str], forget_before: datetime) -> None:
        """Counts one failure more for each subject.

        Args:
            subjects: as of `login_failures`.
            forget_before: counts whose last failure was earlier are forgotten, everybody's.
        """
        for subject in subjects:
            with self._writes() as transaction:
                transaction.execute(delete(FailedLoginRow).where(FailedLoginRow.last_at < forget_before))
                self._count_one(transaction, hash_of(subject))

    def _count_one(self, transaction: Transaction, subject_hash: str) -> None:
        """Adds in the database, not here: two servers that count at once count two."""
        more = {"failures": FailedLoginRow.failures + 1, "last_at": queries.now()}
        counting = update(FailedLoginRow).where(FailedLoginRow.subject_hash == subject_hash).values(more)
        if transaction.connection().execute(counting).rowcount:
            return
        try:
            with transaction.begin_nested():
                transaction.add(FailedLoginRow(subject_hash=subject_hash, failures=1, last_at=queries.now()))
        except IntegrityError:  # another server was first
            transaction.connection().execute(counting)

    def forget_login_failures(self, subjects: Sequence[str]) -> None:
        """Forgets the failures of each subject."""
        gone = FailedLoginRow.subject_hash.in_([hash_of(subject) for subject in subjects])
        with self._writes() as transaction:
            transaction.execute(delete(FailedLoginRow).where(gone))

    def add_login(self, user_id: str, token: str, expires_at: datetime) -> None:
        """Keeps that whoever holds a token is logged in as a user until a time."""
        with self._writes() as transaction:
            times = {"created_at": queries.now(), "expires_at": expires_at}
            transaction.add(LoginRow(token_hash=hash_of(token), user_id=user_id, **times))

    def user_of_login(self, token: str) -> User | None:
        """Returns who is logged in by a token; None when nobody is, or no longer."""
        statement = (
            select(UserRow)
            .join(LoginRow, LoginRow.user_id == UserRow.id)
            .where(LoginRow.token_hash == hash_of(token), LoginRow.expires_at > queries.now())
        )
        with self._reads() as transaction:
            row = transaction.scalar(statement)
            return None if row is None else _user_record(row)

    def end_login(self, token: str) -> None:
        """Ends one login."""
        with self._writes() as transaction:
            transaction.execute(delete(LoginRow).where(LoginRow.token_hash == hash_of(token)))

    def end_logins(self, user_id: str) -> None:
        """Ends every login of a user, on whatever browser."""
        with self._writes() as transaction:
            transaction.execute(delete(LoginRow).where(LoginRow.user_id == user_id))

    def add_key(self, owner: str, key: str, prefix: str, name: str) -> ApiKey:
        """Keeps a key of the API by its hash; whoever holds the key acts for its owner."""
        with self._writes() as transaction:
            queries.owner_of(transaction, owner)
            row = ApiKeyRow(
                id=queries.new_id(),
                owner_id=owner,
                key_hash=hash_of(key),
                prefix=prefix,
                name=checked_text(name, "key's name"),
                created_at=queries.now(),
                last_used_at=None,
                revoked_at=None,
            )
            transaction.add(row)
            transaction.flush()
            return _key_record(row)

    def owner_of_key(self, key: str) -> str | None:
        """Returns for whom a key of the API stands, and notes that it was used; None when it does not count."""
        statement = select(ApiKeyRow).where(
            ApiKeyRow.key_hash == hash_of(key), ApiKeyRow.revoked_at.is_(None)
        )
        with self._reads() as transaction:
            row = transaction.scalar(statement)
        if row is None:
            return None
        time = queries.now()
        if row.last_used_at is None or (time - row.last_used_at).total_seconds() > USE_IS_NOTED_EVERY:
            with self._writes() as transaction:
                used = transaction.get(ApiKeyRow, row.id)
                if used is None or used.revoked_at is not None:
                    return None
                used.last_used_at = time
        return row.owner_id

    def api_keys(self, owner: str | None = None) -> tuple[ApiKey, ...]:
        """Returns the keys of an owner, or all of them, the oldest first; revoked ones, too."""
        statement = select(ApiKeyRow).order_by(ApiKeyRow.created_at, ApiKeyRow.id)
        if owner is not None:
            statement = statement.where(ApiKeyRow.owner_id == owner)
        with self._reads() as transaction:
            return tuple(map(_key_record, transaction.scalars(statement)))

    def revoke_key(self, key_id: str) -> None:
        """Makes a key of the API count no more.

        Raises:
            StoreError: there is no such key.
        """
        with self._writes() as transaction:
            row = transaction.get(ApiKeyRow, key_id)
            if row is None:
                raise StoreError(
                    f"there is no key {key_id[:40]!r}; `hred keys list` shows those that there are"
                )
            row.revoked_at = row.revoked_at or queries.now()

    def user_of_owner(self, owner: str) -> User | None:
        """Returns the user behind an owner, None for a guest."""
        statement = select(UserRow).join(OwnerRow, OwnerRow.user_id == UserRow.id).where(OwnerRow.id == owner)
        with self._reads() as transaction:
            row = transaction.scalar(statement)
            return None if row is None else _user_record(row)


def _key_of(name: str) -> str:
    """Returns what a user's name is compared by."""
    key = search_form(checked_text(name, "name"))
    if not key:
        raise StoreError("a user needs a name, but an empty one came; give one")
    if (
        count := max(len(key), len(name.strip()))
    ) > LONGEST_NAME:  # one letter can be many, as it is compared
        raise StoreError(
            f"the user's name has {count:,} letters, but may have at most {LONGEST_NAME}; take a shorter one"
        )
    return key


def _user_record(row: UserRow) -> User:
    return User(row.id, row.name, row.password_hash, row.is_admin, row.created_at)


def _key_record(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        id=row.id,
        owner=row.owner_id,
        prefix=row.prefix,
        name=row.name,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
