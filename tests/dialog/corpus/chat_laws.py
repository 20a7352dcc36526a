"""What must hold for a log of any content, in any format; used by the tests of properties and by the fuzzer."""

from pathlib import Path

from dialog.corpus.chats.recognise import CHATS
from dialog.corpus.formats import FormatOptions, find_format
from dialog.corpus.records import BadRecord, LogFile
from dialog.errors import LogError


def read_anything(path: Path, name: str | None, mask: bool) -> None:
    """Reads a file: a sentence where it cannot be read, else sums that are right."""
    file = LogFile(path, 4_096)
    try:
        found = find_format(file, FormatOptions(name=name, mask=mask))
        if found is None:
            return
        for record in found.records(file, file.lines()):
            if record.error is not None:
                continue
            try:
                parsed = found.parse(record, "x")
            except BadRecord:
                continue
            turns = parsed.conversation.turns
            assert all(isinstance(turn.text, str) and isinstance(turn.speaker, str) for turn in turns)
            if found.name in CHATS:
                left_out = sum(n for key, n in parsed.counts.items() if key.startswith("messages_left_out/"))
                assert parsed.counts["messages_read"] == left_out + len(turns)
                assert all(turn.speaker for turn in turns)
    except LogError as error:
        assert str(error).strip()
