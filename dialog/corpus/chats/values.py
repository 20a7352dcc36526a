"""Values of JSON exports that may be missing or of another kind: read without a surprise."""

from collections.abc import Iterator
from datetime import UTC, datetime

__all__ = ["as_id", "as_text", "dicts", "get_dict", "get_list", "iso_seconds", "number"]


def as_text(value: object) -> str:
    """The value where it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def as_id(value: object) -> str | None:
    """A text or a whole number as text; None for anything else."""
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def get_dict(value: object, key: str) -> dict[str, object]:
    """The object under a key, an empty one where there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def get_list(value: object, key: str) -> list[object]:
    """The list under a key, an empty one where there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def dicts(values: list[object]) -> Iterator[dict[str, object]]:
    """The objects of a list."""
    return (value for value in values if isinstance(value, dict))


def number(value: object) -> float | None:
    """A finite number, also where it stands as a text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if abs(seconds) < 1e12 else None


def iso_seconds(value: object) -> float | None:
    """Seconds since 1970 of a date and time in ISO 8601 (UTC where it does not say); None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
