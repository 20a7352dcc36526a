"""How long it is quiet between the messages of chats: what helps to choose `--silence`."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from dialog.corpus.chats.cutting import ChatLog, cut
from dialog.corpus.chats.message import Message
from dialog.corpus.masking import Masked
from dialog.corpus.sources import Source

__all__ = ["EDGES", "SILENCES", "Gaps", "measure_gaps"]

EDGES = {
    "under 1 minute": 60.0,
    "1 to 5 minutes": 300.0,
    "5 to 15 minutes": 900.0,
    "15 to 30 minutes": 1_800.0,
    "30 to 60 minutes": 3_600.0,
    "1 to 3 hours": 10_800.0,
    "3 to 6 hours": 21_600.0,
    "6 to 12 hours": 43_200.0,
    "12 to 24 hours": 86_400.0,
    "1 to 7 days": 604_800.0,
    "over 7 days": float("inf"),
}
"""The bars of the histogram: their names, and the seconds at which each ends."""

SILENCES = (5, 15, 30, 60, 180, 360, 720, 1_440)
"""The silences, in minutes, that are tried."""


@dataclass
class Gaps:
    """What was measured.

    Attributes:
        num_messages: messages of all chats.
        num_undated: those without a time.
        histogram: for each of EDGES, how many messages came so long after the one before in their chat.
        conversations: for each of SILENCES, how many conversations of two messages and more there are, and their
            messages in all.
    """

    num_messages: int = 0
    num_undated: int = 0
    histogram: dict[str, int] = field(default_factory=lambda: dict.fromkeys(EDGES, 0))
    conversations: dict[int, tuple[int, int]] = field(default_factory=lambda: dict.fromkeys(SILENCES, (0, 0)))


def measure_gaps(sources: Iterable[Source]) -> Gaps:
    """Reads the chats among the sources, once for the histogram and once for each silence."""
    gaps = Gaps()
    for source in sources:
        found = source.log_format
        chat = found.inner if isinstance(found, Masked) else found
        if isinstance(chat, ChatLog):
            _add(gaps, source, chat)
    return gaps


def _add(gaps: Gaps, source: Source, chat: ChatLog) -> None:
    last: tuple[str, float] | None = None
    for item in chat.reader.read(source.file, source.file.lines()):
        if not isinstance(item, Message):
            continue
        gaps.num_messages += 1
        if item.time is None:
            gaps.num_undated += 1
            continue
        if last is not None and last[0] == item.stream:
            gap = abs(item.time - last[1])
            gaps.histogram[next(name for name, end in EDGES.items() if gap < end)] += 1
        last = (item.stream, item.time)
    for minutes in SILENCES:
        items = chat.reader.read(source.file, source.file.lines())
        sizes = [
            len(record.payload.turns)  # type: ignore[attr-defined]  # a bad record has none
            for record in cut(items, minutes * 60.0, source.file.max_line_bytes)
            if record.error is None
        ]
        number, total = gaps.conversations[minutes]
        longer = [size for size in sizes if size > 1]
        gaps.conversations[minutes] = number + len(longer), total + sum(longer)
