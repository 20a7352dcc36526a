"""Small exports of chat programs, and what their readers make of them."""

import io
import zipfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from dialog.corpus.formats import FormatOptions, find_format
from dialog.corpus.records import LogFile


class Read(NamedTuple):
    """What was read of a log: speaker and text of each conversation's turns, counts, the format and its details."""

    said: list[list[tuple[str, str]]]
    counts: Counter[str]
    name: str
    details: tuple[str, ...]

    def left_out(self) -> dict[str, int]:
        prefix = "messages_left_out/"
        return {key.removeprefix(prefix): n for key, n in self.counts.items() if key.startswith(prefix)}


def read_chat(path: Path, content: str | bytes | None = None, **options) -> Read:
    """Writes a log, if it is given, and reads it; the sum of its messages must be right."""
    if content is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape")
        )
    file = LogFile(path, 1 << 20)
    found = find_format(file, FormatOptions(**options))
    said, counts = [], Counter()
    for record in found.records(file, file.lines()):
        assert record.error is None, record.error
        parsed = found.parse(record, f"{file.name}:{record.line}")
        counts.update(parsed.counts)
        if parsed.conversation.turns:
            said.append([(turn.speaker, turn.text) for turn in parsed.conversation.turns])
    read = Read(said, counts, found.name, found.details)
    assert counts["messages_as_turns"] == sum(map(len, said))
    assert counts["messages_read"] == counts["messages_as_turns"] + sum(read.left_out().values())
    return read


HELLO = [[("Anna", "hello, Tom"), ("Tom", "hi: how\nare you?")]]

WHATSAPP = {
    "Android, month first": "12/31/20, 11:58\u202fPM - {0}12/31/20, 11:59\u202fPM - {1}",
    "Android, day first": "31/12/2020, 23:58 - {0}31/12/2020, 23:59 - {1}",
    "Android, dots": "31.12.20, 23:58 - {0}31.12.20, 23:59 - {1}",
    "Android, dots in the time": "31/12/20 23.58 - {0}31/12/20 23.59 - {1}",
    "Android, year first": "2020/12/31 23:58 - {0}2020/12/31 23:59 - {1}",
    "Android, a.m.": "2020-12-31, 11:58 p.m. - {0}2020-12-31, 11:59 p.m. - {1}",
    "Android, Spanish": "31/12/20, 11:58\xa0p.\xa0m. - {0}31/12/20, 11:59\xa0p.\xa0m. - {1}",
    "Android, Chinese": "2020/12/31 下午11:58 - {0}2020/12/31 下午11:59 - {1}",
    "iOS": "[31.12.20, 23:58:01] {0}[31.12.20, 23:59:59] {1}",
    "iOS, 12 hours": "[12/31/20, 11:58:01\u202fPM] {0}\u200e[12/31/20, 11:59:59\u202fPM] {1}",
    "iOS, no comma": "[31/12/2020 23:58:01] {0}[31/12/2020 23:59:59] {1}",
    "iOS, marks": "\u200f[31\u200f/12\u200f/2020, 23:58:01] {0}[31\u200f/12\u200f/2020, 23:59:59] {1}",
}


def zip_of(files: dict[str, str | bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()
