"""Rows of any table as JSON and back, and a fingerprint of many rows that no order changes.

The same row gives the same JSON on every database: a time is UTC in ISO 8601, a float that is no finite number
is a word, but for NaN, which is null (SQLite has none and keeps NULL).
"""

import functools
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Float, Integer, SmallInteger, String, Table

from app.store.records import checked_text
from app.store.tables import UtcTime
from dialog.errors import StoreError

__all__ = ["Fingerprint", "from_json", "to_json"]

JsonObject = dict[str, Any]
Decoder = Callable[[Column[Any], Any], Any]


def to_json(table: Table, row: Mapping[str, Any]) -> JsonObject:
    """Returns a row with values that JSON can hold, by column, in the order of the table."""
    return {name: None if (value := row[name]) is None else _encoded(value) for name, _, _ in _columns(table)}


def from_json(table: Table, values: object, where: str) -> JsonObject:
    """Returns what `to_json` was given; a column that is missing counts as null.

    Args:
        where: how a sentence names the row, such as `messages[3]`.

    Raises:
        StoreError: a column that the table does not have, or a value that its column cannot hold.
    """
    if not isinstance(values, dict):
        raise StoreError(f"{where} is no JSON object")
    columns = _columns(table)
    known = table.columns
    if any(name not in known for name in values):
        unknown = sorted(name for name in values if name not in known)
        raise StoreError(
            f"{where} holds {unknown[0][:40]!r}, which this version of hred does not know; update hred"
        )
    return {name: _decoded(column, decode, values.get(name), where) for name, column, decode in columns}


class Fingerprint:
    """A count and a sum of SHA-256 over rows: equal for equal rows, in whatever order they come."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = 0

    def add(self, values: JsonObject) -> None:
        """Adds a row as `to_json` gives it."""
        text = json.dumps(values, sort_keys=True, separators=(",", ":"))
        self._sum = (self._sum + int.from_bytes(hashlib.sha256(text.encode()).digest())) % 2**256
        self.count += 1

    @property
    def digest(self) -> str:
        """64 hexadecimal digits."""
        return f"{self._sum:064x}"


def _encoded(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


@functools.cache
def _columns(table: Table) -> tuple[tuple[str, Column[Any], Decoder], ...]:
    """Returns name, column and what reads its values, for each column of a table."""
    return tuple(
        (column.name, column, next(decode for kind, decode in _DECODERS if isinstance(column.type, kind)))
        for column in table.columns
    )


def _decoded(column: Column[Any], decode: Decoder, value: Any, where: str) -> Any:
    if value is None:
        if column.nullable:
            return None
        raise StoreError(f"{where}.{column.name} is not given")
    try:
        return decode(column, value)
    except (TypeError, ValueError, OverflowError):
        found = json.dumps(value)
        raise StoreError(f"{where}.{column.name} is {found[:40]}, which is no {_WORDS[decode]}") from None


def _time(column: Column[Any], value: Any) -> datetime:
    time = datetime.fromisoformat(value)
    if time.tzinfo is None:
        raise ValueError
    return time


def _text(column: Column[Any], value: Any) -> str:
    length = getattr(column.type, "length", None)
    if not isinstance(value, str) or (length is not None and len(value) > length):
        raise ValueError
    return checked_text(value, column.name.replace("_", " "))


def _whole(column: Column[Any], value: Any) -> int:
    most = 2**15 if isinstance(column.type, SmallInteger) else 2**31
    if isinstance(value, bool) or not isinstance(value, int) or not -most <= value < most:
        raise ValueError
    return value


def _truth(column: Column[Any], value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _number(column: Column[Any], value: Any) -> float:
    if isinstance(value, bool) or not (isinstance(value, int | float) or value in ("inf", "-inf")):
        raise ValueError
    return float(value)


def _json(column: Column[Any], value: Any) -> Any:
    checked_text(json.dumps(value, ensure_ascii=False, allow_nan=False), column.name)
    return value


_DECODERS: tuple[tuple[type[Any], Decoder], ...] = (
    (UtcTime, _time),
    (JSON, _json),
    (Boolean, _truth),
    (Integer, _whole),
    (Float, _number),
    (String, _text),
)
_WORDS: dict[Decoder, str] = {
    _time: "time with its zone",
    _json: "JSON that can be kept",
    _truth: "true or false",
    _whole: "whole number that fits",
    _number: "number",
    _text: "text that fits",
}
