"""Passwords: hashed slowly by Argon2id (RFC 9106), and what a password must be.

The parameters are argon2-cffi's defaults, RFC 9106's second choice: 64 MiB and three passes.
"""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from dialog.errors import UsageError

__all__ = ["MAX_PASSWORD", "MIN_PASSWORD", "check_password", "hash_password", "is_password"]

MIN_PASSWORD = 8
MAX_PASSWORD = 1000
"""Characters."""

_HASHER = PasswordHasher()


def check_password(password: str) -> None:
    """Checks a new password's length, which is what its strength hangs on most.

    Raises:
        UsageError: it is too short, or too long to be one.
    """
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise UsageError(
            f"the password has {len(password)} characters, but needs {MIN_PASSWORD} to {MAX_PASSWORD}; "
            "choose another"
        )


def hash_password(password: str) -> str:
    """Returns what is stored of a password: Argon2's own string, with its salt and parameters."""
    return _HASHER.hash(password)


def is_password(password: str, stored: str | None) -> bool:
    """Returns whether a password is the one that is stored; as slow when there is none to compare with."""
    if len(password) > MAX_PASSWORD:
        return False
    try:
        _HASHER.verify(stored or _nobodys(), password)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


@cache
def _nobodys() -> str:
    return _HASHER.hash("")
