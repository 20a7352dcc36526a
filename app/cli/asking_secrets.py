"""Secrets that a person types: never in the command's own words, which everybody on the machine can read."""

import getpass
import sys

from dialog.errors import UsageError

__all__ = ["ask_new_password"]


def ask_new_password(name: str) -> str:
    """Returns a new password: typed twice, or the first line of the standard input where that is no terminal.

    Raises:
        UsageError: it cannot be one, or the two differ.
    """
    from app.access.passwords import check_password

    if not sys.stdin.isatty():
        password = sys.stdin.readline().rstrip("\r\n")
        check_password(password)
        return password
    password = getpass.getpass(f"Password for {name}: ")
    check_password(password)
    if getpass.getpass("The same again: ") != password:
        raise UsageError("the two passwords differ; start again")
    return password
