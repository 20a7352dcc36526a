"""DailyDialog's published layout (Li et al. 2017): a conversation a line, `__eou__` after each utterance.

Two people speak in turn; the log does not name them, so they are A and B.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dialog.conversation import Conversation, Turn
from dialog.corpus.records import BadRecord, Line, LogFile, Parsed, RawRecord, decode_line, one_a_line

__all__ = ["END_OF_UTTERANCE", "DailyDialog"]

END_OF_UTTERANCE = "__eou__"


@dataclass(frozen=True, slots=True)
class DailyDialog:
    """The format `dailydialog`; it has no options."""

    name: str = "dailydialog"

    def records(self, file: LogFile, lines: Iterator[Line]) -> Iterator[RawRecord]:
        """Yields a record a line; blank lines are none."""
        return one_a_line(file, lines)

    def parse(self, record: RawRecord, name: str) -> Parsed:
        """Makes a conversation of a line."""
        assert isinstance(record.payload, bytes)
        text = decode_line(record.payload)
        if END_OF_UTTERANCE not in text:
            raise BadRecord(f"no {END_OF_UTTERANCE} in the line")
        parts = text.split(END_OF_UTTERANCE)
        if not parts[-1].strip():
            parts.pop()
        return Parsed(
            Conversation(name, tuple(Turn("AB"[place % 2], part) for place, part in enumerate(parts)))
        )
