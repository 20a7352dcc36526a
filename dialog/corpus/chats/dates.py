"""Dates and times of day as people's devices write them: which number is the day, which half of the day."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

__all__ = ["ORDERS", "DateOrder", "find_order", "hour_of", "seconds_of", "to_date"]

ORDERS = {"dmy": "day first", "mdy": "month first", "ymd": "year first"}
_MOST_DATES = 20_000
_AFTERNOON = ("p", "午後", "下午", "오후", "م", "μ", "ch", "ös", "अपराह्न")
_MONTH_FIRST_HALVES = ("am", "pm")


@dataclass(frozen=True, slots=True)
class DateOrder:
    """The order of a file's dates.

    Attributes:
        order: one of ORDERS.
        is_sure: no other order fits as well.
    """

    order: str
    is_sure: bool

    @property
    def said(self) -> str:
        """As the report says it."""
        words = f"dates: {ORDERS[self.order]}"
        return words if self.is_sure else f"{words} (another order fits, too: see --dates)"


def to_date(numbers: tuple[int, int, int], order: str) -> date | None:
    """Returns the date of three numbers, None where there is no such day. Two digits of a year are of 2000 on."""
    first, second, third = numbers
    if order == "ymd":
        year, month, day = first, second, third
    elif order == "mdy":
        year, month, day = third, first, second
    else:
        year, month, day = third, second, first
    try:
        return date(year + 2000 if year < 100 else year, month, day)
    except ValueError:
        return None


def find_order(dates: Iterable[tuple[int, int, int]], has_am_pm: bool = False) -> DateOrder:
    """Finds out the order of the numbers of a log's dates.

    The order wins under which the fewest dates are impossible, then the fewest go back in time, then the time from
    the first to the last is shortest.

    Args:
        dates: as they stand in the log, in its order; the first 20,000 that differ from the one before are read.
        has_am_pm: whether the log's clock says AM and PM; decides where nothing else does.
    """
    wrong, back = dict.fromkeys(ORDERS, 0), dict.fromkeys(ORDERS, 0)
    last: dict[str, date] = {}
    ends: dict[str, tuple[date, date]] = {}
    num_dates = 0
    before = None
    for numbers in dates:
        if numbers == before:
            continue
        before = numbers
        num_dates += 1
        if num_dates > _MOST_DATES:
            break
        for order in ORDERS:
            day = to_date(numbers, order)
            if day is None:
                wrong[order] += 1
                continue
            back[order] += order in last and day < last[order]
            last[order] = day
            first, latest = ends.get(order, (day, day))
            ends[order] = min(first, day), max(latest, day)
    preferred = ("mdy", "dmy", "ymd") if has_am_pm else ("dmy", "mdy", "ymd")
    spans = {order: (ends[order][1] - ends[order][0]).days if order in ends else 0 for order in ORDERS}
    best = min(preferred, key=lambda order: (wrong[order], back[order], spans[order]))
    # The span alone is a guess: an order that is possible and never goes back more often fits as well.
    is_sure = all(
        (wrong[order], back[order]) > (wrong[best], back[best]) for order in ("dmy", "mdy") if order != best
    )
    return DateOrder(best, is_sure)


def hour_of(hour: int, half: str) -> int | None:
    """Returns the hour of the day; `half` names the half of the day, or is empty for a clock of 24 hours."""
    if half:
        is_afternoon = half.casefold().startswith(_AFTERNOON)
        hour = hour % 12 + 12 * is_afternoon if hour <= 12 else hour
    return hour if hour < 24 else None


def seconds_of(day: date, hour: int, minute: int, second: int = 0) -> float:
    """Returns seconds since 1970, the log's own clock taken as UTC."""
    days = day.toordinal() - date(1970, 1, 1).toordinal()
    return float(days * 86_400 + hour * 3_600 + minute * 60 + second)
