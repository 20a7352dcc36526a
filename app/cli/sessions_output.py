"""What `hred sessions` prints and writes, and the times that it reads."""

import hashlib
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dialog.errors import UsageError

if TYPE_CHECKING:
    from app.store import ListedSession

__all__ = ["as_json", "plain", "print_json", "print_list", "time_of", "told_reviews", "write_lines"]

_MOST_LISTED = 50
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def plain(text: str, *, one_line: bool = False) -> str:
    """Returns a text without what a terminal would obey: control characters become a sign of their own.

    Args:
        one_line: cuts it to one line of at most 100 characters.
    """
    kept = "" if one_line else "\n\t"
    shown = "".join(
        each if each.isprintable() or each in kept else "\N{REPLACEMENT CHARACTER}"
        for each in (" ".join(text.split()) if one_line else text)
    )
    return shown[:99] + "…" if one_line and len(shown) > 100 else shown


def print_json(values: dict[str, Any]) -> None:
    """Prints an object as a line."""
    print(json.dumps(values, ensure_ascii=False))


def as_json(one: "ListedSession") -> dict[str, Any]:
    """Returns what `hred sessions list --json` prints of a session."""
    return {
        "id": one.session.id,
        "title": one.session.title,
        "kind": one.session.kind,
        "model_name": one.session.model_name,
        "created_at": one.session.created_at.isoformat(),
        "updated_at": one.session.updated_at.isoformat(),
        "messages": one.num_messages,
        "owner": one.owner,
        "user": one.user,
    }


def print_list(found: "Collection[ListedSession]") -> None:
    """Prints sessions as a table; of very many the first ones."""
    if not found:
        print("no chats")
        return
    print(f"{'chat':8}  {'last changed':16}  {'messages':>8}  {'whose':12}  title   (times are UTC)")
    for one in list(found)[:_MOST_LISTED]:
        whose = plain(one.user, one_line=True)[:12] if one.user else one.owner[:8]
        changed = one.session.updated_at.astimezone(UTC)
        print(
            f"{one.session.id[:8]}  {changed:%Y-%m-%d %H:%M}  {one.num_messages:>8,}  {whose:12}  "
            + plain(one.session.title, one_line=True)
        )
    if len(found) > _MOST_LISTED:
        print(f"… and {len(found) - _MOST_LISTED:,} more")


def time_of(text: str) -> datetime:
    """Returns the time that lies so long ago, such as 12h, 90d or 4w, or at which a day begins, in UTC.

    Raises:
        UsageError: it is neither.
    """
    wrong = UsageError(f"--older-than is {text!r}, but must be such as 12h, 90d, 4w, or a day, 2026-01-31")
    try:
        found = re.fullmatch(r"([0-9]{1,6})([hdw])", text)
        if found:
            return datetime.now(UTC) - int(found[1]) * _UNITS[found[2]]
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise wrong from None


def told_reviews(found: Sequence[dict[str, Any]], lines: Iterable[bytes]) -> str:
    """Returns how much there is to learn, why, and the hash by which this version is known."""
    whys = Counter(one["why"] for conversation in found for one in conversation["reviewed"])
    version = hashlib.sha256(b"".join(lines)).hexdigest()[:16]
    reasons = ", ".join(f"{count:,} {why}" for why, count in sorted(whys.items()))
    return (
        f"{len(found):,} conversations with {whys.total():,} replies to learn ({reasons}); version {version}"
    )


def write_lines(out: Path, lines: Iterable[bytes]) -> int:
    """Writes a new file, for its user alone, as a whole or not at all; returns how many lines it has.

    Raises:
        UsageError: there is one of that name.
    """
    if out.exists():
        raise UsageError(f"{out} is there already, and an export overwrites nothing; give another name")
    out.parent.mkdir(parents=True, exist_ok=True)
    number, unfinished = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)  # made with mode 0600
    count = 0
    try:
        with os.fdopen(number, "wb") as file:
            for line in lines:
                file.write(line)
                count += 1
            file.flush()
            os.fsync(file.fileno())
        Path(unfinished).replace(out)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise
    return count
