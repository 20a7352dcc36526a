"""Logging in and out: who shows the right password gets a cookie, whose hash the store keeps until it expires.

After five failures for a name, or twenty from an address, the next try must wait, and twice as long after each
further one: a second at first, a minute at most for a name (so that nobody can lock somebody else out for long), a
quarter of an hour for an address. It is forgotten after a day without a failure, a name's also after a success. The
counts are in the store, so that all servers share them.
"""

import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from app.access.passwords import is_password

__all__ = ["LOGIN_SECONDS", "Door", "KnownUser", "LoginStore", "TooSoon", "wait_after"]

LOGIN_SECONDS = 30 * 86_400
"""A login ends after so long."""
_FORGET_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class _Patience:
    """When failures begin to cost time: after how many, and how long it may become, in seconds."""

    free: int
    longest: float


_NAME, _ADDRESS = _Patience(5, 60.0), _Patience(20, 900.0)


class TooSoon(Exception):
    """A try came before its time.

    Args:
        seconds: to wait.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(f"wait {seconds} s")
        self.seconds = seconds


class KnownUser(Protocol):
    """A user as the store gives it out."""

    @property
    def id(self) -> str:
        """The user's id."""

    @property
    def name(self) -> str:
        """As it is shown."""

    @property
    def password_hash(self) -> str | None:
        """Argon2's string; None for who cannot log in with a password."""

    @property
    def is_admin(self) -> bool:
        """Whether it is an administrator."""


class LoginStore(Protocol):
    """What is asked of the store; each call may wait for the database."""

    def user_named(self, name: str) -> KnownUser | None:
        """Returns a user by name."""

    def add_login(self, user_id: str, token: str, expires_at: datetime) -> None:
        """Keeps a login, by its token's hash."""

    def login_failures(self, subjects: Sequence[str]) -> dict[str, tuple[int, datetime]]:
        """Returns how often each subject has failed, and when last; what never failed is not in it."""

    def count_login_failure(self, subjects: Sequence[str], forget_before: datetime) -> None:
        """Counts one failure more for each; a count whose last failure was before a time starts anew."""

    def forget_login_failures(self, subjects: Sequence[str]) -> None:
        """Forgets the failures of each."""


class Door:
    """Checks passwords.

    Args:
        store: of users, logins and failures.
    """

    def __init__(self, store: LoginStore) -> None:
        self._store = store

    def log_in(self, name: str, password: str, address: str) -> str | None:
        """Returns a new login's token, or None where name or password are wrong.

        Args:
            name: as it was typed.
            password: as it was typed.
            address: from where; a proxy's word counts if it is trusted.

        Raises:
            TooSoon: there were too many failures; nothing was checked.
        """
        name = name.replace("\0", "").strip()
        by_name, by_address = f"name {name.casefold()}", f"address {address}"
        now = datetime.now(UTC)
        failures = self._store.login_failures([by_name, by_address])
        waits = [
            wait_after(*failures[subject], now, patience.free, patience.longest)
            for subject, patience in ((by_name, _NAME), (by_address, _ADDRESS))
            if subject in failures
        ]
        if max(waits, default=0.0) > 0:
            raise TooSoon(math.ceil(max(waits)))
        # Counted before the password is checked: tries that come at once cannot all be the free one.
        forget_before = now - timedelta(seconds=_FORGET_SECONDS)
        self._store.count_login_failure([by_name], forget_before)
        user = self._store.user_named(name)
        if not is_password(password, user.password_hash if user else None) or user is None:
            self._store.count_login_failure([by_address], forget_before)
            return None
        self._store.forget_login_failures(
            [by_name]
        )  # not the address's: one good login buys no further tries
        token = secrets.token_urlsafe(32)
        self._store.add_login(user.id, token, now + timedelta(seconds=LOGIN_SECONDS))
        return token


def wait_after(failures: int, last: datetime, now: datetime, free: int, longest: float) -> float:
    """Returns the seconds that the next try has to wait.

    Args:
        failures: so far.
        last: when the last one was.
        now: the time.
        free: failures that cost nothing.
        longest: the longest wait, seconds.
    """
    if failures < free:
        return 0.0
    pause = min(longest, 2.0 ** min(failures - free, 30))
    return max(0.0, pause - (now - last).total_seconds())
