"""What `hred prepare` counted: plain JSON values, kept in corpus.json and shown by the command."""

from typing import Any

from dialog.corpus.cleaning import RULES, Counts
from dialog.corpus.plan import Plan
from dialog.errors import TooManyBadRecords

__all__ = ["BadRecords", "build_report"]

_EARLY_CHECK_RECORDS = 10_000
_MOST_LISTED = 1_000


class BadRecords:
    """Counts bad records, keeps the first ones, and stops when they are too many.

    Attributes:
        num_records: records seen, good and bad.
        num_bad: bad ones.
        listed: the first ones as `path:line: reason`.
    """

    def __init__(self, max_bad: float) -> None:
        self.num_records = 0
        self.num_bad = 0
        self.listed: list[str] = []
        self._max_bad = max_bad

    def add(self, path: str, bad: list[tuple[int, str]], num_good: int) -> None:
        """Adds the records of a part of a file; stops early once thousands are read.

        Raises:
            TooManyBadRecords: see `check`.
        """
        self.num_records += num_good + len(bad)
        self.num_bad += len(bad)
        room = _MOST_LISTED - len(self.listed)
        self.listed += [f"{path}:{line}: {reason}" for line, reason in bad[:room]]
        if self.num_records >= _EARLY_CHECK_RECORDS:
            self.check()

    def add_segment(self, record: dict[str, Any]) -> None:
        """Adds the records of a segment, without a check."""
        self.num_records += record["records"]
        self.num_bad += record["bad"]
        self.listed += record["first_bad"][: _MOST_LISTED - len(self.listed)]

    def check(self) -> None:
        """Raises TooManyBadRecords where the share of bad records is over the limit."""
        if self.num_bad > self._max_bad * self.num_records:
            raise TooManyBadRecords(
                f"{self.num_bad:,} of {self.num_records:,} records are bad, more than the "
                f"{self._max_bad:.2%} that --max-bad allows; the first is {self.listed[0]}"
            )


def build_report(
    counts: Counts,
    bad: BadRecords,
    plan: Plan,
    splits: dict[str, dict[str, int]],
    leaks: dict[str, list[str]],
) -> dict[str, Any]:
    """Returns the report; its sums add up:

    conversations: read = kept + each of dropped; records = read + bad.
    turns: read = kept + system + empty + joined + those of dropped conversations.
    messages (of exports of chat programs): read = as turns + left out for each reason.
    """
    kept = sum(sizes["conversations"] for sizes in splits.values())
    turns = sum(sizes["turns"] for sizes in splits.values())
    return {
        "records": {"read": bad.num_records, "bad": bad.num_bad, "first_bad": bad.listed},
        "conversations": {
            "read": counts["conversations_read"],
            "kept": kept,
            "dropped": {rule: counts[f"conversations_dropped_{rule}"] for rule in RULES},
        },
        "turns": {
            "read": counts["turns_read"],
            "kept": turns,
            "system": counts["turns_system"],
            "empty": counts["turns_empty"],
            "joined": counts["turns_joined"],
            "of_dropped": counts["turns_of_dropped"],
        },
        "texts": {"normalised": counts["texts_normalised"], "repaired": counts["texts_repaired"]},
        "messages": {
            "read": counts["messages_read"],
            "as_turns": counts["messages_as_turns"],
            "left_out": _named(counts, "messages_left_out/"),
            "met": _named(counts, "met/"),
        },
        "masked": _named(counts, "masked/"),
        "splits": {"by": plan.split_by, **splits},
        "in_two_splits": {name: {"conversations": len(ids), "ids": ids} for name, ids in leaks.items()},
        "files": [
            {name: file.get(name) for name in ("path", "format", "details", "split")} for file in plan.files
        ],
        "left_out": plan.left_out,
    }


def _named(counts: Counts, prefix: str) -> dict[str, int]:
    """The counts whose names begin with `prefix`, without it, the largest first."""
    found = {key.removeprefix(prefix): number for key, number in counts.items() if key.startswith(prefix)}
    return dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))
